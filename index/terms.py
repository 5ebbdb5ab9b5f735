"""Text -> terms: the one analysis behind full-text search, BM25 and name matching.

The same function prepares what is stored and what is asked, so spellings meet: case, accents,
possessives, hyphens, dotted abbreviations ("U.S." and "US") and word forms (Snowball, Porter 2,
Porter 1980 and 2001) do not matter.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import snowballstemmer

_TOKEN = re.compile(
    r"(?:[^\W\d_]\.){2,}"  # U.S., a.m.
    r"|\d+(?:[.,]\d+)*"  # 1,200 and 3.5
    r"|[^\W\d_]+(?:['’][^\W\d_]+)?"  # words, with what follows an apostrophe
)
_STEMMER = snowballstemmer.stemmer("english")
_MAX_TERM_CHARS = 40

STOP_WORDS = frozenset(
    "a about after all also an and any are as at be been before being but by can could did do"
    " does for from had has have he her hers him his how i if in into is it its may me might more"
    " most my no nor not of on or our out over she should so some such than that the their them"
    " then there these they this those to under until up upon us was we were what when where"
    " which while who whom whose why will with would you your"
    " according article articles between both report reported reports said say says"
    " tell told".split()
)


def tokens(text: str) -> list[str]:
    """Split into words and numbers as they stand, in order."""
    return _TOKEN.findall(text)


@lru_cache(maxsize=200_000)
def term(token: str) -> str:
    """The form under which a token is indexed; "" for one that is not indexed at all."""
    folded = unicodedata.normalize("NFKD", token).casefold()
    folded = "".join(char for char in folded if not unicodedata.combining(char))
    if folded[:1].isdigit():
        return folded.replace(",", "")[:_MAX_TERM_CHARS]
    if "." in folded:
        return folded.replace(".", "")
    word = re.split(r"['’]", folded)[0] if re.search(r"['’]s?$", folded) else folded
    word = re.sub(r"['’]", "", word)
    stem: str = _STEMMER.stemWord(word) if word.isascii() else word
    return stem[:_MAX_TERM_CHARS]


def terms(text: str) -> list[str]:
    """All terms of a text, in order, stop words included."""
    return [form for token in tokens(text) if (form := term(token))]


@lru_cache(maxsize=1)
def _stop_terms() -> frozenset[str]:
    return frozenset(term(word) for word in STOP_WORDS)


def content_terms(text: str) -> list[str]:
    """The distinct terms of a question that carry its meaning, in order.

    Without stop words, unless nothing else is left ("Who is it?" keeps its words).
    """
    distinct = list(dict.fromkeys(terms(text)))
    kept = [form for form in distinct if form not in _stop_terms()]
    return kept or distinct
