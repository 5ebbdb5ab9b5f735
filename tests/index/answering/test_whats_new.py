"""What is new since a day: recognised, found, marked, and declined if there is nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from support.fakes import FakeEncoder

from bot.views.text import speaker_line, story_line
from index.archive import Archive
from index.domain import Answer, Filters, News

DAM = {
    "_id": "dam",
    "title": "Dam holds",
    "text": "The dam above Tessen held through the night of storms. "
    "Two people were hurt by falling trees.",
    "publisher": "Northwire",
    "published": "2026-03-09T08:00:00Z",
}
CUP = {
    "_id": "cup",
    "title": "Cup",
    "text": "Athletic won the cup in Adell after a late goal on Saturday. "
    "The crowd sang for an hour.",
    "publisher": "Courier",
    "published": "2026-03-14T20:00:00Z",
}
GATE = {
    "_id": "gate",
    "title": "Gate repaired at the dam",
    "text": "Fitters closed the last gate of the dam above Tessen on Thursday. "
    "Ines Holt said the river was calm.",
    "publisher": "Gazette",
    "published": "2026-03-12T09:00:00Z",
}


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Open a collection with a report of a Monday and the newest of the Saturday after."""
    with closing(Archive.open(tmp_path, "news", FakeEncoder())) as opened:
        add(opened, DAM, CUP, GATE)
        yield opened


def add(archive: Archive, *rows: dict[str, str]) -> None:
    """Add rows as JSON lines."""
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    archive.add(["-"], stream=io.BytesIO(lines))


def quoted(answer: Answer) -> list[tuple[str, str | None]]:
    """Return the quoted reports, in order, and whether they are new or changed."""
    return [(cited.quote.article_id, cited.change) for cited in answer.quotes]


@pytest.mark.parametrize(
    "question",
    [
        "What has changed since Thursday?",
        "what's new since thursday",
        "What is new since 12 March?",
        "Since Thursday, what has happened?",
        "Is there anything new since last Thursday?",
        "What changed in the last two days?",
        "Any news since 2026-03-12?",
    ],
)
def test_the_newest_comes_first(archive: Archive, question: str) -> None:
    """However it is asked, what was published since that day is quoted, newest first."""
    answer = archive.ask(question)
    assert quoted(answer) == [("cup", "new"), ("gate", "new")]
    assert answer.news == News(date(2026, 3, 12), 2)


@pytest.mark.parametrize(
    "question",
    [
        "What has changed since 1962?",
        "What happened since the flood?",
        "What new gate was closed since Monday?",
        "Who was hurt since Monday?",
        "What happened in March 2026?",
        "What happened last week?",
    ],
)
def test_other_questions_are_no_call_for_news(archive: Archive, question: str) -> None:
    """Questions for a fact, of a time long past or since no day are answered as usual."""
    assert archive.ask(question).news is None


def test_a_report_of_the_first_year_is_no_trouble(archive: Archive) -> None:
    """A report of the year 1 does not prevent an answer about what is new."""
    add(archive, {"_id": "old", "text": "The temple burnt down.", "published": "0001-01-01"})
    assert archive.ask("What has changed since Monday?").news


def test_a_topic_narrows_it_down(archive: Archive) -> None:
    """Only new reports on the topic are quoted, with their sentence on it."""
    answer = archive.ask("What is new about the dam since Monday?")
    assert quoted(answer) == [("gate", "new"), ("dam", "new")]
    assert answer.quotes[0].quote.text.startswith("Fitters closed the last gate of the dam")


def test_a_changed_sentence_is_marked(archive: Archive) -> None:
    """Only the new sentences of a revised report are quoted, as changed."""
    add(archive, DAM | {"text": DAM["text"].replace("Two people", "Seven people")})
    answer = archive.ask("What has changed at the dam since 10 March?")
    assert quoted(answer) == [("gate", "new"), ("dam", "changed")]
    assert answer.quotes[1].quote.text == "Seven people were hurt by falling trees."
    assert speaker_line(answer.quotes[1], answer) == "Changed:"
    assert speaker_line(answer.quotes[0], answer) == "New:"


def test_a_new_title_is_no_news(archive: Archive) -> None:
    """An old report with a new title and the same sentences has nothing new."""
    add(archive, DAM | {"title": "Another title"})
    assert quoted(archive.ask("What has changed since Saturday?")) == [("cup", "new")]


