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
    span = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    publishers = sorted({name for by in found.days.values() for name in by})
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    below = [0] * len(span)
    for publisher in publishers:
        heights = [found.days.get(day, {}).get(publisher, 0) for day in span]
        axes.bar(span, heights, bottom=below, label=publisher, width=0.8)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("reports")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    figure.autofmt_xdate()
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()
