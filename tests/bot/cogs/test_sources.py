"""Adding reports once and from sources: files, addresses, the message menu and /reindex."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import discord
import pytest
from support.files import pdf
from support.newsroom import Newsroom, Site, labels, said

from bot.cogs.sources import addresses

GULL = b"A grey gull flew over the harbour at noon."


async def test_files_are_added(room: Newsroom) -> None:
    """Questions about attached files are answered at once, and the files are not sources."""
    result = await room.add(("gull.txt", GULL), ("fog.md", b"# Fog\n\nFog lay."))
    assert "**Added 2**" in said(result.response)
    assert not result.ephemeral
    answer = await room.reader.slash(room.channel, "ask", question="What flew over the harbour?")
    assert "grey gull" in said(answer.response)
    assert [one.kind for one in room.archive().sources.all()] == ["folder"]


async def test_same_file_again_is_the_same_report(room: Newsroom) -> None:
    """A file attached twice is stored once, although Discord gives it another address."""
    for expected in ("**Added 1**", "**Unchanged 1**"):
        result = await room.add(("gull.txt", GULL))
        assert expected in said(result.response)
    stored = [one for one in room.archive().articles() if "gull" in one.text]
    assert len(stored) == 1
    assert stored[0].url is None
    assert "cdn" not in (stored[0].source or "")


LOCKED = f"/ID[<00><00>]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<{'ab' * 32}>/U<{'cd' * 32}>>>"


def zipped(name: str, data: bytes) -> bytes:
    """Pack a file into a zip archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return made.getvalue()


