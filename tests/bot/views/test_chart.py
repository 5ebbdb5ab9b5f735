"""Timelines, as a picture and in words."""

from __future__ import annotations

import struct
from contextlib import closing
from datetime import date
from pathlib import Path

from support.fakes import FakeEncoder, write_rows

from bot.views.chart import _DPI, _STYLE, _tick, caption, describe, draw
from index import Archive, Timeline


def test_long_timelines_are_drawn_by_month() -> None:
    """Years of many publishers still make a small picture quickly."""
    days = {
        date(1990 + n // 12, n % 12 + 1, 17): {f"Outlet {n % 40}": 2, "Northwire": 1}
        for n in range(360)
    }
    picture = draw(Timeline("harbour", days, 360))
    assert picture
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 500_000


def test_days_are_those_that_reports_name(tmp_path: Path) -> None:
    """A report is placed on the days that it names, else on the day of publication."""
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
        timeline = archive.timeline("gate of the dam")
    assert {day.isoformat(): by["Wire"] for day, by in timeline.days.items()} == {
        "2026-03-09": 2,
        "2026-03-12": 1,
        "2026-03-16": 1,
    }
    assert "1 mentions none and counts by date of publication." in caption(timeline)
    assert "- 16 March 2026: Wire 1" in describe(timeline)


def test_names_in_a_picture_are_no_formulas() -> None:
    """A publisher's name that looks like broken mathematics is drawn like any other."""
    for name in (r"$\frac{$ News", "Northwire " * 30):  # the latter would leave bars no room
        assert draw(Timeline("dam", {date(2026, 3, 9): {name: 1}}, 1))


def test_a_picture_is_read_on_a_phone() -> None:
    """Letters are large for the width, long names wrap, and days have no leading zeros.

    A phone shows a picture some 300 pixels wide, in which nobody reads letters under 10.
    """
    sizes = []
    for names in (("Post", "Wire"), ("Arvenland Public Radio", "Carrowmere Courier")):
        picture = draw(Timeline("dam", {date(2026, 3, 9): dict.fromkeys(names, 1)}, 2))
        sizes.append(struct.unpack(">II", picture[16:24]))  # in the header of a PNG
    (width, low), (_, high) = sizes
    assert _STYLE[1]["font.size"] / 72 * _DPI * 300 / width > 10
    assert high > low
    assert [*map(_tick, ("2026-03-09", "2026-03", "2026"))] == ["9 Mar\n2026", "Mar\n2026", "2026"]


def test_alternative_text_is_plain() -> None:
    """The chart's alternative text has no backslashes; the message escapes them."""
    timeline = Timeline("gate [3]", {date(2026, 3, 9): {"North_wire": 1}}, 1)
    assert r"gate \[3\]" in describe(timeline)
    assert "\\" not in describe(timeline, plain=True)
    assert "North_wire 1" in describe(timeline, plain=True)
