"""The reader's input: token ids of a question and an excerpt of a report, and their positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from index.network import CLS, SEP, Floats, tokenizer

QUESTION_TOKENS, TITLE_TOKENS, SENTENCE_TOKENS = 64, 24, 72  # longer texts are cut off
_ANSWER_TOKENS = 24  # the longest answer that is marked


class Excerpt(NamedTuple):
    """Consecutive sentences of a report, and its title or ""."""

    title: str
    sentences: tuple[str, ...]


class LaidOut(NamedTuple):
    """Token ids of a question and an excerpt.

    Attributes:
        ids: t token ids.
        ends: for each sentence, the index of the [SEP] that ends it.
        offsets: for each sentence, the code points [start, end) of each of its tokens.
    """

    ids: list[int]
    ends: list[int]
    offsets: list[list[tuple[int, int]]]

    @property
    def types(self) -> list[int]:
        """Return a token type for each id: 1 marks the sentences and their [SEP]."""
        first = self.first(0) if self.ends else len(self.ids)
        return [0] * first + [1] * (len(self.ids) - first)

    def first(self, sentence: int) -> int:
        """Return the index of a sentence's first token."""
        return self.ends[sentence] - len(self.offsets[sentence])


def lay_out(questions: Sequence[str], excerpts: Sequence[Excerpt]) -> list[LaidOut]:
    """Write [CLS] question [SEP] title [SEP] sentence [SEP] sentence [SEP] …; omit empty titles."""
    texts = [*questions]
    for excerpt in excerpts:
        texts += [excerpt.title, *excerpt.sentences]
    encodings = iter(tokenizer().encode_batch(texts, add_special_tokens=False))
    asked = [next(encodings).ids[:QUESTION_TOKENS] for _ in questions]
    out = []
    for question, excerpt in zip(asked, excerpts, strict=True):
        title = next(encodings).ids[:TITLE_TOKENS]
        ids = [CLS, *question, SEP, *title, *([SEP] if title else [])]
        ends, offsets = [], []
        for _ in excerpt.sentences:
            sentence = next(encodings)
            ids += [*sentence.ids[:SENTENCE_TOKENS], SEP]
            ends.append(len(ids) - 1)
            offsets.append(sentence.offsets[:SENTENCE_TOKENS])
        out.append(LaidOut(ids, ends, offsets))
    return out


def best_place(logits: Floats) -> tuple[int, int, float]:
    """Return the first and last token of the likeliest answer in a sentence, and its probability.

    Args:
        logits: (t + 1, 2), for the answer to begin and to end at each of the sentence's t tokens,
            or at the [SEP] after them, which means nowhere.
    """
    size = len(logits) - 1
    if not size:
        return 0, 0, 0.0
    chances = np.exp(logits.astype(np.float64) - logits.max(axis=0))
    chances = (chances / chances.sum(axis=0))[:size]
    joint = np.triu(chances[:, :1] * chances[:, 1])
    joint -= np.triu(joint, _ANSWER_TOKENS)
    first, last = divmod(int(joint.argmax()), size)
    return first, last, float(joint[first, last])
