"""Turn a follow-up ("And who denied it?") and the previous answer into a question of its own.

The question of the previous answer already has the words carried over from those before it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import replace

from index.answering.highlight import names
from index.answering.intent import wants_more
from index.domain import Answer, FollowUp
from index.ranking.query import MAX_QUESTION_CHARS, parse
from index.text.terms import STOP_WORDS, content_terms, terms

_LEANS = re.compile(  # "And the siren?", "Why?", "What did they say?"
    r"^(?:and|but|so|or|also|then|what about|how about|why|when|where|who)\b[^?]{0,30}\?*$"
    r"|^(?:and|but|so|or|also|then|what about|how about)\b"
    r"|\b(?:it|its|he|him|his|she|her|hers|they|them|their|theirs|those|these|this|there|then|"
    r"that(?=\s*[?.!]|$))\b",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(r"^(?:and|but|so|or|also|then)\b[\s,]*", re.IGNORECASE)
_SOMEBODY = re.compile(r"\b(?:he|him|his|she|her|hers)\b", re.IGNORECASE)
_FULL_NAME = re.compile(r"\w[\w’'-]*\w(?<!['’]s)(?: [\w’'-]+(?<!['’]s))+")
_FEW_TERMS = 2  # so few terms, or one more without a name, say too little alone
_CARRIED = 14  # words at most that are carried over


def is_follow_up(question: str) -> bool:
    """Whether a question seems to need the one before it."""
    content = [term for term in content_terms(question) if term not in STOP_WORDS]
    few = _FEW_TERMS + (not re.search(r"(?<!^)\b[A-Z]", question.strip()))
    return len(content) <= few or bool(_LEANS.search(question.strip()))


def resolved(
    question: str, previous: Answer, known: AbstractSet[str] | None = None
) -> tuple[str, FollowUp]:
    """Return a question that stands alone, and what ranking needs from the previous answer.

    The words of the follow-up come first, since they say what kind of answer is wanted; "he" and
    "she" add the name of the person the previous answer is about; the words of the previous
    question follow, or only those whose terms are `known`. A bare "And?" or "more" asks the
    previous question again.
    """
    quoted = tuple(cited.quote for cited in previous.quotes)
    words = _CONNECTIVE.sub("", question).rstrip(" ?!.")
    if wants_more(question) or not any(char.isalnum() for char in words):
        return previous.question, FollowUp("", quoted)
    name = _person(previous) if _SOMEBODY.search(words) else None
    new_words = f"{words} {name.split()[-1]}" if name else words
    words = f"{words} {name}" if name else words
    present = set(terms(words)) | STOP_WORDS
    carried = [
        word
        for word in previous.question.replace("?", " ").split()
        if not (new := set(terms(word))) <= present and (known is None or new & known)
    ]
    whole = " ".join([words, *dict.fromkeys(carried[:_CARRIED])]) + "?"
    return whole[:MAX_QUESTION_CHARS], FollowUp(new_words, quoted)


def _person(answer: Answer) -> str | None:
    """The person an answer is about: the commonest name in answers to "who", else the speaker."""
    query = parse(answer.question)
    if query.answer_type != "person":
        return answer.quotes[0].speaker if answer.quotes else None
    place = replace(query, answer_type="place")
    counts = Counter(
        name
        for text in (cited.quote.text for cited in answer.quotes)
        for name in dict.fromkeys(names(query, text))
        if name not in names(place, text)
    )
    full = (name for name, _ in counts.most_common() if _FULL_NAME.fullmatch(name))
    return next(full, None)
