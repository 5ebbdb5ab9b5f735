"""What a sentence of news claims, and how: what it denies or negates, how sure it is, of when.

Read by patterns over the plain text; everything is read when it is first asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache

from index.text.dates import DateRange, date_ranges
from index.text.quantities import PLANNED, Figure, figures, measures
from index.text.rewrites import Wording, read

LONGEST = 1_200  # code points of a sentence that are read
_BESIDE = 40  # code points between a figure and the period that it is of
_DAYS = timedelta(1)  # a weekend is a point in time, what is longer is a period


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of a report, with who published it when."""

    text: str
    publisher: str | None = None
    published: date | None = None


@dataclass(frozen=True, slots=True)
class Negation:
    """The verb or noun that is negated, and what follows it in its clause."""

    verb: Wording
    rest: Wording


@dataclass(frozen=True)
class Claim:
    """A sentence as the rules of `compare` see it."""

    said: Said

    @cached_property
    def plain(self) -> str:
        """The text without quotation marks."""
        return " ".join(re.sub('["“”]', " ", self.said.text[:LONGEST]).split())

    @cached_property
    def words(self) -> Wording:
        """Its words, names and figures."""
        return read(self.said.text[:LONGEST])

    @cached_property
    def days(self) -> list[DateRange]:
        """The days it names, with their places in `plain`, as the figures have theirs."""
        return date_ranges(self.plain, self.said.published)

    def period(self, figure: Figure) -> frozenset[tuple[date | None, date]]:
        """The periods beside a figure, which is of them only."""
        return frozenset(
            (day.start, day.end)
            for day in self.days
            if day.start is not None
            and day.end - day.start > _DAYS
            and day.text_start - figure.end < _BESIDE
            and figure.start - day.text_end < _BESIDE
        )

    @cached_property
    def figures(self) -> list[Figure]:
        """The counts of people it gives."""
        return figures(self.plain)

    @cached_property
    def measures(self) -> list[Figure]:
        """The amounts and measures it gives."""
        return measures(self.plain)

    @cached_property
    def places(self) -> frozenset[str]:
        """Stems of the names behind a preposition of place."""
        return _places(self.plain)

    def place(self, figure: Figure) -> frozenset[str]:
        """Those of its places that stand beside a figure, which is of them only."""
        return _places(self.plain[max(0, figure.start - _BESIDE) : figure.end + _BESIDE])

    @cached_property
    def planned(self) -> bool:
        """Whether it tells what is to be, or was thought of, and not what is."""
        return bool(PLANNED.search(self.plain))

    @cached_property
    def denied(self) -> str | None:
        """The text that it denies."""
        verb, false = _DENIES.search(self.plain), _FALSE.search(self.plain)
        if not (verb or false) or _NO_DENIAL.search(self.plain):
            return None
        if verb:
            return _STOPS.split(self.plain[verb.end() :], maxsplit=1)[0]
        return _FALSE.sub(" ", self.plain, count=1)

    @cached_property
    def negation(self) -> Negation | None:
        """What it negates in its main clause."""
        found = _NOT.search(self.plain)
        if found and _SUBORDINATE.search(self.plain, 0, found.start()):
            found = None  # "..., so he would not turn"
        found = found or _NO.match(self.plain)
        if found is None:
            return None
        end = _CLAUSE.search(self.plain, found.end())
        rest = self.plain[found.end() : end.start() if end else None]
        return Negation(read(found["verb"]), read(rest))

    @cached_property
    def negative(self) -> bool:
        """Whether any negative word stands in it."""
        return bool(_NEGATIVE.search(self.plain))

    @cached_property
    def unsure(self) -> bool:
        """Whether it keeps a distance ("may")."""
        return bool(_UNSURE.search(self.plain))

    @cached_property
    def corrects(self) -> bool:
        """Whether it is the notice of a correction."""
        return bool(_CORRECTION.match(self.said.text))

    @cached_property
    def revised(self) -> bool:
        """Whether it says that it is not the first word on the matter."""
        return bool(_REVISED.search(self.said.text))


def _places(text: str) -> frozenset[str]:
    return read(" in ".join(["", *(at[1] for at in _PLACE.finditer(text))])).names


@lru_cache(maxsize=1024)
def claim(said: Said) -> Claim:
    """A sentence, to be read once however often it is compared."""
    return Claim(said)


_STOPS = re.compile(r"[:;—]")
_PLACE = re.compile(
    r"\b(?:in|at|on|near|outside|inside|off|from) (?:the )?([A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*)"
)
_STORY = r"story|stories|claims?|reports?|rumou?rs?|news"
_UNTRUE = (
    r"false|untrue|not true|incorrect|baseless|unfounded|a lie|lies|fabricated|debunked|staged"
    r"|invented|nonsense|exaggerated|not real"
)
_FALSE = re.compile(
    r"\b(?:(?<!no )hoax\b|(?:is|was|are|were|as|been|be|a) (?:\w+ )?(?:an? |all )?(?:faked?|bogus)"
    r"(?= (?:and|but|according)\b|[^\w\s]|$)|as (?:an? )?fake\b|untrue\b|is lying\b|was lying\b"
    rf"|(?:false|made[- ]up|fictitious|satirical) (?:{_STORY})\b"
    rf"|(?:is|are|was|were|be|been) (?:\w+ )?(?:{_UNTRUE})\b"
    r"|(?:is|are|was|were)n['’]t (?:true|real)\b"
    rf"|call(?:ed|s|ing) (?:\w+ ){{1,6}}(?:{_UNTRUE})\b|(?:made|making) (?:\w+ ){{0,2}}up\b"
    r"|no truth (?:to|in)\b|never happened|contrary to (?:\w+ )?(?:reports|claims|rumou?rs)"
    r"|despite what you)",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:den(?:y|ies|ied|ying)|refut(?:es?|ed|ing)"
    r"|(?:rejected|dismissed|disputed) (?:[\w’' ]{0,40}?\b)?"
    rf"(?:{_STORY}|suggestions|allegations))\b",
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
    r"(?! (?:only|just|without|necessarily|yet|immediately|known|clear|available|be reached|return"
    r"|respond|comment))"
    r" (?:actually |really |been |be |even |exactly |\w+ly )*(?P<verb>[a-z]+)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:()—–]| (?:and|but|or|while|although|because|after|before|when|where) ")
_NO = re.compile(r"\W*no (?P<verb>[a-z]+) (?!of\b)", re.IGNORECASE)
_NEGATIVE = re.compile(
    r"\b(?:not?|never|neither|nor|none|nothing|nobody|without|cannot|refus\w+"
    r"|declin\w+ (?:to|comment)"
    r"|(?:do|does|did|is|are|was|were|has|have|had|wo|would|ca|could|should)n['’]?t"
    r"|den(?:y|ied|ies|ying)|fail\w+|unable|yet to|no longer|only)\b",
    re.IGNORECASE,
)
_SUBORDINATE = re.compile(
    r"\b(?:so|who|which|because|if|when|after|where|although|while|as|unless|until|since|sure"
    r"|ensur\w+)\b",
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
    r"\b(?:revis\w+|updat\w+|initially|previously|latest|so far|now|risen|climbed"
    r"|(?:raised|lowered) (?:its|the|their)|rose to|grew to|cut (?:its|the) figure|overtook)\b",
    re.IGNORECASE,
)
