"""Parse a question into its terms, clauses, publishers and days, and what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from index.domain import Act, Quote
from index.errors import QuestionError
from index.ranking.asking import asks, asks_yes_or_no
from index.text.dates import DateRange, as_written, date_ranges
from index.text.quantities import units
from index.text.sentences import Span
from index.text.terms import STOP_TERMS, content_terms, is_english, terms

MAX_QUESTION_CHARS = 2_000
_FEW = 2  # clauses: a single sentence may answer a question of so many
_MAX_CLAUSES = 6
_LEAST_TERMS = 3
_TELLING = 3  # words; a shorter question without an English word may be a name
_ANY_DAY = date(2100, 1, 1)  # the positions of dates in a question do not depend on today

AnswerType = Literal["person", "date", "amount", "number", "place", "name"]
Order = Literal["newest", "oldest"]


class SpeakerQuestion(NamedTuple):
    """A question of the form "What did `speaker` `verb` `about`?"."""

    speaker: str
    verb: str
    about: str


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What a follow-up adds to the question before it.

    `new_words` weigh more than the words of that question; "And?" has none. What was `quoted`
    before is quoted again only if nothing else answers as well.
    """

    new_words: str
    quoted: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A question as sent to retrieval.

    Attributes:
        question: as the person typed it, white space folded.
        terms: its distinct terms without stop words.
        known: all its terms; an answer has to add to them.
        source_terms: terms that only name a publisher or a day of publication. They identify an
            article, not what it says.
        names: terms of capitalised words.
        clauses: spans of its parts if it asks several things at once, else a span of the whole.
        publishers: the publishers of the collection that it names, with a certainty from 0 to 1.
        as_of: the day on which it is asked; None if unknown.
        answer_type: the kind of thing that would answer it; None if its words do not say.
        counted: what it asks to count, as units of `index.text.quantities`.
        speaker: the speaker whose words it asks for, if any.
        acts: the acts it asks about, as in "Who denied it?".
        order: whether it asks for the latest or for the first reports; None for neither.
        english: whether its common words are English, or it has too few words to tell.
        asks: whether it asks for something; else it names a topic, or makes a claim to check.
        yes_or_no: whether it asks for yes or no.
        names_a_source: whether it mentions a publisher, known in this collection or not.
        after: what it adds to the question before it, if it is a follow-up.
    """

    question: str
    terms: tuple[str, ...]
    known: frozenset[str]
    source_terms: frozenset[str]
    names: frozenset[str]
    clauses: tuple[Span, ...]
    publishers: Mapping[str, float]
    as_of: date | None
    answer_type: AnswerType | None
    counted: frozenset[str]
    speaker: SpeakerQuestion | None
    acts: frozenset[Act]
    order: Order | None
    english: bool
    asks: bool
    yes_or_no: bool
    names_a_source: bool
    after: FollowUp | None

    @property
    def has_many_clauses(self) -> bool:
        """Whether it asks too much for a single sentence to answer completely."""
        return len(self.clauses) > _FEW

    def days(self, newest: date | None) -> list[DateRange]:
        """Return the days it names, relative to the day on which it is asked.

        If that day is unknown, days are relative to the day of the `newest` report, and not to the
        clock, so that asking again gives the same answer.
        """
        return date_ranges(as_written(self.question), self.as_of or newest)

    def dates(self, newest: date | None) -> list[DateRange]:
        """Return its days and months that are written as dates ("12 March", "2026-03").

        Questions identify reports by such dates: "the report before 12 March" is near it, too.
        """
        return _dates(as_written(self.question), self.as_of or newest)


def parse(
    question: str,
    publishers: Iterable[str] = (),
    *,
    as_of: date | None = None,
    after: FollowUp | None = None,
) -> Query:
    """Return a question as a query.

    Args:
        question: in a person's own words.
        publishers: the publishers of the collection, to find which of them it names.
        as_of: the day on which it is asked, if known.
        after: what it adds to the question before it, if it is a follow-up.

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
    lower = folded.lower()
    mentions = {name: found for name in publishers if (found := _mentions(folded, lower, name))}
    sources = [text for found in mentions.values() for _, text in found]
    dates = _dates(as_written(folded), as_of or _ANY_DAY)
    sources += [folded[days.text_start : days.text_end] for days in dates]
    new_words = after.new_words if after else folded
    english = is_english(folded) or len(words(folded)) < _TELLING
    # A capital opens every question; only English first words are known to be names or not.
    naming = folded if english else folded.partition(" ")[2]
    speaker = _SPEAKER.search(folded)
    orders = [order for order, pattern in _ORDERS.items() if pattern.search(folded)]
    kinds = [(m.start(), kind) for kind, words in _TYPES.items() if (m := words.search(folded))]
    return Query(
        question=folded,
        terms=tuple(content_terms(folded)),
        known=frozenset(terms(folded)),
        source_terms=frozenset(term for text in sources for term in terms(text)),
        names=frozenset(terms(" ".join(_CAPITALISED.findall(naming)))) - STOP_TERMS,
        clauses=_clauses(folded),
        publishers={name: found[0][0] for name, found in mentions.items()},
        as_of=as_of,
        answer_type=min(kinds)[1] if kinds else None,  # the type that is named first
        counted=units(folded),
        speaker=SpeakerQuestion(*speaker.group("who", "verb", "about")) if speaker else None,
        acts=frozenset(act for act, pattern in ACT_WORDS.items() if pattern.search(new_words)),
        order=orders[0] if len(orders) == 1 else None,
        english=english,
        asks=asks(folded),
        yes_or_no=asks_yes_or_no(folded),
        names_a_source=bool(_SOURCE.search(folded)),
        after=after,
    )


