"""Results as the command line prints them: a JSON document, and text for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from typer import style

from bot.views.text import KINDS, format_day, outcomes, plural, speaker_line, story_line
from index import (
    READABLE_SUFFIXES,
    Answer,
    Article,
    CitedQuote,
    HistoryEvent,
    IngestResult,
    Ranking,
    Sentence,
    Source,
)

_MAX_LISTED = 20
_LEAST_SHOWN = 0.05  # a feature that adds less to a score, of about 1 to 10, explains nothing
# The fields that scripts rely on, in order.
_CHANGE = "article_id title sentences"
_SENTENCE = "article_id sentence_id start end text"
_ARTICLE = "publisher author published url language source revision retired guessed"
_SOURCE = "kind every paused checked succeeded failures failing_since error"
_QUOTE = "citation speaker act also change"
_EVENT = "generation at actor action note articles titles"
_LABELS = {"publisher": "publisher", "author": "by", "published": "published", "url": "address"}
_FEATURES = {
    "cover": "shares the question's words",
    "clause_bm25": "shares words together with its neighbours",
    "clause_dense": "has the question's meaning",
    "article_dense": "its report is about this",
    "publisher": "the publisher named",
    "day": "the day named",
    "gives": "gives the kind of thing asked for",
    "first": "early in its report",
    "length": "its length",
    "asks": "is a question itself",
    "unfinished": "is a caption or headline",
    "same_article": "its report already ranks higher",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What a command prints: a document for scripts or text, and whether something failed."""

    document: Mapping[str, Any]
    text: str
    failed: bool = False


def ingest(outcome: IngestResult, *, dry_run: bool = False, skipped: int | None = None) -> Result:
    """What `add`, `reindex`, `remove`, `restore` or `undo` did, or would do.

    `skipped` counts the files in folders that no reader takes; None if they were not counted.
    """
    document = {
        "generation": outcome.generation,
        **{kind: _each(getattr(outcome, kind), _CHANGE) for kind in KINDS},
        **_fields(outcome, "unchanged embedded"),
        "failed": _each(outcome.failed, "source error"),
        "seconds": round(outcome.seconds, 3),
    }
    lines = []
    for heading, detail, items in outcomes(outcome, dry_run=dry_run):
        lines += [f"{heading}{detail}", *(f"  {item}" for item in items[:_MAX_LISTED])]
        lines += [f"  … and {len(items) - _MAX_LISTED:,} more"] * (len(items) > _MAX_LISTED)
    if skipped is not None:
        document["skipped"] = skipped
    if skipped:
        endings = ", ".join(sorted(READABLE_SUFFIXES))
        lines.append(f"Skipped {plural(skipped, 'file')} in folders: none ends in {endings}")
    return Result(document, "\n".join(lines) or "Nothing new.", failed=bool(outcome.failed))


