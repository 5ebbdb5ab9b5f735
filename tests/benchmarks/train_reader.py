"""Train the reader: a single command from the data to its weights.

    python tests/benchmarks/train_reader.py --sets DATA --out DIR [--minutes N] [--start WEIGHTS]

A plain torch loop: sentence-transformers' CrossEncoder has one head on the first token, and this
network judges every sentence of an excerpt at once, and where the answer stands. Each worker runs
one thread on its own batches, and their weights are averaged every few steps: on shared processors
that is four times as fast as two threads in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as workers
import torch.multiprocessing as processes
from reader_data import Corpus, Example, epoch, load
from reader_network import EMBEDDINGS, build_network, collate, forward, load_weights
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import ModuleDict, functional

from index.reader.excerpts import LaidOut, lay_out

BATCH = 10  # excerpts a worker and step
WORKERS = 2
TOGETHER = 8  # steps from one averaging of the workers' weights to the next
RATE, WARM = 1e-4, 120  # peak learning rate, steps to reach it
WEIGHTS = {"answers": 1.0, "place": 0.2}  # of the heads' losses
CHUNK = 1200  # questions from which batches of like length are cut


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run."""

    sets: Path
    out: Path
    minutes: float
    excerpts: int
    start: Path | None
    seed: int
    save_every: float
    rate: float
    without: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=Path, required=True, help="folder with the data")
    parser.add_argument("--out", type=Path, required=True, help="where weights are written")
    parser.add_argument("--minutes", type=float, default=600, help="at most")
    parser.add_argument(
        "--excerpts", type=int, default=100_000, help="at most; repeatable, unlike time"
    )
    parser.add_argument(
        "--start", type=Path, help="weights to go on from, as index/reader/reader.onnx"
    )
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--save-every", type=float, default=10, help="minutes")
    parser.add_argument("--rate", type=float, default=RATE, help="peak learning rate")
    parser.add_argument("--without", nargs="*", default=[], help="sets to leave out, as wikiqa")
    settings = Settings(**vars(parser.parse_args()))
    settings.out.mkdir(parents=True, exist_ok=True)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    corpus = load(settings.sets, settings.without)
    meeting = str(settings.out.resolve() / "workers")
    Path(meeting).unlink(missing_ok=True)
    processes.start_processes(  # forked, so that the data is held once
        train, args=(settings, corpus, meeting), nprocs=WORKERS, start_method="fork"
    )


class Stepper:
    """Steps a float32 copy of the weights; the network computes in bfloat16 where that is fast."""

    def __init__(self, network: ModuleDict, rate: float) -> None:
        self.rate = rate
        self.steps = 0
        self.weights = {
            name: each.detach().clone()
            for name, each in network.named_parameters()
            if name != EMBEDDINGS
        }
        able = torch.cpu.get_capabilities()
        if able.get("amx_bf16") or able.get("avx512_bf16"):  # elsewhere 15 times as slow
            network["encoder"].bfloat16()
        self._used = dict(network.named_parameters())
        self._used[EMBEDDINGS].requires_grad_(requires_grad=False)
        matrices = [each for each in self.weights.values() if each.ndim > 1]
        others = [each for each in self.weights.values() if each.ndim < 2]
        parts = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0}]
        self._optimiser = torch.optim.AdamW(parts, lr=rate, fused=True)

    def step(self, loss: Tensor, share: float) -> None:
        """Learn from a batch; `share` of the run is over."""
        loss.backward()
        for part in self._optimiser.param_groups:
            part["lr"] = self.rate * min((self.steps + 1) / WARM, 1 - share)
        for name, each in self.weights.items():
            gradient = self._used[name].grad
            each.grad = None if gradient is None else gradient.float()
            self._used[name].grad = None
        torch.nn.utils.clip_grad_norm_(self.weights.values(), 1.0)
        self._optimiser.step()
        self.steps += 1
        self._refresh()

    def average(self) -> None:
        """Replace each worker's weights by their mean over the workers."""
        flat = torch.cat([each.reshape(-1) for each in self.weights.values()])
        workers.all_reduce(flat)
        pieces = (flat / WORKERS).split([each.numel() for each in self.weights.values()])
        for each, piece in zip(self.weights.values(), pieces, strict=True):
            each.copy_(piece.view_as(each))
        self._refresh()

    @torch.no_grad()
    def _refresh(self) -> None:
        for name, each in self.weights.items():
            self._used[name].copy_(each)


