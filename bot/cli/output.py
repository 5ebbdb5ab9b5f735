"""Results -> what the command line prints: a JSON document, and the same as text for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from typer import style

from bot.cli.evaluate import Figures
from bot.views.text import KINDS, format_day, outcomes, plural, speaker_line, story_line
from index import (
    SUFFIXES,
    Answer,
    Article,
    Citation,
    CitedQuote,
    HistoryEvent,
    IngestResult,
    Ranking,
    Sentence,
    Source,
)

_LISTED = 20
_SEEN = 0.05  # of a score, under which a feature is not worth a word
# The fields that scripts rely on, in order.
_CHANGE = "article_id title sentences"
_SENTENCE = "article_id sentence_id start end text"
_ARTICLE = "publisher author published url language source revision retired guessed"
_ORIGIN = "kind every paused checked succeeded failures failing_since error"
_BYLINE = {"publisher": "publisher", "author": "by", "published": "published", "url": "address"}
_WORDS = {
    "cover": "its words are the question's",
    "clause_bm25": "it and its neighbours use the question's words",
    "clause_dense": "it means what the question means",
    "article_dense": "its report is about this",
    "publisher": "the publisher named",
    "day": "the day named",
    "gives": "it gives the kind of thing asked for",
    "first": "it stands early in its report",
    "length": "its length",
    "asks": "it is a question itself",
    "unfinished": "it is a caption or headline",
    "same_article": "its report stands higher already",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What a command came to: for scripts, for a person, and whether something failed."""

    document: Mapping[str, Any]
    text: str
    failed: bool = False


def report(made: IngestResult, *, dry_run: bool = False, skipped: int | None = None) -> Result:
    """What `add`, `reindex`, `remove`, `restore` and `undo` did, or would do.

    `skipped` files of folders have endings that no reader takes; None where nobody counted.
    """
    document = {
        "generation": made.generation,
        **{kind: [_fields(one, _CHANGE) for one in getattr(made, kind)] for kind in KINDS},
        **_fields(made, "unchanged embedded"),
        "failed": [_fields(one, "source error") for one in made.failed],
        "seconds": round(made.seconds, 3),
    }
    lines = []
    for head, more, under in outcomes(made, dry_run=dry_run):
        lines += [f"{head}{more}", *(f"  {one}" for one in under[:_LISTED])]
        lines += [f"  … and {len(under) - _LISTED:,} more"] * (len(under) > _LISTED)
    if skipped is not None:
        document["skipped"] = skipped
    if skipped:
        endings = ", ".join(sorted(SUFFIXES))
        lines.append(f"Skipped {plural(skipped, 'file')} of folders: none ends in {endings}")
    text = "\n".join(lines) or "Nothing new."
    return Result(document, text, failed=bool(made.failed))


def answer(given: Answer, query_id: str | None = None) -> Result:
    """An answer or a decline."""
    document: dict[str, Any] = {} if query_id is None else {"id": query_id}
    document |= {
        **_fields(given, "answer_id question status"),
        "confidence": round(given.confidence, 4),
        "quotes": [_quote(cited) for cited in given.quotes],
        "citations": [_citation(citation) for citation in given.citations],
        "agreement": None,
        "independent": given.independent,
        "news": _fields(given.news, "since reports") if given.news else None,
        "generation": given.generation,
    }
    if given.agreement:
        sides = [
            {"quotes": [*side.quotes]} | ({"speaker": side.speaker} if side.speaker else {})
            for side in given.agreement.sides
        ]
        document["agreement"] = {"kind": given.agreement.kind, "sides": sides}
    if given.reason:
        document["reason"] = given.reason
    if given.closest:
        document["closest"] = _quote(given.closest)
    return Result(document, "\n".join(_lines(given)))


def _lines(given: Answer) -> Iterable[str]:
    """The lines of an answer."""
    yield style(given.question, bold=True) + "\n"
    if given.reason:
        yield given.reason
    if given.closest:
        yield "\nThe closest passage, which does not answer it:"
    for cited in [*given.quotes, *([given.closest] if given.closest else [])]:
        if line := speaker_line(cited):
            yield f"  {line}"
        # Further paragraphs stand under the first: their letters are the report's all the same.
        yield f"  “{textwrap.indent(cited.quote.text, '   ')[3:]}” [{cited.citation}]\n"
    if line := story_line(given):
        yield f"{line}\n"
    for citation in given.citations:
        yield f"[{citation.number}] {_source_line(citation.article)}"
        if citation.article.notice:
            yield f"    {_notice_line(citation.article)}"
    yield style(f"answer {given.answer_id}", dim=True)


def ranking(
    ranked: Ranking, k: int, query_id: str | None, *, by_article: bool, explain: bool
) -> Result:
    """A ranking of sentences or articles; `explain` adds what each feature adds to a score."""
    scored: list[tuple[Article | Sentence, float]] = (
        [*ranked.by_article()]
        if by_article
        else [*zip(ranked.sentences, ranked.scores.tolist(), strict=True)]
    )
    added = ranked.contributions() if explain and not by_article else {}
    results, lines = [], []
    for rank, (one, score) in enumerate(scored[:k], 1):
        found = {"rank": rank, "score": round(score, 6)}
        results.append(found | _fields(one, "article_id" if by_article else _SENTENCE))
        lines.append(f"{rank:>3}  {score:>6.2f}  {one.article_id}")
        said = one.text if isinstance(one, Sentence) else one.title
        lines.append(textwrap.indent(said, " " * 13))
        if added:
            parts = {name: float(own[rank - 1]) for name, own in added.items()}
            # Adding 0.0 leaves no minus zero.
            results[-1]["features"] = {name: round(own, 4) + 0.0 for name, own in parts.items()}
            lines.append(style(" " * 13 + _in_words(parts), dim=True))
    return Result({"id": query_id, "results": results}, "\n".join(lines))


