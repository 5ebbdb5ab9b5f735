"""Answers that tests make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from index.domain import (
    Agreement,
    Answer,
    Article,
    Citation,
    CitedQuote,
    Filters,
    News,
    Notice,
    Quote,
    Side,
)

_NEW_YORK = timezone(timedelta(hours=-5))


def answer_of(texts: list[str], *, url: str | None = None, title: str = "A title") -> Answer:
    """Return an answer that quotes each whole text, from an article of its own."""
    articles = [
        Article(
            article_id=f"a{number}",
            title=title,
            text=text,
            publisher="Northwire",
            published=datetime(2026, 3, 9, tzinfo=UTC),
            url=url,
        )
        for number, text in enumerate(texts)
    ]
    return Answer(
        answer_id="0123456789ab",
        question="What *happened*?",
        filters=Filters(),
        generation=1,
        model="fake",
        status="answered",
        confidence=1.0,
        quotes=tuple(
            CitedQuote(Quote.cut(article, 0, len(article.text)), number)
            for number, article in enumerate(articles, 1)
        ),
        citations=tuple(Citation(number, one) for number, one in enumerate(articles, 1)),
    )


# Random answers

_SIGNS = st.text(
    st.one_of(
        st.sampled_from(
            " \n*_~|`>#-+[]()<>@:\\/.1“”\"'😀👩‍👩‍👧\u202e\u2066\u200f\u05d0\u0628é\u2028"
        ),
        st.characters(exclude_categories=("Cs", "Cc")),
    ),
    max_size=60,
)
_WORDS = st.lists(
    st.sampled_from(
        "The gate failed at 4:40 a.m. on Monday and 12 people died, Mara Voss said.".split()
    ),
    min_size=1,
    max_size=40,
).map(" ".join)
_LINE = st.one_of(_SIGNS, _WORDS, _WORDS.map(lambda words: (words + " [x](y) ") * 9))
_TEXT = st.one_of(
    _WORDS,
    st.tuples(_LINE, st.integers(1, 400)).map(lambda pair: (pair[0] * pair[1])[:10_000]),
).map(lambda text: text if text.strip() else "The gate failed.")
_NAME = st.none() | _LINE
_DATE = st.none() | st.tuples(st.integers(0, 10**5), st.sampled_from([UTC, _NEW_YORK])).map(
    lambda pair: datetime(1900, 1, 2, 9, tzinfo=pair[1]) + timedelta(hours=17 * pair[0])
)
_NOTICE = st.none() | st.builds(
    Notice,
    st.sampled_from(["corrected", "retracted"]),
    _LINE.filter(str.strip),
    st.just(datetime(2026, 3, 9, tzinfo=UTC)),
    st.just("mod"),
)
_URL = st.none() | st.sampled_from(
    ["https://a.example/x", "https://a.example/(x) y>", "https://a.example/" + "z" * 900]
)
_FILTERS = st.tuples(st.lists(_LINE, max_size=3), _DATE, _DATE, _DATE).map(
    lambda drawn: Filters(tuple(drawn[0]), _earliest(drawn[1:]), drawn[2], drawn[3])
)


def _earliest(dates: tuple[datetime | None, ...]) -> datetime | None:
    """Return the first of some dates, if given; a filter must not end before it begins."""
    known = [date for date in dates if date]
    return min(known) if dates[0] else None


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Draw an answer of any shape: answered or declined, with news, sides, notices, odd texts."""
    count = draw(st.integers(1, 12))
    citations = tuple(
        Citation(
            number,
            Article(
                article_id=f"a{number}",
                title=draw(_LINE),
                text=draw(_TEXT),
                publisher=draw(_NAME),
                author=draw(_NAME),
                published=draw(_DATE),
                guessed_date=draw(_DATE),
                url=draw(_URL),
                notice=draw(_NOTICE),
                retired=draw(st.booleans()),
            ),
            draw(st.none() | st.sets(st.integers(1, count), max_size=3).map(tuple)),
        )
        for number in range(1, draw(st.integers(1, count)) + 1)
    )
    quotes = tuple(draw(_quoted(citations)) for _ in range(count))
    places = st.lists(st.integers(0, count - 1), max_size=count).map(tuple)
    sides = st.lists(st.builds(Side, places, _NAME), min_size=1, max_size=3).map(tuple)
    kinds = st.sampled_from(["agree", "disagree", "updated"])
    answered = draw(st.booleans())
    return Answer(
        answer_id="0123456789ab",
        question="Why? " + draw(_LINE),
        filters=draw(_FILTERS),
        generation=draw(st.integers(0, 10**6)),
        model="fake",
        status="answered" if answered else "declined",
        confidence=draw(st.floats(0, 1)),
        quotes=quotes if answered else (),
        citations=citations,
        agreement=draw(st.none() | st.builds(Agreement, kinds, sides)) if answered else None,
        reason=None if answered else draw(_LINE.filter(str.strip)),
        closest=None if answered else draw(st.none() | st.just(quotes[0])),
        news=draw(st.none() | st.builds(News, st.dates(), st.integers(0, 999), st.integers(0, 2))),
        scores=tuple(draw(st.floats(-20, 20)) for _ in range(count)),
    )


@st.composite
def _quoted(draw: st.DrawFn, citations: tuple[Citation, ...]) -> CitedQuote:
    """Draw a quote of one of the citations: the whole text, or a part of it."""
    article = (citation := draw(st.sampled_from(citations))).article
    start, end = draw(st.integers(0, len(article.text) - 1)), draw(st.integers(1, 900))
    if draw(st.booleans()) or not article.text[start : start + end].strip():
        start, end = 0, len(article.text)
    also = st.lists(st.integers(1, len(citations)), max_size=5, unique=True).map(tuple)
    quote = Quote.cut(article, start, min(start + end, len(article.text)))
    first = draw(st.integers(quote.start, quote.end - 1))
    last = draw(st.integers(first + 1, quote.end))
    marked = draw(st.booleans()) and article.text[first:last].strip()
    return CitedQuote(
        quote,
        citation.number,
        draw(_NAME),
        draw(st.sampled_from(["claim", "denial", "confirmation", "report"])),
        draw(also),
        draw(st.sampled_from([None, "new", "changed"])),
        Quote.cut(article, first, last) if marked else None,
    )
