"""Results of commands, as a JSON document and as text for a person."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Any

from typer import style

import index
from bot.views.text import (
    CLOSEST,
    became_words,
    date_words,
    describe_filters,
    event_words,
    format_day,
    notice_words,
    outcomes,
    plural,
    share_of,
    short_form,
    speaker_line,
    story_line,
    strength,
    titles_of,
)

_MAX_LISTED = 20
_TITLES = 5  # shown for each event of the audit log
_LEAST_SHOWN = 0.05  # scores are about 1 to 10: a smaller part explains nothing
_START_CHARS = 60  # of a quote that is shown above in full
_INDENT = " " * 13
_LABELS = {"publisher": "publisher", "author": "by", "url": "address"}


@dataclass(frozen=True, slots=True)
class Result:
    """What a command prints: a document for scripts or a text, and whether something failed."""

    document: Mapping[str, Any]
    text: str
    failed: bool = False


def to_json(document: Mapping[str, Any]) -> str:
    """Return a document as a line of JSON."""
    return json.dumps(document, ensure_ascii=False)


def wrap(text: str, width: int) -> str:
    """Break lines longer than the width between words; words and URLs stay whole."""

    def broken(line: str) -> str:
        margin = line[: len(line) - len(line.lstrip())]
        return textwrap.fill(
            line.strip(),
            width,
            initial_indent=margin,
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        )

    return "\n".join(broken(line) if len(line) > width else line for line in text.split("\n"))


def ingest(
    outcome: index.IngestResult, *, dry_run: bool = False, nothing: str = "Nothing new."
) -> Result:
    """Return what a change did or would do; `nothing` is the text for no change."""
    hidden = "sources" if outcome.notices else "sources notices"
    document = _record(outcome, without=hidden) | {"seconds": round(outcome.seconds, 3)}
    lines = []
    for heading, detail, items in outcomes(outcome, dry_run=dry_run):
        lines += [f"{heading}{detail}", *(f"  {item}" for item in items[:_MAX_LISTED])]
        lines += [f"  … and {len(items) - _MAX_LISTED:,} more"] * (len(items) > _MAX_LISTED)
    if outcome.skipped:
        endings = ", ".join(sorted(index.READABLE_SUFFIXES))
        skipped = plural(outcome.skipped, "file")
        lines.append(f"Skipped {skipped} in folders: none ends in {endings}")
    return Result(document, "\n".join(lines) or nothing, failed=bool(outcome.failed))


def answer(given: index.Answer, query_id: str | None = None, *, typed: str | None = None) -> Result:
    """Return an answer or a decline; `typed` is the question as it was asked."""
    document: dict[str, Any] = {} if query_id is None else {"id": query_id}
    document |= {
        "answer_id": given.answer_id,
        "question": given.question,
        "status": given.status,
        "confidence": round(given.confidence, 4),
        "quotes": [_quote(cited) for cited in given.quotes],
        "citations": [
            {"number": citation.number, "independent_of": citation.independent_of}
            | _article(citation.article)
            for citation in given.citations
        ],
        "agreement": _plain(given.agreement),
        "independent": given.independent,
        "news": _plain(given.news),
        "generation": given.generation,
    }
    for side in document["agreement"]["sides"] if given.agreement else ():
        if side["speaker"] is None:
            del side["speaker"]
    declined = {"reason": given.reason, "closest": given.closest and _quote(given.closest)}
    document |= {name: value for name, value in declined.items() if value}
    return Result(document, "\n".join(_answer_lines(given, typed)))


def _heading(given: index.Answer, typed: str | None) -> str:
    """Return the question as it was typed and, if that differs, as it was understood."""
    asked = " ".join((typed or given.question).split())
    understood = f"Understood as: {given.question}\n" if asked != given.question else ""
    return f"{style(asked, bold=True)}\n{understood}"


def _answer_lines(given: index.Answer, typed: str | None) -> Iterator[str]:
    yield _heading(given, typed)
    if line := index.optional("", story_line, given):
        yield f"{line}\n"
    if given.reason:
        yield given.reason
    if given.short and (words := index.optional("", short_form, given)):
        yield style(f"{words} [{given.short.citation}]\n", bold=True)
    if given.closest:
        yield f"\n{CLOSEST}"
    articles = {citation.number: citation.article for citation in given.citations}
    for cited in given.shown:
        notices = (_notice_line(articles[number]) for number in (cited.citation, *cited.also))
        yield from (f"  {notice}" for notice in notices if notice)
        if line := index.optional("", speaker_line, cited, given):
            yield f"  {line}"
        # Further paragraphs are indented like the first.
        yield f"  “{textwrap.indent(cited.quote.text, '   ')[3:]}” [{cited.citation}]\n"
    quoted = {cited.citation for cited in given.shown}
    for citation in given.citations:
        also = "" if citation.number in quoted else "Also in "
        yield f"[{citation.number}] {also}{_source_line(citation.article)}"
        if citation.article.url:
            yield f"    {citation.article.url}"
    yield style(f"answer {given.answer_id}", dim=True)


def why(logged: index.LoggedAnswer) -> Result:
    """Return an earlier answer, and how its articles have changed since."""
    again = answer(logged.answer)
    since = [standing for standing in logged.standings if standing.became]
    changed = [
        s.article for s in since if not s.article.retired and {"changed", "revised"} & {*s.became}
    ]
    document = {
        **again.document,
        "filters": _plain(logged.answer.filters),
        "scores": [*logged.answer.scores],
        "at": logged.at.isoformat(),
        "updated": [_article(shown) for shown in changed],
        "removed": [_article(s.article) for s in since if s.article.retired],
        "since": [{"article_id": s.article.article_id, "became": [*s.became]} for s in since],
    }
    return Result(document, "\n".join([again.text, "", *_why_lines(logged)]))


def _why_lines(logged: index.LoggedAnswer) -> Iterator[str]:
    """Yield an answer's date and sources, the strength of its quotes, and changes since then."""
    given, filters = logged.answer, logged.answer.filters
    asked = describe_filters(filters) or "all reports"
    yield f"Answered on {format_day(logged.at)}. Searched {asked}, generation {given.generation},"
    yield f"with {given.model}."
    yield f"Overall evidence: {strength(given.confidence)} ({given.confidence:.2f})"
    for cited, score in zip(given.shown, given.scores, strict=False):  # one score for each quote
        share = share_of(given.confidence, score, max(given.scores))
        start = textwrap.shorten(cited.quote.text, _START_CHARS, placeholder=" …")
        yield f"  [{cited.citation}] {strength(share)} ({share:.2f}): “{start}”"
    lines = [
        f"Since then “{standing.article.title}” {became_words(standing)}"
        for standing in logged.standings
        if standing.became
    ]
    yield from lines or ["None of its reports has changed since."]