def _in_words(parts: Mapping[str, float]) -> str:
    """What made a score, the most telling first."""
    told = sorted(parts.items(), key=lambda part: -abs(part[1]))
    return ", ".join(
        f"{value:+.2f} {_WORDS.get(name, name)}" for name, value in told if abs(value) >= _SEEN
    )


def articles(found: Sequence[Article]) -> Result:
    """A list of articles."""
    lines = [f"{one.article_id}  {_source_line(one)}" for one in found]
    lines.append(style(plural(len(found), "article"), dim=True))
    return Result({"articles": [_article(one) for one in found]}, "\n".join(lines))


def article(found: Article) -> Result:
    """A stored article with its text, and what is known of it."""
    state = ", removed" if found.retired else ""
    lines = [style(found.title, bold=True), f"{found.article_id}, revision {found.revision}{state}"]
    for name, label in _BYLINE.items():
        if value := getattr(found, name):
            guessed = " (guessed)" if name in found.guessed else ""
            lines.append(
                f"{label}: {format_day(value) if isinstance(value, date) else value}{guessed}"
            )
    lines += [_notice_line(found)] if found.notice else []
    return Result(_article(found, text=True), "\n".join([*lines, "", found.text]))


def notice(found: Article) -> Result:
    """What was made known of an article."""
    return Result(_article(found), _notice_line(found))


def sources(found: Sequence[Source], shown: Sequence[Source]) -> Result:
    """Where articles come from and how that went; as text only those that are to be `shown`."""
    lines = []
    for one in shown:
        every = f"every {plural(one.every, 'minute')}" if one.every else "on reindex"
        good = f", last read {format_day(one.succeeded)}" if one.succeeded else ""
        lines.append(f"{one.uri}  ({one.kind}, {'paused' if one.paused else every}{good})")
        if one.failures:
            failed = style(f"failed {plural(one.failures, 'time')}", fg="red")
            lines.append(f"  {failed}: {one.error or ''}")
    if not found:
        lines.append("No sources yet: `onrecord add` and `onrecord sources --add` name some.")
    rows = [{"source": one.uri, **_fields(one, _ORIGIN)} for one in found]
    return Result({"sources": rows}, "\n".join(lines))


def history(events: Sequence[HistoryEvent]) -> Result:
    """The audit log, a line a generation."""
    lines = []
    for one in events:
        counts = ", ".join(f"{count} {what}" for what, count in one.articles.items())
        few = f"({'; '.join(one.titles)})" if one.titles else ""
        told = "  ".join(part for part in (one.actor, one.action, counts, few, one.note) if part)
        lines.append(f"{one.generation:>6}  {one.at:%Y-%m-%d %H:%M}  {told}")
    rows = [_fields(one, "generation at actor action note articles titles") for one in events]
    return Result({"events": rows}, "\n".join(lines) or "Nothing was changed here yet.")


def figures(measured: Figures, *, failed: bool) -> Result:
    """What `evaluate` measured, each figure with its 95 % interval."""
    made: dict[str, Any] = {"dataset": measured.dataset, "queries": measured.queries}
    for name, one in measured.estimates.items():
        made[name] = round(one.value, 4)
        made[f"{name}_interval"] = [round(one.low, 4), round(one.high, 4)]
    made["seconds_per_query"] = round(measured.seconds_per_query, 4)
    lines = [f"{figure:>28}  {value}" for figure, value in made.items()]
    return Result(made, "\n".join(lines), failed=failed)


def _source_line(found: Article) -> str:
    """Publisher, date and title on one line."""
    date = format_day(found.published) if found.published else None
    return ", ".join(part for part in (found.publisher, date, found.title) if part)


def _notice_line(found: Article) -> str:
    """What is wrong with an article, and since when that is known."""
    notice = found.notice
    return f"{notice.kind} {format_day(notice.at)}: {notice.note}" if notice else ""


def _article(found: Article, *, text: bool = False) -> dict[str, Any]:
    return {
        **_fields(found, "article_id title text" if text else "article_id title"),
        **_fields(found, _ARTICLE),
        "notice": _fields(found.notice, "kind note at actor") if found.notice else None,
    }


def _quote(cited: CitedQuote) -> dict[str, Any]:
    of = _fields(cited.quote, "text article_id start end")
    return of | _fields(cited, "citation speaker act also change")


def _citation(citation: Citation) -> dict[str, Any]:
    of = {"number": citation.number, **_article(citation.article)}
    return of | {"independent_of": [*citation.independent_of]}


def _fields(of: object, names: str) -> dict[str, Any]:
    """Some fields of an object, by their names, as JSON has them: times in ISO 8601, lists."""
    return {name: _plain(getattr(of, name)) for name in names.split()}


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
