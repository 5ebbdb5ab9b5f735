"""Choose the passages to quote from a ranking, in its order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime

from index.answering.conflicts import REBUTS, Statement, is_negative, negates, relate, same_speaker
from index.answering.independence import independence
from index.domain import Passage
from index.errors import optional
from index.ranking.query import Order
from index.ranking.rank import READ, Ranking
from index.text.quantities import units
from index.text.rewrites import facts_differ, read, same_sentence
from index.text.terms import content_terms

MAX_QUOTES = 4
CANDIDATES = READ  # sentences that may be quoted
_DEEP = 30  # sentences searched for a denial of a quote, or for the claim that it denies
# How far below the best score a quote may be, as a share of that score's lead over the mean. Scores
# with the reader's lie further apart: at .35, 43 % of its quotes on real news did not answer, at
# .25 38 %.
_SPREAD, _SPREAD_READ = 0.35, 0.25
_UNLIKELY = 0.1  # probability of an answer below which only the best sentence is quoted
_NEAR_COPY = 0.5  # share of common terms (Jaccard) above which a second quote adds nothing
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
_FIGURES = frozenset({"date", "amount", "number", "place"})  # answer types that denials never give


@dataclass(slots=True)
class _Group:
    """A passage that is being put together.

    Attributes:
        statements: its sentences, best first.
        score: the best sentence's score.
        also: the same statement in other articles, by article id.
    """

    statements: list[Statement]
    score: float
    also: dict[str, Statement] = field(default_factory=dict)

    @property
    def best(self) -> Statement:
        return self.statements[0]

    def quote(self, statement: Statement) -> None:
        """Quote a statement of `also` instead of the best statement."""
        if self.also.pop(statement.article.article_id, None):
            self.also[self.best.article.article_id] = self.best
            self.statements = [statement]

    def passage(self) -> Passage:
        sentences = sorted((s.sentence for s in self.statements), key=lambda s: s.position)
        best = self.best
        return Passage(best.article, tuple(sentences), best.sentence, self.score, tuple(self.also))


def passages(
    ranking: Ranking, rewrites: Mapping[str, AbstractSet[str]], most: int = MAX_QUOTES
) -> list[Passage]:
    """Return the passages to quote, best first.

    A sentence is quoted if the reader judges that it answers, or if it ranks near the best and the
    reader does not think that unlikely. Neighbouring sentences form one passage, and so do copies
    of a sentence in rewrites of an article. A denial is put beside a leading claim, and the latest
    count beside a leading earlier count. If the question asks for the latest (or the first)
    reports, the newest (or the oldest) passage leads.

    Args:
        ranking: the ranked sentences.
        rewrites: for each article id, the ids of the articles that copy or rewrite it.
        most: the number of passages at most.
    """
    statements = [
        Statement(ranking.articles[s.article_id], s, ranking.vectors.get(s.sentence_id))
        for s in ranking.sentences[:_DEEP]
    ]
    groups = _in_time(ranking.query.order, _grouped(ranking, statements, rewrites, most))
    if not groups:
        return []
    if ranking.query.answer_type not in _FIGURES:
        optional(None, _set_beside, ranking, groups, statements, most)
    elif ranking.query.counted and ranking.query.order != "oldest":
        optional(None, _bring_up_to_date, ranking, groups, statements, most)
    return [group.passage() for group in groups]


def _grouped(
    ranking: Ranking,
    statements: list[Statement],
    rewrites: Mapping[str, AbstractSet[str]],
    most: int,
) -> list[_Group]:
    groups: list[_Group] = []
    for statement, score in _worth_quoting(ranking, statements):
        beside = next((group for group in groups if _adjoins(group, statement)), None)
        if beside is not None and _one_voice(beside.best, statement):
            if len(beside.statements) == 1:
                beside.statements.append(statement)
            continue
        same = optional(None, _group_of, statement, groups, rewrites)
        if same is None and len(groups) < most:
            groups.append(_Group([statement], score))
        elif same is not None and same.best.article is not statement.article:
            same.also.setdefault(statement.article.article_id, statement)
    return groups


def _worth_quoting(
    ranking: Ranking, statements: list[Statement]
) -> Iterator[tuple[Statement, float]]:
    """Return the statements that may be quoted, best first, with their scores."""
    scored = [*zip(statements[:CANDIDATES], ranking.scores.tolist(), strict=False)]
    readings = [ranking.readings.get(statement.sentence.sentence_id) for statement, _ in scored]
    several = len(ranking.query.clauses) > 1  # each may be answered by another sentence
    best = scored[0][1] if scored else 0.0
    spread = _SPREAD_READ if ranking.readings else _SPREAD
    # Rounding may put the mean of equal scores above all of them.
    floor = best - spread * max(0.0, best - float(ranking.scores.mean())) if scored else 0.0
    articles: set[str] = set()
    for rank, ((statement, score), reading) in enumerate(zip(scored, readings, strict=True)):
        # further sentences of the same article have to be nearer to the best
        known = statement.article.article_id in articles
        near = rank < 2 or not known or score >= (best + floor) / 2 or _rebuts(statement)  # noqa: PLR2004
        likely = rank == 0 or several or reading is None or reading.probability >= _UNLIKELY
        if (reading and reading.answers) or (score >= floor and near and likely):
            articles.add(statement.article.article_id)
            yield statement, score


def _rebuts(statement: Statement) -> bool:
    return bool(REBUTS.search(statement.sentence.text))


def _adjoins(group: _Group, statement: Statement) -> bool:
    return group.best.article is statement.article and any(
        abs(other.sentence.position - statement.sentence.position) == 1
        for other in group.statements
    )


def _one_voice(a: Statement, b: Statement) -> bool:
    """Return whether one quote may hold both: not if two speakers, or a claim and a denial."""
    left, right = a.sentence, b.sentence
    if None not in {left.speaker, right.speaker} and not same_speaker(left.speaker, right.speaker):
        return False
    return (left.act == "denial") == (right.act == "denial")


def _group_of(
    statement: Statement, groups: list[_Group], rewrites: Mapping[str, AbstractSet[str]]
) -> _Group | None:
    """Return the group whose best statement a statement repeats."""
    return next((group for group in groups if _repeats(statement, group.best, rewrites)), None)


def _repeats(a: Statement, b: Statement, rewrites: Mapping[str, AbstractSet[str]]) -> bool:
    """Return whether two statements say the same in the same words, without being independent."""
    first, second = a.sentence.text, b.sentence.text
    # A rewrite may well say "could not be crossed" for "was impassable".
    copied = b.article.article_id in rewrites.get(a.article.article_id, ())
    if is_negative(first) != is_negative(second) and (not copied or negates(first, second)):
        return False
    if bool(REBUTS.search(first)) != bool(REBUTS.search(second)):
        return False
    left, right = set(content_terms(first)), set(content_terms(second))
    common = len(left & right) > _NEAR_COPY * len(left | right)
    near = common and not facts_differ(read(first), read(second))
    if a.article is b.article or left == right:
        return near
    return (near or same_sentence(first, second)) and not independence(
        (a.article, b.article), rewrites
    )[0]


def _in_time(order: Order | None, groups: list[_Group]) -> list[_Group]:
    """Sort groups by the date of their articles, undated last, if the question asks for it."""
    if order is None:
        return groups
    newest = order == "newest"
    unknown = _LONG_AGO if newest else datetime(9999, 1, 1, tzinfo=UTC)
    return sorted(groups, key=lambda group: group.best.article.published or unknown, reverse=newest)


def _set_beside(
    ranking: Ranking, groups: list[_Group], statements: list[Statement], most: int
) -> None:
    """Add the best denial after the leading claim, or the claim after a leading denial."""
    question = ranking.query.question
    leading = max(groups, key=lambda group: group.score)
    quoted = [statement for group in groups for statement in group.statements]
    if any(_disagree(question, a, b) for a in leading.statements for b in quoted):
        return
    for rank, statement in enumerate(statements):
        far = rank >= CANDIDATES and not is_negative(statement.sentence.text)
        if far or statement in quoted:
            continue
        alike = (leading.best, *leading.also.values())
        against = next((s for s in alike if _disagree(question, s, statement)), None)
        if against is None:
            continue
        leading.quote(against)
        holder = next((other for other in groups if statement in other.also.values()), None)
        if holder is not None:
            holder.quote(statement)
        else:
            _insert(groups, leading, _Group([statement], float(ranking.scores[rank])), most)
        return


def _bring_up_to_date(
    ranking: Ranking, groups: list[_Group], statements: list[Statement], most: int
) -> None:
    """Add the newest report that counts what the leading report counts, but has another number."""
    leading = max(groups, key=lambda group: group.score)
    counting = [s for s in statements if ranking.query.counted & units(s.plain)]
    later = [s for s in counting if _updates(ranking.query.question, s, leading.best)]
    newest = max(later, key=lambda s: s.article.published or _LONG_AGO, default=None)
    if newest and not any(newest in (*g.statements, *g.also.values()) for g in groups):
        score = float(ranking.scores[statements.index(newest)])
        _insert(groups, leading, _Group([newest], score), most)


def _insert(groups: list[_Group], leading: _Group, group: _Group, most: int) -> None:
    """Insert a group after the leading group; if there are too many, drop the last other group."""
    position = groups.index(leading)
    groups.insert(position + 1, group)
    if len(groups) > most:
        groups.pop(-1 if position + 1 < most else position - 1)


def _updates(question: str, later: Statement, earlier: Statement) -> bool:
    relation = relate(question, later, earlier)
    return relation is not None and (relation.kind, relation.against) == ("updated", 0)


def _disagree(question: str, a: Statement, b: Statement) -> bool:
    """Return whether one statement denies the other; exactly one of them has to be negative."""
    if is_negative(a.sentence.text) == is_negative(b.sentence.text):
        return False
    relation = relate(question, a, b)
    return relation is not None and relation.kind == "disagree"
