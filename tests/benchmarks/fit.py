"""Fit index/ranking/ranking.json on public question sets, and print how well that generalises.

    python tests/benchmarks/fit.py --sets DIR --data FOLDER [--only NAME ...] [--write]

Two stages: the weights of the features that choose what is read, then the weight of the reader's
score, on questions that it was not trained with.

Ranking: a listwise conditional logit (each gold sentence against all wrong ones of its question)
over the product's own features, every set with the same weight, each weight kept to its sensible
sign. Printed are folds of every set at once ("folds") and each set with weights fitted on the
others only ("left out"). Confidence: a logistic model of "answerable" over the inputs of
`confidence_features` and `read_confidence_features`, news twice as heavy as the other sets.
Weights "by_hand" stay as they are: no public set has questions of those forms. Nothing is written
without --write.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp
from sets import Item, QuestionSet
from sets import read as read_sets
from sklearn.linear_model import LogisticRegression

from bot.cli.evaluate import answered_at, auroc, ndcg
from index.ranking.features import JUDGING, scaled
from index.ranking.model import Model, packaged
from index.ranking.rank import Candidates, Ranking, ranked, read
from index.reader.excerpts import Excerpt
from index.reader.model import Reading, TrainedReader

NAMES = ["multihop", "squad", "clapnq", "trecqa", "wikiqa", "scifact", "news"]
NEWS_WEIGHT = {"multihop": 2.0, "news": 2.0}  # with the reader: the others are encyclopedias
SIGNS = {"length": 0, "asks": -1, "unfinished": -1}  # all others +1
FOLDS, PENALTY = 5, 0.001
RESAMPLES = 1_000
BINS = 5  # of confidence
READER_WEIGHTS = np.arange(0, 4.1, 0.25)
FLAT = 0.005  # losses that differ by less are alike: then the reader, which sees more, decides
SHARPNESS = np.array([0.2, 0.3, 0.5, 0.7, 1.0, 1.4])
Grid = npt.NDArray[np.float64]
Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Example:
    """A question for the fit: a gold row's features, those of all wrong rows, its weight."""

    gold: Grid
    shares: Grid
    wrong: Grid


# Ranking


def matrix(found: Candidates, names: Sequence[str]) -> Grid:
    """Return the weighted features: (n, features)."""
    return np.stack([scaled(name, found.features[name]) for name in names], 1).astype(np.float64)


def example(item: Item, names: Sequence[str], blind: frozenset[str], now: Grid) -> Example | None:
    """Return a question as a fit sees it; `now` are the weights so far."""
    grid = matrix(item.blinded or item.found, names)
    grid[:, [name in blind for name in names]] = 0.0
    owners = np.array([sentence.article_id for sentence in item.found.rows.sentences])
    if item.relevant:
        right = np.isin(owners, list(item.relevant))
        scores = np.where(right, grid @ now, -np.inf)
        best = {
            owner: int(np.argmax(np.where(owners == owner, scores, -np.inf)))
            for owner in owners[right]
        }
        facts: list[tuple[int, ...]] = [(row,) for row in best.values()]
    else:
        facts = [fact for fact in item.facts if fact]
        right = np.zeros(len(owners), dtype=bool)
        right[[row for fact in facts for row in fact]] = True
    if not facts or right.all():
        return None
    rows = [row for fact in facts for row in fact]
    shares = [1 / len(facts) / len(fact) for fact in facts for _ in fact]
    return Example(grid[rows], np.array(shares), grid[~right])


def fit(parts: Sequence[tuple[QuestionSet, Sequence[Item]]], names: Sequence[str]) -> Grid:
    """Return weights (features,) for several sets, each with the same influence."""
    bounds = [{1: (0, None), -1: (None, 0), 0: (None, None)}[SIGNS.get(name, 1)] for name in names]
    weights = np.array([float("dense" in name) for name in names])
    for _ in range(3 if any(item.relevant for _, items in parts for item in items) else 1):
        made = [
            [one for item in items if (one := example(item, names, owner.blind, weights))]
            for owner, items in parts
        ]
        loss = _loss([examples for examples in made if examples])
        weights = minimize(loss, weights, jac=True, method="L-BFGS-B", bounds=bounds).x
    return weights


