"""Which days the reports on a topic speak of: counted by publisher, in words, and drawn."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta

from bot.render import escaped
from bot.views.text import format_day as in_words
from index import Timeline

_MOST_DAYS = 12  # in words; the picture has all
_INCHES = (8.0, 3.6)
_DPI = 130
_MOST_BARS = 92
_MOST_TICKS = 8
_NAMED = 7  # publishers
_LETTERS = 40  # of a publisher, so that the bars keep their room
# What a bar may stand for, as its first day, and how that is written: the first that fits.
_SCALES: tuple[tuple[Callable[[date], date], Callable[[date], str]], ...] = (
    (lambda day: day, lambda day: f"{day.day} {day:%b %Y}"),
    (lambda day: day.replace(day=1), lambda day: f"{day:%b %Y}"),
    (lambda day: day.replace(day=1, month=1), lambda day: f"{day:%Y}"),
)
NO_MATPLOTLIB = "\n-# For a picture the operator installs onrecord[pictures]."


def words(found: Timeline) -> str:
    """The same in words: what is read out in place of the picture."""
    if not found.reports:
        return f"No report holds all words of “{escaped(found.topic)}”."
    lines = [caption(found)]
    for day in sorted(found.days, reverse=True)[:_MOST_DAYS]:
        by = ", ".join(f"{escaped(name)} {count}" for name, count in found.days[day].items())
        lines.append(f"- {in_words(day)}: {by}")
    if len(found.days) > _MOST_DAYS:
        lines.append(f"- and {len(found.days) - _MOST_DAYS} earlier days")
    return "\n".join(lines + ([f"- without a date: {found.undated}"] if found.undated else []))


def caption(found: Timeline) -> str:
    """What the days are: those spoken of, or those of publication."""
    reports = f"{found.reports:,} report{'s' * (found.reports != 1)}"
    named = f"{reports} with all words of “{escaped(found.topic)}”"
    if found.by_publication + found.undated == found.reports:
        return f"{named}, by the day of publication: none names a day."
    if not found.by_publication:
        return f"{named}, by the days that they speak of."
    none = f"{found.by_publication:,} that name{'s' * (found.by_publication == 1)} none"
    return f"{named}, by the days that they speak of; for {none}, the day of publication."


def draw(found: Timeline) -> bytes | None:
    """A bar a day, month or year, stacked by publisher, as PNG; None without matplotlib."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - comes with an extra only
    except ImportError:
        return None
    fits = (scale for scale in _SCALES if len({*map(scale[0], found.days)}) <= _MOST_BARS)
    of, written = next(fits, _SCALES[-1])
    first, last = min(found.days), max(found.days)
    whole = (last - first).days <= _MOST_BARS
    if whole:  # else one day long ago would press all the others together
        bars = [first + timedelta(days) for days in range((last - first).days + 1)]
    else:
        bars = sorted({*map(of, found.days)})
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    below = [0] * len(bars)
    for publisher, counts in _by_publisher(found, of).items():
        heights = [counts[bar] for bar in bars]
        axes.bar(range(len(bars)), heights, bottom=below, label=publisher[:_LETTERS], width=0.8)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    step = -(-len(bars) // _MOST_TICKS)
    axes.set_xticks(range(0, len(bars), step), [written(bar) for bar in bars[::step]])
    axes.locator_params(axis="y", integer=True)
    axes.set_ylabel("reports")
    axes.set_xlabel("" if whole else "times that no report speaks of are left out")
    axes.spines[["top", "right"]].set_visible(False)
    for text in axes.legend(frameon=False, fontsize="small").get_texts():
        text.set_parse_math(False)  # names are no formulas
    figure.autofmt_xdate()
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()


def _by_publisher(found: Timeline, of: Callable[[date], date]) -> dict[str, Counter[date]]:
    """How many reports each publisher has in each bar; the small publishers together."""
    totals: Counter[str] = Counter()
    for by in found.days.values():
        totals.update(by)
    made: dict[str, Counter[date]] = {name: Counter() for name, _ in totals.most_common(_NAMED)}
    for day, by in found.days.items():
        for name, count in by.items():
            made.setdefault(name if name in made else "others", Counter())[of(day)] += count
    return made
