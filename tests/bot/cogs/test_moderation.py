"""Putting right in Discord: correct, retract, undo, export, erase, and sources."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import discord
import pytest
from support.newsroom import ASKED, DAM, Newsroom, Site, said

from index.errors import NotFoundError

pytestmark = pytest.mark.simcord(shard_count=1, settle_timeout=30)
LATER = b"The ferry Marigold ran aground at noon."


async def chosen(room: Newsroom, command: str, option: str, typed: str) -> Any:
    """The value of the one row that is offered for what was typed."""
    (row,) = await room.editor.autocomplete(room.channel, f"reports {command}", option, typed)
    return row["value"]


@pytest.mark.parametrize(("command", "left"), [("correct", 2), ("retract", 1)])
async def test_notices_are_kept(room: Newsroom, command: str, left: int) -> None:
    """A correction stays with its report; a retraction takes the report out too."""
    report = await chosen(room, command, "report", "hallow dam")
    note = "It was *five* o'clock."
    result = await room.editor.slash(room.channel, f"reports {command}", report=report, note=note)
    assert f"is now **{command}ed**" in said(result.response)
    assert result.ephemeral
    notice = room.archive().article(report).notice
    assert notice
    assert (notice.note, notice.actor) == (note, f"discord:{room.editor.id}")
    assert room.archive().size().articles == left
    history = await room.editor.slash(room.channel, "reports history")
    assert "It was \\*five\\* o'clock." in said(history.response)


async def test_undo_goes_back(room: Newsroom) -> None:
    """Earlier states are offered with what made them; going back can itself be undone."""
    await room.editor.slash(room.channel, "reports add", file=("ferry.txt", LATER))
    rows = await room.editor.autocomplete(room.channel, "reports undo", "change", "")
    assert [row["value"] for row in rows] == [1]
    assert "add: 2 added" in rows[0]["name"]
    result = await room.editor.slash(room.channel, "reports undo", change=1)
    assert "**Removed 1**" in said(result.response)
    assert room.archive().size().articles == 2
    await room.editor.slash(room.channel, "reports undo", change=2)
    assert room.archive().size().articles == 3


async def test_undo_to_nowhere_says_so(room: Newsroom) -> None:
    """A state that never was is refused in a sentence."""
    result = await room.editor.slash(room.channel, "reports undo", change=99)
    assert "generation" in said(result.response)
    assert room.env.errors


async def test_export_can_be_added_again(room: Newsroom) -> None:
    """The file holds every report in the form that adding takes."""
    result = await room.editor.slash(room.channel, "reports export")
    assert result.ephemeral
    (file,) = result.response.attachments
    assert file.filename == "reports.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(await file.read()).splitlines()]
    assert {row["text"] for row in rows} >= {DAM}


async def test_large_export_says_where_to_turn(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What even packed is larger than Discord takes is told with the way to get it."""
    text = b"The ferry ran aground at noon. " * 3_000
    await room.editor.slash(room.channel, "reports add", file=("ferry.txt", text))
    real = discord.Interaction.__init__
    for most, words in ((9_000, ""), (90, "onrecord export")):

        def limited(self: Any, *, most: int = most, **named: Any) -> None:
            real(self, **named)
            self.filesize_limit = most

        monkeypatch.setattr(discord.Interaction, "__init__", limited)
        result = await room.editor.slash(room.channel, "reports export")
        assert words in said(result.response)
        assert bool(result.response.attachments) == (not words)
    assert room.env.errors


async def erase(room: Newsroom, words: str) -> str:
    """Fill the modal that confirms erasing everything; what came of it."""
    boss = room.guild.create_role("Boss", permissions=discord.Permissions(manage_guild=True))
    owner = room.guild.add_member(room.env.create_user("owner"), roles=[boss])
    asked = await owner.slash(room.channel, "reports erase-all")
    (field,) = (
        inner["custom_id"]
        for outer in asked.modal["components"]
        for inner in outer.get("components", [outer.get("component", {})])
    )
    return said((await owner.submit_modal(asked, {field: words})).response)


async def test_erasing_takes_the_right_words(room: Newsroom) -> None:
    """Other words erase nothing; the right ones everything: reports, answers, log and sources."""
    answer = await room.reader.slash(room.channel, "ask", question=ASKED)
    answer_id = said(answer.response).rpartition("answer `")[2][:12]
    assert "Nothing was erased" in await erase(room, "yes")
    assert room.env.errors
    assert room.archive().size().articles == 2
    assert "are erased" in await erase(room, " Erase everything ")
    archive = room.archive()
    assert archive.size().articles == 0
    assert archive.history() == []
    assert archive.sources.all() == []
    with pytest.raises(NotFoundError):
        archive.answers.get(answer_id)


