"""A ranking -> the passages to quote: each origin once, denials beside claims, in time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import combinations

from index.answering.conflicts import REBUTS, Statement, is_negative, relate, same_speaker
from index.answering.independence import share_source
from index.domain import Act, Filters, FollowUp, Passage
from index.ranking.rank import Ranking
from index.text.dates import DateRange, as_written, date_ranges
from index.text.rewrites import facts_differ, is_rewrite, read, same_sentence
from index.text.terms import STOP_TERMS, content_terms, terms

MAX_QUOTES = 4
CANDIDATES = 12  # sentences looked at for quotes
_DEEP = 30  # of them looked through for a denial or a correction of what is quoted
_CLOSE = 5  # of them, whose speaker may be who is asked about
_SPREAD = 0.35  # of the best score's lead over the mean, that a further quote may lie under it
NEAR_COPY = 0.5  # share of terms in common (Jaccard) above which a second quote adds nothing
_TIMELY = 1.5  # added to the score of a sentence that speaks of the time asked for

_ASKED_ACT = 1.5  # added to a sentence of the act that is asked about: who denied, who confirmed
_OWN_WORDS = 5.0  # added to what is said by whom a question asks what they said
_NEW_WORDS = 3.0  # added to a sentence that has all the new words of a follow-up
_TOLD = 4.0  # taken off a sentence that was quoted in the answer before it
_BARE = 3  # words of a follow-up without one of its own, at most

_FIGURES = frozenset({"date", "amount", "number", "place"})  # what nobody denies: a denial strays

# A further sentence of a report already quoted must lie nearer to the best one, unless it rebuts.
_ACTS: dict[Act, re.Pattern[str]] = {
    "denial": re.compile(rf"\bwho\b.*?{REBUTS.pattern}\w*", re.IGNORECASE),
    "claim": re.compile(r"\bwho\b.*?\b(?:claim|said|says|alleg|accus)\w*", re.IGNORECASE),
    "confirmation": re.compile(r"\bwho\b.*?\b(?:confirm|admit|acknowledg)\w*", re.IGNORECASE),
}
_WHAT = re.compile(
    r"\bwhat (?:did|do|does|has|have|had|else did) (?P<who>[^?]+?) (?P<verb>say|said|den(?:y|ied)"
    r"|claim|confirm|announce|report|promise|warn|tell|told)\w*\b(?P<about>[^?]*)",
    re.IGNORECASE,
)
_VIEW = re.compile(r"\b(?:what|how) about\b|\bwhat\b.*\bsa(?:y|id)\b", re.IGNORECASE)
_SUPERSEDED = re.compile(
    r"\bhad (?:\w+ )?(?:said|announced|promised|planned|estimated|reported)\b", re.IGNORECASE
)
_NEWEST = re.compile(
    r"\b(?:latest|newest|most recent|current(?:ly)?|now|so far|at the moment|these days)\b",
    re.IGNORECASE,
)
_OLDEST = re.compile(
    r"\b(?:at first|first (?:reports?|reported|said|told|announced|known)|initial(?:ly)?"
    r"|original(?:ly)?|earliest|oldest)\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Group:
    """A passage in the making: its sentences, best first, and who else has the same."""

    tolds: list[Statement]
    score: float
    also: dict[str, Statement] = field(default_factory=dict)

    @property
    def best(self) -> Statement:
        return self.tolds[0]

    def lead_by(self, told: Statement) -> None:
        """Of what one origin says, quote that wording: the plainer one."""
        if self.also.pop(told.article.article_id, None):
            self.also[self.best.article.article_id] = self.best
            self.tolds = [told]

    def passage(self) -> Passage:
        ordered = sorted((one.sentence for one in self.tolds), key=lambda one: one.position)
        best = self.best
        return Passage(best.article, tuple(ordered), best.sentence, self.score, tuple(self.also))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A ranked sentence, its score adjusted for the time asked for."""

    told: Statement
    score: float


def passages(
    ranking: Ranking,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    after: FollowUp | None = None,
    most: int = MAX_QUOTES,
) -> list[Passage]:
    """The best sentences, neighbours merged, what one origin says once, best first.

    What denies a quoted claim, is denied by a quote or corrects one stands beside it; asked for
    the latest (or first) news, the newest (or oldest) of them leads.
    """
    ranked = _candidates(ranking, filters, after)
    if not ranked:
        return []
    question = ranking.query.question
    floor = ranked[0].score - _SPREAD * float(ranking.scores[0] - ranking.scores.mean())
    groups = _in_time(question, _grouped(ranked, floor, most))
    if ranking.query.answer_type not in _FIGURES:
        _rebut(question, groups, ranked, most)
    _continue(groups, ranking)
    return [group.passage() for group in groups]


