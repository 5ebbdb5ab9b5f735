"""Jobs as people see them: progress, the Stop button, the result."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest
from support.jobs import HeldJobs
from support.newsroom import Newsroom, labels, said

from bot.jobs import Job
from bot.views.progress import progress_text, progress_view, result_view
from index import Archive, ArticleChange, Failure, IngestResult, InputError, Progress

GULL = b"A grey gull flew over the harbour at noon."


async def test_long_result_comes_with_a_file(room: Newsroom, held: HeldJobs) -> None:
    """A result that does not fit into the message is in a file, even after a progress bar."""
    rows = b"".join(b'{"title": "Gulls %d", "text": "Gulls flew."}\n' % n for n in range(15))
    result = await room.add(("gulls.jsonl", rows))
    await room.env.advance_time(3)
    await held.release()
    shown = room.channel.last_message
    assert shown.id == result.response.id
    assert "**Added 15**" in said(shown)
    (file,) = shown.attachments
    assert file.filename == "result.txt"


async def test_unforeseen_failure_of_long_work_ends_in_its_message(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error ends in the job's message, in a sentence without details."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Archive, "add", broken)
    result = await room.add(("gull.txt", GULL))
    assert said(result.response).startswith(
        "### Adding reports\nSomething went wrong. It has been logged."
    )
    assert "secret" not in said(result.response)
    assert room.env.bot.jobs.running == {}


async def test_long_work_shows_itself_and_can_be_stopped(room: Newsroom, held: HeldJobs) -> None:
    """A bar shows progress; a moderator can stop it, a reader cannot; what was added stays."""
    await room.editor.slash(room.channel, "reindex")
    assert held.job
    held.job.progress = Progress(50, 400, 200, "A gull over the harbour")
    await room.env.advance_time(3)
    shown = room.channel.last_message
    assert "`█████░░░░░░░░░░░░░░░` 25%" in said(shown)
    assert "50 of at most 200 reports" in said(shown)
    assert "A gull over the harbour" in said(shown)
    assert "done about <t:" in said(shown)
    refused = await room.reader.click(shown, label="Stop")
    assert "Only the person who started it, or a moderator" in said(refused.followups[-1])
    await room.editor.click(shown, label="Stop")
    assert labels(room.channel.last_message) == ["(Stopping …)"]
    await held.release()
    assert "editor stopped it before anything was changed." in said(room.channel.last_message)
    assert labels(room.channel.last_message) == []


async def test_stop_button_of_ended_work_says_so(room: Newsroom) -> None:
    """A Stop button left behind by a restart gets a reply."""
    channel = room.env.bot.get_channel(room.channel.id)
    shown = await channel.send(view=progress_view(Job("desk", "Reindexing", 1, "Ada")))
    late = await room.editor.click(shown, label="Stop")
    assert "already finished" in said(late.followups[-1])


async def test_edits_are_two_seconds_apart(room: Newsroom, held: HeldJobs) -> None:
    """However fast the progress, the message is edited at most every two seconds."""
    await room.editor.slash(room.channel, "reindex")
    await room.env.advance_time(20)
    edits = [r for r in room.env.http_requests if r.method == "PATCH" and "messages" in r.path]
    assert 1 <= len(edits) <= 10
    await held.release()


async def test_stopping_bot_ends_work_and_says_so(room: Newsroom, held: HeldJobs) -> None:
    """When the bot is stopped, work under way ends after the article in hand, and tells it."""
    await room.editor.slash(room.channel, "reindex")
    await room.env.advance_time(3)
    jobs = room.env.bot.jobs
    stopping = asyncio.create_task(room.env.bot.close())
    await asyncio.sleep(0.1)
    held.go.set()
    await stopping
    assert "The operator stopped it" in said(room.channel.last_message)
    assert jobs.running == {}
    with pytest.raises(InputError, match="restarting"), jobs.listed(Job("x", "Adding", 1, "r")):
        pass


async def test_second_reindex_is_refused_while_one_runs(room: Newsroom, held: HeldJobs) -> None:
    """A second reindex says who started the first, when and where."""
    await room.editor.slash(room.channel, "reindex")
    await room.env.advance_time(3)
    result = await room.editor.slash(room.channel, "reindex")
    assert "editor started reindexing <t:" in said(result.response)
    assert str(room.channel.last_message.id) in said(result.response)
    assert result.ephemeral
    assert room.env.errors
    await held.release()
    assert "Unchanged 2" in said(room.channel.last_message)


async def test_work_outlives_its_interaction(room: Newsroom, held: HeldJobs) -> None:
    """After the 15 minutes of an interaction, the same message is still edited."""
    await room.editor.slash(room.channel, "reindex")
    await room.env.advance_time(16 * 60)
    await held.release()
    assert "Unchanged 2" in said(room.channel.last_message)
    last = [r for r in room.env.http_requests if r.method == "PATCH"][-1]
    assert last.path.startswith("/channels/")


async def test_a_result_that_cannot_be_posted_is_sent_privately(
    room: Newsroom, held: HeldJobs
) -> None:
    """If neither the message nor the channel accepts the result, the person gets it."""
    await room.editor.slash(room.channel, "reindex")
    room.env.inject_error("PATCH", "/webhooks/*", status=404)
    room.env.inject_error("POST", "/channels/*/messages", status=403)
    await held.release()
    assert "Unchanged 2" in said(room.editor.user.dm_channel.last_message)


def test_progress_without_a_total_counts() -> None:
    """Without a known total there is no bar, only a count."""
    under_way = Job("desk", "Adding", 1, "Ada", progress=Progress(1, 12, None, "A *title*"))
    text = progress_text(under_way)
    assert "1 report · 12 sentences embedded" in text
    assert "A \\*title\\*" in text
    assert "done about" not in text
    assert "%" not in text


class Asked:
    """The part of an interaction that a result uses."""

    def __init__(self, *, attach: bool) -> None:
        self.app_permissions = discord.Permissions(attach_files=attach)


@pytest.mark.parametrize("attach", [True, False])
def test_long_results_come_as_a_file_where_they_may(*, attach: bool) -> None:
    """A file has every title and reason; without Attach Files, the first lines are shown."""
    added = tuple(ArticleChange(f"id{n}", f"Title {n}", 3) for n in range(40))
    failed = tuple(Failure(f"source {n}", f"It is broken {n}.") for n in range(40))
    asked: Any = Asked(attach=attach)
    view, *files = result_view("Adding", IngestResult(7, added=added, failed=failed), asked)
    assert view.content_length() <= 4000
    assert bool(files) == attach
    for file in files:
        content = file.fp.read().decode()
        assert all(f"Title {n}\n" in content for n in range(40))
        assert content.count("It is broken") == 40


async def test_edits_become_rarer(room: Newsroom, held: HeldJobs) -> None:
    """In five minutes a job's message is edited about fifteen times, not a hundred and fifty."""
    await room.editor.slash(room.channel, "reindex")
    for _ in range(60):
        await room.env.advance_time(5)
    assert held.pauses[:3] == [2.0, 3.0, 4.5]
    assert held.pauses[-1] == 30.0
    await held.release()
