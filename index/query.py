"""A question, taken apart: terms, clauses, the publishers and dates it names, what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from index.errors import QuestionError
from index.terms import content_terms

MAX_QUESTION_CHARS = 2_000
_MAX_CLAUSES = 6
_LEAST_TERMS = 3
_CLAUSE = re.compile(
    r"[,;:?]\s+|\s+[–—]\s+"
    r"|\s+(?=(?:and|but|while|whereas|although|or|after|before|between|than|as|who|which|that"
    r"|whose|where|when)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Query:
    """What is sent to retrieval.

    Attributes:
        question: as asked, white space folded.
        terms: the distinct terms that carry its meaning.
        clauses: its parts, where it asks several things at once; else empty.
        publishers: those of the collection that it names.
    """

    question: str
    terms: tuple[str, ...]
    clauses: tuple[str, ...]
    publishers: tuple[str, ...]


def parse(question: str, publishers: Iterable[str] = ()) -> Query:
    """Take a question apart.

    Args:
        question: in a person's own words.
        publishers: those of the collection, to find named ones.

    Raises:
        QuestionError: it is empty or too long.
    """
    folded = " ".join(question.split())
    if not folded or not any(char.isalnum() for char in folded):
        raise QuestionError("The question is empty: ask something in words.")
    if len(folded) > MAX_QUESTION_CHARS:
        raise QuestionError(
            f"The question has {len(folded):,} characters; "
            f"ask it in at most {MAX_QUESTION_CHARS:,}."
        )
    folded = "".join(char if char.isprintable() else " " for char in folded)
    named = tuple(name for name in publishers if names(folded, name))
    return Query(folded, tuple(content_terms(folded)), _clauses(folded), named)


def names(question: str, publisher: str) -> bool:
    """Whether a question names a publisher, in full or by the part that is its name."""
    forms = {publisher, re.split(r"\s+[-–|]\s+|:\s+", publisher)[0]}
    forms |= {re.sub(r"\.(?:com|net|org|co\.uk)$", "", form) for form in forms}
    forms |= {re.sub(r"\s+News$", "", form) for form in forms if len(form.split()) > 1}
    return any(
        re.search(rf"(?<!\w){re.escape(form)}(?!\w)", question) for form in forms if len(form) > 1
    )


def _clauses(question: str) -> tuple[str, ...]:
    ends = [*(found.end() for found in _CLAUSE.finditer(question)), len(question)]
    found: list[str] = []
    start = 0
    for end in ends:
        if len(content_terms(question[start:end])) >= _LEAST_TERMS:
            found.append(question[start:end].strip())
            start = end
    if found and start < len(question):
        found[-1] += " " + question[start:].strip()
    return tuple(found[:_MAX_CLAUSES]) if len(found) > 1 else ()
