"""Where two sentences on one question agree, contradict each other, or one updates the other.

A false alarm is worse than silence: every rule wants proof that both make the same point before
it looks at what they say about it, and what is not proved stays None. The rules, after the kinds
of contradiction in de Marneffe, Rafferty, Manning 2008 ("Finding Contradictions in Text"):

1. correction: a report corrects an earlier one of its publisher;
2. figures: the people counted are the same and the counts are not: later and larger is an update;
3. denial: one denies, refutes or calls false what the other says;
4. negation: one negates what the other affirms;
5. fact: asked for a date, a number, a place or a name, like sentences give another one;
6. wording: both say the same in like words, nothing against it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Literal

from index.dates import MONTHS, WEEKDAYS, DateRange, date_ranges
from index.origins import Wording, read
from index.query import AnswerType, answer_type

LONGEST = 1_200  # code points of a sentence that are read
_SAME_STORY = timedelta(14)  # what is said of days further apart is said of two events
_NEAR = 0.75  # cosine of two sentences on one point, whatever their words
_VERY_NEAR = 0.85


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of a report, with who published it when."""

    text: str
    publisher: str | None = None
    published: date | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How two sentences relate and by which rule.

    `against` is the one (0 or 1) that denies, negates, corrects or comes later; None for neither.
    """

    kind: Literal["agree", "disagree", "updated"]
    reason: Literal["correction", "figure", "denial", "negation", "fact", "wording"]
    against: int | None = None


def compare(question: str, a: Said, b: Said, near: float = 0.0) -> Verdict | None:
    """How two sentences relate on the question; None when in doubt. `near` is their cosine."""
    asked, x, y = _asked(question[:LONGEST]), _read(a), _read(b)
    if a.text == b.text or len(x.words.bag & y.words.bag) < 2:  # noqa: PLR2004
        return None
    if found := _by_correction(x, y) or _by_fact(asked, x, y, near):
        return found
    found = (
        _by_figure(asked, x, y, near)
        or _by_denial(asked, x, y)
        or _by_negation(asked, x, y, near)
        or _by_wording(x, y)
    )
    return None if found is None or _apart(x, y, _SAME_STORY) else found


# Reading

Hedge = Literal["exact", "about", "at least", "at most"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A count of people: `value` of a `unit` such as "death"."""

    value: float
    unit: str
    hedge: Hedge


@dataclass(frozen=True)
class _Read:
    """A sentence and all that the rules ask of it, each read only when a rule asks."""

    said: Said

    @cached_property
    def words(self) -> Wording:
        return read(self.said.text[:LONGEST])

    @cached_property
    def days(self) -> list[DateRange]:
        return date_ranges(self.said.text[:LONGEST], self.said.published)

    @cached_property
    def plain(self) -> str:
        """The text without quotation marks."""
        return " ".join(re.sub('["“”]', " ", self.said.text[:LONGEST]).split())

    @cached_property
    def figures(self) -> list[Figure]:
        return _figures(self.plain)

    @cached_property
    def denied(self) -> str | None:
        """The text that it denies."""
        verb, false = _DENIES.search(self.plain), _FALSE.search(self.plain)
        if not (verb or false) or _NO_DENIAL.search(self.plain):
            return None
        return self.plain[verb.end() :] if verb else _FALSE.sub(" ", self.plain, count=1)

    @cached_property
    def negated(self) -> str | None:
        """The verb or noun that it negates."""
        negation = _NOT.search(self.plain)
        if negation and _SUBORDINATE.search(self.plain, 0, negation.start()):
            negation = None  # "..., so he would not turn": no statement of the main clause
        negation = negation or _NO.match(self.plain)
        return negation["verb"] if negation else None

    @cached_property
    def negative(self) -> bool:
        """Whether any negative word stands in it."""
        return bool(_NEGATIVE.search(self.plain))

    @cached_property
    def unsure(self) -> bool:
        """Whether it keeps a distance ("may")."""
        return bool(_UNSURE.search(self.plain))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question's words, the people it wants counted, and the kind of thing it asks for."""

    words: Wording
    units: frozenset[str]
    kind: AnswerType | None


