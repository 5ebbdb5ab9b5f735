"""The linear model that scores candidates and their confidence; ranking.json has its weights."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

from index.ranking.features import Floats, scaled
from index.ranking.query import Query


@dataclass(frozen=True, slots=True)
class Model:
    """The weights of ranking.json.

    Attributes:
        fitted: weight by feature, learned from public question sets.
        same_article: subtracted for each higher sentence of the same article if the question asks
            several things: their answers are seldom in one report.
        confidence: weight by input of the confidence, and `bias`, if no sentence was read.
        reader: weight of the reader's score, for questions of "few" clauses and of "many".
        read_confidence: like `confidence`, if the best sentences were read.
        by_hand: weight by feature of a question's form, for which there are no public data.
    """

    fitted: Mapping[str, float]
    same_article: float
    confidence: Mapping[str, float]
    reader: Mapping[str, float] = field(default_factory=dict)
    read_confidence: Mapping[str, float] = field(default_factory=dict)
    by_hand: Mapping[str, float] = field(default_factory=dict)

    def reader_weight(self, query: Query) -> float:
        """Return the weight of the reader's score for a question."""
        return self.reader["many" if query.has_many_clauses else "few"]


@lru_cache(maxsize=1)
def packaged() -> Model:
    """Return the packaged model."""
    return Model(**json.loads(_ranking_json()))


@lru_cache(maxsize=1)
def packaged_hash() -> str:
    """Return a hash of the packaged weights, which changes with the answers they give."""
    return hashlib.sha256(_ranking_json()).hexdigest()[:8]


def _ranking_json() -> bytes:
    return (files("index.ranking") / "ranking.json").read_bytes()


def weighted(weights: Mapping[str, float], features: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return what each feature adds to each score: (n,) by name."""
    return {name: weights[name] * scaled(name, features[name]) for name in weights}


def probability(
    weights: Mapping[str, float], inputs: Mapping[str, float], offset: float = 0.0
) -> float:
    """Return the logistic function of the weighted sum of inputs and an offset: 0 to 1."""
    return 1 / (1 + math.exp(-offset - sum(weights[name] * inputs[name] for name in weights)))
