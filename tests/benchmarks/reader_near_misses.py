"""Make questions by rule that a sentence comes near to and does not answer.

Another person, place, day or quantity; a name's twin; another thing asked of the same name. A
rule fires only where the sentence is sure not to answer: the changed word was in it and the new
one is not, or no word in it belongs to what is now asked.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_NAME = re.compile(r"(?<=[\w,'\"(] )[A-Z][\w'’-]+(?: (?:of |the |de |van )?[A-Z][\w'’-]+)*")
_FULL_NAME = re.compile(r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)+\b")
_NUMBER = re.compile(r"\b\d[\d,.]*\b(?!\w)")
_OPENING = re.compile(
    r"^(when|where|why|how) (?=(?:is|was|are|were|did|does|do|has|have|can)\b)", re.IGNORECASE
)
_HEAD = re.compile(
    r"\b(?:what|who|which) (?:is|was|are|were) the ([a-z]+)(?= (?:of|for|in)\b)", re.IGNORECASE
)
_NOT_NAMES = frozenset(
    "January February March April May June July August September October November December Monday "
    "Tuesday Wednesday Thursday Friday Saturday Sunday I The A In".split()
)

_TIME = (
    r"\d{4}|\d:\d|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|januar|februar|march|april|\bmay\b|"
    r"june|july|august|septemb|octob|novemb|decemb|day|night|morning|evening|week|month|year|ago|"
    r"centur|during|after|before|since|until|when|while|hour|minute"
)
_QUANTITY = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million|"
    r"billion|half|all|no|none|both|several|few|many|most)"
)
CUES = {  # what a sentence that answers such a question would hold
    "when": _TIME,
    "where": r"\b(?:in|at|near|from|to|on|across|outside|inside|where|into|around|home|off)\b",
    "why": (
        r"because|due|reason|caus|since|so\b|order|result|amid|after|over|for\b|as\b|led|to\b|by\b"
    ),
    "how many times": _QUANTITY + r"|time|once|twice",
    "how often": r"every|each|often|daily|week|month|year|annual|always|never|twice|once|day",
}
PERSON = {
    "How old is {}?": r"\d|age|old|born|year",
    "Who is {} married to?": r"wife|husband|marr|spouse|wed|partner",
    "When was {} born?": r"born|birth|\d{4}",
    "Why did {} resign?": r"resign|quit|step|left|depart|leav",
    "How much does {} earn?": r"earn|salar|paid|pay|wage|[$£€]|million",
    "Who replaced {}?": r"replac|succe|appoint|\bnew|took over|follow|next",
    "When did {} die?": r"die|death|dead|kill|\d{4}|murder",
    "Where does {} live?": r"live|home|resid|house|living|moved",
    "What is {}'s real name?": r"name|born|known|called",
    "Which party does {} belong to?": r"party|democrat|republican|labour|conservativ|liberal",
    "How tall is {}?": r"tall|height|feet|foot|inch|metre|meter|\d",
    "Who coaches {}?": r"coach|manag|train",
    "Why was {} arrested?": r"arrest|charg|accus|detain|jail|suspic",
    "Why was {} fired?": r"fire|sack|dismiss|oust|remov|because",
    "How many children does {} have?": r"child|son|daughter|kid|father|mother|\bbab",
    "Where did {} go to school?": r"school|universit|college|educat|stud|graduat|academ",
}
THING = {
    "What is the capital of {}?": r"capital|city",
    "What is the population of {}?": r"\d|populat|people|inhabit",
    "Who is the president of {}?": r"president|leader|head|premier|king|queen|chair",
    "Who is the mayor of {}?": r"mayor",
    "Who is the chief executive of {}?": r"chief|execut|ceo|boss|head|direct|chair|president",
    "What is the currency of {}?": r"currenc|dollar|euro|pound|peso|money",
    "Who won the election in {}?": r"won|win|elect|victor|vote",
    "Who founded {}?": r"found|start|creat|establish|set up|began|built|invent",
    "How many people work for {}?": r"\d|employ|staff|work|people",
    "How much did {} cost?": r"cost|[$£€]|million|pric|paid|worth|dollar",
    "How big is {}?": r"\d|big|larg|size|area|small|huge|mile|acre",
    "How far away is {}?": r"\d|mile|kilomet|distan|far|near",
    "Who owns {}?": r"own|belong|bought|acquir|possess",
    "What is the weather like in {}?": r"weather|rain|sun|hot|cold|climat|temperatur|snow|storm",
}
_ROLES = (
    "president|prime minister|mayor|governor|captain|coach|chief executive|chairman|founder|"
    "director|king|queen|chancellor"
)
_DEMONYMS = dict(
    pair.split("=")
    for pair in "French=France German=Germany British=Britain American=America Russian=Russia "
    "Chinese=China Indian=India Iranian=Iran Turkish=Turkey Italian=Italy Spanish=Spain "
    "Mexican=Mexico Brazilian=Brazil Israeli=Israel Egyptian=Egypt Canadian=Canada "
    "Australian=Australia Japanese=Japan Ukrainian=Ukraine Polish=Poland Syrian=Syria".split()
)
_NAMED = r"([A-Z][a-z]+(?: [A-Z][a-z]+)+)"
PATTERNS = (  # what a sentence states outright, the question it answers, the group of the answer
    (re.compile(_NAMED + r", (\d\d),"), "How old is {1}?", 2),
    (
        re.compile(_NAMED + r" (?:\([^)]*\) )?was born (?:on|in) ((?:\w+ )?(?:\d+, )?\d{4})"),
        "When was {1} born?",
        2,
    ),
    (
        re.compile(_NAMED + r" (?:\([^)]*\) )?was born in ([A-Z]\w+(?:, [A-Z]\w+)?)\b"),
        "Where was {1} born?",
        2,
    ),
    (re.compile(_NAMED + r" died (?:on|in) ((?:\w+ )?(?:\d+, )?\d{4})"), "When did {1} die?", 2),
    (re.compile(_NAMED + rf", (?:the )?((?:{_ROLES}) of [A-Z][\w ]+?),"), "Who is the {2}?", 1),
    (re.compile(rf"\b((?i:{_ROLES}) of (?!The|New)[A-Z]\w+),? {_NAMED}"), "Who is the {1}?", 2),
    (
        re.compile(rf"\b({'|'.join(_DEMONYMS)}) ((?i:{_ROLES})) {_NAMED}"),
        "Who is the {2} of {1}?",
        3,
    ),
    (re.compile(_NAMED + r",? (?:was )?founded by " + _NAMED), "Who founded {1}?", 2),
    (re.compile(r"\b([A-Z]\w+), the capital of ([A-Z]\w+)"), "What is the capital of {2}?", 1),
    (re.compile(r"\bcapital of ([A-Z]\w+) is ([A-Z]\w+)"), "What is the capital of {1}?", 2),
)


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence and its possible context (its title, the previous sentence)."""

    sentence: str
    around: str = ""

    @property
    def whole(self) -> str:
        return f"{self.sentence} {self.around}"