async def test_hostile_files_are_named_and_the_rest_is_added(room: Newsroom) -> None:
    """A bomb, PDFs without text, a picture and endless tags are named; a report is added."""
    files = [
        ("bomb.zip", zipped("bomb.txt", b"0" * 300_000_000)),
        ("report.pdf", b"%PDF-1.7 that is none"),
        ("locked.pdf", pdf(["A gull."], more=LOCKED)),
        ("pictures.pdf", pdf([])),
        ("report.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40),
        ("deep.html", b"<html><body>" + b"<div>" * 100_000 + b"deep"),
        ("gull.txt", GULL),
    ]
    result = await room.add(*files)
    text = said(result.response)
    assert "**Added 1**" in text
    assert "**Failed 6**" in text
    for name in ("bomb.zip", "report.pdf", "report.txt", "deep.html"):
        assert text.count(f"- {name}") == text.count(name) == 1  # a reason does not say it again
    assert "locked with a password" in text
    assert "only pictures or empty pages" in text


async def test_too_large_a_file_is_not_downloaded(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size is checked before the download; the other file is added."""
    real = discord.Attachment.save

    async def save(self: discord.Attachment, *rest: Any, **named: Any) -> int:
        assert self.filename == "gull.txt"
        return await real(self, *rest, **named)

    monkeypatch.setattr(discord.Attachment, "save", save)
    result = await room.add(("big.txt", b"x" * 20_000_001), ("gull.txt", GULL))
    text = said(result.response)
    assert "big.txt: It is larger than 20 MB" in text
    assert "**Added 1**" in text


async def test_message_menu_adds_what_is_attached(room: Newsroom) -> None:
    """The menu on somebody's message adds its files; a message without files is refused."""
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
    """Anything but a web address never leads to a file of this machine."""
    result = await room.add(address=address)
    assert "begins with https://" in said(result.response)
    assert room.env.errors


async def test_private_address_is_no_source_afterwards(room: Newsroom) -> None:
    """An address of the machine's own network fails, and does not become a source."""
    address = "http://127.0.0.1:9/feed"
    result = await room.add(address=address)
    assert "**Failed 1**" in said(result.response)
    assert [one.kind for one in room.archive().sources.all()] == ["folder"]


def test_addresses_are_found_in_a_message() -> None:
    """Links are found without the punctuation around them, each once."""
    text = "See <https://a.example/x>, (https://b.example/y_(z)). and https://a.example/x!"
    assert addresses(text) == ["https://a.example/x", "https://b.example/y_(z)"]


async def test_reindex_without_sources_says_where_to_add_one(room: Newsroom) -> None:
    """Without sources, /reindex says how to add one."""
    elsewhere = Newsroom(room.env, "Elsewhere")
    result = await elsewhere.editor.slash(elsewhere.channel, "reindex")
    assert "add one with /moderate sources add" in said(result.response)


async def test_source_is_read_at_once_and_listed(room: Newsroom, site: Site) -> None:
    """A feed that is added is read, listed with its interval, paused, resumed and removed."""
    site.publish("The tide rose at dawn. Boats left the quay.", "The market opened late on Monday.")
    site.reach(room.archive())
    result = await room.editor.slash(
        room.channel, "moderate sources add", address=site.feed, every="six-hourly"
    )
    assert "**Added 2**" in said(result.response)
    for command, word in (("pause", "**paused**"), ("resume", "six-hourly")):
        source = await room.choice(f"sources {command}", "source", "/feed")
        await room.editor.slash(room.channel, f"moderate sources {command}", source=source)
        listed = await room.editor.slash(room.channel, "moderate sources list")
        assert word in said(listed.response)
    await room.editor.slash(room.channel, "moderate sources remove", source=site.feed)
    assert [one.kind for one in room.archive().sources.all()] == ["folder"]
    assert room.archive().size().articles == 4


async def test_unreadable_source_is_not_added(room: Newsroom, site: Site) -> None:
    """A source that cannot be read when it is added is not read again, and the reply says so."""
    site.reach(room.archive())
    result = await room.editor.slash(room.channel, "moderate sources add", address=site.feed)
    assert "answers 404" in said(result.response)
    assert "The source was not added." in said(result.response)
    assert [one.kind for one in room.archive().sources.all()] == ["folder"]


async def test_failing_source_is_listed_with_its_reason(room: Newsroom, site: Site) -> None:
    """A source that cannot be read later is kept, and listed with the reason and since when."""
    site.reach(room.archive())
    room.archive().sources.add(site.feed)
    result = await room.editor.slash(room.channel, "reindex")
    assert "**Failed 1**" in said(result.response)
    again = await room.editor.slash(room.channel, "moderate sources add", address=site.feed)
    assert "The source was not added." in said(again.response)
    room.archive().sources.add(site.feed)
    await room.editor.slash(room.channel, "reindex")
    listed = await room.editor.slash(room.channel, "moderate sources list")
    assert "**failing** since" in said(listed.response)
    assert "answers 404" in said(listed.response)


async def test_sources_turn_pages(room: Newsroom) -> None:
    """More sources than fit on a page can be paged through, and the page number is shown."""
    for number in range(6):
        room.archive().sources.add(f"https://news.example/{number}")
    listed = await room.editor.slash(room.channel, "moderate sources list")
    assert "Page 1 of 2" in said(listed.response)
    assert labels(listed.response) == ["(◀ Back)", "Next ▶"]
    await room.editor.click(listed.response.message, label="Next ▶")
    assert "Page 2 of 2" in said(listed.response)
    assert "news.example/5" in said(listed.response)


async def test_operators_folders_are_not_shown(room: Newsroom, tmp_path: Path) -> None:
    """Moderators see only the names of the operator's files and folders."""
    gone = tmp_path / "gone.txt"
    gone.write_text("The ferry sank.", "utf-8")
    room.archive().sources.add(str(gone))
    gone.unlink()
    result = await room.editor.slash(room.channel, "reindex")
    listed = await room.editor.slash(room.channel, "moderate sources list")
    rows = await room.editor.autocomplete(room.channel, "moderate sources pause", "source", "")
    assert [row["name"] for row in rows] == ["reports", "gone.txt"]
    for text in (said(result.response), said(listed.response), str(rows)):
        assert "gone.txt" in text
        assert str(tmp_path) not in text
    paused = await room.editor.slash(
        room.channel, "moderate sources pause", source=rows[1]["value"]
    )
    assert said(paused.response).startswith("gone.txt\n")
    assert [one.paused for one in room.archive().sources.all()] == [False, True]


async def test_long_addresses_can_be_chosen(room: Newsroom) -> None:
    """An address too long for a choice can still be chosen."""
    address = "https://news.example/" + "a" * 200
    room.archive().sources.add(address)
    source = await room.choice("sources pause", "source", "news.example")
    assert len(source) <= 100
    await room.editor.slash(room.channel, "moderate sources pause", source=source)
    assert [one.paused for one in room.archive().sources.all()] == [False, True]


async def test_reindex_takes_in_new_files(room: Newsroom, tmp_path: Path) -> None:
    """A moderator's /reindex adds what is new in the sources, and says what it did."""
    (tmp_path / "reports" / "ferry.txt").write_text("A ferry ran aground at noon.", "utf-8")
    result = await room.editor.slash(room.channel, "reindex")
    text = said(result.response)
    assert "**Added 1**" in text
    assert "**Unchanged 2**" in text
    answer = await room.reader.slash(
        room.channel, "ask", question="When did the ferry run aground?"
    )
    assert "A ferry ran aground at noon." in said(answer.response)


async def test_reindex_is_refused_by_the_bot_too(room: Newsroom) -> None:
    """A member whom a server's settings allow /reindex is still refused by the bot."""
    command = next(c for c in await room.env.bot.tree.fetch_commands() if c.name == "reindex")
    room.guild.set_command_permissions(command, {room.reader: True})
    result = await room.reader.slash(room.channel, "reindex")
    assert "for moderators" in said(result.response)
    assert result.ephemeral
    assert room.env.errors


async def test_adding_nothing_is_refused(room: Newsroom) -> None:
    """A form submitted empty says what it accepts."""
    result = await room.add()
    assert "Attach files, or give me the address" in said(result.response)
    assert room.env.errors == [] or result.ephemeral


async def test_file_that_discord_withholds_is_named(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed download is a line of the result, and the other file is added."""
    real = discord.Attachment.save

    async def save(self: discord.Attachment, *rest: Any, **options: Any) -> int:
        if self.filename == "lost.txt":
            raise discord.HTTPException(_Gone(), "Unknown attachment")
        return await real(self, *rest, **options)

    monkeypatch.setattr(discord.Attachment, "save", save)
    text = said((await room.add(("lost.txt", b"Fog."), ("gull.txt", GULL))).response)
    assert "lost.txt: Couldn't download this from Discord" in text
    assert "**Added 1**" in text


class _Gone:
    """Discord's response to a request for something that was deleted."""

    status, reason = 404, "Not Found"


async def test_message_menu_is_refused_by_the_bot_too(room: Newsroom) -> None:
    """A member whom a server's settings allow the menu is still refused by the bot."""
    name = "Add to the reports"
    menu = next(c for c in await room.env.bot.tree.fetch_commands() if c.name == name)
    room.guild.set_command_permissions(menu, {room.reader: True})
    message = await room.reader.send(room.channel, "https://news.example/gull")
    result = await room.reader.context_menu(room.channel, name, message)
    assert "for moderators" in said(result.response)
    assert room.archive().size().articles == 2
    assert room.env.errors


async def test_unknown_source_is_refused(room: Newsroom) -> None:
    """A source that does not exist cannot be paused, and the reply says how to choose one."""
    for command in ("pause", "resume", "remove"):
        result = await room.editor.slash(
            room.channel, f"moderate sources {command}", source="https://other.example/feed"
        )
        assert "There is no such source: choose one from the list." in said(result.response)
    assert room.env.errors