def ranking(
    ranked: index.Ranking, k: int, query_id: str | None, *, by_article: bool, explain: bool
) -> Result:
    """Return the first k sentences or articles; `explain` shows the parts of each score."""
    scored: list[tuple[dict[str, Any], str, float]]
    if by_article:
        ranks = ranked.by_article()[:k]
        scored = [({"article_id": shown.article_id}, shown.title, score) for shown, score in ranks]
    else:
        pairs = zip(ranked.sentences[:k], ranked.scores[:k].tolist(), strict=True)
        scored = [(_record(sentence), sentence.text, score) for sentence, score in pairs]
    features = ranked.contributions() if explain and not by_article else {}
    results, lines = [], []
    for rank, (item, text, score) in enumerate(scored, 1):
        results.append({"rank": rank, "score": round(score, 6), **item})
        lines += [f"{rank:>3}  {score:>6.2f}  {item['article_id']}", textwrap.indent(text, _INDENT)]
        if features:
            # Adding 0.0 turns -0.0 into 0.0.
            parts = {name: round(float(part[rank - 1]), 4) + 0.0 for name, part in features.items()}
            results[-1]["features"] = parts
            largest = sorted(parts.items(), key=lambda item: -abs(item[1]))
            words = [f"{name} {part:+.2f}" for name, part in largest if abs(part) >= _LEAST_SHOWN]
            lines.append(style(_INDENT + ", ".join(words), dim=True))
    return Result({"id": query_id, "results": results}, "\n".join(lines))


