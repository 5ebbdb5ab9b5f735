"""Relate two sentences on one question: they agree, disagree, or one updates the other.

A false alarm is worse than silence, so in doubt there is no relation. Four rules, measured by
tests/benchmarks/contradictions.py:

1. correction: a published correction updates what its publisher said before;
2. count: two counts or measures of the same thing disagree, or the later one is an update;
3. denial: one sentence denies or negates what the other says;
4. wording: two independent articles say the same in like words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

import numpy as np

from index.answering.independence import same_publisher, share_source
from index.domain import Article, Sentence
from index.encoder import Vectors
from index.ranking.features import NEGATION
from index.ranking.query import DENIAL_VERBS
from index.text.dates import MONTHS, WEEKDAYS, date_ranges
from index.text.quantities import GROWING, Figure, figures, measures, units
from index.text.rewrites import Wording, is_rewrite, read

# Chosen on pairs of FNC-1, RAMDocs and MRPC; for rule 4, on tests/data/contradictions.jsonl.
_NEAR = 0.45  # the least cosine of two sentences that may make the same point
_CLOSE = 0.55  # cosine of two sentences that may say the same in other words
_SOME, _HALF = 0.3, 0.5  # shares of the words of a sentence that another sentence has
_SAME, _SAME_WORDS = 0.75, 5  # rule 4: the least cosine and share of words; words in common
_BESIDE = 40  # code points between a figure and its place or period
_EQUAL, _ROUGHLY = 0.02, 0.15  # share by which figures may differ: exact ones, rounded ones
_LEAD = 600  # code points at the start of an article, whose names show what it is about

REBUTS = re.compile(rf"\b(?:{DENIAL_VERBS})", re.IGNORECASE)
CORRECTION = re.compile(  # "Correction: ...", "This article was amended on ..."
    r"\W*(?:corrections?|clarification|editor[’']s note)\b|\W*an earlier version\b"
    r"|\W*this (?:article|story|report) (?:has been|was) (?:corrected|amended)",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?:in|at|on|near|outside|inside|off|from) (?:the )?([A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*)"
)
_POSSIBLE = re.compile(  # "may have", "allegedly", "is believed to"
    r"\?|\b(?:if|whether|(?-i:may)|might|could|would|unclear|apparently|unconfirmed|alleg\w+"
    r"|rumou?r\w*|likely|probably|believe[ds]?)\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(rf"{_POSSIBLE.pattern}|\breportedly\b", re.IGNORECASE)
# "denied that ...", "rejected the union's claim that ..."; not "did not deny", "was denied entry"
_DENIES = re.compile(
    r"(?<!not )(?<!n['’]t )(?<!never )(?<!was )(?<!were )(?<!been )\b(?:den(?:y|ies|ied|ying)"
    r"|refut(?:es?|ed|ing)|(?:rejected|dismissed|disputed) (?:[\w’' ]{0,40}?\b)?"
    r"(?:claims?|reports?|rumou?rs?|suggestions|allegations))\b",
    re.IGNORECASE,
)
_DENIES_THAT = re.compile(rf"{_DENIES.pattern}\W*(?:[\w’'-]+ ){{0,4}}?that\b", re.IGNORECASE)
# "did not enter", "has never been warned", "No warning reached"; the group is what is negated
_NOT = re.compile(
    r"(?:\b(?:not|never|no longer)|n['’]t|^\W*no) (?:been |be |even |\w+ly )*([a-z]+)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:()—–]| (?:and|but|or|while|although|because|after|before|when|where) ")
_PURPOSE = re.compile(r"\bso\b", re.IGNORECASE)  # "..., so he would not turn"
_DAY_NAMES = read(" ".join(WEEKDAYS + MONTHS)).bag


@dataclass(frozen=True)
class Statement:
    """A sentence, its article, and its embedding (d,) if known."""

    article: Article
    sentence: Sentence
    vector: Vectors | None = field(default=None, compare=False, repr=False)

    @cached_property
    def plain(self) -> str:
        """The text without quotation marks."""
        return " ".join(re.sub('["“”]', " ", self.sentence.text).split())

    @cached_property
    def wording(self) -> Wording:
        """The words, names and numbers of the text."""
        return read(self.plain)


@dataclass(frozen=True, slots=True)
class Relation:
    """How two statements relate; `against` (0 or 1) denies or updates the other."""

    kind: Literal["agree", "disagree", "updated"]
    against: int | None = None


def is_negative(text: str) -> bool:
    """Return whether a text has a word of negation or denial; in most conflicts, one side has."""
    return bool(REBUTS.search(text) or NEGATION.search(text))


def same_speaker(a: str | None, b: str | None) -> bool:
    """Return whether two phrases name the same speaker: one has all words of the other."""
    left, right = (read(phrase or "").bag for phrase in (a, b))
    return left <= right or right <= left if left and right else a == b


def relate(question: str, a: Statement, b: Statement) -> Relation | None:
    """Return how two statements relate on a question; None if in doubt.

    Within one article only two speakers can disagree, one of them by a denial.
    """
    if a.sentence.text == b.sentence.text:
        return None
    speakers = a.sentence.speaker, b.sentence.speaker
    one_voice = None not in speakers and same_speaker(*speakers)
    if a.article.article_id == b.article.article_id:
        return None if one_voice or None in speakers else _by_denial(question, a, b)
    relation = _by_correction(a, b)
    if relation is None and _same_event(question, a.article, b.article):
        relation = _by_count(question, a, b) or _by_denial(question, a, b)
    return relation or (None if one_voice else _by_wording(a, b))


def _by_correction(a: Statement, b: Statement) -> Relation | None:
    for against, notice, other in ((0, a, b), (1, b, a)):
        if CORRECTION.match(notice.plain) and not CORRECTION.match(other.plain):
            alike = len(notice.wording.bag & other.wording.bag) >= _SOME * len(other.wording.bag)
            if alike and same_publisher(a.article, b.article) and _later(a, b) in {None, against}:
                return Relation("updated", against)
    return None


def _by_count(question: str, a: Statement, b: Statement) -> Relation | None:
    """Relate statements that each give one count of what the question asks for, if they differ."""
    if _near(a, b) < _NEAR:
        return None
    known = read(question).bag | _DAY_NAMES | (a.wording.bag & b.wording.bag)
    left, right = _wanted(question, a), _wanted(question, b)
    for unit in sorted({figure.unit for figure in left + right}):
        of_a, of_b = ([f for f in side if f.unit == unit] for side in (left, right))
        if len(of_a) != 1 or len(of_b) != 1 or of_a[0].narrowed != of_b[0].narrowed:
            continue
        same_period = _periods(a, of_a[0]) == _periods(b, of_b[0])
        if same_period and _places(a, of_a[0]) | _places(b, of_b[0]) <= known:
            return _of_figures(a, b, of_a[0], of_b[0])
    return None


def _wanted(question: str, statement: Statement) -> list[Figure]:
    """Return the figures of a statement that a question may ask for."""
    if kinds := units(question):
        return [figure for figure in figures(statement.plain) if figure.unit in kinds]
    return measures(statement.plain)


def _of_figures(a: Statement, b: Statement, of_a: Figure, of_b: Figure) -> Relation | None:
    later, (low, high) = _later(a, b), sorted((of_a, of_b), key=lambda figure: figure.value)
    if low.value < high.value and later is not None:
        grown = high is (of_a, of_b)[later]
        if of_a.unit == "missing" or (grown and of_a.unit in GROWING):
            return Relation("updated", later)
    rounded = {low.hedge, high.hedge} & {"about", "at most"}
    both_true = low.hedge == "at least" or high.hedge == "at most"
    equal = high.value - low.value <= (_ROUGHLY if rounded else _EQUAL) * high.value
    if both_true or equal or any(_UNSURE.search(s.plain) for s in (a, b)):
        return None
    return (
        Relation("updated", later) if same_publisher(a.article, b.article) else Relation("disagree")
    )


def _by_denial(question: str, a: Statement, b: Statement) -> Relation | None:
    """Relate statements if one denies or negates most of what the other says."""
    for against, denial, claim in ((0, a, b), (1, b, a)):
        denied = _denied(denial.plain)
        if not denied or not denied.stems:
            continue
        if is_negative(claim.plain) or _POSSIBLE.search(claim.plain):
            continue
        if denied.figures and claim.wording.figures.isdisjoint(denied.figures):
            continue  # it denies another figure
        shared = _shared(denied, claim.wording)
        # "denied that they had breached it" denies "they have reportedly entered it"
        if _DENIES_THAT.search(denial.plain) and _near(a, b) >= _CLOSE and shared >= _SOME:
            return Relation("disagree", against)
        if _UNSURE.search(claim.plain):
            continue
        # "denied arson after the fire" does not deny the fire
        like = _near(a, b) >= _NEAR and _shared(a.wording, b.wording) >= _HALF
        on_it = like or denied.stems[0] in read(question).bag
        claimed = denied.stems[0] in claim.wording.bag and shared > _HALF
        if on_it and claimed:
            return Relation("disagree", against)
    return None


def negates(a: str, b: str) -> bool:
    """Return whether one of two texts denies or negates a word that the other has."""
    denials = ((_denied(text), other) for text, other in ((a, b), (b, a)))
    return any(d and d.stems and d.stems[0] in read(other).bag for d, other in denials)


def _denied(text: str) -> Wording | None:
    """Return the wording of what a text denies or negates in its main clause; None for nothing."""
    if "?" in text:
        return None
    if verb := _DENIES.search(text):
        return read(re.split("[:;—]", text[verb.end() :])[0])
    negation = _NOT.search(text)
    if not negation or _PURPOSE.search(text, 0, negation.start()):
        return None
    return read(f"{negation[1]} {_CLAUSE.split(text[negation.end() :])[0]}")


def _by_wording(a: Statement, b: Statement) -> Relation | None:
    """Relate independent articles that say the same (no false alarm in 260 benchmark pairs)."""
    if is_negative(a.plain) != is_negative(b.plain) or a.wording.figures != b.wording.figures:
        return None
    if any(CORRECTION.match(statement.plain) for statement in (a, b)):
        return None
    in_common = len(a.wording.bag & b.wording.bag)
    if in_common < _SAME_WORDS or min(_near(a, b), _shared(a.wording, b.wording)) < _SAME:
        return None
    tied = share_source(a.article, b.article) or is_rewrite(a.article.text, b.article.text)
    return None if tied else Relation("agree")


def _near(a: Statement, b: Statement) -> float:
    """Return the cosine of two statements, or their share of words if an embedding is unknown."""
    if a.vector is None or b.vector is None:
        return _shared(a.wording, b.wording)
    return float(np.dot(a.vector, b.vector))


def _shared(a: Wording, b: Wording) -> float:
    """Return the share of the shorter wording's words that the other has, without numbers."""
    left, right = (wording.bag - wording.figures for wording in (a, b))
    return len(left & right) / (min(len(left), len(right)) or 1)


