"""How many reports speak of a topic, by day and publisher: counted, in words, and drawn."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from bot.render import escaped
from index.archive import MAX_K, Archive
from index.terms import content_terms, terms

_MOST_DAYS = 12  # in words; the picture has all
_INCHES = (8.0, 3.6)
_DPI = 130
_MOST_BARS = 92  # days; a longer time is drawn by months
_MOST_TICKS = 8
_MOST_PUBLISHERS = 7
NO_MATPLOTLIB = "\n-# For a picture the operator installs onrecord[pictures]."


@dataclass(frozen=True, slots=True)
class Timeline:
    """How many reports hold all words of a topic, by day and publisher.

    `undated` ones hold them too, and are on no day.
    """

    topic: str
    days: Mapping[date, Mapping[str, int]]
    undated: int

    def words(self) -> str:
        """The same in words: what is read out in place of the picture."""
        if not self.days and not self.undated:
            return f"No report holds all words of “{escaped(self.topic)}”."
        total = sum(sum(by.values()) for by in self.days.values()) + self.undated
        lines = [f"{total:,} report{'s' * (total != 1)} with all words of “{escaped(self.topic)}”:"]
        for day in sorted(self.days, reverse=True)[:_MOST_DAYS]:
            by = ", ".join(f"{escaped(name)} {count}" for name, count in self.days[day].items())
            lines.append(f"- {day.day} {day:%B %Y}: {by}")
        if len(self.days) > _MOST_DAYS:
            lines.append(f"- and {len(self.days) - _MOST_DAYS} earlier days")
        return "\n".join(lines + ([f"- without a date: {self.undated}"] if self.undated else []))


def counted(archive: Archive, topic: str) -> Timeline:
    """Count the reports, among the best-ranked ones, that hold all words of a topic.

    Raises:
        QuestionError: the topic has no words.
    """
    ranking = archive.search(topic, MAX_K)
    wanted = set(content_terms(topic))
    days: dict[date, Counter[str]] = {}
    undated = 0
    for article, _ in ranking.by_article():
        if not wanted.issubset(terms(f"{article.title}\n{article.text}")):
            continue
        if article.published is None:
            undated += 1
            continue
        day = days.setdefault(article.published.date(), Counter())
        day[article.publisher or "no publisher"] += 1
    return Timeline(topic, days, undated)


def draw(found: Timeline) -> bytes | None:
    """A bar a day, stacked by publisher, as PNG; None where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - comes with an extra only
    except ImportError:
        return None
    first, last = min(found.days), max(found.days)
    by_month = (last - first).days > _MOST_BARS
    every = (first + timedelta(days=i) for i in range((last - first).days + 1))
    span = list(dict.fromkeys(day.replace(day=1) if by_month else day for day in every))
    bars = _stacked(found, span, by_month=by_month)
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    below = [0] * len(span)
    for publisher, heights in bars.items():
        axes.bar(range(len(span)), heights, bottom=below, label=publisher, width=0.8)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    step = -(-len(span) // _MOST_TICKS)
    ticks = [f"{day:%b %Y}" if by_month else f"{day.day} {day:%b %Y}" for day in span]
    axes.set_xticks(range(0, len(span), step), ticks[::step])
    axes.locator_params(axis="y", integer=True)
    axes.set_ylabel("reports")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    figure.autofmt_xdate()
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()


def _stacked(found: Timeline, span: list[date], *, by_month: bool) -> dict[str, list[int]]:
    """How many reports each publisher has in each bar; the small publishers together."""
    totals: Counter[str] = Counter()
    for by in found.days.values():
        totals.update(by)
    named = [name for name, _ in totals.most_common(_MOST_PUBLISHERS)]
    place = {day: i for i, day in enumerate(span)}
    bars = {name: [0] * len(span) for name in [*named, *(["others"] * (len(totals) > len(named)))]}
    for day, by in found.days.items():
        for name, count in by.items():
            heights = bars[name if name in named else "others"]
            heights[place[day.replace(day=1) if by_month else day]] += count
    return bars
