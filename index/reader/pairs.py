"""How the reader sees a question and a sentence: token ids, and the place of an answer in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from index.network import CLS, SEP, Floats, tokenizer

QUESTION_TOKENS, CONTEXT_TOKENS, SENTENCE_TOKENS = 64, 24, 72  # what is longer is cut off
_ANSWER_TOKENS = 24  # the longest answer that is marked


class Pair(NamedTuple):
    """Token ids of one pair, and where its sentence stands among them.

    `offsets` holds the code points [start, end) in the sentence for each of its tokens.
    """

    ids: list[int]
    first: int
    offsets: list[tuple[int, int]]

    @property
    def types(self) -> list[int]:
        """A token type for each id: 1 marks the sentence and the [SEP] that ends it."""
        return [0] * self.first + [1] * (len(self.ids) - self.first)


def lay_out(
    questions: Sequence[str], contexts: Sequence[str], sentences: Sequence[str]
) -> list[Pair]:
    """Write pairs as [CLS] question [SEP] context [SEP] sentence [SEP], without empty contexts."""
    texts = [*questions, *contexts, *sentences]
    encodings = tokenizer().encode_batch(texts, add_special_tokens=False)
    n = len(sentences)
    pairs = []
    for i in range(n):
        context = encodings[n + i].ids[:CONTEXT_TOKENS]
        ids = [CLS, *encodings[i].ids[:QUESTION_TOKENS], SEP]
        ids += [*context, SEP] if context else []
        sentence = encodings[2 * n + i]
        pairs.append(
            Pair(
                [*ids, *sentence.ids[:SENTENCE_TOKENS], SEP],
                len(ids),
                sentence.offsets[:SENTENCE_TOKENS],
            )
        )
    return pairs


def best_place(pair: Pair, logits: Floats) -> tuple[int, int, float]:
    """First and last token (within the sentence) of the likeliest answer, with its probability.

    Args:
        pair: of t tokens.
        logits: (t, 2), that the answer begins and ends at each token.
    """
    size = len(pair.offsets)
    if not size:
        return 0, 0, 0.0
    inside = logits[pair.first :].astype(np.float64)  # the [SEP] too: "nowhere"
    inside = np.exp(inside - inside.max(axis=0))
    inside = (inside / inside.sum(axis=0))[:size]
    joint = np.triu(inside[:, :1] * inside[:, 1])
    joint -= np.triu(joint, _ANSWER_TOKENS)
    first, last = divmod(int(joint.argmax()), size)
    return first, last, float(joint[first, last])