def test_a_rewrite_is_listed_with_what_it_rewrites(archive: Archive) -> None:
    """Two new reports of the same origin are quoted once."""
    add(archive, GATE | {"_id": "copy", "publisher": "Valley Courier"})
    answer = archive.ask("What is new about the gate since Thursday?")
    assert [len(cited.also) for cited in answer.quotes] == [1]
    assert answer.independent == 1


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (
            "What has changed since 15 March?",
            "No report has anything new or changed since 15 March",
        ),
        ("What is new about the bank since Monday?", "changed about “bank” since 9 March 2026."),
    ],
)
def test_without_news_it_says_since_when(archive: Archive, question: str, words: str) -> None:
    """Without news the decline says since which day, and the day of the newest report."""
    answer = archive.ask(question)
    assert answer.status == "declined"
    assert words in (answer.reason or "")
    assert "The newest report is from 14 March 2026." in (answer.reason or "")


def test_undated_reports_are_counted_apart(archive: Archive) -> None:
    """Reports without a date may be new or not, so their number is said beside the news."""
    add(archive, {name: CUP[name] for name in ("title", "text")} | {"_id": "undated"})
    answer = archive.ask("What is new about the gate since Thursday?")
    assert answer.news
    assert answer.news.undated == 1
    assert "1 report without a date may be new too." in story_line(answer)
    nothing = archive.ask("What has changed since 15 March?")
    assert "1 without a date may be older or newer." in (nothing.reason or "")


def test_without_dates_it_says_so(tmp_path: Path) -> None:
    """Reports without dates cannot be new; a year in the question asks for that time."""
    row = json.dumps({name: CUP[name] for name in ("_id", "title", "text")}).encode()
    with closing(Archive.open(tmp_path, "undated", FakeEncoder())) as archive:
        archive.add(["-"], stream=io.BytesIO(row))
        answer = archive.ask("What has changed since Tuesday?")
        assert (answer.status, answer.news) == ("declined", None)
        assert "state no dates" in (answer.reason or "")
        old = archive.ask("What has changed since 1982?")
        assert "state no dates" not in (old.reason or "")


def test_filters_narrow_it_down(archive: Archive) -> None:
    """Publisher and `as_of` apply to news, and days are relative to `as_of`."""
    only = Filters(publishers=("gazette",))
    assert quoted(archive.ask("What is new since Monday?", only)) == [("gate", "new")]
    then = Filters(as_of=datetime(2026, 3, 13, tzinfo=UTC))
    answer = archive.ask("What has changed since yesterday?", then)
    assert (quoted(answer), answer.news) == ([("gate", "new")], News(date(2026, 3, 12), 1))


def test_further_news_is_what_was_not_quoted(archive: Archive) -> None:
    """More of such an answer is the rest of the news, newest first, and nothing old."""
    for day in range(15, 21):
        text = f"On day {day} the crews of Tessen cleared {day} roads of mud and stones."
        add(
            archive,
            GATE | {"_id": f"d{day}", "text": text, "published": f"2026-03-{day}T09:00:00Z"},
        )
    answer = archive.ask("What has changed since 13 March?")
    shown = {cited.quote.article_id for cited in answer.quotes}
    further = [cited.quote.article_id for cited in archive.more(answer, 40).quotes]
    assert shown == {"d20", "d19", "d18", "d17"}
    assert further == ["d16", "d15", "cup"]
    assert len(archive.more(answer, 5).quotes) == 1


def test_further_passages_are_the_next_best(archive: Archive) -> None:
    """More of another answer is what ranks next, without what was quoted."""
    answer = archive.ask("Who said the river was calm?")
    told = {cited.quote.text for cited in answer.shown}
    further = [cited.quote.text for cited in archive.more(answer, 40).quotes]
    assert further
    assert not any(text in quoted for text in further for quoted in told)


def test_yesterday_counts_from_the_day_of_asking(archive: Archive) -> None:
    """Days in a question are relative to the day of asking or `as_of`, and so are ids.

    Without a day the newest report's stands for it; a question that names no day has one id.
    """
    question, asked = "What has changed since yesterday?", Filters(today=date(2026, 3, 20))
    at = datetime(2026, 3, 11, tzinfo=UTC)
    answers = [archive.ask(question, f) for f in (Filters(), asked, replace(asked, as_of=at))]
    days = [answer.news.since.day for answer in answers if answer.news]
    assert days == [13, 19, 10]
    assert len({answer.answer_id for answer in answers}) == 3
    assert archive.more(answers[1], 10).filters.today == date(2026, 3, 20)
    other = "Who closed the gate?"
    assert archive.ask(other, asked).answer_id == archive.ask(other).answer_id