def _loss(sets: Sequence[Sequence[Example]]) -> Callable[[Grid], tuple[float, Grid]]:
    """Return mean negative log-likelihood and its gradient, all questions in one array."""
    examples = [one for own in sets for one in own]
    sizes = np.array([len(one.wrong) for one in examples])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    wrong = np.concatenate([one.wrong for one in examples])
    gold = np.concatenate([one.gold for one in examples])
    question = np.repeat(np.arange(len(examples)), [len(one.gold) for one in examples])
    shares = np.concatenate([one.shares / len(own) / len(sets) for own in sets for one in own])
    of_wrong = np.repeat(np.arange(len(examples)), sizes)

    def loss(weights: Grid) -> tuple[float, Grid]:
        scores = wrong @ weights
        highest = np.maximum.reduceat(scores, starts)
        powers = np.exp(scores - highest[of_wrong])
        sums = np.add.reduceat(powers, starts)
        behind = (np.log(sums) + highest)[question] - gold @ weights
        value = shares @ np.logaddexp(0, behind) + PENALTY / 2 * weights @ weights
        pull = shares / (1 + np.exp(-behind))
        each = np.bincount(question, pull, minlength=len(examples))
        gradient = wrong.T @ (powers / sums[of_wrong] * each[of_wrong]) - gold.T @ pull
        return float(value), gradient + PENALTY * weights

    return loss


def rankings(items: Sequence[Item], names: Sequence[str], weights: Grid) -> list[Ranking]:
    """Return the product's rankings with these weights."""
    model = Model(dict(zip(names, weights.tolist(), strict=True)), 0.6, {})
    return [ranked(item.found, model) for item in items]


# Measures


def figures(item: Item, ranking: Ranking) -> dict[str, float]:
    """Return the figures of a question."""
    if item.relevant:
        ids = [article.article_id for article, _ in ranking.by_article()]
        return {"ndcg@10": ndcg(ids, dict.fromkeys(item.relevant, 1), 10)}
    place = {sentence.sentence_id: rank for rank, sentence in enumerate(ranking.sentences, 1)}
    sentences = item.found.rows.sentences
    ranks = [
        min((place[sentences[row].sentence_id] for row in fact), default=10_000)
        for fact in item.facts
    ]
    first = min(ranks)
    if sentences[0].sentence_id == 0:  # given candidates
        gold = sorted(place[sentences[row].sentence_id] for fact in item.facts for row in fact)
        mean = float(np.mean([n / rank for n, rank in enumerate(gold, 1)]))
        return {"map": mean, "mrr": 1 / first}
    return {
        "hit@10": float(first <= 10),
        "hit@4": float(first <= 4),
        "mrr@10": 1 / first if first <= 10 else 0.0,
        "found@10": float(np.mean([rank <= 10 for rank in ranks])),
    }


def judged(one: QuestionSet) -> list[Item]:
    """Return the questions of a set that have something right to find."""
    return [item for item in one.test if item.facts or item.relevant]


def table(title: str, sets: Sequence[QuestionSet], runs: Mapping[str, list[Ranking]]) -> None:
    """Print means with bootstrap intervals."""
    print(f"\n{title}")
    for one in sets:
        rows = [figures(*pair) for pair in zip(judged(one), runs[one.name], strict=True)]
        shown = []
        for name in rows[0]:
            values = np.array([row[name] for row in rows])
            low, high = interval(values)
            shown.append(f"{name} {values.mean():.3f} [{low:.3f}, {high:.3f}]")
        print(f"  {one.name:9s} n {len(rows):4d}  " + "  ".join(shown))