@lru_cache(maxsize=64)
def _asked(question: str) -> _Asked:
    units = {_UNIT_OF.get(word, "") for word in re.findall(r"[a-z]+", question.lower())}
    return _Asked(read(question), frozenset(units - {""}), answer_type(question))


@lru_cache(maxsize=1024)
def _read(said: Said) -> _Read:
    return _Read(said)


# What reports count, and the words for it; the counts of `_GROWING` only go up as news comes in.
_UNITS = {
    "death": "dead death deaths die died killed killing killings fatalities fatality lives bodies"
    " toll perished slain",
    "injury": "injured injuring wounded wounding hurt injuries hospitalised hospitalized",
    "missing": "missing unaccounted",
    "displaced": "displaced fled flee evacuated homeless homes refugees evacuees",
    "arrest": "arrested arrests detained detentions",
    "infection": "infected infections cases",
}
_GROWING = frozenset({"death", "injury", "displaced", "arrest", "infection"})
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
_PEOPLE = frozenset(
    "people others persons men women children civilians and in on as with at from to".split()
)
_SMALL = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
).split()
_VALUE = {word: value for value, word in enumerate(_SMALL, 2)}
_SCALE = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_NUMBER = re.compile(
    rf"(?<![\w.,:/$€£-])(?P<number>\d{{1,3}}(?:,\d{{3}})+|\d{{1,12}}(?:\.\d+)?|{'|'.join(_SMALL)})"
    r"(?: (?P<scale>hundred|thousand|million|billion)s?)?"
    r"(?! ?%| percent\b|[\w:/]|[.,]\d|-\w|,? (?:years?|days?|hours?|minutes?)\b)",
    re.IGNORECASE,
)
_TOLL = re.compile(r"\btoll\b[^.;]{0,90}?\b(?:to|at|of|is|was|reached|passed) (?:\w+ ){0,2}$")
_NO_COUNT_AFTER = re.compile(rf"\b(?:{'|'.join(MONTHS)}|since|in|aged?) $", re.IGNORECASE)
_HEDGES: tuple[tuple[Hedge, re.Pattern[str]], ...] = (
    ("at least", re.compile(r"(?:at least|more than|over|no fewer than) $", re.IGNORECASE)),
    (
        "at most",
        re.compile(r"(?:up to|as many as|(?:few|l)e(?:r|ss) than|nearly|almost) $", re.IGNORECASE),
    ),
    (
        "about",
        re.compile(r"(?:about|around|some|roughly|approximately|estimated) $", re.IGNORECASE),
    ),
)


def _figures(text: str) -> list[Figure]:
    """The counts of people; years, ages, times and money are left out."""
    found: list[Figure] = []
    for match in _NUMBER.finditer(text):
        before, after = text[max(0, match.start() - 120) : match.start()], text[match.end() :][:60]
        unit = _unit(before, after)
        if unit is None or _NO_COUNT_AFTER.search(before):
            continue
        word = match["number"].lower().replace(",", "")
        value = float(_VALUE.get(word, word)) * _SCALE.get((match["scale"] or "").lower(), 1)
        hedge: Hedge = next((name for name, said in _HEDGES if said.search(before)), "exact")
        if _TOLL.search(before):  # of several counts of the dead this one is of all
            return [*(one for one in found if one.unit != "death"), Figure(value, "death", hedge)]
        found.append(Figure(value, unit, hedge))
    return found


def _unit(before: str, after: str) -> str | None:
    """What is counted: told by a word close behind, else close before."""
    if _TOLL.search(before):
        return "death"
    near = re.findall(r"[a-z]+|[,.;()]", after.lower())[:5]
    near = near[: next((n for n, word in enumerate(near) if word in ",.;()"), len(near))]
    units = [_UNIT_OF[word] for word in near if word in _UNIT_OF]
    if units or (near and near[0] not in _PEOPLE):
        return units[0] if units else None
    told = reversed(re.findall(r"[a-z]+", before.lower())[-5:])
    return next((u for word in told if (u := _UNIT_OF.get(word)) and u != "missing"), None)


