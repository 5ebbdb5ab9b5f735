"""Text -> terms: the one analysis behind full-text search, BM25 and name matching.

The same function prepares what is stored and what is asked, so spellings meet: case, accents,
possessives, hyphens, dotted abbreviations ("U.S." and "US"), thousands separators, short units of
money and share ("$1.2bn", "7%"), British and American spelling and word forms (Snowball's English
stemmer, Porter 2001) do not matter.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from itertools import chain

import snowballstemmer

STOP_WORDS = frozenset(
    "a about after again against all also am an and any are as at be because been before being"
    " between both but by can could did do does doing during each few for from further had has"
    " have having he her here hers him his how i if in into is it its itself just me more most my"
    " no nor not now of off on once only or other our ours out over own same she should so some"
    " such than that the their theirs them then there these they this those through to too under"
    " until up upon us very was we were what when where which while who whom whose why will with"
    " would you your article articles report reports reported reporting according published"
    " mentioned discussed happen happened happening many much anyone anybody someone somebody"
    " anything something everyone everybody everything ever yet mr mrs ms s t d ll m re ve".split()
)
_WORD = re.compile(r"[a-z]\.(?:[a-z]\.)+|\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?")
_SHORT_UNITS = {"bn": "billion", "mn": "million", "tn": "trillion", "pc": "percent"}
_AFTER_MONEY = {"b": "billion", "m": "million", "k": "thousand"}
_MONEY = re.compile(r"[$£€]\d")
# British -> American. Applied to what is stored and asked alike, so that a word of another kind
# which fits a pattern ("resource", "promise") is changed on both sides and still meets itself.
_AMERICAN = (
    (re.compile(r"(?<=[a-z]{3})our"), "or"),
    (re.compile(r"(?<=[a-z]{2})tre(s?)$"), r"ter\1"),
    (re.compile(r"(?<=[a-z]{3})(i|y)s(e[ds]?|ing|ers?|ations?)$"), r"\1z\2"),
    (re.compile(r"^(def|off|lic|pret)ence"), r"\1ense"),
    (re.compile(r"^(program)me|^(kilogram)me"), r"\1\2"),
)
_CLITICS = frozenset({"s", "d", "ll", "m", "re", "ve", "t"})
_MAX_TERM_CHARS = 40
_STEMMER = snowballstemmer.stemmer("english")
_STEMMING = threading.Lock()  # it keeps the word in hand on itself


def terms(text: str) -> list[str]:
    """All terms of a text, in order, stop words included."""
    stretches = text.casefold().replace("per cent", "percent").replace("%", " percent").split()
    return list(chain.from_iterable(map(_terms_of, stretches)))


def content_terms(text: str) -> list[str]:
    """The distinct terms of a question that carry its meaning, in order.

    Without stop words, unless nothing else is left ("Who is it?" keeps its words).
    """
    distinct = list(dict.fromkeys(terms(text)))
    kept = [term for term in distinct if term not in STOP_TERMS]
    return kept or distinct


@lru_cache(maxsize=200_000)
def _terms_of(stretch: str) -> tuple[str, ...]:
    """Terms of a lower-case stretch without white space; cached, since a corpus repeats itself."""
    if not stretch.isascii():
        folded = unicodedata.normalize("NFKD", stretch.replace("’", "'"))
        stretch = "".join(char for char in folded if not unicodedata.combining(char))
    words = _WORD.findall(stretch)
    units = _SHORT_UNITS | _AFTER_MONEY if _MONEY.search(stretch) else _SHORT_UNITS
    for place in range(1, len(words)):
        if words[place - 1][0].isdigit():
            words[place] = units.get(words[place], words[place])
    return tuple(_term(word)[:_MAX_TERM_CHARS] for word in words)


def _term(word: str) -> str:
    if word[0].isdigit():
        return word.replace(",", "")
    head, _, tail = word.replace(".", "").partition("'")
    word = head if tail in _CLITICS else head + tail
    if not word.isascii():
        return word
    for british, american in _AMERICAN:
        word = british.sub(american, word)
    with _STEMMING:
        return str(_STEMMER.stemWord(word))


STOP_TERMS = STOP_WORDS | {term for word in STOP_WORDS for term in terms(word)}