def interval(values: Grid) -> tuple[float, float]:
    """Return the 95 % interval of the mean, by the percentile bootstrap."""
    draw = np.random.default_rng(0)
    means = [draw.choice(values, len(values)).mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def in_folds(sets: Sequence[QuestionSet], names: Sequence[str]) -> dict[str, list[Ranking]]:
    """Return rankings by weights fitted without each question, every set in folds at once."""
    made: dict[str, dict[int, Ranking]] = {one.name: {} for one in sets}
    for fold in range(FOLDS):
        parts, held = [], {}
        for one in sets:
            items = judged(one)
            out = np.random.default_rng(0).permutation(len(items))[fold::FOLDS].tolist()
            held[one.name] = out
            kept = [item for number, item in enumerate(items) if number not in set(out)]
            parts.append((one, kept + one.train))
        weights = fit(parts, names)
        for one in sets:
            out = held[one.name]
            found = rankings([judged(one)[number] for number in out], names, weights)
            made[one.name].update(zip(out, found, strict=True))
    return {name: [runs[number] for number in sorted(runs)] for name, runs in made.items()}


def left_out(sets: Sequence[QuestionSet], names: Sequence[str]) -> dict[str, Grid]:
    """Return, for each set, the weights fitted on all others."""
    return {
        one.name: fit([(o, judged(o) + o.train) for o in sets if o is not one], names)
        for one in sets
    }


# Confidence


def evidence(runs: Sequence[Ranking]) -> Grid:
    """Return signs of sufficiency (questions, signs), without the bias."""
    return np.array([[v for k, v in run.evidence.items() if k != "bias"] for run in runs])


def logistic(parts: Sequence[tuple[float, Grid, Grid]]) -> tuple[Grid, float]:
    """Return weights and bias; a part (weight, signs, answerable) counts by its weight."""
    grid = np.concatenate([own for _, own, _ in parts])
    answerable = np.concatenate([own for _, _, own in parts])
    shares = np.concatenate(
        [np.where(own == 1, part / own.sum(), part / (1 - own).sum()) for part, _, own in parts]
    )
    mean, deviation = grid.mean(0), grid.std(0) + 1e-6
    fitted = LogisticRegression(C=0.3, max_iter=1_000).fit(
        (grid - mean) / deviation, answerable, sample_weight=shares / shares.mean()
    )
    weights = fitted.coef_[0] / deviation
    return weights, float(fitted.intercept_[0] - weights @ mean)


def confidence(
    title: str, sets: Sequence[QuestionSet], runs: Mapping[str, list[Ranking]]
) -> dict[str, float]:
    """Fit the confidence on rankings; print how it generalises and what each threshold does.

    Args:
        title: printed above the tables.
        sets: those with a run are judged, if they have unanswerable questions.
        runs: rankings of the test questions of a set, by its name.
    """
    truth = {
        one.name: np.array([float(item.answerable) for item in one.test])
        for one in sets
        if one.name in runs
    }
    inside = {
        name: (NEWS_WEIGHT.get(name, 1.0), evidence(runs[name]), own)
        for name, own in truth.items()
        if 0 < own.mean() < 0.9
    }
    folds = {name: _in_folds(name, inside) for name in inside}
    print(f"\n{title}: AUROC, answerable answered where 5 % of unanswerable are")
    for name, (_, own, _) in inside.items():
        fitted, bias = logistic([part for other, part in inside.items() if other != name])
        shown = [_separation(one, truth[name]) for one in (folds[name], own @ fitted + bias)]
        print(f"  {name:9s} n {len(own):4d}  folds {shown[0]}  left out {shown[1]}")
    chances = {name: 1 / (1 + np.exp(-scores)) for name, scores in folds.items()}
    _reliability(chances, truth)
    _curve(chances, truth)
    fitted, bias = logistic([*inside.values()])
    labels = [name for name in next(iter(runs.values()))[0].evidence if name != "bias"]
    return {"bias": round(bias, 3)} | {
        n: round(w, 3) for n, w in zip(labels, fitted.tolist(), strict=True)
    }


def _in_folds(name: str, parts: Mapping[str, tuple[float, Grid, Grid]]) -> Grid:
    """Return log-odds of a set's questions by models fitted without them."""
    share, grid, answerable = parts[name]
    others = [part for other, part in parts.items() if other != name]
    scores = np.zeros(len(grid))
    for fold in range(FOLDS):
        held = np.random.default_rng(0).permutation(len(grid))[fold::FOLDS]
        kept = np.setdiff1d(np.arange(len(grid)), held)
        weights, bias = logistic([(share, grid[kept], answerable[kept]), *others])
        scores[held] = grid[held] @ weights + bias
    return scores


def _separation(scores: Grid, answerable: Grid) -> str:
    positives, negatives = scores[answerable == 1], scores[answerable == 0]
    return f"{auroc(positives, negatives):.3f} {answered_at(positives, negatives):.2f}"


def _reliability(chances: Mapping[str, Grid], truth: Mapping[str, Grid]) -> None:
    """Print the share of answerable questions by confidence, and the expected calibration error.

    (Naeini et al. 2015: the mean gap between the two, over bins by their size.)
    """
    print("\nreliability in folds: share answerable (questions) by confidence; calibration error")
    for name, chance in chances.items():
        places, shown, error = np.minimum(chance * BINS, BINS - 1).astype(int), [], 0.0
        for place in range(BINS):
            own = places == place
            if own.any():
                error += own.mean() * abs(float(chance[own].mean() - truth[name][own].mean()))
            shown.append(f"{truth[name][own].mean():.2f} ({own.sum()})" if own.any() else "-")
        print(f"  {name:9s} " + "  ".join(shown) + f"  error {error:.3f}")


def _curve(chances: Mapping[str, Grid], truth: Mapping[str, Grid]) -> None:
    print("\nshare of answerable / unanswerable questions answered in folds, by threshold")
    for threshold in (0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7):
        shown = []
        for name, chance in chances.items():
            over = chance >= threshold
            yes, no = over[truth[name] == 1].mean(), over[truth[name] == 0].mean()
            shown.append(f"{name} {yes:.2f}/{no:.2f}")
        print(f"  {threshold:.2f}  " + "  ".join(shown))


def main() -> None:
    """Read, fit, print, and write if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sets", type=Path, required=True, help="folder of data sets")
    parser.add_argument("--data", type=Path, required=True, help="where collections are kept")
    parser.add_argument("--only", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--without", nargs="+", default=[], help="features to leave out")
    parser.add_argument(
        "--reader-only", action="store_true", help="keep the features' weights: for a new reader"
    )
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    sets = read_sets(arguments.sets, arguments.data, arguments.only)
    report(sets, arguments.without, reader_only=arguments.reader_only, write=arguments.write)


def report(
    sets: Sequence[QuestionSet], without: Sequence[str], *, reader_only: bool, write: bool
) -> None:
    """Fit on the sets and print the tables."""
    if reader_only:
        names = [*packaged().fitted]
        weights = np.array([*packaged().fitted.values()])
    else:
        left_aside = JUDGING | {*packaged().by_hand} | {*without}
        names = [name for name in sets[0].test[0].found.features if name not in left_aside]
        weights = fit_features(sets, names)
    nothing_read = dict(packaged().confidence)
    if not reader_only:
        plain = {one.name: rankings(one.test, names, weights) for one in sets}
        nothing_read = confidence("confidence, nothing read", sets, plain)
    made: dict[str, object] = {
        "fitted": {n: round(w, 2) for n, w in zip(names, weights.tolist(), strict=True)},
        "by_hand": dict(packaged().by_hand),
        "same_article": packaged().same_article,
        "confidence": nothing_read,
    }
    new = [
        replace(one, test=[item for item in one.test if item.unread], train=[])
        for one in sets
        if one.name != "scifact"  # its claims are no questions
    ]
    plain = {one.name: rankings(one.test, names, weights) for one in new}
    table("before reading, on the same questions", new, answerable(new, plain))
    made["reader"], again = with_reader(new, plain)
    table("with the reader, where it was not trained", new, answerable(new, again))
    single = [
        replace(one, test=[i for i in one.test if not i.found.query.has_many_clauses])
        for one in new
    ]
    before, after = (
        {name: [r for r in runs[name] if not r.query.has_many_clauses] for name in runs}
        for runs in (plain, again)
    )
    made["read_confidence"] = confidence("confidence, few clauses, read", single, after)
    print("\nAUROC of the confidence before reading, on the same questions of few clauses")
    for one in single:
        scores = [
            sum(weight * run.evidence[name] for name, weight in nothing_read.items())
            for run in before[one.name]
        ]
        kinds = np.array([item.answerable for item in one.test])
        if 0 < kinds.mean() < 1:
            separated = auroc(np.array(scores)[kinds], np.array(scores)[~kinds])
            print(f"  {one.name:9s} {separated:.3f}")
    print("\n" + json.dumps(made, indent=2))
    if write:
        text = json.dumps(made, indent=2) + "\n"
        Path("index/ranking/ranking.json").write_text(text, encoding="utf-8")


def fit_features(sets: Sequence[QuestionSet], names: Sequence[str]) -> Grid:
    """Fit the weights (features,) that choose sentences to read; print how they generalise."""
    table("folds of every set at once", sets, in_folds(sets, names))
    outside = left_out(sets, names)
    runs = {one.name: rankings(judged(one), names, outside[one.name]) for one in sets}
    table("left out: fitted on the other sets only", sets, runs)
    return fit([(one, judged(one) + one.train) for one in sets], names)


def answerable(
    sets: Sequence[QuestionSet], runs: Mapping[str, list[Ranking]]
) -> dict[str, list[Ranking]]:
    """Return the rankings of the questions that have something right to find."""
    return {
        one.name: [
            run
            for run, item in zip(runs[one.name], one.test, strict=True)
            if item.facts or item.relevant
        ]
        for one in sets
    }


def with_reader(
    sets: Sequence[QuestionSet], runs: Mapping[str, list[Ranking]]
) -> tuple[dict[str, float], dict[str, list[Ranking]]]:
    """Return the weights of the reader's score by `Model.reader`, and the rankings with them.

    Of some weights the largest of the likeliest, by a softmax over the sentences read, as sharp or
    as flat as suits each weight, since only the order matters.
    """
    reader = RememberingReader()
    losses: dict[str, list[Grid]] = {"few": [], "many": []}
    shares: dict[str, list[float]] = {"few": [], "many": []}
    for one in sets:
        own: dict[str, list[Grid]] = {kind: [] for kind in losses}
        for item, run in zip(one.test, runs[one.name], strict=True):
            ids = [sentence.sentence_id for sentence in item.found.rows.sentences]
            gold = {ids[row] for fact in item.facts for row in fact}
            top = read(run, reader, Model({}, 0.6, {}, dict.fromkeys(losses, 0.0)))
            known = [i for i, s in enumerate(top.sentences) if s.sentence_id in top.readings]
            right = np.array([top.sentences[i].sentence_id in gold for i in known])
            if right.any() and not right.all():
                column = top.features["reader"][known]
                scores = top.scores[known] + np.outer(READER_WEIGHTS, column)
                logits = SHARPNESS[:, None, None] * scores
                loss = logsumexp(logits, axis=2) - logsumexp(logits[..., right], axis=2)
                own["many" if run.query.has_many_clauses else "few"].append(loss)
        for kind, rows in own.items():
            if rows and (kind == "few" or one.name == "multihop"):  # the others have few of many
                losses[kind].append(np.mean(rows, axis=0))
                shares[kind].append(NEWS_WEIGHT.get(one.name, 1.0))
    weights = {}
    for kind, of_sets in losses.items():
        loss = np.average(of_sets, axis=0, weights=shares[kind]).min(0)
        shown = (f"{w:g} {each:.3f}" for w, each in zip(READER_WEIGHTS, loss, strict=True))
        print(f"\nweight of the reader, {kind} clause(s), mean loss: " + "  ".join(shown))
        weights[kind] = float(READER_WEIGHTS[loss <= loss.min() + FLAT].max())
    model = Model({}, 0.6, {}, weights)
    return weights, {name: [read(run, reader, model) for run in own] for name, own in runs.items()}


class RememberingReader:
    """The packaged reader, which reads each excerpt only once."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self._reader = TrainedReader()
        self._known: dict[tuple[str, Excerpt], list[Reading]] = {}
        self.model = self._reader.model

    def read(self, question: str, excerpts: Sequence[Excerpt]) -> list[list[Reading]]:
        """Read what was not read yet."""
        new = [each for each in dict.fromkeys(excerpts) if (question, each) not in self._known]
        for each, readings in zip(new, self._reader.read(question, new), strict=True):
            self._known[question, each] = readings
        return [self._known[question, each] for each in excerpts]


if __name__ == "__main__":
    main()
