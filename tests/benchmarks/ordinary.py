"""How well are ordinary questions answered and near misses declined, as a reader would see it?

    PYTHONPATH=. python tests/benchmarks/ordinary.py --data DATA --questions FILE REPORTS...

FILE has JSON lines {"question", "gold"}: gold is a part of a sentence that answers, a list of such
parts, or null where no report answers. REPORTS are added to a collection in the folder DATA unless
it is there. Printed are shares with 95 % bootstrap intervals: answerable questions with a right
quote among the first and the first two (a decline counts as wrong), answerable ones declined,
unanswerable ones declined, and the quotes of answerable ones that are right.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from index import PACKAGED_MODEL, Answer, Archive, TrainedReader, load_encoder, prepare_process

RESAMPLES = 1_000


def plain(text: str) -> str:
    """Return the letters and digits of a text."""
    return "".join(filter(str.isalnum, text.lower()))


def right(answer: Answer, gold: Iterable[str], first: int) -> bool:
    """Return whether one of the first quotes has a right sentence."""
    quoted = [plain(cited.quote.text) for cited in answer.quotes[:first]]
    return any(plain(part) in text for part in gold for text in quoted)


def share(values: Sequence[bool]) -> str:
    """Return a share and its interval."""
    draw = np.random.default_rng(0)
    sample = np.array(values, dtype=float)
    means = [draw.choice(sample, len(sample)).mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{sample.mean():.2f} [{low:.2f}, {high:.2f}] of {len(sample)}"


def main() -> None:
    """Ask all questions, and print the shares; with --show also each answer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("reports", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--no-reader", action="store_true")
    parser.add_argument("--encoder", default=PACKAGED_MODEL)
    parser.add_argument("--prompts", nargs=2)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    prepare_process()
    reader = None if arguments.no_reader else TrainedReader()
    options = {} if arguments.threshold is None else {"threshold": arguments.threshold}
    prompts = tuple(arguments.prompts) if arguments.prompts else None
    encoder = load_encoder(arguments.encoder, prompts=prompts)
    archive = Archive.open(arguments.data, "ordinary", encoder, reader=reader, **options)
    archive.add(arguments.reports)
    lines = arguments.questions.read_text(encoding="utf-8").splitlines()
    asked: list[tuple[list[str], Answer]] = []
    for row in map(json.loads, lines):
        gold = [row["gold"]] if isinstance(row["gold"], str) else row["gold"] or []
        answer = archive.ask(row["question"])
        asked.append((gold, answer))
        if arguments.show:
            mark = "N" if not gold else "1" if right(answer, gold, 1) else "2"
            mark = mark if not gold or right(answer, gold, 2) else "-"
            said = [c.quote.text for c in answer.quotes] or [f"({answer.reason})"]
            short = answer.short.answer.text if answer.short and answer.short.answer else ""
            print(f"{mark} {answer.confidence:.2f} {row['question']}  [{short}]")
            print("".join(f"      {text[:150]}\n" for text in said), end="")
    answerable = [pair for pair in asked if pair[0]]
    others = [answer for gold, answer in asked if not gold]
    for first in (1, 2):
        print(f"right among {first}: {share([right(a, gold, first) for gold, a in answerable])}")
    print(f"answerable declined: {share([a.status == 'declined' for _, a in answerable])}")
    print(f"unanswerable declined: {share([a.status == 'declined' for a in others])}")
    kinds = [bool(gold) for gold, _ in asked]
    print(f"AUROC of confidence: {roc_auc_score(kinds, [a.confidence for _, a in asked]):.3f}")
    quotes = [len(a.quotes) for _, a in asked if a.quotes]
    print(f"quotes an answer: {np.mean(quotes):.2f}")
    quoted = [
        right(replace(a, quotes=(quote,), agreement=None), gold, 1)
        for gold, a in answerable
        for quote in a.quotes
    ]
    print(f"quotes that are right, where some report answers: {share(quoted)}")


if __name__ == "__main__":
    main()
