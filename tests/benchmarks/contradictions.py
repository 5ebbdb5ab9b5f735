"""How many contradictions and agreements between two reports are noticed, and how many wrongly?

`PYTHONPATH=.:tests python tests/benchmarks/contradictions.py [FILE]`. The 300 pairs of
tests/data/contradictions.jsonl were written by somebody who did not know the rules: two newsrooms
on one question, and beside contradictions what only looks like one (namesakes, other quantities,
plans, denials of something else). Each line has a question, two sides with `text`, `lead`,
`publisher` and `published`, and a label: disagree, updated, agree or none.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index.answering.conflicts import Statement, relate
from index.domain import Article, Sentence
from index.encoder import Encoder, PackagedEncoder, Vectors

PAIRS = Path(__file__).parents[1] / "data" / "contradictions.jsonl"


def statement(side: dict[str, Any], name: str, vector: Vectors) -> Statement:
    """Return a side of a pair: a sentence in its article, after the lead."""
    text = f"{side['lead']}\n{side['text']}" if side["lead"] else side["text"]
    published = datetime.fromisoformat(side["published"]) if side["published"] else None
    article = Article(
        article_id=name,
        title="",
        text=text,
        publisher=side["publisher"],
        published=published.replace(tzinfo=UTC) if published else None,
    )
    start = len(text) - len(side["text"])
    sentence = Sentence(0, name, 1, 0, start, len(text), side["text"])
    return Statement(article, sentence, vector)


def calls(file: Path, encoder: Encoder) -> Counter[tuple[str, str]]:
    """Return how often each label (first) was called what (second)."""
    pairs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    vectors = encoder.encode([pair[side]["text"] for pair in pairs for side in "ab"])
    counted: Counter[tuple[str, str]] = Counter()
    for number, pair in enumerate(pairs):
        a, b = (statement(pair[s], s, vectors[2 * number + n]) for n, s in enumerate("ab"))
        relation = relate(pair["question"], a, b)
        counted[pair["label"], relation.kind if relation else "none"] += 1
    return counted


def main() -> None:
    """Print the table of labels and calls, with precision and recall."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=PAIRS)
    counted = calls(parser.parse_args().file, PackagedEncoder())
    labels = ("disagree", "updated", "agree", "none")
    print("label     " + "".join(f"{call:>10}" for call in labels))
    for label in labels:
        print(f"{label:10}" + "".join(f"{counted[label, call]:10}" for call in labels))
    right = counted["disagree", "disagree"]
    alarms = sum(counted[label, "disagree"] for label in labels)
    those = sum(counted["disagree", call] for call in labels)
    print(f"disagreement: {right} of {alarms} calls right, {right} of {those} seen")


if __name__ == "__main__":
    main()