def _grouped(ranked: list[_Candidate], floor: float, most: int) -> list[_Group]:
    groups: list[_Group] = []
    near = (ranked[0].score + floor) / 2
    for candidate in ranked[:CANDIDATES]:
        told, score = candidate.told, candidate.score
        if score < floor:
            break
        own = [group for group in groups if group.best.article is told.article]
        if own and score < near and not REBUTS.search(told.sentence.text):
            continue
        beside = next((group for group in own if _adjoins(group, told)), None)
        if beside is not None and _one_voice(beside.best, told):
            if len(beside.tolds) == 1:
                beside.tolds.append(told)
            continue
        same = next((group for group in groups if _repeats(told, group.best)), None)
        if same is None and len(groups) < most:
            groups.append(_Group([told], score))
        elif same is not None and same.best.article is not told.article:
            same.also.setdefault(told.article.article_id, told)
    return groups


def _adjoins(group: _Group, told: Statement) -> bool:
    return any(abs(one.sentence.position - told.sentence.position) == 1 for one in group.tolds)


def _one_voice(a: Statement, b: Statement) -> bool:
    """Whether two sentences may stand as one quote: not two speakers, nor claim and denial."""
    one, other = a.sentence, b.sentence
    if None not in {one.speaker, other.speaker} and not same_speaker(one.speaker, other.speaker):
        return False
    return (one.act == "denial") == (other.act == "denial")


def _repeats(told: Statement, chosen: Statement) -> bool:
    """Whether a sentence adds nothing: the same words from the same origin, no fact changed."""
    mine, theirs = told.sentence.text, chosen.sentence.text
    if is_negative(mine) != is_negative(theirs) or _rebutting(mine) != _rebutting(theirs):
        return False
    a, b = set(content_terms(mine)), set(content_terms(theirs))
    near = len(a & b) > NEAR_COPY * len(a | b) and not facts_differ(read(mine), read(theirs))
    if told.article is chosen.article or a == b:
        return near
    alike = near or same_sentence(mine, theirs)
    return alike and (
        share_source(told.article, chosen.article)
        or is_rewrite(told.article.text, chosen.article.text)
    )


def _rebutting(text: str) -> bool:
    return bool(REBUTS.search(text))


# What is asked for besides words


def _candidates(ranking: Ranking, filters: Filters, after: FollowUp | None) -> list[_Candidate]:
    """The best sentences; those of the time and act asked for, and what is new, are moved up."""
    asked = _days_asked(ranking, filters)
    question, found = ranking.query.question, []
    wanted = question if after is None else after.words  # "And who denied it?" of "Who says ...?"
    acts = {act for act, words in _ACTS.items() if words.search(wanted)}
    says = _WHAT.search(question)
    for told, fused in zip(_tolds(ranking), ranking.scores.tolist(), strict=False):
        sentence = told.sentence
        score = fused + _TIMELY * bool(asked and _speaks_of(told, asked))
        score += _OWN_WORDS * bool(says and _theirs(question, told))
        act: Act | None = told.sentence.act if acts else None
        if act == "claim" and is_negative(sentence.text):
            act = "denial"  # whoever says that it is not so
        score += _ASKED_ACT * (act in acts)
        if after is not None:
            score += _novelty(told, after)
        found.append(_Candidate(told, score))
    return sorted(found, key=lambda one: -one.score)


def _tolds(ranking: Ranking) -> list[Statement]:
    """The best sentences with the reports that they stand in."""
    return [
        Statement(ranking.articles[one.article_id], one, ranking.vectors.get(one.sentence_id))
        for one in ranking.sentences[:_DEEP]
    ]


def _novelty(told: Statement, after: FollowUp) -> float:
    """What a sentence gains by the new words of a follow-up, and loses by having been quoted.

    It loses nothing where the follow-up is all about what was quoted ("Why?"), and little where
    it has many of the new words.
    """
    said = after.words
    for words in _ACTS.values():
        said = words.sub(" ", said)  # a denial need not have the word
    new = set(content_terms(said)) - STOP_TERMS
    share = len(new.intersection(terms(told.sentence.text))) / max(1, len(new))
    view = _VIEW.search(said)
    score = _ASKED_ACT * bool(view and new.intersection(terms(told.sentence.speaker or "")))
    if not _quoted(told, after):
        return score + _NEW_WORDS * share
    if not new and len(after.words.split()) <= _BARE:
        return score
    answers = not view and 2 * share >= 1
    return score + (_NEW_WORDS * share - _TOLD / 2 if answers else -_TOLD)


def _quoted(told: Statement, after: FollowUp) -> bool:
    one = told.sentence
    return any(
        quote.article_id == one.article_id and quote.start < one.end and one.start < quote.end
        for quote in after.told
    )


