"""Commands to look up reports: list, show, timeline."""

from __future__ import annotations

import io
import json
from pathlib import Path

import discord
import pytest
from support.newsroom import ASKED, DAM, Newsroom, labels, parts, report, said

from bot.collections import Collections
from bot.settings import Settings
from index import StoreError

NEWS = {
    f"r{n:02d}": report(
        f"Harbour report {n:02d}",
        f"The harbour crane moved {n} times.",
        "Trade Post" if n % 2 else "Northwire",
        f"2025-12-{n + 1:02d}",
    )
    for n in range(20)
}


@pytest.fixture
def harbour(room: Newsroom, settings: Settings, tmp_path: Path) -> Newsroom:
    room.stock(settings, tmp_path / "harbour", **NEWS)
    return room


async def test_list_turns_pages_and_searches(harbour: Newsroom) -> None:
    """Reports are listed newest first, eight a page; a search narrows the list."""
    result = await harbour.reader.slash(harbour.channel, "reports list", search=" har\nbour")
    text = said(result.response)
    assert "20 reports with “har bour”" in text
    assert not any(article.article_id in text for article in harbour.archive().articles())
    assert text.index("Harbour report 19") < text.index("Harbour report 18")
    assert labels(result.response) == ["(◀ Back)", "Next ▶"]
    await harbour.reader.click(result.response.message, label="Next ▶")
    assert "Harbour report 11" in said(result.response)
    assert "Page 2 of 3" in said(result.response)
    await harbour.reader.click(result.response.message, label="Next ▶")
    assert labels(result.response) == ["◀ Back", "(Next ▶)"]
    one = await harbour.reader.slash(harbour.channel, "reports list", search="REPORT 07 trade")
    assert "1 report with" in said(one.response)
    assert labels(one.response) == []


async def test_list_knows_new_reports(
    harbour: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """A list has the newest reports, though it is read once per generation."""
    await harbour.reader.slash(harbour.channel, "reports list")
    harbour.stock(settings, tmp_path / "late", late=report("Late", "Fog.", "Desk", "2026-01-01"))
    text = said((await harbour.reader.slash(harbour.channel, "reports list")).response)
    assert "23 reports" in text
    assert "**Late**" in text


async def test_show_lists_what_a_report_answered(room: Newsroom) -> None:
    """A report is shown with its sentences, and with the public questions it answered."""
    await room.reader.slash(room.channel, "ask", question=ASKED)
    hidden = "When on Monday did a gate at Hallow Dam fail?"
    await room.reader.slash(room.channel, "ask", question=hidden, private=True)
    rows = await room.reader.autocomplete(room.channel, "reports show", "report", "dam")
    result = await room.reader.slash(room.channel, "reports show", report=rows[0]["value"])
    text = said(result.response)
    assert "2 sentences" in text
    assert ASKED in text
    assert hidden not in text
    missing = await room.reader.slash(room.channel, "reports show", report="nothing like it")
    assert "No report has that title" in said(missing.response)
    removed = rows[0]["value"]
    await room.editor.slash(room.channel, "moderate remove", report=removed)
    for command, words in (
        ("reports show", "was removed: `/moderate restore`"),
        ("moderate restore", "**Restored 1**"),
        ("moderate restore", "has not been removed"),
    ):
        result = await room.editor.slash(room.channel, command, report=removed)
        assert words in said(result.response)
    assert room.env.errors


async def test_timeline_is_a_picture_with_words(harbour: Newsroom) -> None:
    """The picture is a PNG whose alternative text says the same."""
    result = await harbour.reader.slash(harbour.channel, "reports timeline", topic="harbour crane")
    picture = result.response.attachments[0]
    assert (await picture.read()).startswith(b"\x89PNG")
    gallery = next(p for p in parts(result.response) if p["type"] == _GALLERY)
    told = gallery["items"][0]["description"]
    assert told.startswith("20 reports on “harbour crane”, by date of")
    assert "20 December 2025: Trade Post 1" in told
    assert len(told) <= 1024


async def test_timeline_that_cannot_be_drawn_is_in_words(
    harbour: Newsroom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If drawing fails, the text is sent alone, and the error is logged."""

    def broken(_: object) -> bytes:
        raise ValueError("no fonts")

    monkeypatch.setattr("bot.views.chart.draw", broken)
    result = await harbour.reader.slash(harbour.channel, "reports timeline", topic="harbour crane")
    assert "20 reports" in said(result.response)
    assert "Attach Files" not in said(result.response)
    assert "ValueError: no fonts" in caplog.text


async def test_corrected_reports_are_listed_as_such(room: Newsroom) -> None:
    """A list shows the state of a report, and the list of removed reports which are retracted."""
    archive = room.archive()
    for article in archive.articles():
        (archive.correct if article.text == DAM else archive.retract)(article.article_id, "No.")
    result = await room.reader.slash(room.channel, "reports list")
    assert "no publisher · undated · **corrected**" in said(result.response)
    (offered,) = await room.editor.autocomplete(room.channel, "moderate restore", "report", "cup")
    assert offered["name"].endswith(" · retracted")


async def test_timeline_without_attach_files_is_in_words(harbour: Newsroom) -> None:
    """If the bot may not attach files, the text is sent alone, with the reason."""
    bare = {harbour.env.bot.user: discord.PermissionOverwrite(attach_files=False)}
    channel = harbour.guild.create_text_channel("plain", overwrites=bare)
    result = await harbour.reader.slash(channel, "reports timeline", topic="harbour crane")
    text = said(result.response)
    assert "20 reports" in text
    assert "Attach Files" in text
    assert not result.response.attachments


async def test_public_reply_is_private_where_the_bot_may_not_write(harbour: Newsroom) -> None:
    """A public reply is private in a channel where the bot may not write."""
    bare = {harbour.env.bot.user: discord.PermissionOverwrite(send_messages=False)}
    channel = harbour.guild.create_text_channel("quiet", overwrites=bare)
    result = await harbour.reader.slash(channel, "reports timeline", topic="harbour crane")
    assert result.ephemeral
    assert channel.history(viewer=harbour.editor) == []


async def test_show_names_reports_of_the_same_origin(room: Newsroom) -> None:
    """A report that another publisher copied says so."""
    rows = (
        {"_id": name, "title": f"By {name}", "text": DAM, "publisher": name}
        for name in ("Northwire", "Valley Courier")
    )
    lines = "\n".join(map(json.dumps, rows))
    room.archive().add(["-"], stream=io.BytesIO(lines.encode()))
    result = await room.reader.slash(room.channel, "reports show", report="By Valley Courier")
    assert "Northwire" in said(result.response).split("Same origin as: ")[1]


_GALLERY = discord.ComponentType.media_gallery.value


async def test_page_that_cannot_be_turned_says_so(
    harbour: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turning a page of a collection that cannot be read gives a reply."""
    result = await harbour.reader.slash(harbour.channel, "reports list")

    def broken(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(Collections, "headlines", broken)
    shown = await harbour.reader.click(result.response.message, label="Next ▶")
    assert "The disk is full" in said(shown.followups[0])


async def test_log_does_not_repeat_what_was_typed(
    harbour: Newsroom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of an unexpected error names the button, not the words of the search in its id."""
    result = await harbour.reader.slash(harbour.channel, "reports list", search="harbour")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Collections, "headlines", broken)
    await harbour.reader.click(result.response.message, label="Next ▶")
    assert "onrecord:list (server" in caplog.text
    assert "harbour" not in caplog.text
