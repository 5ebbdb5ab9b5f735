"""A question, taken apart: terms, clauses, the publishers and dates it names, what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

from index.errors import QuestionError
from index.text.dates import MONTHS
from index.text.sentences import Span
from index.text.terms import STOP_TERMS, content_terms, terms

MAX_QUESTION_CHARS = 2_000
_MAX_CLAUSES = 6
_LEAST_TERMS = 3

AnswerType = Literal["person", "date", "amount", "number", "place", "name"]


@dataclass(frozen=True, slots=True)
class NamedDate:
    """A date as a question names it; 0 stands for what it leaves open."""

    year: int
    month: int
    day: int

    def matches(self, published: date) -> float:
        """1 on the day, 0.5 a day off, 0.25 in a named month without a day, else 0."""
        if not self.day:
            return 0.25 if (self.year, self.month) == (published.year, published.month) else 0.0
        try:
            days = abs((date(self.year or published.year, self.month, self.day) - published).days)
        except ValueError:
            return 0.0
        return {0: 1.0, 1: 0.5}.get(days, 0.0)


@dataclass(frozen=True, slots=True)
class Query:
    """What is sent to retrieval.

    Attributes:
        question: as asked, white space folded.
        terms: the distinct terms that carry its meaning.
        source_terms: those among them that only name a publisher or a date, and so say which
            article is meant and not what it says.
        names: those of capitalised words.
        clauses: spans of its parts, where it asks several things at once; else one, the whole.
        publishers: those of the collection that it names, and how surely (0 to 1).
        dates: that it names.
        answer_type: the kind of thing it asks for; None if its words do not tell.
        names_a_source: whether it speaks of a publisher at all, known here or not.
    """

    question: str
    terms: tuple[str, ...]
    source_terms: frozenset[str]
    names: frozenset[str]
    clauses: tuple[Span, ...]
    publishers: Mapping[str, float]
    dates: tuple[NamedDate, ...]
    answer_type: AnswerType | None
    names_a_source: bool


def parse(question: str, publishers: Iterable[str] = ()) -> Query:
    """Take a question apart.

    Args:
        question: in a person's own words.
        publishers: those of the collection, to find named ones.

    Raises:
        QuestionError: it is empty or too long.
    """
    printable = "".join(char if char.isprintable() else " " for char in question)
    folded = " ".join(printable.split())
    if not any(char.isalnum() for char in folded):
        raise QuestionError("The question is empty: ask something in words.")
    if len(folded) > MAX_QUESTION_CHARS:
        raise QuestionError(
            f"The question has {len(folded):,} characters; "
            f"ask it in at most {MAX_QUESTION_CHARS:,}."
        )
    named = {name: found for name in publishers if (found := _said(folded, name))}
    said = [found.group() for found in _DATE.finditer(folded)]
    said += [text for mentions in named.values() for _, text in mentions]
    capitalised = " ".join(_CAPITALISED.findall(folded))
    return Query(
        question=folded,
        terms=tuple(content_terms(folded)),
        source_terms=frozenset(term for text in said for term in terms(text)),
        names=frozenset(terms(capitalised)) - STOP_TERMS,
        clauses=_clauses(folded),
        publishers={name: mentions[0][0] for name, mentions in named.items()},
        dates=tuple(_dates(folded)),
        answer_type=answer_type(folded),
        names_a_source=bool(_SOURCE.search(folded)),
    )


def words(text: str) -> list[str]:
    """The words and numbers of a text as they are written, in order."""
    return re.findall(r"[\w$£€](?:[\w'’.,-]*\w)?", text)


# What is asked for

_NOUNS: Mapping[AnswerType, str] = {
    "person": r"(?: \w+){0,2} (?:person|individual|figure|man|woman|player|actor|actress|president"
    r"|minister|author|ceo|founder|leader|celebrity|singer|artist)",
    "date": r" (?:year|date|day|month|century|decade)",
    "amount": r"(?: \w+){0,3} (?:percentage|percent|price|cost|amount|rate|age|size|population"
    r"|distance|temperature|speed|height|length|weight)",
    "number": r"(?: \w+){0,1} number",
    "place": r"(?: \w+){0,1} (?:country|city|town|state|place|region|county|continent|location"
    r"|venue|nation|province|island)",
    "name": r"(?: \w+){0,2} (?:company|team|organi[sz]ation|platform|firm|club|group|agency|party"
    r"|band|university|school|newspaper|film|movie|song|album|game|book|show|brand)",
}
_OPENERS: Mapping[AnswerType, str] = {
    "person": "who|whom|whose",
    "date": "when|how recently",
    "amount": "how (?:much|long|old|far|tall|big|large|high|deep|fast|often|hot|cold|heavy|wide)",
    "number": "how many",
    "place": "where",
    "name": "name of",
}
_TYPES = {
    kind: re.compile(rf"\b(?:which|what){noun}\b|\b(?:{_OPENERS[kind]})\b", re.IGNORECASE)
    for kind, noun in _NOUNS.items()
}


def answer_type(question: str) -> AnswerType | None:
    """The first kind of answer that the question's words name."""
    found = [(at.start(), kind) for kind, words in _TYPES.items() if (at := words.search(question))]
    return min(found)[1] if found else None


# Dates

