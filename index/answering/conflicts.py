"""How two sentences on one question relate: they agree, disagree, or one updates the other.

A false alarm is worse than silence: what is not proved is no relation. `tests/benchmarks/
contradictions.py` says how often the rules speak and how often they are right. They are:

1. correction: a notice of a correction updates what its publisher said before;
2. count: other numbers of the same people, things or measure disagree; the same publisher's
   number, or a later and larger one of the dead, is an update;
3. denial: one sentence denies what the other says;
4. negation: one sentence negates what the other says;
5. agreement: two independent articles say the same (`_same`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import numpy as np

from index.answering.attribution import Attribution
from index.answering.independence import share_source
from index.domain import Agreement, Article, Passage, Sentence, Side
from index.encoder import Vectors
from index.text.dates import MONTHS, WEEKDAYS, DateRange, date_ranges
from index.text.quantities import GROWING, Figure, counts, figures, measures, units
from index.text.rewrites import Wording, is_rewrite, read
from index.text.terms import terms

# Chosen on pairs of FNC-1, RAMDocs and MRPC; `_SAME` on tests/data/contradictions.jsonl.
_NEAR = 0.45  # cosine of two sentences that may make one point, if their words say so, too
_NEARER = 0.75  # cosine of two sentences that make one point in other words
_SOME, _HALF, _MOST = 0.3, 0.5, 0.6  # shares of the words of one that stand in the other
_SAME = 0.75  # cosine and share of words of two sentences that say the same: 0 of 260 do wrongly
_LEAST_SHARED = 5  # words that two sentences which say the same have in common
_SAME_STORY = timedelta(14)  # what is said of days further apart is said of two events
_BESIDE = 40  # code points between a figure and the place or period that it is of
_ROUGH = {"exact": 0.02, "at least": 0.02, "about": 0.15, "at most": 0.15}  # of a figure
_LEAD = 600  # code points of an article whose names tell what it is about
_LONGEST = 1_200  # code points of a sentence that are read

REBUTS = re.compile(r"\b(?:den(?:y|ies|ied|ial)|reject|refut|disput|dismiss|rebut)", re.IGNORECASE)
_NEGATIVE = re.compile(
    rf"{REBUTS.pattern}|\b(?:hoax|false|fake|no|not|never)\b|n['’]t\b", re.IGNORECASE
)

Kind = Literal["agree", "disagree", "updated"]


@dataclass(frozen=True)
class Statement:
    """A sentence, the article that it stands in, and its embedding (d,) if known."""

    article: Article
    sentence: Sentence
    vector: Vectors | None = field(default=None, compare=False, repr=False)

    @property
    def attribution(self) -> Attribution:
        """Who says it and how, as stored with the sentence."""
        return Attribution(self.sentence.speaker, self.sentence.act)

    @cached_property
    def plain(self) -> str:
        """Its text without quotation marks."""
        return " ".join(re.sub('["“”]', " ", self.sentence.text[:_LONGEST]).split())

    @cached_property
    def wording(self) -> Wording:
        """Its words, names and numbers."""
        return read(self.plain)

    @cached_property
    def days(self) -> list[DateRange]:
        """The days that it names."""
        published = self.article.published
        return date_ranges(self.plain, published.date() if published else None)


@dataclass(frozen=True, slots=True)
class Relation:
    """How two statements relate; `against` is the one (0 or 1) that denies or updates the other."""

    kind: Kind
    against: int | None = None


def is_negative(text: str) -> bool:
    """Whether a text has a word of negation or denial; one of two in conflict mostly has."""
    return bool(_NEGATIVE.search(text))


def same_speaker(a: str | None, b: str | None) -> bool:
    """Whether two phrases name one speaker: the words of one are among those of the other."""
    one, other = (read(phrase or "").bag for phrase in (a, b))
    return one <= other or other <= one if one and other else a == b


def relate(question: str, a: Statement, b: Statement) -> Relation | None:
    """How two statements relate on a question; None if in doubt.

    Within one article only two speakers can disagree, one of them by a denial or a negation.
    """
    if a.sentence.text == b.sentence.text:
        return None
    asked, within = read(question[:_LONGEST]), a.article.article_id == b.article.article_id
    speakers = a.sentence.speaker, b.sentence.speaker
    one_voice = None not in speakers and same_speaker(*speakers)
    if within and (one_voice or None in speakers):
        return None
    if not within and (relation := _by_correction(a, b)):
        return relation
    if _days_apart(a, b):
        return None
    if within or _same_event(a.article.text, b.article.text, asked):
        counted = None if within else _by_count(question, a, b)
        relation = counted or _by_denial(asked, a, b) or _by_negation(asked, a, b)
    else:
        relation = None
    return relation or (None if within or one_voice else _by_wording(a, b))


# Rules

_CORRECTION = re.compile(
    r"\W*(?:corrections?|clarification|editor[’']s note)\b|\W*an earlier version\b"
    r"|\W*this (?:article|story|report) (?:has been|was) (?:corrected|amended)",
    re.IGNORECASE,
)
_YES_OR_NO = re.compile(
    r"\W*(?:did|do|does|is|are|was|were|has|have|had|can|could|will|would|why)\b", re.IGNORECASE
)
_HOW_MANY = re.compile(
    r"\bhow many (?:(?:of )?the |other |more )?(?!were|was|are|have|did|people)(\w+)", re.IGNORECASE
)
# "The toll rose to 31", "now 40": a number that its report says is not the first.
_REVISED = re.compile(
    r"\b(?:revis\w+|updat\w+|initially|previously|latest|so far|now|risen|climbed"
    r"|(?:raised|lowered) (?:its|the|their)|rose to|grew to|cut (?:its|the) figure|overtook)\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\?|\b(?:if|whether|(?-i:may)|might|could|would|unclear|apparently|unconfirmed|alleg\w+"
    r"|reportedly|rumou?r\w*|supposed\w*|likely|probably|purported\w*"
    r"|suspicio\w*|doubt\w*|believe[ds]?)\b",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?:in|at|on|near|outside|inside|off|from) (?:the )?([A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*)"
)
_DAY_NAMES = read(" ".join(WEEKDAYS + MONTHS)).bag
_CUES = read("deny denied denial story claim hoax fake false rumor rejected").bag


def _by_correction(a: Statement, b: Statement) -> Relation | None:
    for against, notice, other in ((0, a, b), (1, b, a)):
        if not _CORRECTION.match(notice.plain) or _CORRECTION.match(other.plain):
            continue
        shared = len(notice.wording.bag & other.wording.bag)
        alike = shared > 3 and shared >= _SOME * len(other.wording.bag)  # noqa: PLR2004
        if alike and _one_publisher(a, b) and _later(a, b) in {None, against}:
            return Relation("updated", against)
    return None


def _by_count(question: str, a: Statement, b: Statement) -> Relation | None:
    """Each gives one number of a kind that the question wants, and the numbers differ."""
    if max(_near(a, b), _shared(a.wording, b.wording) * _NEAR / _SOME) < _NEAR:
        return None
    known = read(question).bag | _DAY_NAMES | (a.wording.bag & b.wording.bag)
    left, right = _wanted(question, a), _wanted(question, b)
    for unit in sorted({figure.unit for figure in left}):
        mine, others = ([one for one in side if one.unit == unit] for side in (left, right))
        if len(mine) != 1 or len(others) != 1:
            continue
        (one,), (other,) = mine, others
        same_thing = one.narrowed == other.narrowed and _periods(a, one) == _periods(b, other)
        if same_thing and _places(a, one) | _places(b, other) <= known:
            return _of_counts(a, b, one, other)
    return None


def _wanted(question: str, statement: Statement) -> list[Figure]:
    """The figures of a statement that a question may want."""
    kinds, people = units(question), figures(statement.plain)
    wanted = [figure for figure in people if figure.unit in kinds]
    if noun := _HOW_MANY.search(question):
        others = {figure.start for figure in people if figure not in wanted}
        named = counts(statement.plain, terms(noun[1])[0])
        wanted += [figure for figure in named if not kinds or figure.start not in others]
    if not kinds and not _YES_OR_NO.match(question):
        wanted += measures(statement.plain)
    return wanted


def _of_counts(a: Statement, b: Statement, one: Figure, other: Figure) -> Relation | None:
    later = _later(a, b)
    if one.value == other.value:
        return None
    low, high = sorted((one, other), key=lambda figure: figure.value)
    grown = later is not None and (high is other) == bool(later)
    old = low if grown else high
    if f"{old.value:g}" in (b if old is one else a).wording.figures:  # "3,900, up from 2,300"
        return Relation("updated", later) if later is not None else None
    if later is not None and (one.unit == "missing" or (one.unit in GROWING and grown)):
        return Relation("updated", later)
    rough = max(_ROUGH[low.hedge], _ROUGH[high.hedge])
    both_true = low.hedge == "at least" or high.hedge == "at most"
    if both_true or high.value - low.value <= rough * high.value or _unsure(a, b):
        return None
    if _one_publisher(a, b) or any(_REVISED.search(one.plain) for one in (a, b)):
        return Relation("updated", later)
    return None if grown else Relation("disagree")


def _by_wording(a: Statement, b: Statement) -> Relation | None:
    """Two independent articles say the same in like words."""
    one, other = a.wording, b.wording
    same = is_negative(a.plain) == is_negative(b.plain) and one.figures == other.figures
    if not same or len(one.bag & other.bag) < _LEAST_SHARED:
        return None
    if min(_near(a, b), _shared(one, other)) < _SAME or share_source(a.article, b.article):
        return None
    return None if is_rewrite(a.article.text, b.article.text) else Relation("agree")


# Denial and negation

_STORY = r"(?:story|stories|claims?|reports?|rumou?rs?|news|suggestions|allegations)"
# "denied that ...", "refutes ...", "rejected the union's claim that ..."
_DENIES = re.compile(
    rf"\b(?:den(?:y|ies|ied|ying)|refut(?:es?|ed|ing)"
    rf"|(?:rejected|dismissed|disputed) (?:[\w’' ]{{0,40}}?\b)?{_STORY})\b",
    re.IGNORECASE,
)
# "is a hoax", "was not true", "are baseless", "no truth in ..."
_FALSE = re.compile(
    r"\b(?:is|are|was|were|be|been)(?:n['’]t| not)? (?:\w+ )?(?:an? |all )?(?:hoax|faked?|false"
    r"|untrue|true|real|baseless|unfounded|lies?|fabricated|debunked|staged|invented|nonsense)\b"
    r"(?<!(?:is|re|as|be|en) (?:true|real))|\bno truth (?:to|in)\b|\bmade (?:\w+ )?up\b",
    re.IGNORECASE,
)
# A visa is denied, an appeal is denied, and who "did not deny" has said nothing either way.
_NO_DENIAL = re.compile(
    r"\b(?:(?:not|never|neither|cannot|without|nor|[a-z]{2,6}n['’]t) (?:\w+ )?den\w+"
    r"|(?:was|were|been|being|is|are) denied"
    r"|den(?:ied|y|ies|ying) (?:\S+ ){0,4}?(?:entry|access|bail|visas?|permission|care|stay"
    r"|treatment|boarding|requests?|applications?|appeals?|motions?|petitions?|bids?|permits?"
    r"|licen[cs]es?))\b",
    re.IGNORECASE,
)
# "did not enter", "has never been warned", "No warning reached"; not "did not immediately comment".
_NOT = re.compile(
    r"\b(?:(?:did|does|do|has|have|had|was|were|is|are|will|would|ca|could|should|wo)"
    r"(?:n['’]t| not| never)|never|no longer)"
    r"(?! (?:only|just|without|necessarily|yet|immediately|known|clear|available|be reached|return"
    r"|respond|comment))"
    r" (?:actually |really |been |be |even |exactly |\w+ly )*(?P<verb>[a-z]+)"
    r"|^\W*no (?P<noun>[a-z]+) (?!of\b)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:()—–]| (?:and|but|or|while|although|because|after|before|when|where) ")
_SUBORDINATE = re.compile(
    r"\b(?:so|who|which|because|if|when|after|where|although|while|as|unless|until|since|sure"
    r"|ensur\w+)\b",
    re.IGNORECASE,
)
_NEGATIVE_TOO = re.compile(
    r"\b(?:neither|nor|none|nothing|nobody|without|cannot|refus\w+|declin\w+ (?:to|comment)"
    r"|fail\w+|unable|yet to|only)\b",
    re.IGNORECASE,
)


def _denied(statement: Statement) -> Wording | None:
    """The wording of what a statement denies; None if it denies nothing."""
    text = statement.plain
    if _NO_DENIAL.search(text) or "?" in text:
        return None
    if verb := _DENIES.search(text):
        return read(re.split("[:;—]", text[verb.end() :])[0])
    return read(_FALSE.sub(" ", text, count=1)) if _FALSE.search(text) else None


def _by_denial(asked: Wording, a: Statement, b: Statement) -> Relation | None:
    denials = _denied(a), _denied(b)
    if (denials[0] is None) == (denials[1] is None):
        return None
    denied, plain, against = (denials[0], b, 0) if denials[0] else (denials[1], a, 1)
    if denied is None or _negative(plain) or _UNSURE.search(plain.plain):
        return None
    if denied.figures and plain.wording.figures and not denied.figures & plain.wording.figures:
        return None  # it denies another figure
    head = frozenset(denied.stems[:3]) - _CUES
    if not head or _part(head, plain.wording.bag) < _MOST:
        return None  # "denied arson after the fire" does not deny the fire
    on_it = _near(a, b) >= _NEAR or _asked(asked, a, b) >= _SOME
    return (
        Relation("disagree", against) if on_it and _shared(denied, plain.wording) >= _HALF else None
    )


def _by_negation(asked: Wording, a: Statement, b: Statement) -> Relation | None:
    for against, negated, plain in ((0, a, b), (1, b, a)):
        found = _NOT.search(negated.plain)
        if not found or _SUBORDINATE.search(negated.plain, 0, found.start()) or _unsure(a, b):
            continue  # "..., so he would not turn"
        if _negative(plain):
            continue
        verb = read(found["verb"] or found["noun"]).bag
        rest = read(_CLAUSE.split(negated.plain[found.end() :])[0]).bag
        if _part((rest or verb) - _CUES, plain.wording.bag) < _HALF:
            continue  # "..., but the court has not approved it" says nothing of what came before
        shared, near = _shared(a.wording, b.wording), _near(a, b)
        if verb and verb <= plain.wording.bag:
            on_it = near >= _NEAR or _asked(asked, a, b) >= _MOST
            proved = shared >= _HALF or (verb <= asked.bag and on_it)
        else:
            like = a.wording.figures == b.wording.figures and not _names_differ(a, b)
            proved = near >= _NEARER and shared >= _SOME and like
        if proved:
            return Relation("disagree", against)
    return None


# Measuring


def _near(a: Statement, b: Statement) -> float:
    """The cosine of two statements; 0 where an embedding is not known."""
    return 0.0 if a.vector is None or b.vector is None else float(np.dot(a.vector, b.vector))


def _part(words: frozenset[str], others: frozenset[str]) -> float:
    """The share of some words that others have; 1 of none."""
    return len(words & others) / len(words) if words else 1.0


def _shared(a: Wording, b: Wording) -> float:
    """The share of the shorter one's words that the other has, without numbers."""
    one, other = ({stem for stem in w.bag - _CUES if not stem[0].isdigit()} for w in (a, b))
    return len(one & other) / (min(len(one), len(other)) or 1)