def answer(given: Answer, query_id: str | None = None) -> Result:
    """An answer or a decline."""
    document: dict[str, Any] = {} if query_id is None else {"id": query_id}
    document |= {
        **_fields(given, "answer_id question status"),
        "confidence": round(given.confidence, 4),
        "quotes": [_quote(cited) for cited in given.quotes],
        "citations": [
            {"number": citation.number, **_article(citation.article)}
            | {"independent_of": [*citation.independent_of]}
            for citation in given.citations
        ],
        "agreement": None,
        "independent": given.independent,
        "news": given.news and _fields(given.news, "since reports"),
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
    return Result(document, "\n".join(_answer_lines(given)))


def _answer_lines(given: Answer) -> Iterator[str]:
    yield style(given.question, bold=True) + "\n"
    if given.reason:
        yield given.reason
    if given.closest:
        yield "\nThe closest passage, which does not answer it:"
    for cited in [*given.quotes, *([given.closest] if given.closest else [])]:
        if line := speaker_line(cited):
            yield f"  {line}"
        # Further paragraphs are indented like the first.
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
    """The first k sentences or articles; `explain` adds what each feature adds to a score."""
    scored: list[tuple[Article | Sentence, float]] = (
        [*ranked.by_article()]
        if by_article
        else [*zip(ranked.sentences, ranked.scores.tolist(), strict=True)]
    )
    features = ranked.contributions() if explain and not by_article else {}
    results, lines = [], []
    for rank, (item, score) in enumerate(scored[:k], 1):
        row = {"rank": rank, "score": round(score, 6)}
        results.append(row | _fields(item, "article_id" if by_article else _SENTENCE))
        lines.append(f"{rank:>3}  {score:>6.2f}  {item.article_id}")
        text = item.text if isinstance(item, Sentence) else item.title
        lines.append(textwrap.indent(text, " " * 13))
        if features:
            parts = {name: float(values[rank - 1]) for name, values in features.items()}
            # Adding 0.0 turns -0.0 into 0.0.
            results[-1]["features"] = {name: round(part, 4) + 0.0 for name, part in parts.items()}
            lines.append(style(" " * 13 + _in_words(parts), dim=True))
    return Result({"id": query_id, "results": results}, "\n".join(lines))


def _in_words(parts: Mapping[str, float]) -> str:
    """What makes up a score, the largest parts first."""
    return ", ".join(
        f"{part:+.2f} {_FEATURES.get(name, name)}"
        for name, part in sorted(parts.items(), key=lambda item: -abs(item[1]))
        if abs(part) >= _LEAST_SHOWN
    )


def articles(listed: Sequence[Article]) -> Result:
    """A list of articles."""
    lines = [f"{article.article_id}  {_source_line(article)}" for article in listed]
    lines.append(style(plural(len(listed), "article"), dim=True))
    return Result({"articles": [_article(article) for article in listed]}, "\n".join(lines))


def article(shown: Article) -> Result:
    """A stored article with its text and what is known about it."""
    state = ", removed" if shown.retired else ""
    lines = [style(shown.title, bold=True), f"{shown.article_id}, revision {shown.revision}{state}"]
    for name, label in _LABELS.items():
        if value := getattr(shown, name):
            guessed = " (guessed)" if name in shown.guessed else ""
            text = format_day(value) if isinstance(value, date) else value
            lines.append(f"{label}: {text}{guessed}")
    lines += [_notice_line(shown)] if shown.notice else []
    document = _fields(shown, "article_id title text") | _article(shown)
    return Result(document, "\n".join([*lines, "", shown.text]))


def notice(shown: Article) -> Result:
    """An article's new correction or retraction."""
    return Result(_article(shown), _notice_line(shown))


def sources(listed: Sequence[Source], *, shown: Sequence[Source]) -> Result:
    """Where articles come from and how that went; the text has only the sources `shown`."""
    lines = []
    for source in shown:
        every = f"every {plural(source.every, 'minute')}" if source.every else "on reindex"
        read = f", last read {format_day(source.succeeded)}" if source.succeeded else ""
        lines.append(f"{source.uri}  ({source.kind}, {'paused' if source.paused else every}{read})")
        if source.failures:
            failed = style(f"failed {plural(source.failures, 'time')}", fg="red")
            lines.append(f"  {failed}: {source.error or ''}")
    if not listed:
        lines.append("No sources yet: add some with `onrecord add` or `onrecord sources --add`.")
    rows = [{"source": source.uri, **_fields(source, _SOURCE)} for source in listed]
    return Result({"sources": rows}, "\n".join(lines))


def history(events: Sequence[HistoryEvent]) -> Result:
    """The audit log, a line for each generation."""
    lines = []
    for event in events:
        counts = ", ".join(f"{count} {kind}" for kind, count in event.articles.items())
        titles = f"({'; '.join(event.titles)})" if event.titles else ""
        parts = (event.actor, event.action, counts, titles, event.note)
        text = "  ".join(part for part in parts if part)
        lines.append(f"{event.generation:>6}  {event.at:%Y-%m-%d %H:%M}  {text}")
    return Result({"events": _each(events, _EVENT)}, "\n".join(lines) or "Nothing has changed yet.")


def _source_line(shown: Article) -> str:
    """Publisher, date and title."""
    day = format_day(shown.published) if shown.published else None
    return ", ".join(part for part in (shown.publisher, day, shown.title) if part)


def _notice_line(shown: Article) -> str:
    """What is wrong with an article, and since when that is known."""
    notice = shown.notice
    return f"{notice.kind} {format_day(notice.at)}: {notice.note}" if notice else ""


def _article(shown: Article) -> dict[str, Any]:
    return {
        **_fields(shown, f"article_id title {_ARTICLE}"),
        "notice": shown.notice and _fields(shown.notice, "kind note at actor"),
    }


def _quote(cited: CitedQuote) -> dict[str, Any]:
    return _fields(cited.quote, "text article_id start end") | _fields(cited, _QUOTE)


def _each(records: Sequence[object], names: str) -> list[dict[str, Any]]:
    return [_fields(record, names) for record in records]


def _fields(record: object, names: str) -> dict[str, Any]:
    """Some attributes of a record as JSON values: times in ISO 8601, tuples as lists."""
    return {name: _plain(getattr(record, name)) for name in names.split()}


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
