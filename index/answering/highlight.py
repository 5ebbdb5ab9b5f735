"""Which words of a quote to set in bold."""

from __future__ import annotations

import calendar
import re

from index.domain import Answer
from index.ranking.features import given
from index.ranking.query import Query, parse
from index.text.sentences import Span
from index.text.terms import STOP_WORDS, content_terms, terms

_WORD = re.compile(r"\w+(?:['’.-]\w+)*")
_TIME = re.compile(r"\b\d{1,2}[:.]\d\d(?: ?[ap]\.?m\b\.?)?|\b\d{1,2} ?[ap]\.?m\b\.?")
_NAME = re.compile(r"[A-Z][\w’'-]*(?: [A-Z][\w’'-]*)*")
_CALENDAR = frozenset(terms(" ".join([*calendar.day_name, *calendar.month_name])))
_NUMERAL = re.compile(r"\d\d?")
_AROUND = re.compile(r"[\s.,;:!?\"“”‘’'()–—-]")  # signs that may stand beside bold
_MARKUP = re.compile(r"[\\*_~|`\n\r\u2028\u2029]")
_MOST_BOLD = 0.5  # of the quote: if more were bold, nothing would stand out
_MOST_SPANS = 4  # for the same reason


def highlights(answer: Answer, text: str) -> list[Span]:
    """Return the spans of a quote with the kind of thing asked for, else words of the question.

    Each lies in one line, begins and ends with a letter or digit, and touches no other. In a
    decline only the words of the question are marked.
    """
    query = parse(answer.question)
    if answer.status == "answered":
        spans = [*given(query, text)]
        if query.answer_type in {"person", "name", "place"}:
            spans = _whole_names(text, spans)
        if query.answer_type == "date":
            spans += [Span(*time.span()) for time in _TIME.finditer(text)]
        if typed := _fitting(text, _merged(text, spans)):
            return typed
    wanted = set(content_terms(answer.question)) - STOP_WORDS
    repeated = [
        Span(*word.span())
        for word in _WORD.finditer(text)
        if wanted.intersection(terms(word.group()))
    ]
    whole = _merged(text, repeated)  # "Gate 3" is one span; a 3 alone counts something else
    return _fitting(text, [s for s in whole if not _NUMERAL.fullmatch(text, s.start, s.end)])


def names(query: Query, text: str) -> list[str]:
    """Return the names in a text that the question asks for and does not have, in order."""
    return [text[name.start : name.end] for name in _whole_names(text, [*given(query, text)])]


def _whole_names(text: str, spans: list[Span]) -> list[Span]:
    """The whole names that begin in the spans, without days and months."""
    matches = ((span, _NAME.search(text, span.start)) for span in spans)
    return [
        Span(*name.span())
        for span, name in matches
        if name and name.start() < span.end and not _CALENDAR.issuperset(terms(name.group()))
    ]


def _fitting(text: str, spans: list[Span]) -> list[Span]:
    """The spans that are safe to set in bold; none if there are too many to stand out."""
    safe = [
        span
        for span in spans
        if not _MARKUP.search(text, span.start, span.end)
        and all(_AROUND.match(sign) for sign in text[: span.start][-1:] + text[span.end :][:1])
    ]
    covered = sum(span.end - span.start for span in safe)
    return safe if len(safe) <= _MOST_SPANS and covered <= _MOST_BOLD * len(text) else []


def _merged(text: str, spans: list[Span]) -> list[Span]:
    """The spans, extended to whole words, in order; those that touch or overlap are joined."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        start, end = span.start, span.end
        while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
            end += 1
        while start < end and not text[start].isalnum():
            start += 1
        while end > start and not text[end - 1].isalnum():
            end -= 1
        if merged and start <= merged[-1].end + 1:
            merged[-1] = Span(merged[-1].start, max(end, merged[-1].end))
        elif start < end:
            merged.append(Span(start, end))
    return merged