def _asked(asked: Wording, a: Statement, b: Statement) -> float:
    """The share of a question's words that both statements have, at least."""
    return min(_part(asked.bag, a.wording.bag), _part(asked.bag, b.wording.bag))


def _same_event(a: str, b: str, asked: Wording) -> bool:
    """Whether two articles begin with names in common that the question does not have."""
    left, right = (read(text[:_LEAD]) for text in (a, b))
    shared = (left.names | {*left.stems[:1]}) & (right.names | {*right.stems[:1]})
    return len(shared) > 1 and not shared <= asked.bag


def _days_apart(a: Statement, b: Statement) -> bool:
    """Whether both name days, and all of them are further apart than one story."""
    return bool(a.days and b.days) and all(
        (one.start is not None and other.end + _SAME_STORY < one.start)
        or (other.start is not None and one.end + _SAME_STORY < other.start)
        for one in a.days
        for other in b.days
    )


def _periods(statement: Statement, figure: Figure) -> set[tuple[date | None, date]]:
    """The periods beside a figure, which it is of."""
    return {
        (day.start, day.end)
        for day in statement.days
        if day.start is not None
        and day.end - day.start > timedelta(1)
        and day.text_start - figure.end < _BESIDE
        and figure.start - day.text_end < _BESIDE
    }