async def test_erasing_needs_manage_server(room: Newsroom) -> None:
    """Who only manages messages is not even asked for the words."""
    result = await room.editor.slash(room.channel, "reports erase-all")
    assert "you need Manage Server" in said(result.response)
    assert room.env.errors


async def test_source_is_read_at_once_and_listed(room: Newsroom, site: Site) -> None:
    """A feed that is added is read, listed with its interval, paused, resumed and forgotten."""
    site.publish("The tide rose at dawn. Boats left the quay.", "The market opened late on Monday.")
    site.reach(room.archive())
    result = await room.editor.slash(
        room.channel, "reports sources add", address=site.feed, every="six-hourly"
    )
    assert "**Added 2**" in said(result.response)
    for command, word in (("pause", "**paused**"), ("resume", "six-hourly")):
        source = await chosen(room, f"sources {command}", "source", "/feed")
        await room.editor.slash(room.channel, f"reports sources {command}", source=source)
        listed = await room.editor.slash(room.channel, "reports sources list")
        assert word in said(listed.response)
    await room.editor.slash(room.channel, "reports sources remove", source=site.feed)
    assert [one.kind for one in room.archive().sources.all()] == ["folder"]
    assert room.archive().size().articles == 4


async def test_failing_source_is_listed_with_its_reason(room: Newsroom, site: Site) -> None:
    """A source that cannot be read is kept, and the list says since when it fails, and why."""
    site.reach(room.archive())
    result = await room.editor.slash(room.channel, "reports sources add", address=site.feed)
    assert "**Failed 1**" in said(result.response)
    listed = await room.editor.slash(room.channel, "reports sources list")
    assert "**fails** since" in said(listed.response)
    assert "answers 404" in said(listed.response)


async def test_operators_folders_are_not_shown(room: Newsroom, tmp_path: Path) -> None:
    """Of files and folders that the operator named moderators see only names, to choose by."""
    gone = tmp_path / "gone.txt"
    gone.write_text("The ferry sank.", "utf-8")
    room.archive().sources.add(str(gone))
    gone.unlink()
    result = await room.editor.slash(room.channel, "reindex")
    listed = await room.editor.slash(room.channel, "reports sources list")
    rows = await room.editor.autocomplete(room.channel, "reports sources pause", "source", "")
    assert [row["name"] for row in rows] == ["reports", "gone.txt"]
    for text in (said(result.response), said(listed.response), str(rows)):
        assert "gone.txt" in text
        assert str(tmp_path) not in text
    paused = await room.editor.slash(room.channel, "reports sources pause", source=rows[1]["value"])
    assert said(paused.response).startswith("gone.txt\n")
    assert [one.paused for one in room.archive().sources.all()] == [False, True]


async def test_long_addresses_can_be_chosen(room: Newsroom) -> None:
    """An address longer than a row to choose from is found again by what stands for it."""
    address = "https://news.example/" + "a" * 200
    room.archive().sources.add(address)
    source = await chosen(room, "sources pause", "source", "news.example")
    assert len(source) <= 100
    await room.editor.slash(room.channel, "reports sources pause", source=source)
    assert [one.paused for one in room.archive().sources.all()] == [False, True]


@pytest.mark.parametrize("address", ["http://127.0.0.1/feed", "http://192.168.0.1/feed"])
async def test_private_places_are_not_read(room: Newsroom, address: str) -> None:
    """An address of a private network is refused as a failure of its source."""
    result = await room.editor.slash(room.channel, "reports sources add", address=address)
    assert "not a public web server" in said(result.response)


@pytest.mark.parametrize(
    ("command", "option"),
    [("restore", "report"), ("undo", "change"), ("sources pause", "source")],
)
async def test_rows_to_choose_from_are_for_moderators(
    room: Newsroom, command: str, option: str
) -> None:
    """What was removed, changed or is looked into is not offered to readers as they type."""
    archive = room.archive()
    archive.remove([archive.articles()[0].article_id])
    assert await room.editor.autocomplete(room.channel, f"reports {command}", option, "")
    assert not await room.reader.autocomplete(room.channel, f"reports {command}", option, "")