def _same_event(question: str, a: Article, b: Article) -> bool:
    """Return whether two articles are about one event, and both about what the question names.

    Their leads share names that the question does not have, and neither lacks a name of the
    question that the other has: the dead of one crash do not update the dead of another.
    """
    asked = read(question)
    named = asked.bag & (read(a.text).names | read(b.text).names)  # "karaj" may be typed so
    known = [read(f"{each.title}\n{each.text}").bag & named for each in (a, b)]
    if known[0] != known[1]:
        return False
    left, right = (read(each.text[:_LEAD]) for each in (a, b))
    shared = (left.names | {*left.stems[:1]}) & (right.names | {*right.stems[:1]})
    return len(shared) > 1 and not shared <= asked.bag


def _periods(statement: Statement, figure: Figure) -> set[tuple[date | None, date]]:
    """Return the periods of several days that are mentioned beside a figure."""
    return {
        (days.start, days.end)
        for days in date_ranges(statement.plain, statement.article.published_on)
        if days.start and days.end - days.start > timedelta(1)
        if days.text_start - figure.end < _BESIDE and figure.start - days.text_end < _BESIDE
    }


def _places(statement: Statement, figure: Figure) -> frozenset[str]:
    """Return stems of the places named beside a figure."""
    beside = statement.plain[max(0, figure.start - _BESIDE) : figure.end + _BESIDE]
    return read(" in ".join(["", *_PLACE.findall(beside)])).names


def _later(a: Statement, b: Statement) -> int | None:
    """Return which statement (0 or 1) was published on a later day; None if neither or unknown."""
    first, second = a.article.published_on, b.article.published_on
    return int(first < second) if first and second and first != second else None
