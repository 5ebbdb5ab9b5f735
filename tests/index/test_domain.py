"""A quote cannot be invented, and articles and answers keep their invariants."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.domain import (
    MAX_ARTICLE_CHARS,
    MAX_ID_CHARS,
    Answer,
    Article,
    Citation,
    CitedQuote,
    Filters,
    Passage,
    Quote,
    Sentence,
)
from index.errors import InputError, QuestionError, QuoteError

TEXT = "The dam failed at dawn. Nobody in Tessen was warned."
ARTICLE = Article(article_id="dam", title="The dam", text=TEXT)
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


@given(st.text(min_size=1, max_size=80), st.integers(-5, 90), st.integers(-5, 90))
def test_cut_is_a_slice_or_an_error(text: str, start: int, end: int) -> None:
    """A quote is exactly the slice of the article's text; any other span raises."""
    if not text.strip():
        return
    article = Article(article_id="a", title="", text=text, revision=3)
    inside = 0 <= start < end <= len(text)
    if not inside or not text[start:end].strip():
        with pytest.raises(QuoteError):
            Quote.cut(article, start, end)
        return
    quote = Quote.cut(article, start, end)
    assert quote.text == text[start:end]
    assert (quote.article_id, quote.revision, quote.start, quote.end) == ("a", 3, start, end)
    quote.check(article)


FORGERIES: dict[str, Callable[[Quote], Any]] = {
    "constructor": lambda _: Quote(),
    "constructor with values": lambda _: Quote("dam", 1, 0, 3, "Dam"),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "dataclasses.replace": lambda quote: dataclasses.replace(quote, text="x"),
    "setattr": lambda quote: setattr(quote, "text", "x"),
    "setattr of a new name": lambda quote: setattr(quote, "note", "x"),
    "delattr": lambda quote: delattr(quote, "text"),
    "deepcopy of an answer": lambda quote: copy.deepcopy(CitedQuote(quote, 1)),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_quote_is_made_by_cutting_alone(forge: Callable[[Quote], Any]) -> None:
    """Python's ways to create or change objects cannot create or change a quote."""
    quote = Quote.cut(ARTICLE, 0, 7)
    with pytest.raises((TypeError, AttributeError)):
        forge(quote)
    assert quote == Quote.cut(ARTICLE, 0, 7)


def test_a_quote_has_no_room_for_more() -> None:
    """A quote has no __dict__, so nothing can be hidden in it."""
    assert not hasattr(Quote.cut(ARTICLE, 0, 7), "__dict__")


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(ARTICLE, text=TEXT.replace("dam", "dyke")),
        dataclasses.replace(ARTICLE, revision=2),
        dataclasses.replace(ARTICLE, article_id="dam-2"),
        dataclasses.replace(ARTICLE, text=TEXT[:5]),
    ],
    ids=["text", "revision", "article", "shorter"],
)
def test_check_finds_every_difference(other: Article) -> None:
    """A quote is compared with text, revision and id of what is stored."""
    with pytest.raises(QuoteError, match="not sent"):
        Quote.cut(ARTICLE, 4, 14).check(other)


def test_quotes_compare_by_place_and_text() -> None:
    """Equal spans are the same quote in a set; the same words elsewhere are another."""
    assert len({Quote.cut(ARTICLE, 0, 7), Quote.cut(ARTICLE, 0, 7), Quote.cut(ARTICLE, 0, 8)}) == 2
    assert Quote.cut(ARTICLE, 0, 7) != "The dam"
    assert "The dam" in repr(Quote.cut(ARTICLE, 0, 7))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"article_id": ""}, "id"),
        ({"article_id": "x" * (MAX_ID_CHARS + 1)}, "id"),
        ({"text": " \n\t"}, "no text"),
        ({"text": "x" * (MAX_ARTICLE_CHARS + 1)}, "split it"),
        ({"published": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001 - on purpose
    ],
)
def test_an_article_keeps_its_invariants(fields: dict[str, Any], message: str) -> None:
    """An article without id, text or time zone cannot be created."""
    with pytest.raises(InputError, match=message):
        Article(**{"article_id": "a", "title": "A", "text": "A text.", **fields})


@pytest.mark.parametrize("name", ["text", "title", "publisher", "author", "url", "published"])
def test_the_hash_covers_what_a_reader_sees(name: str) -> None:
    """A change of text, title, byline, date or link makes another revision."""
    value = NOON if name == "published" else "another"
    assert dataclasses.replace(ARTICLE, **{name: value}).text_hash != ARTICLE.text_hash


def test_the_hash_leaves_out_the_rest() -> None:
    """The place that an article was read from does not make another revision."""
    same = dataclasses.replace(ARTICLE, source="elsewhere", revision=7, retired=True)
    assert same.text_hash == ARTICLE.text_hash


def test_a_passage_quotes_from_its_first_to_its_last_sentence() -> None:
    """The quote of a passage is the stored text, including gaps between sentences."""
    first = Sentence(1, "dam", 1, 0, 0, 23, TEXT[:23])
    second = Sentence(2, "dam", 1, 1, 24, len(TEXT), TEXT[24:])
    passage = Passage(ARTICLE, (first, second), first, 1.0)
    assert passage.quote().text == TEXT


def test_the_latest_moment_is_the_earlier_end() -> None:
    """Both `until` and `as_of` limit what is seen, whatever their time zones."""
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    assert Filters(until=east + timedelta(hours=1), as_of=NOON).latest == NOON
    assert Filters(since=NOON).latest is None
    assert not Filters()
    assert Filters(as_of=NOON)


@pytest.mark.parametrize("name", ["since", "until", "as_of"])
@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 14),  # noqa: DTZ001 - on purpose
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_a_filter_that_cannot_be_compared_is_refused(name: str, moment: datetime) -> None:
    """A time without a zone, or out of range in UTC, is refused with an explanation."""
    with pytest.raises(QuestionError, match="time zone"):
        Filters(**{name: moment})


def answer(**fields: Any) -> Answer:
    """Return a declined answer, with some other fields."""
    values: dict[str, Any] = {
        "answer_id": "0" * 12,
        "question": "Who was warned?",
        "filters": Filters(),
        "generation": 1,
        "model": "fake",
        "status": "declined",
        "confidence": 0.1,
        "reason": "They do not say.",
    }
    return Answer(**{**values, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "answered"},
        {
            "quotes": (CitedQuote(Quote.cut(ARTICLE, 0, 7), 1),),
            "citations": (Citation(1, ARTICLE),),
        },
        {"reason": None},
        {"closest": CitedQuote(Quote.cut(ARTICLE, 0, 7), 1)},
        {
            "status": "answered",
            "quotes": (CitedQuote(Quote.cut(ARTICLE, 0, 7), 2),),
            "citations": (Citation(1, ARTICLE),),
        },
    ],
    ids=["no quotes", "declined with quotes", "no reason", "closest uncited", "wrong number"],
)
def test_an_answer_keeps_its_invariants(fields: dict[str, Any]) -> None:
    """An answer has quotes and citations, a decline a reason, and every number is listed."""
    assert answer().status == "declined"
    with pytest.raises(InputError):
        answer(**fields)
