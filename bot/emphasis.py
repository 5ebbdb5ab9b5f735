"""Which words of a quote answer the question, so that they can be set in bold."""

from __future__ import annotations

import re

from index.article import Answer
from index.features import given
from index.query import parse
from index.sentences import Span
from index.terms import STOP_WORDS, content_terms, terms

_WORD = re.compile(r"\w+(?:['’.-]\w+)*")
_TIME = re.compile(r"\b\d{1,2}[:.]\d\d(?: ?[ap]\.?m\b\.?)?|\b\d{1,2} ?[ap]\.?m\b\.?")
_AROUND = re.compile(r"[\s.,;:!?\"“”‘’'()–—-]")  # signs that may stand beside bold
_MOST = 0.5  # of the quote; where more would be bold, nothing stands out


def answering(answer: Answer, text: str) -> list[Span]:
    """Spans of a quote that give the kind of thing asked for; else, the question's own words.

    Each begins and ends inside one line, with a letter or digit, and none touches another.
    """
    query = parse(answer.question)
    found = given(query, text)
    if query.answer_type == "date":
        found += [Span(*at.span()) for at in _TIME.finditer(text)]
    if not found:
        asked = set(content_terms(answer.question)) - STOP_WORDS
        words = _WORD.finditer(text)
        found = [Span(*at.span()) for at in words if asked.intersection(terms(at.group()))]
    safe = [span for span in _merged(text, found) if _is_safe(text, span)]
    return safe if sum(span.end - span.start for span in safe) <= _MOST * len(text) else []


def _merged(text: str, spans: list[Span]) -> list[Span]:
    """Whole words, in order; what overlaps or has only a space between is one span."""
    made: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        start, end = span.start, span.end
        while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
            end += 1
        while start < end and not text[start].isalnum():
            start += 1
        while end > start and not text[end - 1].isalnum():
            end -= 1
        if made and start <= made[-1].end + 1:
            made[-1] = Span(made[-1].start, max(end, made[-1].end))
        elif start < end:
            made.append(Span(start, end))
    return made


def _is_safe(text: str, span: Span) -> bool:
    before, after = text[max(0, span.start - 1) : span.start], text[span.end : span.end + 1]
    inside = text[span.start : span.end]
    return all(not sign or _AROUND.match(sign) for sign in (before, after)) and not re.search(
        r"[\\*_~|`\n\r\u2028\u2029]", inside
    )
