"""Measure the reader on held-out questions, calibrate it, and write its weights.

python tests/benchmarks/measure_reader.py --sets DATA --weights FILE... --export FILE

What is measured is the int8 file that is written, as it will be shipped.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import string
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from export import Reader, export
from reader_network import build_network, load_weights
from reader_sets import Document, Group, read_groups
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from index.network import Network
from index.ranking.rank import EXCERPT
from index.reader.excerpts import Excerpt, best_place, lay_out

RESAMPLES = 1000
SQUAD = {True: 450, False: 350}  # questions of each kind, answerable and not
SURE = 0.35  # probability of the best place from which on it is marked


@dataclass(frozen=True, slots=True)
class Scored:
    """A question as the reader saw it.

    Attributes:
        scores: logit of each sentence, those that answer first.
        right: how many of them answer.
        places: (answer marked, answer given, probability of the place) where one is known.
    """

    scores: tuple[float, ...]
    right: int
    places: tuple[tuple[str, str, float], ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument(
        "--weights", type=Path, nargs="+", required=True, help="files; of several, the mean"
    )
    parser.add_argument("--export", type=Path, required=True, help="the file that is written")
    parser.add_argument("--all", action="store_true", help="every SQuAD question")
    parser.add_argument("--only", nargs="*", help="names of sets")
    arguments = parser.parse_args()
    network = build_network()
    files = [load_weights(file) for file in arguments.weights]
    mean = {name: torch.stack([each[name] for each in files]).mean(0) for name in files[0]}
    network.load_state_dict(mean, strict=False)
    reader = Reader(network)
    sha256 = export(reader, {}, arguments.export)
    exported = Network(arguments.export, sha256)
    scored = {}
    begun, sentences = time.process_time(), 0
    for name, groups in read_groups(arguments.sets)[1].items():
        if arguments.only and name not in arguments.only:
            continue
        few = name == "squad" and not arguments.all
        scored[name] = read(exported, fewer(groups) if few else groups)
        sentences += sum(len(each.scores) for each in scored[name])
    seconds = time.process_time() - begun
    out = {name: figures(name, each) for name, each in scored.items()}
    out["speed"] = {"ms a sentence": [round(1000 * seconds / sentences, 2)]}
    print(json.dumps({"weights": [*map(str, arguments.weights)], **out}))
    slope, offset = calibrated([each for of_set in scored.values() for each in of_set])
    calibration = {"slope": slope, "offset": offset, "sure": SURE}
    print(json.dumps(calibration), export(reader, calibration, arguments.export))


def fewer(groups: Sequence[Group]) -> list[Group]:
    """Return some questions of each kind, always the same."""
    generator = random.Random(7)  # noqa: S311 - the same in every run
    kinds = {kind: [g for g in groups if bool(g.right) == kind] for kind in SQUAD}
    return [
        group
        for kind, most in SQUAD.items()
        for group in generator.sample(kinds[kind], min(most, len(kinds[kind])))
    ]


def read(network: Network, groups: Sequence[Group]) -> list[Scored]:
    """Score every sentence with a known judgement, for every question."""
    return [_scored(network, group) for group in groups]


def _scored(network: Network, group: Group) -> Scored:
    scores: dict[int, float] = {}
    places = []
    document = group.document
    for shown in excerpts(document):
        excerpt = Excerpt(document.title, document.sentences[shown.start : shown.stop])
        (text,) = lay_out([group.question], [excerpt])
        (logits,) = network.run(text.ids, text.types)
        for n, i in enumerate(shown):
            scores[i] = float(logits[text.ends[n], 0])
            if span := group.right.get(i):
                first, last, sure = best_place(logits[text.first(n) : text.ends[n] + 1, 1:])
                offsets, sentence = text.offsets[n], document.sentences[i]
                marked = sentence[offsets[first][0] : offsets[last][1]]
                places.append((marked, sentence[slice(*span)], sure))
    known = [scores[i] for i in (*group.right, *group.wrong)]
    return Scored(tuple(known), len(group.right), tuple(places))


def excerpts(document: Document) -> list[range]:
    """Cut a document into excerpts of up to `EXCERPT` characters; no sentence is in two."""
    out: list[range] = []
    room = 0
    for i, sentence in enumerate(document.sentences):
        if not out or not document.joined or len(sentence) > room:
            out.append(range(i, i + 1))
            room = EXCERPT - len(sentence)
        else:
            out[-1] = range(out[-1].start, i + 1)
            room -= len(sentence)
    return out


def figures(name: str, scored: Sequence[Scored]) -> dict[str, list[float]]:
    """Return each figure with the bounds of its 95 % interval over resampled questions."""
    ranked = [each for each in scored if 0 < each.right < len(each.scores)]
    out = {}
    if ranked:
        out["MAP"] = interval(ranked, lambda s: float(np.mean([average_precision(e) for e in s])))
        out["MRR"] = interval(ranked, lambda s: float(np.mean([reciprocal_rank(e) for e in s])))
    if name != "trecqa dev":
        whole = [each for each in scored if each.scores]
        out["AUROC"] = interval(whole, separates)
        out["wrongly answered"] = interval(whole, wrongly_answered)
    places = [place for each in scored for place in each.places]
    if places:
        out["exact"] = interval(places, lambda s: float(np.mean([exact(*e[:2]) for e in s])))
        out["overlap"] = interval(places, lambda s: float(np.mean([overlap(*e[:2]) for e in s])))
        sure = [each for each in places if each[2] >= SURE]
        out["sure share"] = [round(len(sure) / len(places), 3)]
        out["sure overlap"] = [round(float(np.mean([overlap(*e[:2]) for e in sure])), 3)]
    return out


def interval(items: Sequence[Any], figure: Callable[[Sequence[Any]], float]) -> list[float]:
    generator = random.Random(1)  # noqa: S311 - the same in every run
    values = [figure(generator.choices(items, k=len(items))) for _ in range(RESAMPLES // 4)]
    return [round(float(x), 3) for x in (figure(items), *np.quantile(values, [0.025, 0.975]))]


def average_precision(each: Scored) -> float:
    order = np.argsort(-np.array(each.scores), kind="stable")
    hits = np.flatnonzero(order < each.right)
    return float(np.mean((np.arange(len(hits)) + 1) / (hits + 1)))


def reciprocal_rank(each: Scored) -> float:
    return 1 / (1 + sum(score > max(each.scores[: each.right]) for score in each.scores))


def separates(scored: Sequence[Scored]) -> float:
    kinds = [each.right > 0 for each in scored]
    if len(set(kinds)) < 2:
        return float("nan")
    return float(roc_auc_score(kinds, [max(each.scores) for each in scored]))


def wrongly_answered(scored: Sequence[Scored]) -> float:
    """Return the share of unanswerable questions answered if 95 % of answerable ones are."""
    bar = np.quantile([max(each.scores) for each in scored if each.right], 0.05)
    return float(np.mean([max(each.scores) >= bar for each in scored if not each.right]))


def words(text: str) -> list[str]:
    """Return the words of a text in SQuAD's own normalisation."""
    bare = "".join(char for char in text.lower() if char not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def exact(marked: str, given: str) -> bool:
    return words(marked) == words(given)


def overlap(marked: str, given: str) -> float:
    left, right = words(marked), words(given)
    shared = sum((Counter(left) & Counter(right)).values())
    return 2 * shared / (len(left) + len(right)) if shared else 0.0


def calibrated(scored: Sequence[Scored]) -> tuple[float, float]:
    """Return slope and offset of the logistic that turns scores into probabilities."""
    scores = np.array([score for each in scored for score in each.scores])
    right = [i < each.right for each in scored for i in range(len(each.scores))]
    model = LogisticRegression(C=1e6).fit(scores[:, None], right)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


if __name__ == "__main__":
    main()
