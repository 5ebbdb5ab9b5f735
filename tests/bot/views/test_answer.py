"""Answers as Discord messages: verbatim, within the limits, and plain."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import answer_of

from bot.cli import output
from bot.markdown import escape
from bot.views.answer import answer_view, block_quote, text_fragment
from bot.views.answer_buttons import answer_rows
from bot.views.base import MAX_TEXT, notice_view
from index import Span
from index.domain import (
    Agreement,
    Answer,
    Article,
    Citation,
    CitedQuote,
    Filters,
    Notice,
    NoticeKind,
    Quote,
    Side,
)

HOSTILE = st.text(
    st.one_of(
        st.sampled_from("*_~|`>#-+[]()<>@:\\/.1 \n😀\u202e\u00e9"),
        st.characters(exclude_categories=("Cs", "Cc")),
    ),
    min_size=1,
    max_size=400,
).filter(lambda text: bool(text.strip()))


def shown(markdown: str) -> str:
    """Return what Discord shows of escaped text: a backslash before a sign is dropped."""
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", markdown)


def blocks(answer: Answer) -> list[str]:
    """Return the text of each block of the message."""
    view = answer_view(answer)
    return [
        item.content for item in view.walk_children() if isinstance(item, discord.ui.TextDisplay)
    ]


@given(HOSTILE)
def test_escaped_text_shows_letter_for_letter(text: str) -> None:
    """Discord shows an escaped text exactly as the text."""
    assert shown(escape(text)) == text


@given(HOSTILE)
def test_escaped_text_holds_no_live_markup(text: str) -> None:
    """Every sign that starts markup, a mention or a link has a backslash."""
    left = re.sub(r"\\[^0-9A-Za-z\s]", "", escape(text))
    assert not re.search(r"[`*_~|\[\]()<>#@]|\w://", left)


@given(HOSTILE)
def test_block_quote_is_verbatim(text: str) -> None:
    """Each line of a quote is in the block quote, unchanged and in order."""
    article = Article(article_id="a", title="t", text=text)
    made = block_quote(CitedQuote(Quote.cut(article, 0, len(text)), 1))
    lines = [line.removeprefix("> ") for line in made.removesuffix(" **[1]**").split("\n")]
    assert shown("\n".join(lines)) == text


def test_long_quotes_are_left_out_whole() -> None:
    """Quotes that do not fit are counted, never cut, and do not push out shorter quotes."""
    long = "word " * 500
    made = blocks(answer_of([long.strip(), long.strip(), "Short."]))
    assert sum(map(len, made)) <= MAX_TEXT
    assert "1 more quote would not fit here" in made[-1]


def test_link_opens_at_the_quote() -> None:
    """The title links to the page with a text fragment of the quote."""
    made = blocks(answer_of(["The gate failed."], url="https://a.example/x"))[-2]
    assert "[A title](https://a.example/x#:~:text=The%20gate%20failed.)" in made


def test_text_fragment_of_a_long_quote_names_its_ends() -> None:
    """The fragment of a long quote has its first and last words, with hyphens escaped."""
    words = "one two three four five six seven eight nine ten eleven-twelve"
    link = text_fragment("https://a.example/#top", words)
    assert link == (
        "https://a.example/#top:~:text=one%20two%20three%20four%20five,"
        "seven%20eight%20nine%20ten%20eleven%2Dtwelve"
    )


def test_decline_says_so_and_shows_the_closest() -> None:
    """A decline is recognisable, and says that its quote is only the closest passage."""
    answered = answer_of(["The gate failed."])
    other = Citation(2, replace(answered.citations[0].article, article_id="b"))
    declined = replace(
        answered,
        status="declined",
        quotes=(),
        citations=(*answered.citations, other),
        reason="The reports do not say.",
        closest=answered.quotes[0],
    )
    made = "\n".join(blocks(declined))
    assert "reports, " not in made  # how many would answer, and how they relate, says nothing here
    assert "\n**The reports do not say.**\n" in made
    assert "The closest passage, in case it helps:\n> The gate failed." in made


WORDS = (
    "gate Gate 3 failed at 4:40 a.m. Monday, **two** people (died) in Ostermoor `said` Ingrid"
    " Sallow _who_ 14% \n - 1. 2) [x](y) \\* א\u202eב 😀 “no” U.S. 1,200 || ~~ # > a*b"
).split(" ")
NEWS = st.lists(st.sampled_from(WORDS), min_size=3, max_size=40).map(" ".join).filter(str.strip)


@given(NEWS, st.data())
def test_bold_never_alters_a_letter(text: str, data: st.DataObject) -> None:
    """Without the marks for bold, the text is the quote; and the marks come in pairs."""
    start = data.draw(st.integers(0, len(text) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(text))))
    made = escape(text, [span])
    live = re.sub(r"\\[^0-9A-Za-z\s]", "", made)  # without what is escaped
    assert live.count("*") in {0, 4}
    assert live.count("**") == live.count("*") / 2
    marked = re.sub(r"(\\[^0-9A-Za-z\s])|\*\*", lambda found: found[1] or "", made)
    assert shown(marked) == text
    if live.count("*"):
        bold = live.split("**")[1]
        assert bold[0].isalnum()
        assert bold[-1].isalnum()
        assert "\n" not in bold


def test_the_part_that_answers_is_bold_and_leads() -> None:
    """The answer comes first, with its citation, and only it is bold in its quote."""
    answer = answer_of(["The gate failed at 4:40 a.m. on Monday, and 9 people died."])
    (cited,) = answer.quotes
    article = answer.citations[0].article
    start = article.text.index("9 people")
    part = Quote.cut(article, start, start + 1)
    text = "\n".join(blocks(replace(answer, quotes=(replace(cited, answer=part),))))
    assert "\n**9** [1]" in text
    assert "> The gate failed at 4:40 a.m. on Monday, and **9** people died." in text


@given(
    st.lists(NEWS, min_size=1, max_size=9),
    HOSTILE,
    st.sampled_from([None, "https://a.example/" + "x" * 480, "https://a.example/" + "y" * 3000]),
    st.booleans(),
)
def test_whole_message_is_within_limits(
    texts: list[str], asked: str, url: str | None, private: bool
) -> None:
    """Even with long links, right-to-left text, emoji, buttons and notes, a message fits."""
    answer = answer_of([text * 6 for text in texts], url=url, title=texts[0] * 9)
    answer = replace(
        answer, question="Who " + asked * 5, filters=Filters(publishers=("N" * 80,) * 5)
    )
    view = answer_view(answer, answer_rows(answer, private=private), typed=asked, note="-# note")
    content = [i.content for i in view.walk_children() if isinstance(i, discord.ui.TextDisplay)]
    assert sum(map(len, content)) <= MAX_TEXT
    assert all(content)
    assert view.total_children_count <= 40
    assert view.content_length() <= MAX_TEXT


def test_each_quote_has_its_source_with_its_day_and_the_link() -> None:
    """Below each quote are its number, publisher, day and link."""
    made = blocks(answer_of(["The gate failed.", "The siren came late."], url="https://a.example"))
    assert made[2] == (
        "**[1]** Northwire · 9 March 2026 · "
        "[A title](https://a.example#:~:text=The%20gate%20failed.)"
    )
    assert made[4].endswith("[A title](https://a.example#:~:text=The%20siren%20came%20late.)")


def test_filters_are_said_in_words() -> None:
    """An answer from a part of the reports says which part."""
    only = Filters(publishers=("North_wire",), since=datetime(2026, 3, 9, tzinfo=UTC))
    head = blocks(replace(answer_of(["Yes."]), filters=only))[0]
    assert "-# Only dated reports by North\\_wire, since 9 March 2026" in head


@pytest.mark.parametrize(
    ("published", "guess", "words"),
    [
        ("2026-11-03T21:24:00-05:00", None, "Northwire · 3 November 2026 · A title"),
        (None, "2013-12-23T23:15:00+00:00", "· undated, perhaps 23 December 2013 · A title"),
        (None, None, "Northwire · undated · A title"),
    ],
)
def test_a_date_is_a_day_and_a_guess_is_a_guess(
    published: str | None, guess: str | None, words: str
) -> None:
    """The day is that of the report's clock for every reader; a guessed day says so."""
    answer = answer_of(["The gate failed."])
    dates = {
        name: datetime.fromisoformat(text) if text else None
        for name, text in (("published", published), ("guessed_date", guess))
    }
    cited = replace(answer.citations[0], article=replace(answer.citations[0].article, **dates))
    assert words in blocks(replace(answer, citations=(cited,)))[2]


