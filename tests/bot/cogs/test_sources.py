"""Moderating in Discord: who may, bringing in, long work that shows itself, putting right."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import discord
import pytest
from support.files import pdf
from support.newsroom import Newsroom, labels, said

from bot import work
from bot.desk import addresses
from bot.settings import Discord
from bot.work import Work, Works, progress_text, progress_view, result_view
from index.archive import Archive
from index.domain import Failure
from index.ingest import ArticleChange, IngestResult, Progress

pytestmark = pytest.mark.simcord(shard_count=1, settle_timeout=30)
GULL = b"A grey gull flew over the harbour at noon."


class Held:
    """Work that stands still until it is let go, so that a test can look at it."""

    def __init__(self, env: Any, patch: pytest.MonkeyPatch) -> None:
        self.env = env
        self.go = asyncio.Event()
        self.work: Work | None = None
        patch.setattr(Works, "run", self.run)
        patch.setattr(work, "ended", self.ended)

    async def run(self, job: Callable[..., IngestResult], under_way: Work) -> IngestResult:
        self.work = under_way
        await self.env.external_wait(self.go.wait(), reason="held by the test")
        if under_way.stopped_by:
            under_way.watch(Progress(1, 1, 1, "The last"))
        return await asyncio.to_thread(job, under_way.watch)

    async def ended(self, task: asyncio.Task[IngestResult]) -> bool:
        waiting = asyncio.wait({task}, timeout=work.EVERY_S)
        return bool((await self.env.external_wait(waiting, reason="held by the test"))[0])


@pytest.fixture
def held(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(room.env, monkeypatch)


async def test_files_are_added(room: Newsroom) -> None:
    """Attached files can be asked about at once, and are no source to look into again."""
    result = await room.editor.slash(
        room.channel, "reports add", file=("gull.txt", GULL), file2=("fog.md", b"# Fog\n\nFog lay.")
    )
    assert "**Added 2**" in said(result.response)
    assert not result.ephemeral
    answer = await room.reader.slash(room.channel, "ask", question="What flew over the harbour?")
    assert "grey gull" in said(answer.response)
    assert [one.kind for one in room.archive().sources.all()] == ["folder"]


async def test_same_file_again_is_the_same_report(room: Newsroom) -> None:
    """What is attached twice is stored once, although Discord gives it another address."""
    for expected in ("**Added 1**", "**Unchanged 1**"):
        result = await room.editor.slash(room.channel, "reports add", file=("gull.txt", GULL))
        assert expected in said(result.response)
    stored = [one for one in room.archive().articles() if "gull" in one.text]
    assert len(stored) == 1
    assert stored[0].url is None
    assert "cdn" not in (stored[0].source or "")


async def test_dry_run_changes_nothing(room: Newsroom) -> None:
    """A dry run tells the same and stores nothing."""
    options: dict[str, Any] = {"file": ("gull.txt", GULL), "dry-run": True}
    result = await room.editor.slash(room.channel, "reports add", **options)
    assert "dry run" in said(result.response)
    assert "**Would be added: 1**" in said(result.response)
    assert room.archive().size().articles == 2


LOCKED = f"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<{'ab' * 32}>/U<{'cd' * 32}>>>"


def zipped(name: str, data: bytes) -> bytes:
    """A zip archive with one file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return made.getvalue()


