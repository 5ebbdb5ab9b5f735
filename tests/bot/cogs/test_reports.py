"""/why and /reports."""

from __future__ import annotations

import builtins
import io
import json
import math
import re
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import discord
import pytest
from support.fakes import FakeEncoder, write_rows
from support.newsroom import ASKED, DAM, Newsroom, labels, parts, report, said

from bot.collections import Collections
from bot.views.chart import caption, describe, draw
from bot.views.explanation import share_of, strength
from bot.settings import Settings
from index import Timeline
from index.archive import Archive
from index.errors import StoreError


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


async def test_why_replays_an_answer(room: Newsroom, settings: Settings, tmp_path: Path) -> None:
    """/why shows question, generation, model, evidence in words, and what changed since."""
    asked = await room.reader.slash(room.channel, "ask", question=ASKED)
    found = re.search(r"answer `(\w+)`", said(asked.response))
    assert found
    result = await room.editor.slash(room.channel, "why", answer=f" `{found[1].upper()}` ")
    assert result.ephemeral
    text = said(result.response)
    assert ASKED in text
    assert "fake-" in text
    assert "On generation 1: nothing was committed since" in text
    assert re.search(r"\*\*\[1\]\*\* (strong|fair|weak): A gate at Hallow Dam", text)
    assert "No article behind it has changed since." in text
    room.stock(settings, tmp_path / "reports", dam=DAM.replace("4:40", "5:10"))
    text = said((await room.editor.slash(room.channel, "why", answer=found[1])).response)
    assert "has **changed**" in text
    assert "1 commit ago" in text


async def test_why_of_an_unknown_answer(room: Newsroom) -> None:
    """An id that was never given is explained in private."""
    result = await room.reader.slash(room.channel, "why", answer="0123456789ab")
    assert result.ephemeral
    assert "copy the id from under an answer" in said(result.response)
    assert room.env.errors


def test_strength_falls_with_the_distance_to_the_best() -> None:
    """The best passage has the whole confidence; a lower score divides the odds."""
    assert share_of(0.8, 2.0, 2.0) == pytest.approx(0.8)
    assert share_of(0.8, 2.0 - math.log(4), 2.0) == pytest.approx(0.5)
    assert [strength(x) for x in (0.9, 0.3, 0.1)] == ["strong", "fair", "weak"]
    assert 0 <= share_of(1.0, -50, 50) <= share_of(0.0, 1, 1) <= 1


async def test_list_turns_pages_and_searches(harbour: Newsroom) -> None:
    """ReportGroup come newest first, eight a page, turned in place; a search narrows them."""
    result = await harbour.reader.slash(harbour.channel, "reports list", search=" har\nbour")
    text = said(result.response)
    assert "20 reports with “har bour”" in text
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
    """A list is as new as the collection, though it is read once a generation."""
    await harbour.reader.slash(harbour.channel, "reports list")
    harbour.stock(settings, tmp_path / "late", late=report("Late", "Fog.", "Desk", "2026-01-01"))
    text = said((await harbour.reader.slash(harbour.channel, "reports list")).response)
    assert "23 reports" in text
    assert "**Late**" in text


async def test_show_tells_what_a_report_answered(room: Newsroom) -> None:
    """A report is shown with its sentences, and with public questions it answered, no others."""
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
    assert "no such report" in said(missing.response)
    assert room.env.errors


async def test_timeline_is_a_picture_with_words(harbour: Newsroom) -> None:
    """The picture is a PNG whose alternative text says the same in words."""
    pytest.importorskip("matplotlib")
    result = await harbour.reader.slash(harbour.channel, "reports timeline", topic="harbour crane")
    picture = result.response.attachments[0]
    assert (await picture.read()).startswith(b"\x89PNG")
    gallery = next(p for p in parts(result.response) if p["type"] == _GALLERY)
    told = gallery["items"][0]["description"]
    assert told.startswith("20 reports with all words of “harbour crane”, by the day")
    assert "20 December 2025: Trade Post 1" in told
    assert len(told) <= 1024