_MADE_UP = r"story|stories|claims?|reports?|rumou?rs?|news"
_FALSE = re.compile(
    r"\b(?:(?<!no )hoax\b|(?:is|was|are|were|as|been|be|a) (?:\w+ )?(?:an? |all )?(?:faked?|bogus)"
    r"(?= (?:and|but|according)\b|[^\w\s]|$)|as (?:an? )?fake\b|untrue\b|is lying\b|was lying\b"
    rf"|(?:false|made[- ]up|fictitious|satirical) (?:{_MADE_UP})\b"
    r"|(?:is|are|was|were|be|been) (?:\w+ )?(?:false|not true|incorrect|baseless|unfounded|a lie"
    r"|fabricated|debunked)\b|no truth (?:to|in)\b|never happened)",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:den(?:y|ies|ied|ying)|refut(?:es?|ed|ing)"
    r"|(?:rejected|dismissed|disputed) (?:[\w’' ]{0,40}?\b)?"
    rf"(?:{_MADE_UP}|suggestions|allegations))\b",
    re.IGNORECASE,
)
# A visa is denied, an appeal is denied, and who "did not deny" has said nothing either way.
_NO_DENIAL = re.compile(
    r"\b(?:(?:not|never|neither|cannot|without|nor|[a-z]{2,6}n['’]t) (?:\w+ )?"
    r"(?:den\w+|a hoax|fake|false)|no hoax|(?:was|were|been|being|is|are) denied"
    r"|den(?:ied|y|ies|ying) (?:\S+ ){0,4}?(?:entry|access|bail|visas?|permission|care|stay"
    r"|treatment|boarding|requests?|applications?|appeals?|motions?|petitions?|bids?|permits?"
    r"|licen[cs]es?))\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:(?:did|does|do|has|have|had|was|were|is|are|will|would|ca|could|should|wo)"
    r"(?:n['’]t| not| never)|never|no longer)"
    r"(?! (?:only|just|necessarily|yet|immediately|known|clear|available|be reached|return|respond"
    r"|comment))"
    r" (?:actually |really |been |be |even |exactly )*(?P<verb>[a-z]+)",
    re.IGNORECASE,
)
_NO = re.compile(r"\W*no (?P<verb>[a-z]+) (?!of\b)", re.IGNORECASE)
_NEGATIVE = re.compile(
    r"\b(?:not?|never|neither|nor|none|nothing|nobody|without|cannot|declin\w+|refus\w+"
    r"|(?:do|does|did|is|are|was|were|has|have|had|wo|would|ca|could|should)n['’]?t"
    r"|den(?:y|ied|ies|ying)|fail\w+|unable|yet to|no longer|only)\b",
    re.IGNORECASE,
)
_SUBORDINATE = re.compile(
    r"\b(?:so|who|which|because|if|when|after|where|although|while|as|unless|until|since)\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\?|\b(?:if|whether|(?-i:may)|might|could|would|unclear|apparently|unconfirmed|alleg\w+"
    r"|reportedly|rumou?r\w*|supposed\w*|likely|probably|purported\w*"
    r"|suspicio\w*|doubt\w*|sham|exposed|believe[ds]?)\b",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"\W*(?:corrections?|clarification|editor[’']s note)\b|\W*an earlier version\b"
    r"|\W*this (?:article|story|report) (?:has been|was) (?:corrected|amended)",
    re.IGNORECASE,
)
_REVISED = re.compile(
    r"\b(?:revis\w+|updat\w+|initially|previously|latest|so far)\b", re.IGNORECASE
)
_CUES = read("deny denied denial story claim hoax fake false rumor rejected").bag
_DAY_NAMES = read(" ".join(WEEKDAYS + MONTHS)).bag


