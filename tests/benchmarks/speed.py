"""How fast is it? Sentences a second and peak memory of adding, milliseconds a question.

    python tests/benchmarks/speed.py FILE.jsonl.gz [FILE ...] [--questions QUERIES.jsonl]

Beside it: the encoder alone on the same sentences, and txtai where it is installed, set up as a
user would (the same model, hybrid). Run by hand on a quiet machine; results stand in README with
machine and date.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from index.answering.ask import Asker
from index.archive import Archive
from index.encoder import PackagedEncoder
from index.network import packaged_folder, prepare_process

ASKED = 200
CORES = os.cpu_count() or 1
QUESTIONS = [
    "Who leads the offensive?",
    "How many people were killed in the earthquake?",
    "When did the central bank raise interest rates?",
    "What did the minister say about the budget deficit and the strike?",
    "Where was the oil spill first reported?",
]


def main() -> None:
    """Add the files to a new collection, add them again, then ask."""
    prepare_process()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--questions", type=Path)
    arguments = parser.parse_args()
    questions = QUESTIONS
    if arguments.questions:
        lines = arguments.questions.read_text(encoding="utf-8").splitlines()
        questions = [json.loads(line)["text"] for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.open(Path(folder), "speed", PackagedEncoder(threads=CORES))
        for word in ("add", "add again"):
            report = archive.add(arguments.files)
            sentences = sum(change.sentences for change in report.added)
            print(
                f"{word}: {len(report.added)} articles, {sentences} sentences, "
                f"{report.seconds:.1f} s, {sentences / report.seconds:.0f} sentences/s, "
                f"{len(report.failed)} failed, {report.unchanged} unchanged, "
                f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
            )
        texts = [
            sentence.text
            for article in archive.articles()
            for sentence in archive.sentences(article.article_id)
        ]
        archive.close()
        encoder = PackagedEncoder(threads=CORES)
        encoder.encode(texts[:1])  # loads the model
        rate("the encoder alone", len(texts), lambda: encoder.encode(texts))
        ask(Path(folder), questions)
        if find_spec("txtai"):
            search_txtai(texts, questions)


def rate(what: str, sentences: int, work: Callable[[], object]) -> None:
    """Print how many sentences a second some work handles."""
    started = time.perf_counter()
    work()
    print(f"{what}: {sentences / (time.perf_counter() - started):.0f} sentences/s")


def ask(folder: Path, questions: list[str]) -> None:
    """Ask like the bot without its reader: one thread, everything warm."""
    encoder = PackagedEncoder()
    archive = Archive.open(folder, "speed", encoder)
    archive.ask(questions[0])  # loads the models
    whole, encoding = [], []
    for number in range(ASKED):
        archive._asked = Asker(archive._ranker)  # which would remember the answer
        question = questions[number % len(questions)]
        started = time.process_time()
        archive.ask(question)
        middle = time.process_time()
        encoder.encode([question])
        whole.append(1000 * (middle - started))
        encoding.append(1000 * (time.process_time() - middle))
    whole.sort()
    print(
        f"ask: {archive.size().sentences} sentences, median {statistics.median(whole):.1f} ms, "
        f"95th percentile {whole[int(0.95 * ASKED)]:.1f} ms; encoding the question alone "
        f"{statistics.median(encoding):.1f} ms (processor time)"
    )
    archive.close()


def search_txtai(texts: list[str], questions: list[str]) -> None:
    """Search the same sentences with the same questions in txtai."""
    import torch  # noqa: PLC0415 - only where txtai is
    from txtai import Embeddings  # noqa: PLC0415

    torch.set_num_threads(CORES)
    rival = Embeddings(path=str(packaged_folder()), hybrid=True, content=True)
    rate("txtai", len(texts), lambda: rival.index(texts))
    torch.set_num_threads(1)
    spent = []
    for number in range(ASKED):
        started = time.process_time()
        rival.search(questions[number % len(questions)], 10)
        spent.append(1000 * (time.process_time() - started))
    print(
        f"txtai: search, median {statistics.median(spent):.1f} ms, "
        f"95th percentile {sorted(spent)[int(0.95 * ASKED)]:.1f} ms (processor time)"
    )


if __name__ == "__main__":
    main()