_MONTH_NUMBERS = {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)}
_MONTH = "|".join([*MONTHS, "sept", *_MONTH_NUMBERS])
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = re.compile(
    rf"\b(?P<m1>{_MONTH})\.? (?P<d1>{_DAY})\b(?:,? (?P<y1>\d{{4}}))?"
    rf"|\b(?P<d2>{_DAY})(?: of)? (?P<m2>{_MONTH})\b\.?(?:,? (?P<y2>\d{{4}}))?"
    rf"|\b(?P<m3>{_MONTH})\.?,? (?P<y3>\d{{4}})\b"
    r"|\b(?P<y4>\d{4})-(?P<m4>\d\d)-(?P<d4>\d\d)\b",
    re.IGNORECASE | re.ASCII,  # no other script's letters fold to those of a month
)


def _dates(question: str) -> Iterable[NamedDate]:
    """Dates with at least a month and a day, or a month and a year."""
    for found in _DATE.finditer(question):
        groups = {name[0]: text for name, text in found.groupdict().items() if text}
        month = groups["m"].lower()
        day = int(re.sub(r"\D", "", groups.get("d", "0")))
        yield NamedDate(int(groups.get("y", 0)), _MONTH_NUMBERS.get(month[:3]) or int(month), day)


# Publishers

_SOURCE = re.compile(
    r"\b(?i:according to|reported by|covered by|as per|published (?:by|in)"
    r"|(?:articles?|reports?|coverage|piece|story) (?:in|from|by))"
    r"\s+(?:both )?(?:the )?['\"‘“]?[A-Z]"
    r"|\b[A-Z]\w+(?:'s)? (?:article|report|coverage|piece)\b"
)


def _said(question: str, publisher: str) -> list[tuple[float, str]]:
    """Where a question names a publisher, and how surely, the surest first.

    1 in full, 0.8 without its section, 0.7 its core.
    """
    lower = question.lower()
    if _names_of(publisher)[-1].lower() not in lower:  # quick: patterns for thousands are not
        return []
    forms = _publisher_forms(publisher, lower=question == lower)
    return [(sure, found.group()) for sure, form in forms for found in form.finditer(question)]


@lru_cache(maxsize=10_000)
def _publisher_forms(publisher: str, *, lower: bool) -> tuple[tuple[float, re.Pattern[str]], ...]:
    """Ways to name it: whole, without the section behind a dash, without ".com", its core."""
    head, bare, core = _names_of(publisher)
    common = bare.startswith("The ") and len(core.split()) == 1 and not core.isupper()
    forms = {head: 0.8, bare: 0.8, publisher: 1.0}  # one form may be several: the surest counts
    forms = {("the " + core if common else core): 0.7} | forms  # "Age" alone names nobody
    flags = re.IGNORECASE if lower else re.NOFLAG
    return tuple(
        (sure, re.compile(rf"(?<!\w){re.escape(form)}(?!\w)", flags))
        for form, sure in sorted(forms.items(), key=lambda item: -item[1])
        if len(form) > 1
    )


@lru_cache(maxsize=100_000)
def _names_of(publisher: str) -> tuple[str, str, str]:
    """Its name without a section, that without ".com", and the core, which is a part of both."""
    parts = [part.strip() for part in re.split(r"\s+[-–|]\s+|:\s+", publisher) if part.strip()]
    head = parts[0] if parts else publisher
    bare = re.sub(r"\.(?:com|co\.uk|net|org)$", "", head)
    return head, bare, re.sub(r"^The | (?:News|Online)$", "", bare)


# Parts

_CUT = re.compile(
    r"(?:[;:?]|,(?!\s\d{4}))\s+|\s+[–—]\s+"
    r"|\s+(?=(?:and|but|while|whereas|although|or|after|before|between|than|as|who|which|that"
    r"|whose|where|when)\b)",
    re.IGNORECASE,
)
_CAPITALISED = re.compile(r"(?<!\w)[A-Z][\w’'&-]*")


def _clauses(question: str) -> tuple[Span, ...]:
    ends = [*(found.end() for found in _CUT.finditer(question)), len(question)]
    found: list[Span] = []
    start = 0
    for end in ends:
        if sum(term not in STOP_TERMS for term in terms(question[start:end])) >= _LEAST_TERMS:
            found.append(Span(start, end))
            start = end
    if len(found) < 2:  # noqa: PLR2004 - one part is the whole
        return (Span(0, len(question)),)
    found[-1] = Span(found[-1].start, len(question))
    return tuple(found[:_MAX_CLAUSES])


def publishers_named(wanted: Iterable[str], publishers: Iterable[str]) -> tuple[str, ...]:
    """Publishers as the collection spells them: that name, else all that hold it as whole words.

    Raises:
        QuestionError: there is none of that name.
    """
    found = []
    known = [*publishers]
    for name in wanted:
        words = re.compile(rf"(?<!\w){re.escape(name.strip())}(?!\w)", re.IGNORECASE)
        exact = [one for one in known if one.casefold() == name.strip().casefold()]
        near = exact or [one for one in known if name.strip() and words.search(one)]
        if not near:
            have = ", ".join(known[:10]) or "none"
            raise QuestionError(f"No report is by “{name}”; publishers here: {have}.")
        found += near
    return tuple(dict.fromkeys(found))