def voiced(ranking: Ranking) -> bool:
    """Whether a question asks what somebody said, and a close sentence is theirs.

    Such a question has few words for a sentence to be near to; whose words they are is proof.
    """
    return any(_theirs(ranking.query.question, told) for told in _tolds(ranking)[:_CLOSE])


def unheard(ranking: Ranking) -> bool:
    """Whether a question asks what somebody said whom no report names so: no minister is prime."""
    asked = _WHAT.search(ranking.query.question)
    named = content_terms(asked["who"]) if asked else []
    return any(ranking.frequencies.get(term) == 0 for term in named)


def _theirs(question: str, told: Statement) -> bool:
    """Whether a sentence is what is asked for by "What did ... say about ...?"."""
    asked = _WHAT.search(question)
    if asked is None or not told.sentence.speaker:
        return False
    if not same_speaker(asked["who"], told.sentence.speaker):
        return False
    if asked["verb"].lower().startswith("den") and told.sentence.act != "denial":
        return False
    about = set(content_terms(asked["about"])) - STOP_TERMS
    held = set(terms(f"{told.article.title} {told.sentence.text}"))
    return 2 * len(about & held) >= len(about)


def asks_of_the_past(ranking: Ranking, filters: Filters) -> bool:
    """Whether a question names a time, or asks for the first reports."""
    return bool(_OLDEST.search(ranking.query.question) or _days_asked(ranking, filters))


def _days_asked(ranking: Ranking, filters: Filters) -> list[DateRange]:
    """The days that the question names, as understood on the day that it is answered from.

    Without a clock, so that asking again gives the same: on the day of `as_of`, else of the
    newest report among the candidates.
    """
    known = [one.published for one in ranking.articles.values() if one.published]
    newest = filters.as_of or max(known, default=None)
    return date_ranges(as_written(ranking.query.question), newest.date() if newest else None)


def _speaks_of(told: Statement, asked: list[DateRange]) -> bool:
    """Whether a sentence names such a day, or names none and was published on one."""
    day: date | None = told.article.published and told.article.published.date()
    named = date_ranges(told.sentence.text, day)
    if named:
        return any(one.overlaps(other) for one in named for other in asked)
    return day is not None and any(one.holds(day) for one in asked)


def _in_time(question: str, groups: list[_Group]) -> list[_Group]:
    """Asked for the latest or the first news, the newest or oldest report first."""
    newest = bool(_NEWEST.search(question))
    if newest == bool(_OLDEST.search(question)):
        return groups
    unknown = datetime.min.replace(tzinfo=UTC) if newest else datetime.max.replace(tzinfo=UTC)
    return sorted(groups, key=lambda group: group.best.article.published or unknown, reverse=newest)


# What stands against what


def _rebut(question: str, groups: list[_Group], ranked: list[_Candidate], most: int) -> None:
    """Put beside a claim the denial of it, and beside a denial the claim, from the candidates."""
    tolds = [one for group in groups for one in group.tolds]
    if any(_disagree(question, a, b) for a, b in combinations(tolds, 2)):
        return
    for number, candidate in enumerate(ranked):
        told = candidate.told
        if told in tolds or (number >= CANDIDATES and not is_negative(told.sentence.text)):
            continue
        for place, group in enumerate(groups):
            said = (group.best, *group.also.values())
            against = next((one for one in said if _disagree(question, one, told)), None)
            if against is None:
                continue
            group.lead_by(against)
            own = next((other for other in groups if told in other.also.values()), None)
            if own is None:
                _insert(groups, place + 1, candidate, most)
            else:
                own.lead_by(told)
            return


def _disagree(question: str, a: Statement, b: Statement) -> bool:
    """Whether one of two sentences denies the other; only one of them can be a denial."""
    if is_negative(a.sentence.text) == is_negative(b.sentence.text):
        return False
    found = relate(question, a, b)
    return found is not None and found.kind == "disagree"


def _continue(groups: list[_Group], ranking: Ranking) -> None:
    """Take in what follows "had said ...": mostly what is said now instead."""
    for group in groups:
        best = group.best.sentence
        if len(group.tolds) > 1 or not _SUPERSEDED.search(best.text):
            continue
        place = best.article_id, best.position + 1
        after = (one for one in ranking.sentences if (one.article_id, one.position) == place)
        follows = (Statement(group.best.article, one) for one in after)
        group.tolds += [told for told in follows if not any(told in one.tolds for one in groups)]


def _insert(groups: list[_Group], place: int, candidate: _Candidate, most: int) -> None:
    """Add a passage at a place; where there are too many the last other one goes."""
    groups.insert(place, _Group([candidate.told], candidate.score))
    if len(groups) > most:
        partners = {place - 1, place} if place == len(groups) - 1 else {place}
        groups.pop(max(n for n in range(len(groups)) if n not in partners))