@dataclass
class NearMisses:
    """Rules, with names and head nouns of questions, to replace others of their kind.

    Attributes:
        after: names by the word before them, which tells people from places fairly well.
        first: first words of names of several.
        heads: "capital" of "what is the capital of".
    """

    after: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    first: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    def learn(self, questions: Iterable[str]) -> None:
        """Collect the names in questions."""
        for question in questions:
            for match in _NAME.finditer(question):
                self.after[_word_before(question, match.start())].append(match[0])
            if head := _HEAD.search(question):
                self.heads.append(head[1])
        for names in self.after.values():
            self.first += [name.split()[0] for name in names if " " in name]

    def change(self, question: str, text: Text, generator: random.Random) -> str | None:
        """Return a question like one that the text answers, which it does not answer."""
        rules = [self._name, self._name, self._twin, self._head, _another_number, _another_opening]
        generator.shuffle(rules)
        changed = (rule(question, text, generator) for rule in rules)
        return next((each for each in changed if each), None)

    def _name(self, question: str, text: Text, generator: random.Random) -> str | None:
        """Return another name of the same kind for a name in the sentence."""
        names = [
            match
            for match in _NAME.finditer(question)
            if match[0] in text.sentence and match[0] not in _NOT_NAMES
        ]
        if not names:
            return None
        name = generator.choice(names)
        shown = set(re.findall(r"[\w'’-]+", text.whole.lower()))
        peers = self.after[_word_before(question, name.start())]
        for other in generator.choices(peers, k=4):
            if not shown & set(other.lower().split()):
                return question.replace(name[0], other)
        return None

    def _twin(self, question: str, text: Text, generator: random.Random) -> str | None:
        """Return another first name for a name in the sentence."""
        names = [m[0] for m in _NAME.finditer(question) if " " in m[0] and m[0] in text.sentence]
        if not names or not self.first:
            return None
        name, first = generator.choice(names), generator.choice(self.first)
        if first in text.whole:
            return None
        return question.replace(name, f"{first} {name.split(maxsplit=1)[1]}")

    def _head(self, question: str, text: Text, generator: random.Random) -> str | None:
        """Change the head noun: what is the capital of -> what is the currency of."""
        head = _HEAD.search(question)
        if not head:
            return None
        other = generator.choice(self.heads)
        if other == head[1] or other[:4] in text.whole.lower():
            return None
        return question[: head.start(1)] + other + question[head.end(1) :]


def _another_number(question: str, text: Text, generator: random.Random) -> str | None:
    numbers = [match[0].rstrip(".,") for match in _NUMBER.finditer(question)]
    numbers = [number for number in numbers if number in text.sentence]
    if not numbers:
        return None
    number = generator.choice(numbers)
    digits = re.sub(r"\D", "", number)
    step = generator.choice([-1, 1]) * generator.randint(1, 9 if len(digits) < 3 else 30)
    other = str(abs(int(digits) + step))
    return None if other in text.whole else question.replace(number, other)


def _another_opening(question: str, text: Text, generator: random.Random) -> str | None:
    """Change how a question begins: when did it fall -> why did it fall."""
    opening = _OPENING.search(question)
    if not opening:
        return None
    other = generator.choice([kind for kind in CUES if kind != opening[1].lower()])
    if re.search(CUES[other], text.sentence, re.IGNORECASE):
        return None
    return other.capitalize() + question[opening.end() - 1 :]


def _word_before(text: str, at: int) -> str:
    return text[:at].rsplit(maxsplit=1)[-1].lower()


def asked_of_a_name(text: Text, generator: random.Random) -> str | None:
    """Return a common question about a name in the sentence, which does not answer it."""
    people = set(_FULL_NAME.findall(text.sentence))
    names = sorted(people) or sorted({m[0] for m in _NAME.finditer(text.sentence)} - _NOT_NAMES)
    if not names:
        return None
    name = generator.choice(names)
    forms = PERSON if people and generator.random() < 0.6 else THING
    form = generator.choice(sorted(forms))
    if re.search(forms[form], text.whole.replace(name, ""), re.IGNORECASE):
        return None
    return form.format(name)


def stated(sentence: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Return common questions that the sentence answers, and where."""
    for pattern, form, group in PATTERNS:
        if match := pattern.search(sentence):
            parts = [_DEMONYMS.get(part, part) for part in match.groups()]
            parts = [p.lower() if re.fullmatch(_ROLES, p, re.IGNORECASE) else p for p in parts]
            yield form.format("", *parts), match.span(group)