def words(text: str) -> list[str]:
    """Return the words and numbers of a text as they are written, in order."""
    return re.findall(r"[\w$£€](?:[\w'’.,-]*\w)?", text)


# Answer types

_NOUNS: Mapping[AnswerType, str] = {
    "person": r"(?: \w+){0,2} (?:person|individual|figure|man|woman|player|actor|actress|president"
    r"|minister|author|ceo|founder|leader|celebrity|singer|artist)",
    "date": r" (?:year|date|day|month|century|decade|time)",
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


# Time, speakers and acts

_ORDERS: Mapping[Order, re.Pattern[str]] = {
    "newest": re.compile(
        r"\b(?:latest|newest|most recent|current(?:ly)?|now|so far|at the moment|these days)\b",
        re.IGNORECASE,
    ),
    "oldest": re.compile(
        r"\b(?:at first|first (?:reports?|reported|said|told|announced|known)|initial(?:ly)?"
        r"|original(?:ly)?|earliest|oldest)\b",
        re.IGNORECASE,
    ),
}
# "What did the mayor say about the siren?", "What has the ministry denied?"
_SPEAKER = re.compile(
    r"\bwhat (?:did|do|does|has|have|had|else did) (?P<who>[^?]+?) (?P<verb>say|said|den(?:y|ied)"
    r"|claim|confirm|announce|report|promise|warn|tell|told)\w*\b(?P<about>[^?]*)",
    re.IGNORECASE,
)
DENIAL_VERBS = "den(?:y|ies|ied|ial)|reject|refut|disput|dismiss|rebut"
_ACT_VERBS: Mapping[Act, str] = {
    "denial": DENIAL_VERBS,
    "claim": "claim|said|says|alleg|accus",
    "confirmation": "confirm|admit|acknowledg",
}
# "Who denied it?", "Who at the ministry confirmed that ...?"
ACT_WORDS = {
    act: re.compile(rf"\bwho(?: [\w’'-]+){{0,3}}? (?:{verbs})\w*", re.IGNORECASE)
    for act, verbs in _ACT_VERBS.items()
}


def _dates(question: str, base: date | None) -> list[DateRange]:
    plain = _BOUND.sub(lambda bound: "," * len(bound.group()), question)
    return [
        days
        for days in date_ranges(plain, base)
        if _DIGIT.search(plain, days.text_start, days.text_end)
        and days.start is not None
        and days.end - days.start < _MONTH
    ]


# Publishers

_SOURCE = re.compile(  # "according to the Courier", "the Courier's report"
    r"\b(?i:according to|reported by|covered by|as per|published (?:by|in)"
    r"|(?:articles?|reports?|coverage|piece|story) (?:in|from|by))"
    r"\s+(?:both )?(?:the )?['\"‘“]?[A-Z]"
    r"|\b[A-Z]\w+(?:'s)? (?:article|report|coverage|piece)\b"
)


def _mentions(question: str, lower: str, publisher: str) -> list[tuple[float, str]]:
    """Return each mention of a publisher: its certainty and its words, the most certain first.

    The certainty is 1 for the full name, 0.8 without its section or ".com", 0.7 for its core.
    """
    head, bare, core = _names_of(publisher)
    if core.lower() not in lower:  # spares thousands of patterns
        return []
    if bare.startswith("The ") and len(core.split()) == 1 and not core.isupper():
        core = f"the {core}"  # "Age" alone names nobody
    # if some of these names are equal, the highest certainty counts
    certainty = {core: 0.7, head: 0.8, bare: 0.8, publisher: 1.0}
    flags = re.IGNORECASE if question == lower else re.NOFLAG
    return [
        (certainty[name], match.group())
        for name in sorted(certainty, key=lambda name: -certainty[name])
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", question, flags)
        if len(name) > 1
    ]


@lru_cache(maxsize=100_000)
def _names_of(publisher: str) -> tuple[str, str, str]:
    """Return a publisher's name without its section, then without ".com" too, and its core."""
    parts = [part.strip() for part in re.split(r"\s+[-–|]\s+|:\s+", publisher) if part.strip()]
    head = parts[0] if parts else publisher
    bare = re.sub(r"\.(?:com|co\.uk|net|org)$", "", head)
    return head, bare, re.sub(r"^The | (?:News|Online)$", "", bare)


# Clauses

_CUT = re.compile(  # "Who opened the gates | and when did | ..."
    r"(?:[;:?]|,(?!\s\d{4}))\s+|\s+[–—]\s+"
    r"|\s+(?=(?:and|but|while|whereas|although|or|after|before|between|than|as|who|which|that"
    r"|whose|where|when)\b)",
    re.IGNORECASE,
)
_BOUND = re.compile(r"\b(?:since|until|till|before|after|by|through)(?= \w)", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_MONTH = timedelta(31)
_CAPITALISED = re.compile(r"(?<!\w)[A-Z][\w’'&-]*")


def _clauses(question: str) -> tuple[Span, ...]:
    ends = [*(cut.end() for cut in _CUT.finditer(question)), len(question)]
    clauses, start = [], 0
    for end in ends:
        if sum(term not in STOP_TERMS for term in terms(question[start:end])) >= _LEAST_TERMS:
            clauses.append(Span(start, end))
            start = end
    if len(clauses) < 2:  # noqa: PLR2004 - a single clause is the whole question
        return (Span(0, len(question)),)
    clauses[-1] = Span(clauses[-1].start, len(question))
    return tuple(clauses[:_MAX_CLAUSES])


def publishers_named(wanted: Iterable[str], publishers: Iterable[str]) -> tuple[str, ...]:
    """Return publishers as the collection spells them: by full name, else by some of its words.

    Raises:
        QuestionError: the collection has no such publisher.
    """
    matching: list[str] = []
    known = [*publishers]
    for name in map(str.strip, wanted):
        words = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        matches = [other for other in known if name and words.search(other)]
        exact = [other for other in matches if other.casefold() == name.casefold()]
        if not matches:
            have = ", ".join(known[:10]) or "none"
            raise QuestionError(f"No report is by “{name}”; publishers here: {have}.")
        matching += exact or matches
    return tuple(dict.fromkeys(matching))