async def test_hostile_files_are_named_and_the_rest_goes_in(room: Newsroom) -> None:
    """A bomb, PDFs without text, a picture and endless tags are each told; the gull goes in."""
    files = {
        "file": ("bomb.zip", zipped("bomb.txt", b"0" * 300_000_000)),
        "file2": ("report.pdf", b"%PDF-1.7 that is none"),
        "file6": ("locked.pdf", pdf(["A gull."], more=LOCKED)),
        "file7": ("pictures.pdf", pdf([])),
        "file3": ("report.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40),
        "file4": ("deep.html", b"<html><body>" + b"<div>" * 100_000 + b"deep"),
        "file5": ("gull.txt", GULL),
    }
    result = await room.editor.slash(room.channel, "reports add", **files)
    text = said(result.response)
    assert "**Added 1**" in text
    assert "**Failed 6**" in text
    for name in ("bomb.zip", "report.pdf", "report.txt", "deep.html"):
        assert text.count(f"- {name}") == text.count(name) == 1  # a reason does not say it again
    assert "locked with a password" in text
    assert "only pictures or empty pages" in text


async def test_long_result_comes_with_a_file(room: Newsroom, held: Held) -> None:
    """What does not fit into the message is in a file, also where the message showed a bar."""
    rows = b"".join(b'{"title": "IngestResult %d", "text": "Gulls flew."}\n' % n for n in range(15))
    result = await room.editor.slash(room.channel, "reports add", file=("gulls.jsonl", rows))
    await room.env.advance_time(3)
    held.go.set()
    await room.env.settle()
    shown = room.channel.last_message
    assert shown.id == result.response.id
    assert "**Added 15**" in said(shown)
    (file,) = shown.attachments
    assert file.filename == "result.txt"


async def test_unforeseen_failure_of_long_work_ends_in_its_message(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is told in one sentence, without its details, where the work shows."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Archive, "add", broken)
    result = await room.editor.slash(room.channel, "reports add", file=("gull.txt", GULL))
    assert said(result.response).startswith("### Adding\nSomething went wrong on my side")
    assert "secret" not in said(result.response)
    assert room.env.bot.works.running == {}


async def test_too_large_a_file_is_not_downloaded(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size is looked at before the download; the other file goes in."""
    real = discord.Attachment.save

    async def save(self: discord.Attachment, *rest: Any, **named: Any) -> int:
        assert self.filename == "gull.txt"
        return await real(self, *rest, **named)

    monkeypatch.setattr(discord.Attachment, "save", save)
    result = await room.editor.slash(
        room.channel, "reports add", file=("big.txt", b"x" * 20_000_001), file2=("gull.txt", GULL)
    )
    text = said(result.response)
    assert "big.txt: It is larger than 20 MB" in text
    assert "**Added 1**" in text


async def test_message_menu_adds_what_is_attached(room: Newsroom) -> None:
    """The menu on somebody's message adds its files; a message with nothing is refused."""
    files = [("gull.txt", GULL), ("dam.txt", b"The dam stands.")]
    message = await room.reader.send(room.channel, "seen today", attachments=files)
    result = await room.editor.context_menu(room.channel, "Add to the reports", message)
    assert "**Added 2**" in said(result.response)
    bare = await room.reader.send(room.channel, "nothing here")
    result = await room.editor.context_menu(room.channel, "Add to the reports", bare)
    assert "neither a link nor a file" in said(result.response)
    assert room.env.errors


@pytest.mark.parametrize("address", ["/etc/passwd", "file:///etc/passwd", "~/notes.txt", "-"])
async def test_only_addresses_are_read(room: Newsroom, address: str) -> None:
    """What is no web address never reaches the machine's own files."""
    result = await room.editor.slash(room.channel, "reports add", address=address)
    assert "begins with https://" in said(result.response)
    assert room.env.errors


async def test_private_addresses_are_refused(room: Newsroom) -> None:
    """An address of the machine's own network is told as failed, and is no source afterwards."""
    address = "http://127.0.0.1:9/feed"
    result = await room.editor.slash(room.channel, "reports add", address=address)
    assert "**Failed 1**" in said(result.response)
    assert [one.kind for one in room.archive().sources.all()] == ["folder"]


def test_addresses_are_found_in_a_message() -> None:
    """Links are taken without the punctuation around them, each once."""
    text = "See <https://a.example/x>, (https://b.example/y_(z)). and https://a.example/x!"
    assert addresses(text) == ["https://a.example/x", "https://b.example/y_(z)"]


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("add", {"address": "https://a.example"}),
        ("remove", {"report": "x"}),
        ("restore", {"report": "x"}),
        ("history", {}),
        ("undo", {"change": 1}),
        ("export", {}),
        ("erase-all", {}),
        ("sources list", {}),
        ("sources pause", {"source": "x"}),
    ],
)
async def test_readers_are_refused(room: Newsroom, command: str, options: dict[str, Any]) -> None:
    """Commands that stand beside everybody's are refused by the bot itself."""
    result = await room.reader.slash(room.channel, f"reports {command}", **options)
    assert "for moderators" in said(result.response)
    assert result.ephemeral
    assert room.env.errors


async def test_role_from_the_settings_moderates(room: Newsroom) -> None:
    """A role that the operator named moderates without any permission of Discord's own."""
    role = room.guild.create_role("Fact desk", permissions=discord.Permissions.none())
    member = room.guild.add_member(room.env.create_user("checker"), roles=[role])
    bot = room.env.bot
    named = Discord(moderator_roles=(role.id,))
    bot.settings = bot.settings.model_copy(update={"discord": named})
    result = await member.slash(room.channel, "reports history")
    assert "What was changed" in said(result.response)


async def test_report_is_removed_and_restored(room: Newsroom) -> None:
    """Titles are offered while typing; what is removed is offered for restoring, and both show."""
    offered = await room.editor.autocomplete(room.channel, "reports remove", "report", "cup")
    assert len(offered) == 1
    assert offered[0]["name"].startswith("Carrowmere Athletic reached the cup final")
    for command, word in (("remove", "**Removed 1**"), ("restore", "**Restored 1**")):
        offered = await room.editor.autocomplete(room.channel, f"reports {command}", "report", "c")
        title = next(one["value"] for one in offered if one["value"].startswith("cup"))
        result = await room.editor.slash(room.channel, f"reports {command}", report=title)
        assert word in said(result.response)
    assert room.archive().size().articles == 2


async def test_unclear_titles_remove_nothing(room: Newsroom) -> None:
    """Words of a title are not enough to take a report out."""
    result = await room.editor.slash(room.channel, "reports remove", report="cup")
    assert "No report has that title" in said(result.response)
    assert room.archive().size().articles == 2
    assert room.env.errors


async def test_history_tells_who_did_what(room: Newsroom) -> None:
    """The audit log names people, and its pages turn."""
    for number in range(11):
        file = (f"gull{number}.txt", GULL + str(number).encode())
        await room.editor.slash(room.channel, "reports add", file=file)
    result = await room.editor.slash(room.channel, "reports history")
    assert f"<@{room.editor.id}> · add: 1 added" in said(result.response)
    assert labels(result.response) == ["(◀ Later)", "Earlier ▶"]
    await room.editor.click(result.response.message, label="Earlier ▶")
    shown = room.channel.history(viewer=room.editor)[-1]
    assert "operator · add: 2 added" in said(shown)
    assert labels(shown) == ["◀ Later", "(Earlier ▶)"]
    room.env.bot.moderates = lambda _: False
    refused = await room.editor.click(shown, label="◀ Later")
    assert "for moderators" in said(refused.followups[-1])


async def test_long_work_shows_itself_and_can_be_stopped(room: Newsroom, held: Held) -> None:
    """A bar shows how far it is; a reader cannot stop it, a moderator can; what is in stays."""
    await room.editor.slash(room.channel, "reindex")
    assert held.work
    held.work.progress = Progress(50, 400, 200, "A gull over the harbour")
    await room.env.advance_time(3)
    shown = room.channel.last_message
    assert "`█████░░░░░░░░░░░░░░░` 25%" in said(shown)
    assert "50 of at most 200 articles" in said(shown)
    assert "A gull over the harbour" in said(shown)
    assert "left" in said(shown)
    refused = await room.reader.click(shown, label="Stop")
    assert "Only who began it, or a moderator" in said(refused.followups[-1])
    await room.editor.click(shown, label="Stop")
    assert labels(room.channel.last_message) == ["(Stopping …)"]
    held.go.set()
    await room.env.settle()
    assert "editor stopped it before anything was changed." in said(room.channel.last_message)
    assert labels(room.channel.last_message) == []


async def test_stop_button_of_ended_work_says_so(room: Newsroom) -> None:
    """A bar that a restart left behind does not leave its reader without an answer."""
    channel = room.env.bot.get_channel(room.channel.id)
    shown = await channel.send(view=progress_view(Work("desk", "Reindexing", 1, "Ada")))
    late = await room.editor.click(shown, label="Stop")
    assert "ended already" in said(late.followups[-1])


async def test_edits_are_two_seconds_apart(room: Newsroom, held: Held) -> None:
    """However fast the progress, the message is edited at most every two seconds."""
    await room.editor.slash(room.channel, "reindex")
    await room.env.advance_time(20)
    edits = [r for r in room.env.http_requests if r.method == "PATCH" and "messages" in r.path]
    assert 1 <= len(edits) <= 10
    held.go.set()
    await room.env.settle()


async def test_stopping_bot_ends_work_and_says_so(room: Newsroom, held: Held) -> None:
    """When the bot is stopped, work under way ends after the article in hand, and tells it."""
    await room.editor.slash(room.channel, "reindex")
    await room.env.advance_time(3)
    stopping = asyncio.create_task(room.env.bot.works.close())
    await asyncio.sleep(0.1)
    held.go.set()
    await stopping
    assert "The operator stopped it" in said(room.channel.last_message)
    assert room.env.bot.works.running == {}


async def test_second_reindex_is_refused_while_one_runs(room: Newsroom, held: Held) -> None:
    """A second reindex names who started the first, when, and where it shows."""
    await room.editor.slash(room.channel, "reindex")
    await room.env.advance_time(3)
    result = await room.editor.slash(room.channel, "reindex", rebuild=True)
    assert "editor started reindexing <t:" in said(result.response)
    assert str(room.channel.last_message.id) in said(result.response)
    assert result.ephemeral
    assert room.env.errors
    held.go.set()
    await room.env.settle()
    assert "Unchanged 2" in said(room.channel.last_message)


async def test_reindex_without_sources_says_where_to_add_one(room: Newsroom) -> None:
    """Where nothing could be looked into, the way to change that is told."""
    elsewhere = Newsroom(room.env, "Elsewhere")
    result = await elsewhere.editor.slash(elsewhere.channel, "reindex")
    assert "add one with /reports sources add" in said(result.response)


async def test_reindex_dry_run_changes_nothing(room: Newsroom, tmp_path: Path) -> None:
    """A dry run of a reindex tells what the sources have new, and stores nothing."""
    (tmp_path / "reports" / "ferry.txt").write_text("A ferry ran aground at noon.", "utf-8")
    before = room.archive().sources.all()
    result = await room.editor.slash(room.channel, "reindex", **{"dry-run": True})
    assert "dry run" in said(result.response)
    assert "**Would be added: 1**" in said(result.response)
    assert room.archive().size().articles == 2
    assert room.archive().sources.all() == before


async def test_work_outlives_its_interaction(room: Newsroom, held: Held) -> None:
    """After the 15 minutes of an interaction the same message goes on to be edited."""
    await room.editor.slash(room.channel, "reindex")
    await room.env.advance_time(16 * 60)
    held.go.set()
    await room.env.settle()
    assert "Unchanged 2" in said(room.channel.last_message)
    last = [r for r in room.env.http_requests if r.method == "PATCH"][-1]
    assert last.path.startswith("/channels/")


async def test_result_is_told_in_private_where_it_cannot_stand(room: Newsroom, held: Held) -> None:
    """Where neither the message nor the channel takes the result, who asked gets it."""
    await room.editor.slash(room.channel, "reindex")
    room.env.inject_error("POST", "/webhooks/*", status=404)
    room.env.inject_error("POST", "/channels/*/messages", status=403)
    held.go.set()
    await room.env.settle()
    assert "Unchanged 2" in said(room.editor.user.dm_channel.last_message)


def test_progress_without_a_total_counts() -> None:
    """Where nobody knows how much there is, there is no bar and no time left."""
    under_way = Work("desk", "Adding", 1, "Ada", progress=Progress(1, 12, None, "A *title*"))
    text = progress_text(under_way)
    assert "1 article · 12 sentences embedded" in text
    assert "A \\*title\\*" in text
    assert "left" not in text
    assert "%" not in text


class Asked:
    """An interaction as far as a result looks at it."""

    def __init__(self, *, attach: bool) -> None:
        self.app_permissions = discord.Permissions(attach_files=attach)


@pytest.mark.parametrize("attach", [True, False])
def test_long_results_come_as_a_file_where_they_may(*, attach: bool) -> None:
    """Every title and every reason is in the file; without Attach Files the first lines stand."""
    added = tuple(ArticleChange(f"id{n}", f"Title {n}", 3) for n in range(40))
    failed = tuple(Failure(f"source {n}", f"It is broken {n}.") for n in range(40))
    asked: Any = Asked(attach=attach)
    view, *files = result_view("Adding", IngestResult(7, added=added, failed=failed), asked)
    assert view.content_length() <= 4000
    assert bool(files) == attach
    for file in files:
        content = file.fp.read().decode()
        assert all(f"Title {n} · id{n}\n" in content for n in range(40))
        assert content.count("It is broken") == 40


async def test_commands_fit_into_discord(room: Newsroom) -> None:
    """Each command stays under Discord's 8,000 characters and 25 options, in every language."""
    bot = room.env.bot
    for command in bot.tree.get_commands():
        payload = await command.get_translated_payload(bot.tree, bot.tree.translator)
        assert characters(payload) <= 8_000
        for part in (payload, *payload.get("options", [])):
            assert len(part.get("options", [])) <= 25


def characters(part: dict[str, Any]) -> int:
    """Names, descriptions and values of a command, in their longest language."""
    told = sum(
        max(map(len, [part.get(key, ""), *(part.get(f"{key}_localizations") or {}).values()]))
        for key in ("name", "description")
    )
    told += len(str(part.get("value", "")))
    return told + sum(
        characters(one) for key in ("options", "choices") for one in part.get(key, [])
    )
