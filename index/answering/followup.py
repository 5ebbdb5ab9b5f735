"""Turn a follow-up ("And who denied it?") and the previous answer into a question of its own.

Words taken over from the previous question are put in brackets: "When does it start (inquiry Hallow
Dam)?". That question may have words of the question before it in its own brackets.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from index.answering.intent import wants_more
from index.answering.speakers import People
from index.domain import Answer
from index.ranking.query import MAX_QUESTION_CHARS, FollowUp
from index.text.terms import STOP_TERMS, STOP_WORDS, content_terms, terms

_LEANS = re.compile(  # "And the siren?", "Why?", "What did they say?"
    r"^(?:and|but|so|or|also|then|what about|how about|why|when|where|who)\b[^?]{0,30}\?*$"
    r"|^(?:and|but|so|or|also|then|what about|how about)\b"
    r"|\b(?:it|its|he|him|his|she|her|hers|they|them|their|theirs|those|these|this|there|then|"
    r"that(?=\s*[?.!]|$))\b",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(r"^(?:and|but|so|or|also|then)\b[\s,]*", re.IGNORECASE)
_SOMEBODY = re.compile(r"\b(?:(?P<he>he|him|his)|she|her|hers)\b", re.IGNORECASE)
_BRACKETS = re.compile(r"(?P<own>.*?)(?: \((?P<older>[^()]*)\))?\W*")
_FULL_NAME = re.compile(r"[A-Z][\w’'-]*(?: [A-Z][\w’'.-]*)+")  # "Ida Roe"
_MARKS = '?!.,;:()“”"'  # stripped from words that are taken over
_FEW_TERMS = 2  # a question of so few terms, or one more without a name, says too little alone
_MAX_PREVIOUS = 14  # words taken over from the previous question
_MAX_OLDER = 7  # words taken over from questions before it: a long talk has left its first topic


def is_follow_up(question: str) -> bool:
    """Return whether a question seems to need the previous question."""
    content = [term for term in content_terms(question) if term not in STOP_WORDS]
    few = _FEW_TERMS + (not re.search(r"(?<!^)\b[A-Z]", question.strip()))
    return len(content) <= few or bool(_LEANS.search(question.strip()))


def resolved(
    question: str, previous: Answer, known: AbstractSet[str] | None = None
) -> tuple[str, FollowUp]:
    """Return a question that stands alone, and what ranking needs from the previous answer.

    The words of the follow-up come first, since they say what kind of answer is wanted. The words
    of the previous question follow in brackets, or only those whose terms are `known`; if the
    follow-up has "he" or "she", so does the name of the person the previous answer is about. A
    bare "And?" or "more" asks the previous question again.
    """
    quoted = tuple(cited.quote for cited in previous.quotes)
    words = _CONNECTIVE.sub("", question).rstrip(" ?!.")
    if wants_more(question) or not any(char.isalnum() for char in words):
        return previous.question, FollowUp("", quoted)
    somebody = _SOMEBODY.search(words)
    name = _person(previous, "he" if somebody["he"] else "she") if somebody else None
    new_words = f"{words} {name.split()[-1]}" if name else words
    present = STOP_TERMS.union(terms(f"{words} {name or ''}"))

    def taken_over(text: str | None, most: int) -> list[str]:
        words = [
            word
            for word in (part.strip(_MARKS) for part in (text or "").split())
            if not (new := set(terms(word))) <= present and (known is None or new & known)
        ]
        return words[:most]

    before = _BRACKETS.fullmatch(previous.question)
    own, older = before.group("own", "older") if before else (previous.question, None)
    added = [*taken_over(own, _MAX_PREVIOUS), *taken_over(older, _MAX_OLDER)]
    about = name.replace(",", "").split() if name else []
    context = " ".join([*about, *dict.fromkeys(added)])
    whole = f"{words} ({context})?" if context else f"{words}?"
    return whole[:MAX_QUESTION_CHARS], FollowUp(new_words, quoted)


def _person(answer: Answer, pronoun: str) -> str | None:
    """Return the person an answer is about: a full name among its parts, else the speaker."""
    parts = [cited.answer.text for cited in answer.quotes if cited.answer]
    name = next((part for part in parts if _FULL_NAME.fullmatch(part)), None)
    speaker = answer.quotes[0].speaker if answer.quotes else None
    if name or speaker is None:
        return name
    return speaker if People(answer.quotes[0].quote.text).fits(pronoun, speaker) else None