def _places(statement: Statement, figure: Figure) -> frozenset[str]:
    """Stems of the places named beside a figure."""
    beside = statement.plain[max(0, figure.start - _BESIDE) : figure.end + _BESIDE]
    return read(" in ".join(["", *_PLACE.findall(beside)])).names


def _names_differ(a: Statement, b: Statement) -> bool:
    one, other = a.wording, b.wording
    return bool(one.names - other.bag - _DAY_NAMES and other.names - one.bag - _DAY_NAMES)


def _negative(statement: Statement) -> bool:
    return is_negative(statement.plain) or bool(_NEGATIVE_TOO.search(statement.plain))


def _unsure(a: Statement, b: Statement) -> bool:
    return any(_UNSURE.search(one.plain) for one in (a, b))


def _one_publisher(a: Statement, b: Statement) -> bool:
    return a.article.publisher is not None and a.article.publisher == b.article.publisher


def _later(a: Statement, b: Statement) -> int | None:
    """Which one (0 or 1) was published later, if known."""
    one, other = (s.article.published and s.article.published.date() for s in (a, b))
    return int(one < other) if one and other and one != other else None


# Whole answers


def voice(passage: Passage) -> Attribution:
    """Who says a passage: known only if one speaker says all of its sentences."""
    speaker = passage.best.speaker
    if speaker and all(same_speaker(speaker, s.speaker) for s in passage.sentences):
        return Attribution(speaker, passage.best.act)
    return Attribution(None, passage.best.act)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two passages (indices), their related statements, and how these relate."""

    indices: tuple[int, int]
    statements: tuple[Statement, Statement]
    relation: Relation


def agreement(
    question: str,
    passages: Sequence[Passage],
    vectors: Mapping[int, Vectors] = MappingProxyType({}),
) -> tuple[Agreement | None, frozenset[int]]:
    """How passages relate, what matters most first, and which of them (indices) deny another.

    Args:
        question: that they answer.
        passages: in the order of the answer.
        vectors: the embedding (d,) of a sentence by its id, where known.
    """
    statements = [
        [Statement(p.article, s, vectors.get(s.sentence_id)) for s in p.sentences] for p in passages
    ]
    pairs = [
        _Pair((i, j), (a, b), relation)
        for j in range(len(passages))
        for i in range(j)
        for a in statements[i]
        for b in statements[j]
        if (relation := relate(question, a, b))
    ]
    for kind in ("disagree", "updated", "agree"):
        of_kind = [pair for pair in pairs if pair.relation.kind == kind]
        if of_kind and kind == "agree":
            return Agreement("agree", (Side(_joined(of_kind)),)), frozenset()
        if of_kind:
            against = [
                p.indices[p.relation.against] for p in of_kind if p.relation.against is not None
            ]
            return _sides(of_kind), frozenset(against if kind == "disagree" else ())
    return None, frozenset()


def _joined(pairs: Sequence[_Pair]) -> tuple[int, ...]:
    """The passages that agree with those of the first pair."""
    joined = {*pairs[0].indices}
    for pair in pairs:
        if joined & {*pair.indices}:
            joined |= {*pair.indices}
    return tuple(sorted(joined))


def _sides(pairs: Sequence[_Pair]) -> Agreement:
    """Two sides, begun by the first pair; a passage joins the side that its first pair gives it."""
    side: dict[int, int] = {}
    speaker: dict[int, str | None] = {}
    for pair in pairs:
        against = 1 if pair.relation.against is None else pair.relation.against
        placed = {index: int(n == against) for n, index in enumerate(pair.indices)}
        joins = not side or side.keys() & placed.keys()
        if not joins or any(side.get(index, n) != n for index, n in placed.items()):
            continue
        side |= placed
        for index, statement in zip(pair.indices, pair.statements, strict=True):
            speaker[placed[index]] = speaker.get(placed[index]) or statement.sentence.speaker
    sides = [tuple(sorted(index for index, n in side.items() if n == number)) for number in (0, 1)]
    return Agreement(pairs[0].relation.kind, tuple(Side(sides[n], speaker.get(n)) for n in (0, 1)))
