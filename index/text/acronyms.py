"""Match acronyms with the names that they stand for: "UN" and "United Nations"."""

from __future__ import annotations

import re

_NAME = re.compile(r"\b[A-Z][\w’'-]*(?:(?: (?:of|the|for|and|de))* [A-Z][\w’'-]*){1,7}")
_INITIAL = re.compile(r"\b[A-Z]\w*")
_ACRONYM = re.compile(r"\b(?:[A-Z]\.){2,6}|\b[A-Z]{2,6}\b")


def acronyms(text: str) -> dict[str, str]:
    """Return the acronyms of a text in capitals without stops, each with its spelling there."""
    return {match.group().replace(".", ""): match.group() for match in _ACRONYM.finditer(text)}


def names_by_acronym(text: str) -> dict[str, str]:
    """Return the names of two words or more in a text by their acronyms, which skip small words.

    A name may be part of a longer one: "United Nations Port Agency" yields "UN" too.
    """
    names: dict[str, str] = {}
    for run in _NAME.finditer(text):
        words = [*_INITIAL.finditer(run.group())]
        for first in range(len(words)):
            for last in range(first + 1, len(words)):
                initials = "".join(word.group()[0] for word in words[first : last + 1])
                name = run.group()[words[first].start() : words[last].end()]
                names.setdefault(initials, name)
    return names


def spelt_out(phrase: str, text: str) -> str:
    """Return a phrase with its acronyms replaced by the names that a text has for them."""
    names = names_by_acronym(text)
    for acronym, written in acronyms(phrase).items():
        if acronym in names:
            phrase = phrase.replace(written, names[acronym])
    return phrase
