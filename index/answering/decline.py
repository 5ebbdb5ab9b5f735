"""Say why the reports do not answer, so that the asker can ask again."""

from __future__ import annotations

from collections.abc import Iterator

from index.domain import Article, Filters
from index.ranking.query import Query, words
from index.ranking.rank import Ranking
from index.text.acronyms import acronyms, names_by_acronym
from index.text.periods import is_before
from index.text.quantities import units
from index.text.terms import content_terms, terms

NO_ANSWER = "The reports do not seem to answer this."
_COUNTING = 12  # sentences searched for a count
_NAMED = 3  # words that a reason names


def reason(ranking: Ranking) -> str:
    """Return what the reports lack; of several reasons, the plainest.

    Only names and numbers are said to be missing: of other words, the reports may have a synonym.
    """
    query = ranking.query
    counted = [term for term in query.terms if term not in query.source_terms]
    known = _days_of_reports(ranking) | _titled(ranking)
    unknown = [t for t in counted if ranking.frequencies.get(t) == 0 and t not in known]
    names = query.names.union(content_terms(query.speaker.speaker) if query.speaker else ())
    named = [term for term in unknown if term in names or any(map(str.isdigit, term))]
    if not query.english and 2 * len(unknown) > len(query.terms):
        return (
            f"No report mentions {_listed(query, unknown)}. The reports may be in another "
            "language: ask in that language."
        )
    if query.names_a_source and not query.publishers:
        return "No report here is by the publisher that the question names."
    if named:
        return f"No report mentions {_listed(query, named)}."
    if len(words(query.question)) == 1:
        return (
            "One word is too little to go by: ask a whole question, with the names and places it "
            "is about."
        )
    return NO_ANSWER


def _titled(ranking: Ranking) -> frozenset[str]:
    """Return the terms in the titles of the ranked reports; frequencies are of sentences."""
    titles = (article.title for article in ranking.articles.values())
    return frozenset(term for title in titles for term in terms(title))


def _days_of_reports(ranking: Ranking) -> frozenset[str]:
    """Return the terms of the question that name a time in which some report was published."""
    query = ranking.query
    published = {a.published_on for a in ranking.articles.values() if a.published_on}
    named = (
        query.question[days.text_start : days.text_end]
        for days in query.days(ranking.newest)
        if any(days.holds(day) for day in published)
    )
    return frozenset(terms(" ".join(named)))


def unknown_speaker(ranking: Ranking) -> bool:
    """Return whether the question asks for the words of somebody whom no report names.

    An acronym counts as named if a report has the full name, and the other way round.
    """
    speaker = ranking.query.speaker
    named = content_terms(speaker.speaker) if speaker else []
    unknown = {term for term in named if ranking.frequencies.get(term) == 0}
    if speaker is None or not unknown:
        return False
    for article in ranking.articles.values():
        for name, acronym in _same(speaker.speaker, f"{article.title}\n{article.text}"):
            unknown -= {*terms(name), *terms(acronym)}
    return bool(unknown)


def _same(phrase: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of a name and its acronym, one of them in a phrase, the other in a text."""
    for names, short in ((phrase, text), (text, phrase)):
        full = names_by_acronym(names)
        yield from ((full[acronym], acronym) for acronym in acronyms(short) if acronym in full)


def missing_count(ranking: Ranking) -> str | None:
    """Return a reason to decline if no top sentence counts what the question asks to count.

    A report that counts the displaced may match a question on the dead in every other word.
    """
    query = ranking.query
    if query.answer_type != "number" or not query.counted:
        return None
    if any(query.counted & units(s.text) for s in ranking.sentences[:_COUNTING]):
        return None
    named = [f"“{word}”" for word in words(query.question) if units(word)]
    return f"The closest passages give no number of {_joined(named, ' or ')}."


def excluded(filters: Filters, article: Article) -> str:
    """Return a sentence that names the filters that exclude an article; "" if none does."""
    names, at = {name.casefold() for name in filters.publishers}, article.published
    excludes = {
        "publisher": names and (article.publisher or "").casefold() not in names,
        "since": filters.since and (at is None or is_before(at, filters.since)),
        "until": filters.until and (at is None or is_before(filters.until, at)),
        "as of": filters.as_of and (at is None or is_before(filters.as_of, at)),
    }
    which = _joined([f"“{name}”" for name, is_excluded in excludes.items() if is_excluded])
    if not which:
        return ""
    source = f" ({article.publisher})" if article.publisher else ""
    undated = at is None and (filters.since or filters.latest)
    end = ": it states no date." if undated else "."
    return (
        f"A report that answers, “{article.title}”{source}, is left out by the filter {which}{end}"
    )


def _listed(query: Query, missing: list[str]) -> str:
    """Return the words of the question that have these terms, in its spelling."""
    written = {term: word for word in words(query.question) for term in terms(word)}
    return _joined([f"“{written.get(term, term)}”" for term in missing[:_NAMED]], " or ")


def _joined(parts: list[str], last: str = " and ") -> str:
    return last.join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