# Rules


def _by_correction(x: _Read, y: _Read) -> Verdict | None:
    for against, one, other in ((0, x, y), (1, y, x)):
        if not _CORRECTION.match(one.said.text) or _CORRECTION.match(other.said.text):
            continue
        mine, theirs = one.said, other.said
        later = mine.published and theirs.published and mine.published >= theirs.published
        shared = len(one.words.bag & other.words.bag)
        alike = shared > 3 and shared >= 0.3 * len(other.words.bag)  # noqa: PLR2004
        if _one_house(mine, theirs) and later and alike:
            return Verdict("updated", "correction", against)
    return None


def _by_figure(asked: _Asked, x: _Read, y: _Read, near: float) -> Verdict | None:
    """Counts of people only: prices and shares change by the hour and by what they are of."""
    for unit in sorted(asked.units):
        ours = [figure for figure in x.figures if figure.unit == unit]
        theirs = [figure for figure in y.figures if figure.unit == unit]
        if len(ours) == len(theirs) == 1 and (found := _counts(x, y, ours[0], theirs[0], near)):
            return found
    return None


def _counts(x: _Read, y: _Read, one: Figure, other: Figure, near: float) -> Verdict | None:
    alike = near >= _NEAR or _shared(x.words, y.words) >= 0.3  # noqa: PLR2004
    likely = alike and not _names_clash(x, y)
    if one.value == other.value:
        return Verdict("agree", "figure") if likely else None
    if f"{one.value:g}" in y.words.figures or f"{other.value:g}" in x.words.figures:
        return None  # "fell to 64 from 66" knows both counts
    grown = _grown(x.said, y.said, one, other)
    same_story = len((x.words.names & y.words.names) - _DAY_NAMES) > 1
    if grown is not None and (same_story or likely):
        return Verdict("updated", "figure", grown)
    if not likely or _consistent(one, other):
        return None
    revised = _REVISED.search(x.said.text) or _REVISED.search(y.said.text)
    if revised or _one_house(x.said, y.said):
        return Verdict("updated", "figure", _later(x.said, y.said))
    return Verdict("disagree", "figure")


def _one_house(a: Said, b: Said) -> bool:
    return a.publisher is not None and a.publisher == b.publisher


def _later(a: Said, b: Said) -> int | None:
    if not a.published or not b.published or a.published == b.published:
        return None
    return int(a.published < b.published)


def _grown(a: Said, b: Said, one: Figure, other: Figure) -> int | None:
    """Which one is later: the larger of a count that only grows, any of the missing."""
    later = _later(a, b)
    if later is None or one.unit not in _GROWING | {"missing"}:
        return None
    return later if one.unit == "missing" or (other.value > one.value) == bool(later) else None


def _consistent(a: Figure, b: Figure) -> bool:
    """Whether two counts can both be true as they are worded."""
    if abs(a.value - b.value) <= 0.02 * max(a.value, b.value):
        return True
    for one, other in ((a, b), (b, a)):
        if one.hedge == "at least" and other.value >= one.value:
            return True
        if one.hedge == "at most" and other.value <= one.value:
            return True
    rough = {a.hedge, b.hedge} & {"about", "at most"}
    return bool(rough) and abs(a.value - b.value) <= 0.15 * max(a.value, b.value)


def _by_denial(asked: _Asked, x: _Read, y: _Read) -> Verdict | None:
    if (x.denied is None) == (y.denied is None):
        return None
    denial, plain = (x, y) if x.denied is not None else (y, x)
    if plain.unsure or plain.negative or "?" in denial.said.text:
        return None
    if not _takes_up(asked, denial, 0.3) or not _takes_up(asked, plain, 0.4):
        return None
    if _shared(read(denial.denied or ""), plain.words) < 0.5:  # noqa: PLR2004
        return None
    return Verdict("disagree", "denial", int(denial is y))