@pytest.mark.parametrize("lacks", ["matplotlib", "permission"])
async def test_timeline_without_a_picture_says_why(
    harbour: Newsroom, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    """Without matplotlib, or where files are not allowed, the words come alone and say why."""
    channel = harbour.channel
    if lacks == "permission":
        pytest.importorskip("matplotlib")
        bare = {harbour.env.bot.user: discord.PermissionOverwrite(attach_files=False)}
        channel = harbour.guild.create_text_channel("plain", overwrites=bare)
    else:
        real = builtins.__import__

        def without(name: str, *rest: Any, **named: Any) -> Any:
            if name.startswith("matplotlib"):
                raise ImportError(name)
            return real(name, *rest, **named)

        monkeypatch.setattr(builtins, "__import__", without)
    result = await harbour.reader.slash(channel, "reports timeline", topic="harbour crane")
    text = said(result.response)
    assert "20 reports" in text
    assert ("Attach Files" if lacks == "permission" else "onrecord[pictures]") in text
    assert not result.response.attachments


def test_long_timelines_are_drawn_by_month() -> None:
    """Years and many publishers still make one small picture in little time."""
    pytest.importorskip("matplotlib")
    days = {
        date(1990 + n // 12, n % 12 + 1, 17): {f"Outlet {n % 40}": 2, "Northwire": 1}
        for n in range(360)
    }
    picture = draw(Timeline("harbour", days, 360))
    assert picture
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 500_000


async def test_show_names_reports_of_the_same_origin(room: Newsroom) -> None:
    """A report that another publisher took over says so."""
    rows = (
        {"_id": name, "title": f"By {name}", "text": DAM, "publisher": name}
        for name in ("Northwire", "Valley Courier")
    )
    lines = "\n".join(map(json.dumps, rows))
    room.archive().add(["-"], stream=io.BytesIO(lines.encode()))
    result = await room.reader.slash(room.channel, "reports show", report="By Valley Courier")
    assert "Northwire" in said(result.response).split("Same origin as: ")[1]


def test_days_are_those_spoken_of(tmp_path: Path) -> None:
    """A report stands on the days that it names; only without any on that of its publication."""
    texts = {
        "a": "The gate of the dam failed on Monday. Hearings on the gate open on 16 March.",
        "b": "The gate of the dam broke on 9 March and the gate was replaced in 2003.",
        "c": "The gate of the dam is being repaired.",
    }
    rows = [
        {"_id": name, "text": text, "publisher": "Wire", "published": "2026-03-12T09:00:00Z"}
        for name, text in texts.items()
    ]
    with closing(Archive.open(tmp_path / "data", "days", FakeEncoder())) as archive:
        archive.add([str(write_rows(tmp_path / "rows.jsonl", rows))])
        found = archive.timeline("gate of the dam")
    assert {day.isoformat(): by["Wire"] for day, by in found.days.items()} == {
        "2026-03-09": 2,
        "2026-03-12": 1,
        "2026-03-16": 1,
    }
    assert "for 1 that names none, the day of publication" in caption(found)
    assert "- 16 March 2026: Wire 1" in describe(found)


async def test_timeline_of_nothing_says_so(room: Newsroom) -> None:
    """A topic that no report speaks of is told in a sentence."""
    result = await room.reader.slash(room.channel, "reports timeline", topic="zeppelin")
    assert "No report holds all words of “zeppelin”." in said(result.response)


_GALLERY = discord.ComponentType.media_gallery.value


def test_names_in_a_picture_are_no_formulas() -> None:
    """A publisher whose name looks like broken mathematics is drawn like any other."""
    pytest.importorskip("matplotlib")
    for name in (r"$\frac{$ News", "Northwire " * 30):  # the latter would leave bars no room
        assert draw(Timeline("dam", {date(2026, 3, 9): {name: 1}}, 1))


async def test_page_that_cannot_be_turned_says_so(
    harbour: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list whose collection cannot be read any more answers who turns its page."""
    result = await harbour.reader.slash(harbour.channel, "reports list")

    def broken(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(Collections, "headlines", broken)
    shown = await harbour.reader.click(result.response.message, label="Next ▶")
    assert "The disk is full" in said(shown.followups[0])
