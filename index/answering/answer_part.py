"""Find the part of a quote that answers the question: shown in bold, and as the short form.

The reader proposes a part. If the sentence shows that it does not answer, there is no short form:
that is better than to put words into the reports' mouths.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.answering.attribution import SAYING
from index.answering.conflicts import CORRECTION, same_speaker
from index.domain import Passage, Quote, Sentence
from index.ranking.features import given
from index.ranking.query import Query
from index.reader.model import Reading
from index.text.quantities import figures
from index.text.sentences import Span
from index.text.terms import STOP_TERMS, terms

_ASKS_FOR_CAUSE = re.compile(
    r"\bwhy\b|\bhow come\b|\bcaus(?:es?|ed|ing)\b|\breasons?\b", re.IGNORECASE
)
_AFTER_CAUSE = re.compile(  # "because of the storm", "the cause was the storm"
    r"\b(?:because(?: of)?|since|due to|owing to|thanks to|caused by|blamed? (?:on )?"
    r"|attributed to|(?:cause|reason)(?: \w+){0,3} (?:is|was)(?: that)?)\s*(?:an?|the)?\s*$",
    re.IGNORECASE,
)
_BEFORE_CAUSED = re.compile(  # "the storm had caused the slide"
    r"\W*(?:(?:has|have|had|may|might|could) (?:have )?)?(?:caus|led to|trigger|prompt|brought)",
    re.IGNORECASE,
)
_IN_ITSELF_CAUSE = re.compile(  # but not "due to open on Friday"
    r"(?:because|due to (?:the|an?|its|his|her|their)|owing to|so (?:that|as)|in order to|to)\b"
)
_POINTS_BACK = re.compile(
    r"(?:the|this|that|these|those|its|their|his|her) [\w’'-]+", re.IGNORECASE
)


def answer_part(query: Query, passage: Passage, reading: Reading | None) -> Quote | None:
    """Return the part of a passage that answers; None unless the reader is sure of it."""
    if reading is None or reading.start is None or reading.end is None or not reading.answers:
        return None
    sentence = passage.best
    span = Span(reading.start, reading.end)
    if _misleads(query, sentence, span):
        return None
    return _cut(passage, sentence, span)


def counted_part(query: Query, passage: Passage) -> Quote | None:
    """Return the only figure of the best sentence that counts what is asked for, if any."""
    counts = [*given(query, passage.best.text)] if query.counted else []
    return _cut(passage, passage.best, counts[0]) if len(counts) == 1 else None


def counts_differ(query: Query, passages: Sequence[Passage]) -> bool:
    """Return whether the first passage counts what is asked, and another passage differs from it.

    They may count different things of a kind ("three died" in a second explosion).
    """
    first, *others = (
        {figure.value for figure in figures(passage.best.text) if figure.unit in query.counted}
        for passage in passages
    )
    return bool(first) and any(other and first.isdisjoint(other) for other in others)


def _cut(passage: Passage, sentence: Sentence, span: Span) -> Quote:
    end = min(sentence.start + span.end, passage.quote().end)
    return Quote.cut(passage.article, sentence.start + span.start, end)


def _misleads(query: Query, sentence: Sentence, span: Span) -> bool:
    """Return whether a part of a sentence, shown alone, would not answer or would be misread."""
    text = sentence.text
    part = text[span.start : span.end]
    return (
        query.known.union(STOP_TERMS).issuperset(terms(part))  # it only repeats the question
        or (span.start == 0 and not _asks_who(query) and bool(_POINTS_BACK.fullmatch(part)))
        or bool(CORRECTION.match(text))  # it also states what was wrong
        or (bool(_ASKS_FOR_CAUSE.search(query.question)) and not _is_cause(text, span))
        or _only_says_it(query, sentence, part)
    )


def _asks_who(query: Query) -> bool:
    return query.answer_type in {"person", "name"}


def _is_cause(text: str, span: Span) -> bool:
    return bool(
        _AFTER_CAUSE.search(text[: span.start])
        or _BEFORE_CAUSED.match(text, span.end)
        or _IN_ITSELF_CAUSE.match(text, span.start)
    )


def _only_says_it(query: Query, sentence: Sentence, part: str) -> bool:
    """Return whether a part names the speaker of the sentence, and the question does not ask that.

    “The gate broke, said Mara Voss” does not answer “Who broke the gate?” with “Mara Voss”, but it
    does answer “Who says so?”. “Said Mara Voss, the chief engineer” answers who the chief is.
    """
    speaker = sentence.speaker or ""
    place = sentence.text.find(speaker) if speaker else -1
    if place < 0 or not same_speaker(part, speaker):
        return False
    words = re.findall(r"\w+", query.question.lower())
    if query.speaker or query.acts or not SAYING.isdisjoint(words):
        return False
    described = _up_to_saying(sentence.text[place:])
    return {*query.terms}.isdisjoint(terms(described))


def _up_to_saying(text: str) -> str:
    """Return the start of a text, up to its first verb of saying or quotation mark."""
    ends = [m.start() for m in re.finditer(r"\w+|[\"“”]", text) if m[0] in {*SAYING, *'"“”'}]
    return text[: min(ends, default=len(text))]