def _by_negation(asked: _Asked, x: _Read, y: _Read, near: float) -> Verdict | None:
    if any(
        one.unsure or one.denied is not None or not _takes_up(asked, one, 0.3) for one in (x, y)
    ):
        return None
    negated, plain = (x, y) if x.negated else (y, x)
    if not negated.negated or plain.negative:
        return None
    verb = read(negated.negated).bag
    shared = _shared(x.words, y.words)
    if verb and verb <= plain.words.bag:
        both = verb <= asked.words.bag and all(_takes_up(asked, one, 0.6) for one in (x, y))
        proved = shared >= 0.5 or both  # noqa: PLR2004
    else:  # in other words
        like = x.words.figures == y.words.figures and not _names_clash(x, y)
        proved = near >= _NEAR and shared >= 0.3 and like  # noqa: PLR2004
    return Verdict("disagree", "negation", int(negated is y)) if proved else None


def _by_fact(asked: _Asked, x: _Read, y: _Read, near: float) -> Verdict | None:
    """One thing differs in two like sentences, and it is what the question asks for."""
    if asked.kind is None or asked.units:
        return None
    a, b = x.words, y.words
    odd = any(one.unsure or one.denied is not None for one in (x, y)) or x.negative != y.negative
    if odd or not all(_takes_up(asked, one, 0.5) for one in (x, y)):
        return None
    one, other = _plain(a) - _DAY_NAMES, _plain(b) - _DAY_NAMES
    like = 0.3 if near >= _VERY_NEAR else 0.6
    if asked.kind == "date":
        differ = _apart(x, y, timedelta(0))
    elif _apart(x, y, timedelta(0)):
        differ = False
    elif asked.kind in {"number", "amount"}:
        differ = len(a.figures - b.figures) == len(b.figures - a.figures) == 1
    else:
        differ = a.figures == b.figures and _names_clash(x, y)
        one, other, like = one - (a.names - b.bag), other - (b.names - a.bag), 0.8
    shared = len(one & other)
    if not differ or shared < 2 or shared < like * len(one | other):  # noqa: PLR2004
        return None
    later = _later(x.said, y.said)
    counted = asked.kind in {"number", "amount"}
    if later is not None and (counted or _one_house(x.said, y.said)):
        return Verdict("updated", "fact", later)
    return Verdict("disagree", "fact")


def _by_wording(x: _Read, y: _Read) -> Verdict | None:
    a, b = x.words, y.words
    like = (x.denied is None) == (y.denied is None) and x.negative == y.negative
    if not like or x.unsure != y.unsure or a.figures != b.figures or _names_clash(x, y):
        return None
    if _apart(x, y, timedelta(0)) or len(a.bag & b.bag) < max(
        5, 0.75 * max(len(a.bag), len(b.bag))
    ):
        return None
    return Verdict("agree", "wording")


def _apart(x: _Read, y: _Read, by: timedelta) -> bool:
    """Whether the sentences name days that are all further apart: two points, not one."""
    if not x.days or not y.days:
        return False
    return all(
        (d.start is not None and e.end + by < d.start)
        or (e.start is not None and d.end + by < e.start)
        for d in x.days
        for e in y.days
    )


def _plain(words: Wording) -> frozenset[str]:
    """Its words without figures."""
    return frozenset(stem for stem in words.bag if not stem[0].isdigit())


def _shared(a: Wording, b: Wording) -> float:
    """The part of the shorter one's words that the other has, figures left out."""
    one, other = _plain(a) - _CUES, _plain(b) - _CUES
    return len(one & other) / max(1, min(len(one), len(other)))


def _takes_up(asked: _Asked, one: _Read, part: float) -> bool:
    """Whether a sentence takes up that part of the question's words."""
    return len(asked.words.bag & one.words.bag) >= part * len(asked.words.bag)


def _names_clash(x: _Read, y: _Read) -> bool:
    """Whether each names somebody or some place that the other does not."""
    a, b = x.words, y.words
    return bool(a.names - b.bag - _DAY_NAMES) and bool(b.names - a.bag - _DAY_NAMES)
