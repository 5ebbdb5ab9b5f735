"""Why the reports do not answer, in words that help to ask again."""

from __future__ import annotations

from index.domain import Article, Filters
from index.ranking.query import AnswerType, Query, words
from index.ranking.rank import Ranking
from index.text.quantities import units
from index.text.terms import STOP_TERMS, terms

_CLOSE = 3  # sentences that count as the closest passages
_COUNTING = 12  # sentences looked through for a count
_NAMED = 3  # words named in a reason
_FOREIGN = 3  # words from which on a question without one English word is worth a remark
_KINDS: dict[AnswerType, str] = {
    "person": "names nobody else",
    "date": "gives no date",
    "amount": "gives no amount",
    "number": "gives no number",
    "place": "names no other place",
    "name": "gives no other name",
}


def reason(ranking: Ranking) -> str:
    """What is missing; if several things are, the plainest."""
    query = ranking.query
    counted = [term for term in query.terms if term not in query.source_terms]
    unheard = [term for term in counted if ranking.frequencies.get(term) == 0]
    if _seems_foreign(query, unheard):
        return (
            f"No report mentions {_listed(query, unheard)}. If this is another language than that "
            "of the reports, ask in theirs."
        )
    if query.names_a_source and not query.publishers:
        return "No report here is by the publisher that the question names."
    if unheard:
        return f"No report mentions {_listed(query, unheard)}."
    return _what_the_closest_lacks(ranking, counted)


def uncounted(ranking: Ranking) -> str | None:
    """Says that of whom a question wants counted no close sentence speaks, if so.

    Asked for the dead, a report that counts the displaced is near in every other word.
    """
    counted = units(ranking.query.question)
    if ranking.query.answer_type != "number" or not counted:
        return None
    if any(counted & units(sentence.text) for sentence in ranking.sentences[:_COUNTING]):
        return None
    asked = [f"“{word}”" for word in words(ranking.query.question) if units(word)]
    return f"The closest passages give no number of {_joined(asked, ' or ')}."


def excluded(filters: Filters, article: Article) -> str:
    """Says that an article left out by the filters would answer, and by which filter."""
    names = {one.casefold() for one in filters.publishers}
    published = article.published
    by = {
        "publisher": names and (article.publisher or "").casefold() not in names,
        "since": filters.since and (published is None or published < filters.since),
        "until": filters.until and (published is None or published > filters.until),
        "as of": filters.as_of and (published is None or published > filters.as_of),
    }
    which = _joined([f"“{name}”" for name, out in by.items() if out])
    source = f" ({article.publisher})" if article.publisher else ""
    return f"A report that answers, “{article.title}”{source}, is left out by the filter {which}."


def _what_the_closest_lacks(ranking: Ranking, counted: list[str]) -> str:
    query = ranking.query
    if len(counted) == 1:
        return (
            "One word is little to go by: ask a whole question, with the names and places it "
            "is about."
        )
    closest = [(one.text, ranking.articles[one.article_id]) for one in ranking.sentences[:_CLOSE]]
    told = " ".join(f"{text} {one.title} {one.publisher or ''}" for text, one in closest)
    seen = set(terms(told))
    missing = [term for term in counted if term not in seen]
    if missing:
        rarest = sorted(missing, key=lambda term: ranking.frequencies.get(term, 0))
        return f"The closest passage does not mention {_listed(query, rarest)}."
    if query.answer_type and not ranking.features["gives"][0]:
        return f"The closest passage {_KINDS[query.answer_type]}."
    return "The closest passage has the words of the question, but it is not sure to answer it."


def _seems_foreign(query: Query, unheard: list[str]) -> bool:
    """Several words, most of them in no report, and not one that any English question has."""
    every = set(terms(query.question))
    english = every & STOP_TERMS - set(query.terms)
    return len(every) >= _FOREIGN and not english and 2 * len(unheard) > len(query.terms)


def _listed(query: Query, missing: list[str]) -> str:
    """Words of the question that have these terms, as they were written."""
    spoken = {term: word for word in words(query.question) for term in terms(word)}
    return _joined([f"“{spoken.get(term, term)}”" for term in missing[:_NAMED]], " or ")


def _joined(parts: list[str], last: str = " and ") -> str:
    return last.join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
