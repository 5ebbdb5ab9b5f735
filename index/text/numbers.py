"""Numbers as words: the one list that everything which reads figures goes by."""

from __future__ import annotations

import re

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NUMBERS = {word: value for value, word in enumerate(_SMALL)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}
SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
# Words from "two" on: "one" is mostly no number ("one of them", "the one that").
COUNTING = "|".join(
    [
        rf"(?:{'|'.join(_TENS)})(?:-(?:{'|'.join(_SMALL[1:10])}))?",
        *sorted(_SMALL[2:], key=len)[::-1],
    ]
)
_PARTS = re.compile(r"[a-z]+|[\d.]+")


def value(words: str) -> float | None:
    """The value of digits or words ("1,200", "twenty-three", "two dozen"); None if it has none."""
    total, known = 0.0, False
    for part in _PARTS.findall(words.lower().replace(",", "")):
        if part in SCALES:
            total = (total if known else 1.0) * SCALES[part]
        elif part in NUMBERS:
            total += NUMBERS[part]
        elif re.fullmatch(r"\d+(?:\.\d+)?", part):
            total += float(part)
        else:
            return None
        known = True
    return total if known else None
