"""Follow-ups: "And who denied it?" in reply to an answer -> a question that stands by itself.

Nothing is remembered for this: the answer's id stands in the message replied to, and the answer
log has the question it answered, which holds what that one took over from the ones before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import discord

from index.terms import STOP_WORDS, content_terms, terms

_ANSWER = re.compile(r"answer `([0-9a-f]{12})`")
_LEANS = re.compile(
    r"^(?:and|but|so|or|also|then|what about|how about|why|when|where|who)\b[^?]{0,30}\?*$"
    r"|^(?:and|but|so|or|also|then|what about|how about)\b"
    r"|\b(?:it|its|he|him|his|she|her|hers|they|them|their|theirs|those|these|this|there|then|"
    r"that(?=\s*[?.!]|$))\b",
    re.IGNORECASE,
)
_FEW_TERMS = 2  # a question with no more terms of its own says too little alone
_CARRIED = 14  # words taken over at most


def answer_id_of(message: discord.Message) -> str | None:
    """The id of the answer that a message of the bot shows."""
    for text in _texts(message.components):
        if found := _ANSWER.search(text):
            return found[1]
    return None


def leans(question: str) -> bool:
    """Whether a question seems to need the one before it."""
    own = [term for term in content_terms(question) if term not in STOP_WORDS]
    return len(own) <= _FEW_TERMS or bool(_LEANS.search(question.strip()))


def resolved(question: str, before: str) -> str:
    """The question, followed by the words that carry the meaning of the one before it.

    The new words come first: they say what kind of answer is asked for.
    """
    own = set(terms(question))
    carried = [
        word
        for word in before.replace("?", " ").split()
        if (said := set(terms(word))) and not said <= STOP_WORDS and not said <= own
    ]
    head = re.sub(r"^(?:and|but|so|or|also|then)\b[\s,]*", "", question, flags=re.IGNORECASE)
    return " ".join([head.rstrip(" ?!."), *(dict.fromkeys(carried[:_CARRIED]))]) + "?"


def _texts(components: Iterable[Any]) -> Iterator[str]:
    for component in components:
        if isinstance(text := getattr(component, "content", None), str):
            yield text
        yield from _texts(getattr(component, "children", ()))