def test_titles_in_brackets_keep_their_link() -> None:
    """The text of a link has no square brackets, which could end it; elsewhere they stay."""
    linked = blocks(answer_of(["Yes."], url="https://a.example", title="Dam [update] a]b"))[2]
    assert r"[Dam \(update\) a\)b](https://a.example#" in linked
    plain = blocks(answer_of(["Yes."], title="Dam [update]"))[2]
    assert shown(plain).endswith("Dam [update]")


def test_how_reports_relate_is_said_first() -> None:
    """That reports disagree is said above their quotes."""
    sides = (Side((0,)), Side((1,)))
    answer = answer_of(["It failed.", "It held."])
    made = blocks(replace(answer, agreement=Agreement("disagree", sides)))
    assert made[0].endswith("2 reports, not independent of one another. The reports disagree.")


def test_independence_that_is_not_known_is_not_denied() -> None:
    """If independence is unknown, the line says so and the JSON document has null."""
    answer = answer_of(["It failed.", "It held."])
    unknown = tuple(replace(citation, independent_of=None) for citation in answer.citations)
    answer = replace(answer, citations=unknown)
    line = "2 reports; whether they are independent of one another is not known."
    assert blocks(answer)[0].endswith(line)
    document = json.loads(output.to_json(output.answer(answer).document))
    assert document["independent"] is None
    assert {citation["independent_of"] for citation in document["citations"]} == {None}


