"""Recognise phrases that can speak, by their words alone: persons, organisations and documents.

A phrase is judged by its head: "head" in "the head of their union", "doctors" in "a number of
doctors". A capitalised head is a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from index.text.dates import MONTHS, WEEKDAYS

PRONOUNS = frozenset("he she it they i we you there".split())
# "familiar" ends a phrase as a preposition does: "people familiar with it"
PREPOSITIONS = frozenset(
    "in on at by for from to of with during under over into about atop near through between among"
    " against outside inside behind across along around beyond via within without despite like"
    " unlike amid familiar".split()
)
TIME = frozenset(map(str.lower, WEEKDAYS + MONTHS)) | frozenset(
    "yesterday today tonight tomorrow night morning afternoon evening week weekend month year"
    " spring summer autumn winter".split()
)
_MEN = frozenset(
    "mr sir lord king prince duke father brother son husband boyfriend uncle grandfather man boy"
    " spokesman chairman congressman businessman actor".split()
)
_WOMEN = frozenset(
    "mrs ms miss dame lady queen princess duchess mother sister daughter wife girlfriend aunt"
    " grandmother woman girl spokeswoman chairwoman congresswoman businesswoman actress".split()
)
_PERSON = _MEN.union(
    _WOMEN,
    "academic activist agent aide ally ambassador analyst archbishop assistant associate"
    " attorney bishop boss candidate captain chair chancellor chief citizen client co-"
    " chair co-founder coach colleague colonel commentator consultant correspondent cousin"
    " critic defendant delegate dr economist employee envoy executive expert eyewitness"
    " fan founder friend general gov governor guard guy head judge justice lieutenant"
    " magistrate manager mayor migrant militant minister mp native neighbor neighbour"
    " nominee nurse official opponent parent participant patient pilot plaintiff player"
    " pope premier president priest prof professor pupil rebel referee relative"
    " representative resident respondent rev scholar secretary senator sheriff somebody"
    " someone star student superintendent surgeon survivor suspect tenant vet veteran"
    " victim whistleblower witness".split(),
)
_PEOPLE = frozenset(
    "children crew everyone everybody experts family folks forces insurgents locals nobody others"
    " people police sources staff".split()
)
_BODIES = frozenset(
    "academy administration agency airline airport alliance army association authorities"
    " authority bank board body brand brewery broadcaster business cabinet campaign carrier"
    " channel charity church city club coalition college commission committee company congress"
    " consortium corporation council country county court defence defense department embassy"
    " faction factory federation firm force foundation fund government group hospital house"
    " industry institute institution intelligence judiciary jury lab laboratory league lobby media"
    " military militia ministry mission movement museum navy network observatory office opposition"
    " organisation organization outlet palace panel parliament partnership party platform press"
    " prosecution regime school senate service side society startup state station studio team town"
    " tribunal trust union university village watchdog wire".split()
)
_DOCUMENTS = frozenset(
    "account affidavit agreement analysis announcement article blog book bulletin complaint"
    " constitution data decision document documents email figures filing forecast guidelines"
    " indictment judgement judgment lawsuit letter magazine memo memoir message newspaper note"
    " notice opinion order paper poll post posting publication release report research review"
    " ruling site statement statistics study summary survey tweet website".split()
)
_SPEAKERS = _PERSON | _PEOPLE | _BODIES | _DOCUMENTS
_DOER = re.compile(r"(?:\w{3}(?:ist|ian)|man|men|woman|women|person|people|\w{2}[eo]r|year-old)s?$")
# Words that end like "reader" and "actor", but mean things.
_THINGS = frozenset(
    "after alter anger another answer barrier behavior behaviour border center chapter character"
    " checklist cluster color computer container corner corridor counter cover danger despite"
    " dinner disaster door either error ever factor fever figure filter finger floor flower former"
    " further harbor honor horror however humor hunger labor later latter layer matter mirror"
    " monster motor murder neither never number offer other over picture playlist pointer poster"
    " power quarter rather river rumor sector semester server shelter shoulder shower silver"
    " slaughter summer temper terror thunder together tower trailer transfer trigger twitter under"
    " water weather whether winter wonder".split()
)
_AMOUNTS = frozenset(
    "all both couple dozens each group half handful hundreds lot majority many members most none"
    " number one pair percent range series several some thousands".split()
)
_DETERMINERS = frozenset("the a an his her its their our my".split())
_AFTER_HEAD = frozenset("who which that whose".split())
_NOT_NAMES = _SPEAKERS | TIME | frozenset("new north south east west united inc ltd".split())
_NOBODY = frozenset(
    "no that this these those what which here nothing none everything something anything"
    " some many most several both".split()
)
_TITLE = re.compile(
    r"\b(Mr|Mrs|Ms|Miss|Sir|Lord|Dame|Lady|Dr|Prof|Professor|President|Chancellor|Minister|Senator"
    r"|Judge|Justice|Captain|Coach)\.?((?: [A-Z][\w’'-]{1,30}){1,4})"
)
_NAME = r"[A-Z][\w’'-]{0,30}[a-z]"
_FULL_NAME = re.compile(
    rf"(?<!\w)(?:(in|at|near|from|the|The) )?(?:{_NAME} (?:[A-Z]\. )?){{1,4}}({_NAME})"
)
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$")


def can_speak(words: Sequence[str]) -> bool:
    """Return whether a noun phrase, given as its words, can be somebody who says something."""
    pronoun, contracted, _ = words[0].lower().replace("’", "'").partition("'")
    if pronoun in PRONOUNS:
        return len(words) == 1 and not contracted  # "I'd argue" has no subject of its own
    opening = PREPOSITIONS | _DETERMINERS
    if words[0].endswith("ing") and len(words) > 1 and words[1].lower() in opening:
        return False  # "Speaking in Ostby Mr Brun", "Opening the lock Mr Brun"
    head = words[_head(words)]
    plain = head.lower()
    if (
        words[0].lower() in {"no", "what", "how"}
        or plain in _NOBODY | TIME
        or head.endswith(("'s", "’s"))
    ):
        return False
    return head[0].isupper() or head[0] in "@#" or _is_speaker(plain)


def _head(words: Sequence[str]) -> int:
    """Return the index of a noun phrase's head: the word before its first preposition or comma.

    In "a number of doctors" and "most of them", it comes after the "of".
    """
    for n in range(1, len(words)):
        word = words[n].lower()
        ends = not word[0].isalnum() and word[0] not in "&@#'’"
        if not ends and word not in PREPOSITIONS and word not in _AFTER_HEAD:
            follows_noun = word.endswith("ing") and words[n - 1].lower() not in _DETERMINERS
            if not follows_noun or words[n][0].isupper() or n == len(words) - 1:
                continue
        if word == "of" and words[n - 1].lower() in _AMOUNTS and n + 1 < len(words):
            return n + 1 + _head(words[n + 1 :])
        return n - 1
    return len(words) - 1


def _is_speaker(word: str) -> bool:
    singular = word.removesuffix("s")
    base = f"{word[:-3]}y" if word.endswith("ies") else singular
    if {word, singular, base, word.removesuffix("es")} & _SPEAKERS:
        return True
    return singular not in _THINGS and _DOER.search(word) is not None


class People:
    """The persons whom a report names, and the pronoun of each."""

    def __init__(self, text: str) -> None:
        self._pronoun: dict[str, str] = {}  # by surname; "" if it may be both
        plain = {word for word in _WORD.findall(text) if word.islower()}
        places = set()
        for match in _FULL_NAME.finditer(text):
            names, last = {name.lower() for name in match.group().split()}, match.group(2)
            if match.group(1):
                places.add(_bare(last))
            elif names.isdisjoint(_NOT_NAMES) and last.lower() not in plain:
                self._pronoun.setdefault(_bare(last), "")
        self._pronoun = dict.fromkeys(self._pronoun.keys() - places, "")
        for match in _TITLE.finditer(text):
            surname = _bare(match.group(2).split()[-1])
            gender = _pronoun_of([match.group(1).lower()])
            self._pronoun[surname] = gender or self._pronoun.get(surname, "")

    def fits(self, pronoun: str, phrase: str) -> bool:
        """Return whether a pronoun agrees with a phrase in number, gender and kind."""
        name, *asides = (_WORD.findall(part) for part in re.split(r"[,(]", phrase))
        if not name:
            return False
        name = name[: _head(name) + 1]
        head, several = name[-1].lower(), " and " in phrase
        plural = (
            several
            or head in _PEOPLE
            or (head.endswith("men") and name[-1].islower())
            or (head.endswith("s") and (name[-1].islower() or head[:-1] in _SPEAKERS))
        )
        if pronoun == "they":
            return plural or head in _BODIES
        if plural or pronoun not in {"he", "she", "it"}:
            return False
        words = {word.lower() for word in name}
        surname = _bare(name[-1])
        described = any(map(_is_person, words)) or any(
            _is_person(aside[_head(aside)].lower()) for aside in asides if aside
        )
        named = surname in self._pronoun and "the" not in words
        person = (named or described) and words.isdisjoint(_BODIES)
        if pronoun == "it":
            return not person
        gender = _pronoun_of(_WORD.findall(phrase.lower())) or self._pronoun.get(surname, "")
        return person and gender in {"", pronoun}

    def others(self, pronoun: str, text: str, phrase: str = "") -> Iterator[str]:
        """Yield the persons in a text, except those of a phrase, whom "he" or "she" may mean."""
        if pronoun not in {"he", "she"}:
            return
        own = {_bare(word) for word in _WORD.findall(phrase)}
        for word in map(_bare, _WORD.findall(text)):
            if word not in own and self._pronoun.get(word, "-") in {"", pronoun}:
                yield word


def _is_person(word: str) -> bool:
    return word in _PERSON or (
        not word.endswith("s") and word not in _THINGS and _DOER.search(word) is not None
    )


def _pronoun_of(words: Sequence[str]) -> str:
    return "he" if _MEN.intersection(words) else "she" if _WOMEN.intersection(words) else ""


def _bare(word: str) -> str:
    return _POSSESSIVE.sub("", word)