def articles(listed: Sequence[index.Article]) -> Result:
    """Return a list of articles."""
    lines = [
        f"{article.article_id}  {_source_line(article)}"
        + (f" ({article.notice.kind})" if article.notice else "")
        for article in listed
    ]
    lines.append(style(plural(len(listed), "article"), dim=True))
    return Result({"articles": [_article(article) for article in listed]}, "\n".join(lines))


def article(shown: index.Article) -> Result:
    """Return a stored article with its metadata and text."""
    state = ", removed" if shown.retired else ""
    lines = [style(shown.title, bold=True), f"{shown.article_id}, revision {shown.revision}{state}"]
    for name, label in _LABELS.items():
        if value := getattr(shown, name):
            guessed = " (guessed)" if name in shown.guessed else ""
            lines.append(f"{label}: {value}{guessed}")
    lines.insert(-1 if shown.url else len(lines), f"published: {_date(shown)}")
    lines += [_notice_line(shown)] if shown.notice else []
    return Result(_article(shown) | {"text": shown.text}, "\n".join([*lines, "", shown.text]))


def notice(noted: index.Noted) -> Result:
    """Return an article's new correction or retraction, and the notice that it replaces."""
    lines = [_notice_line(noted.article)]
    if noted.replaced:
        lines.append(f"It replaces: {notice_words(noted.replaced)}")
    document = _article(noted.article) | {"replaced": _plain(noted.replaced)}
    return Result(document, "\n".join(lines))


def sources(listed: Sequence[index.Source]) -> Result:
    """Return the sources, and the outcome of the last read of each."""
    rows, lines = [], []
    for source in listed:
        rows.append({"source": source.uri, **_record(source, without="uri reported")})
        every = f"every {plural(source.every, 'minute')}" if source.every else "on reindex"
        read = f", last read {format_day(source.succeeded)}" if source.succeeded else ""
        lines.append(f"{source.uri}  ({source.kind}, {'paused' if source.paused else every}{read})")
        if source.failures:
            failed = style(f"failed {plural(source.failures, 'time')}", fg="red")
            lines.append(f"  {failed}: {source.error or ''}")
    nothing = "No sources yet: add some with `onrecord add` or `onrecord sources --add`."
    return Result({"sources": rows}, "\n".join(lines) or nothing)


def history(events: Sequence[index.HistoryEvent]) -> Result:
    """Return the audit log, a line for each generation."""
    lines = []
    for event in events:
        titles = f"({'; '.join(titles_of(event, _TITLES))})" if event.titles else ""
        parts = (event.actor, event_words(event), titles, event.note)
        text = "  ".join(part for part in parts if part)
        lines.append(f"{event.generation:>6}  {event.at:%Y-%m-%d %H:%M}  {text}")
    return Result({"events": _plain(events)}, "\n".join(lines) or "Nothing has changed yet.")


def _source_line(shown: index.Article) -> str:
    """Return publisher, date and title."""
    return ", ".join(filter(None, (shown.publisher, _date(shown), shown.title)))


def _date(shown: index.Article) -> str:
    return date_words(shown.published, shown.guessed_date)


def _notice_line(shown: index.Article) -> str:
    """Return an article's correction or retraction, and its date; "" if it has none."""
    return notice_words(shown.notice) if shown.notice else ""


def _article(shown: index.Article) -> dict[str, Any]:
    return _record(shown, without="text id_given key")


def _quote(cited: index.CitedQuote) -> dict[str, Any]:
    return _record(cited.quote) | _record(cited, without="quote")


def _record(record: Any, without: str = "") -> dict[str, Any]:
    """Return the fields of a record as JSON values, except those named in `without`."""
    names = [field.name for field in fields(record) if field.name not in without.split()]
    return {name: _plain(getattr(record, name)) for name in names}


def _plain(value: Any) -> Any:
    """Return a value for JSON: records as objects, times in ISO 8601, tuples as lists."""
    if is_dataclass(value):
        return _record(value)
    if isinstance(value, date):
        return value.isoformat()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
