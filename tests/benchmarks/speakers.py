"""How often is the right speaker of a sentence named, and how often a wrong one?

    PYTHONPATH=. python tests/benchmarks/speakers.py FOLDER

FOLDER holds PolNeAR (Newell et al. 2018) as `polnear_test.jsonl.gz`: a line for each attribution,
with the `sentence` that it stands in, the `context` before it, its `source_spans`, and its place:
`context_id` and `position`.

Counted are sentences. A label is right if it has all content words of an annotated source of its
sentence, or that source has all of its words. A label that a pronoun led to is not counted either
way, since PolNeAR marks the pronoun and does not say whom it means. Recall is of the sentences with
a source that is a name or a noun.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from index.answering.attribution import annotate
from index.answering.speakers import PRONOUNS
from index.text.sentences import split
from index.text.terms import content_terms


def measure(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return precision, recall and F1 of the speakers of annotated sentences, and counts."""
    sources, sentences = defaultdict(set), {}
    for row in rows:
        for place in range(row["position"], row["position"] + row["sentences"]):
            sources[row["context_id"], place].add(_source(row))
        if row["sentences"] == 1:
            sentences[row["context_id"], row["position"]] = row
    labels = right = sourced = unchecked = 0
    for place, row in sentences.items():
        speaker = _speaker(row["context"], row["sentence"])
        nouns = {s for s in sources[place] if s and s.lower() not in PRONOUNS}
        sourced += bool(nouns)
        if speaker is None:
            continue
        if any(_one_has_all_words(speaker, noun) for noun in nouns):
            labels, right = labels + 1, right + 1
        elif sources[place] - nouns - {""} and speaker not in row["sentence"]:
            unchecked += 1
        else:
            labels += 1
    precision, recall = right / max(1, labels), right / max(1, sourced)
    f1 = 2 * right / max(1, labels + sourced)
    return {
        "sentences": len(sentences),
        "with a source": sourced,
        "labels": labels,
        "not checked": unchecked,
        "precision": precision,
        "recall": recall,
        "F1": f1,
    }


def _speaker(context: str, sentence: str) -> str | None:
    """Return the speaker of a sentence after its context; the first if our split cuts it."""
    text = f"{context} {sentence}".strip()
    start = len(text) - len(sentence)
    spans = split(text)
    named = (
        a.speaker
        for span, a in zip(spans, annotate(text, spans), strict=True)
        if span.end > start and a.speaker
    )
    return next(named, None)


def _source(row: dict[str, Any]) -> str:
    return " ".join(row["sentence"][start:end] for start, end in row["source_spans"])


def _one_has_all_words(a: str, b: str) -> bool:
    left, right = set(content_terms(a)), set(content_terms(b))
    return left <= right or right <= left


def main() -> None:
    """Print the figures of the annotated sentences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    path = parser.parse_args().folder / "polnear_test.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for name, value in measure(rows).items():
        print(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value:,}")


if __name__ == "__main__":
    main()
