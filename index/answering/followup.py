"""Follow-ups: "And who denied it?" in reply to an answer -> a question that stands by itself.

The question of the answer before holds what that one took over from the ones before it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import replace

from index.answering.highlight import names
from index.domain import Answer, FollowUp
from index.ranking.query import MAX_QUESTION_CHARS, parse
from index.text.terms import STOP_WORDS, content_terms, terms

_LEANS = re.compile(
    r"^(?:and|but|so|or|also|then|what about|how about|why|when|where|who)\b[^?]{0,30}\?*$"
    r"|^(?:and|but|so|or|also|then|what about|how about)\b"
    r"|\b(?:it|its|he|him|his|she|her|hers|they|them|their|theirs|those|these|this|there|then|"
    r"that(?=\s*[?.!]|$))\b",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(r"^(?:and|but|so|or|also|then)\b[\s,]*", re.IGNORECASE)
_SOMEBODY = re.compile(r"\b(?:he|him|his|she|her|hers)\b", re.IGNORECASE)
_FULL_NAME = re.compile(r"\w[\w’'-]*\w(?<!['’]s)(?: [\w’'-]+(?<!['’]s))+")
_FEW_TERMS = 2  # no more terms, or one more and no name, say too little alone
_CARRIED = 14  # words taken over at most


def is_follow_up(question: str) -> bool:
    """Whether a question seems to need the one before it."""
    own = [term for term in content_terms(question) if term not in STOP_WORDS]
    few = _FEW_TERMS + (not re.search(r"(?<!^)\b[A-Z]", question.strip()))
    return len(own) <= few or bool(_LEANS.search(question.strip()))


def resolved(
    question: str, before: Answer, known: AbstractSet[str] | None = None
) -> tuple[str, FollowUp]:
    """The question made one that stands by itself, and what ranking has to know of the one before.

    Its own words come first, for they say what kind of answer is asked for; "he" and "she" bring
    the name of whom the answer before is about; then come the words of the question before, or
    those of them whose terms are `known`.
    """
    head = _CONNECTIVE.sub("", question).rstrip(" ?!.")
    name = _person(before) if _SOMEBODY.search(head) else None
    words = f"{head} {name.split()[-1]}" if name else head
    head = f"{head} {name}" if name else head
    own = set(terms(head)) | STOP_WORDS
    carried = [
        word
        for word in before.question.replace("?", " ").split()
        if not (said := set(terms(word))) <= own and (known is None or said & known)
    ]
    whole = " ".join([head, *dict.fromkeys(carried[:_CARRIED])]) + "?"
    told = tuple(cited.quote for cited in before.quotes)
    return whole[:MAX_QUESTION_CHARS], FollowUp(words, told)


def _person(answer: Answer) -> str | None:
    """Whom an answer is about: the name in most quotes, or unless asked for one, the speaker."""
    query = parse(answer.question)
    if query.answer_type == "person":
        found: Counter[str] = Counter()
        for cited in answer.quotes:
            text = cited.quote.text
            places = names(replace(query, answer_type="place"), text)
            found.update(one for one in dict.fromkeys(names(query, text)) if one not in places)
        return next((name for name, _ in found.most_common() if _FULL_NAME.fullmatch(name)), None)
    return answer.quotes[0].speaker if answer.quotes else None