@pytest.mark.parametrize("kind", ["corrected", "retracted"])
def test_notice_stands_with_the_quote(kind: NoticeKind) -> None:
    """A moderators' notice is shown once above each quote of the report, as plain text."""
    notice = Notice(kind, "It was *noon*.\n# So", datetime(2026, 3, 9, tzinfo=UTC), "mod")
    answer = answer_of(["The dam failed."])
    cited = replace(
        answer.citations[0], article=replace(answer.citations[0].article, notice=notice)
    )
    text = "\n".join(blocks(replace(answer, citations=(cited,))))
    told = f"\n-# **{kind.capitalize()}** on 9 March 2026: It was \\*noon\\*. \\# So\n"
    assert text.count("\\*noon\\*") == 1
    assert f"{told}> The dam failed." in text


def test_the_notice_of_a_copy_stands_with_the_quote() -> None:
    """A notice on another report with the same sentence is shown above the quote, too."""
    notice = Notice("corrected", "It was noon.", datetime(2026, 3, 9, tzinfo=UTC), "mod")
    answer = answer_of(["The dam failed.", "The dam failed."])
    first, copy = answer.citations
    copy = replace(copy, article=replace(copy.article, notice=notice))
    quote = replace(answer.quotes[0], also=(copy.number,))
    answer = replace(answer, quotes=(quote,), citations=(first, copy), scores=answer.scores[:1])
    assert "It was noon.\n> The dam failed." in "\n".join(blocks(answer))
    assert "It was noon." in output.answer(answer).text


def test_names_cannot_turn_the_reading_direction() -> None:
    """Direction overrides in a title do not affect the bot's own text."""
    (shown,) = notice_view("\u202eDam\u2066 fails").children
    assert isinstance(shown, discord.ui.TextDisplay)
    assert shown.content == "Dam fails"
