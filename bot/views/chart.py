"""A topic's timeline: reports by day and publisher, in words and as a chart."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from bot.markdown import escape
from bot.views.text import format_day, plural
from index import Timeline

_MAX_DAYS = 12  # in words; the chart has every day
_WIDTH, _HEIGHT, _LEGEND_LINE, _DPI = 4.8, 3.1, 0.24, 200  # inches; 960 pixels wide
_MAX_BARS, _MAX_TICKS = 60, 5
_MAX_PUBLISHERS = 6  # each with its own colour
_NAME_CHARS, _HALF_CHARS = 28, 15  # in a legend of one column, and of two
_BACKGROUND = "#2b2d31"  # the background of images in Discord's dark theme
_STYLE: Sequence[str | dict[str, Any]] = [
    "dark_background",
    {
        "font.size": 13,  # 11 pixels on a phone
        "text.parse_math": False,  # "$" does not begin a formula
        "figure.facecolor": _BACKGROUND,
        "savefig.facecolor": _BACKGROUND,
        "axes.facecolor": _BACKGROUND,
    },
]


def describe(timeline: Timeline, *, plain: bool = False) -> str:
    """Return the timeline in words, latest day first; `plain` is without markup, for alt text."""
    written = (lambda text: text) if plain else escape
    if not timeline.reports:
        return f"No report contains all words of “{written(timeline.topic)}”."
    lines = [caption(timeline, plain=plain)]
    for day in sorted(timeline.days, reverse=True)[:_MAX_DAYS]:
        counts = timeline.days[day].items()
        publishers = ", ".join(f"{written(name)} {count}" for name, count in counts)
        lines.append(f"- {format_day(day)}: {publishers}")
    if len(timeline.days) > _MAX_DAYS:
        lines.append(f"- and {plural(len(timeline.days) - _MAX_DAYS, 'earlier day')}")
    lines += [f"- undated: {plural(timeline.undated, 'report')}"] if timeline.undated else []
    return "\n".join(lines)


def caption(timeline: Timeline, *, plain: bool = False) -> str:
    """Return the number of reports, and whether their days are mentioned or of publication."""
    topic = timeline.topic if plain else escape(timeline.topic)
    reports = f"{plural(timeline.reports, 'report')} on “{topic}”"
    published = timeline.by_publication
    if published + timeline.undated == timeline.reports:
        return f"{reports}, by date of publication: none mentions a date."
    if not published:
        return f"{reports}, by the dates they mention."
    mention = "mentions none and counts" if published == 1 else "mention none and count"
    return f"{reports}, by the dates they mention; {published:,} {mention} by date of publication."


def draw(timeline: Timeline) -> bytes:
    """Return a PNG with a bar for each day, month or year with reports, stacked by publisher."""
    from matplotlib import style  # noqa: PLC0415 - takes a second to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    for length in (len("2026-03-09"), len("2026-03"), len("2026")):
        periods = sorted({day.isoformat()[:length] for day in timeline.days})
        if len(periods) <= _MAX_BARS:
            break
    image = io.BytesIO()
    by_publisher = _by_publisher(timeline, length)
    # matplotlib hides "_names"
    names = [publisher[:_NAME_CHARS].lstrip("_") or "?" for publisher in by_publisher]
    columns = 2 if max(map(len, names)) <= _HALF_CHARS else 1
    height = _HEIGHT + _LEGEND_LINE * -(-len(names) // columns)
    with style.context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
        axes = figure.add_subplot(ylabel="reports", xlabel="periods without reports are left out")
        base = [0] * len(periods)
        for label, counts in zip(names, by_publisher.values(), strict=True):
            heights = [counts[period] for period in periods]
            axes.bar(range(len(periods)), heights, bottom=base, label=label)
            base = [low + height for low, height in zip(base, heights, strict=True)]
        step = -(-len(periods) // _MAX_TICKS)
        axes.set_xticks(range(0, len(periods), step), [*map(_tick, periods[::step])])
        axes.set_xlim(
            min(-0.6, len(periods) / 2 - 4), max(len(periods) - 0.4, len(periods) / 2 + 3)
        )
        axes.locator_params(axis="y", integer=True)
        figure.legend(frameon=False, loc="outside upper left", ncols=columns)
        figure.savefig(image, format="png")
    return image.getvalue()


def _tick(period: str) -> str:
    """Return a day, month or year as a label of two short lines: “9 Mar”, “2026”."""
    year, *rest = map(int, period.split("-"))
    month = f"{date(year, rest[0], 1):%b}" if rest else ""
    return "\n".join(filter(None, [" ".join([*map(str, rest[1:]), month]).strip(), str(year)]))


def _by_publisher(timeline: Timeline, length: int) -> dict[str, Counter[str]]:
    """Return the reports of each publisher by period, the largest first; small ones as "others"."""
    totals: Counter[str] = Counter()
    for counts in timeline.days.values():
        totals.update(counts)
    largest = [name for name, _ in totals.most_common(_MAX_PUBLISHERS)]
    by_publisher: dict[str, Counter[str]] = {name: Counter() for name in largest}
    for day, counts in timeline.days.items():
        for name, count in counts.items():
            group = by_publisher.setdefault(name if name in largest else "others", Counter())
            group[day.isoformat()[:length]] += count
    return by_publisher