def train(worker: int, settings: Settings, corpus: Corpus, meeting: str) -> None:
    """Run one worker; the first one writes the weights and the log."""
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    workers.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=worker, world_size=WORKERS
    )
    network = build_network().train()
    if settings.start:
        network.load_state_dict(load_weights(settings.start), strict=False)
    stepper = Stepper(network, settings.rate)
    begun = saved = time.monotonic()
    excerpts, share = 0, 0.0
    losses: dict[str, float] = {}
    for batch in batches(corpus, worker, settings.seed):
        if stepper.steps % TOGETHER == 0:
            stepper.average()
            passed = (time.monotonic() - begun) / (60 * settings.minutes)
            share = workers_agree(max(passed, excerpts / settings.excerpts))
        if share >= 1:
            break
        parts = losses_of(network, *batch)
        stepper.step(
            torch.stack([WEIGHTS[name] * each for name, each in parts.items()]).sum(), share
        )
        excerpts += BATCH * WORKERS
        for name, each in parts.items():
            losses[name] = 0.98 * losses.get(name, each.item()) + 0.02 * each.item()
        if worker == 0 and stepper.steps % 40 == 0:
            log(settings.out, excerpts, time.monotonic() - begun, losses)
        if worker == 0 and time.monotonic() - saved > 60 * settings.save_every:
            saved = time.monotonic()
            save_file(stepper.weights, settings.out / f"excerpts-{excerpts}.safetensors")
    if worker == 0:
        log(settings.out, excerpts, time.monotonic() - begun, losses)
        save_file(stepper.weights, settings.out / "final.safetensors")


def batches(
    corpus: Corpus, worker: int, seed: int
) -> Iterator[tuple[list[LaidOut], list[Example]]]:
    """Yield batches of similar length for a worker, endlessly, the same in every run."""
    generator = random.Random(seed)  # noqa: S311 - the same in every run
    for number in range(1_000_000):
        chunk: list[Example] = []
        for count, examples in enumerate(epoch(corpus, seed + number), start=1):
            chunk += examples
            if count % CHUNK == 0:
                yield from _cut(chunk, worker, generator)
                chunk = []


def _cut(
    chunk: Sequence[Example], worker: int, generator: random.Random
) -> Iterator[tuple[list[LaidOut], list[Example]]]:
    texts = lay_out([each.question for each in chunk], [each.excerpt for each in chunk])
    order = sorted(range(len(chunk)), key=lambda i: len(texts[i].ids))
    size = BATCH * WORKERS
    starts = list(range(0, len(order) - size + 1, size))
    generator.shuffle(starts)
    for start in starts:
        rows = order[start + worker : start + size : WORKERS]
        yield [texts[i] for i in rows], [chunk[i] for i in rows]


def losses_of(
    network: ModuleDict, texts: Sequence[LaidOut], examples: Sequence[Example]
) -> dict[str, Tensor]:
    """Return each head's mean loss over the sentences that it has labels for."""
    answers, place = forward(network, collate(texts))
    known = [
        (row, text.ends[i], float(right))
        for row, (text, each) in enumerate(zip(texts, examples, strict=True))
        for i, right in enumerate(each.answers)
        if right is not None
    ]
    out = {}
    if known:
        rows, ends, right = zip(*known, strict=True)
        logits = answers[list(rows), list(ends)]
        out["answers"] = functional.binary_cross_entropy_with_logits(logits, torch.tensor(right))
    places = [
        functional.cross_entropy(
            place[row, text.first(i) : text.ends[i] + 1].T, torch.tensor(tokens), reduction="sum"
        )
        for row, (text, each) in enumerate(zip(texts, examples, strict=True))
        for i, span in each.places.items()
        if (tokens := tokens_of(text.offsets[i], span))
    ]
    if places:
        out["place"] = torch.stack(places).mean()
    return out


def tokens_of(offsets: Sequence[tuple[int, int]], span: tuple[int, int]) -> tuple[int, int] | None:
    """Return first and last token of the answer in a sentence; None if it was cut off."""
    start, end = span
    inside = [i for i, (left, right) in enumerate(offsets) if left < end and right > start]
    if not inside or offsets[inside[-1]][1] < end:
        return None
    return inside[0], inside[-1]


def workers_agree(share: float) -> float:
    """Return the first worker's value, in every worker."""
    value = torch.tensor(share)
    workers.broadcast(value, 0)
    return float(value)


def log(out: Path, excerpts: int, seconds: float, losses: dict[str, float]) -> None:
    line = {"excerpts": excerpts, "seconds": round(seconds)}
    line |= {name: round(loss, 4) for name, loss in losses.items()}
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
