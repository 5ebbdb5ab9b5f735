"""A topic's timeline: reports by day and publisher, in words and as a chart."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from bot.markdown import escape
from bot.views.text import format_day, plural
from index import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_DAYS = 12  # in words; the chart has all
_INCHES, _DPI = (6.4, 4.0), 160  # 1,024 pixels wide; text stays readable on a phone
_MAX_BARS = 92  # a quarter, by day
_MAX_TICKS = 5
_MAX_PUBLISHERS = 6  # with a colour of their own
_NAME_CHARS = 28
_BACKGROUND, _TEXT, _GRID = "#2b2d31", "#f2f3f5", "#4e5058"  # Discord's dark theme
_COLOURS = ("#5aa9e6", "#f2b84b", "#57c78a", "#ef7d7d", "#b79cf2", "#6fd3d3", "#9aa0aa")
_STYLE: dict[Any, Any] = {
    "font.size": 12,
    "text.color": _TEXT,
    "axes.labelcolor": _TEXT,
    "axes.edgecolor": _GRID,
    "axes.facecolor": _BACKGROUND,
    "figure.facecolor": _BACKGROUND,
    "savefig.facecolor": _BACKGROUND,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
    "grid.color": _GRID,
    "text.parse_math": False,  # a name with "$" is no formula
}
# What a bar may stand for, given by its first day, and how that is written; the first that fits.
_SCALES: tuple[tuple[Callable[[date], date], Callable[[date], str]], ...] = (
    (lambda day: day, lambda day: f"{day.day} {day:%b}\n{day:%Y}"),
    (lambda day: day.replace(day=1), lambda day: f"{day:%b}\n{day:%Y}"),
    (lambda day: day.replace(day=1, month=1), lambda day: f"{day:%Y}"),
)


def describe(timeline: Timeline) -> str:
    """The timeline in words, latest day first: also the chart's alternative text."""
    if not timeline.reports:
        return f"No report contains all words of “{escape(timeline.topic)}”."
    lines = [caption(timeline)]
    for day in sorted(timeline.days, reverse=True)[:_MAX_DAYS]:
        counts = timeline.days[day].items()
        publishers = ", ".join(f"{escape(name)} {count}" for name, count in counts)
        lines.append(f"- {format_day(day)}: {publishers}")
    if len(timeline.days) > _MAX_DAYS:
        lines.append(f"- and {plural(len(timeline.days) - _MAX_DAYS, 'earlier day')}")
    lines += [f"- undated: {timeline.undated}"] if timeline.undated else []
    return "\n".join(lines)


def caption(timeline: Timeline) -> str:
    """How many reports there are, and whether their days are those mentioned or published."""
    reports = f"{plural(timeline.reports, 'report')} on “{escape(timeline.topic)}”"
    published = timeline.by_publication
    if published + timeline.undated == timeline.reports:
        return f"{reports}, by date of publication: none mentions a date."
    if not published:
        return f"{reports}, by the dates they mention."
    return f"{reports}, by the dates they mention; {published:,} without dates by publication date."


def draw(timeline: Timeline) -> bytes:
    """A PNG with a bar for each day, month or year, stacked by publisher."""
    from matplotlib import rc_context  # noqa: PLC0415 - takes a second to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    image = io.BytesIO()
    with rc_context(_STYLE):
        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        axes = figure.add_subplot()
        _draw_bars(axes, timeline)
        axes.locator_params(axis="y", integer=True)
        axes.set_ylabel("reports")
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0)
        figure.legend(frameon=False, loc="outside upper left", ncols=2)
        figure.savefig(image, format="png")
    return image.getvalue()


def _draw_bars(axes: Axes, timeline: Timeline) -> None:
    """Draw the bars, and label a few of them."""
    fitting = (scale for scale in _SCALES if len({*map(scale[0], timeline.days)}) <= _MAX_BARS)
    start_of, label_of = next(fitting, _SCALES[-1])
    first, last = min(timeline.days), max(timeline.days)
    gapless = (last - first).days <= _MAX_BARS
    if gapless:
        bars = [first + timedelta(days) for days in range((last - first).days + 1)]
    else:  # with the gaps, one day long ago would press all others together
        bars = sorted({*map(start_of, timeline.days)})
        axes.set_xlabel("periods without reports are left out")
    base = [0] * len(bars)
    for (publisher, counts), colour in zip(
        _by_publisher(timeline, start_of).items(), _COLOURS, strict=False
    ):
        heights = [counts[bar] for bar in bars]
        label = publisher[:_NAME_CHARS].lstrip("_") or "?"  # matplotlib hides "_names"
        axes.bar(range(len(bars)), heights, bottom=base, label=label, color=colour, width=0.8)
        base = [low + height for low, height in zip(base, heights, strict=True)]
    step = -(-len(bars) // _MAX_TICKS)
    axes.set_xticks(range(0, len(bars), step), [label_of(bar) for bar in bars[::step]])
    axes.set_xlim(min(-0.6, len(bars) / 2 - 4), max(len(bars) - 0.4, len(bars) / 2 + 3))


def _by_publisher(timeline: Timeline, start_of: Callable[[date], date]) -> dict[str, Counter[date]]:
    """Reports of each publisher by bar, the largest first; small ones together as "others"."""
    totals: Counter[str] = Counter()
    for counts in timeline.days.values():
        totals.update(counts)
    largest = [name for name, _ in totals.most_common(_MAX_PUBLISHERS)]
    by_publisher: dict[str, Counter[date]] = {name: Counter() for name in largest}
    for day, counts in timeline.days.items():
        for name, count in counts.items():
            group = name if name in largest else "others"
            by_publisher.setdefault(group, Counter())[start_of(day)] += count
    return by_publisher
