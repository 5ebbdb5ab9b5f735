"""Which days the reports on a topic speak of: counted by publisher, in words, and drawn."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from bot.render import escaped
from bot.wording import day as in_words
from index.archive import MAX_K, Archive
from index.domain import Article, Sentence
from index.text.dates import date_ranges
from index.text.terms import content_terms, terms

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
_SHORT = timedelta(6)  # "in 1978" and "in May" are no day
NO_MATPLOTLIB = "\n-# For a picture the operator installs onrecord[pictures]."


@dataclass(frozen=True, slots=True)
class Timeline:
    """The days that reports with all words of a topic speak of, how many reports by publisher.

    A report counts once for each day. `by_publication` of the `reports` name no day, so that the
    day they were published stands for it; `undated` ones do not even have that.
    """

    topic: str
    days: Mapping[date, Mapping[str, int]]
    reports: int
    by_publication: int = 0
    undated: int = 0

    def words(self) -> str:
        """The same in words: what is read out in place of the picture."""
        if not self.reports:
            return f"No report holds all words of “{escaped(self.topic)}”."
        lines = [self.caption()]
        for day in sorted(self.days, reverse=True)[:_MOST_DAYS]:
            by = ", ".join(f"{escaped(name)} {count}" for name, count in self.days[day].items())
            lines.append(f"- {in_words(day)}: {by}")
        if len(self.days) > _MOST_DAYS:
            lines.append(f"- and {len(self.days) - _MOST_DAYS} earlier days")
        return "\n".join(lines + ([f"- without a date: {self.undated}"] if self.undated else []))

    def caption(self) -> str:
        """What the days are: those spoken of, or those of publication."""
        reports = f"{self.reports:,} report{'s' * (self.reports != 1)}"
        named = f"{reports} with all words of “{escaped(self.topic)}”"
        if self.by_publication + self.undated == self.reports:
            return f"{named}, by the day of publication: none names a day."
        if not self.by_publication:
            return f"{named}, by the days that they speak of."
        none = f"{self.by_publication:,} that name{'s' * (self.by_publication == 1)} none"
        return f"{named}, by the days that they speak of; for {none}, the day of publication."


def counted(archive: Archive, topic: str) -> Timeline:
    """Count the reports, among the best-ranked ones, that hold all words of a topic.

    Raises:
        QuestionError: the topic has no words.
    """
    ranking = archive.search(topic, MAX_K)
    wanted = set(content_terms(topic))
    said: dict[str, list[Sentence]] = {}
    for sentence in ranking.sentences:
        said.setdefault(sentence.article_id, []).append(sentence)
    days: dict[date, Counter[str]] = {}
    reports = by_publication = undated = 0
    for article_id, sentences in said.items():
        article = ranking.articles[article_id]
        if not wanted.issubset(terms(f"{article.title}\n{article.text}")):
            continue
        reports += 1
        spoken_of = _spoken_of(article, sentences, wanted)
        if not spoken_of and article.published:
            by_publication += 1
            spoken_of = {article.published.date()}
        undated += not spoken_of
        for day in spoken_of:
            days.setdefault(day, Counter())[article.publisher or "no publisher"] += 1
    return Timeline(topic, days, reports, by_publication, undated)


def _spoken_of(article: Article, sentences: Iterable[Sentence], wanted: set[str]) -> set[date]:
    """The first days of the ranges in sentences that have a word of the topic."""
    published = article.published.date() if article.published else None
    ranges = (
        one
        for sentence in sentences
        if wanted.intersection(terms(sentence.text))
        for one in date_ranges(sentence.text, published)
    )
    return {one.start for one in ranges if one.start and one.end - one.start <= _SHORT}


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
