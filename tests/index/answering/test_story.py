"""The sample story with the real encoder: who says what, when, and against whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from bot.views.text import speaker_line, story_line
from index.archive import Archive
from index.domain import Answer, Filters
from index.encoder import PackagedEncoder

pytestmark = pytest.mark.encoder

WARNED = "Was the ministry warned about Gate 3?"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Open a collection with the sample reports."""
    made = Archive.open(tmp_path_factory.mktemp("data"), "story", PackagedEncoder())
    made.add([str(Path(str(files("bot") / "sample")))])
    yield made
    made.close()


def side_texts(answer: Answer) -> list[str]:
    """Return what each side says, with its quotes joined."""
    assert answer.agreement
    return [
        " ".join(answer.quotes[n].quote.text for n in side.quotes)
        for side in answer.agreement.sides
    ]


@pytest.mark.parametrize(
    "question",
    [
        WARNED,
        "Were crews warned about Gate 3?",
        "Did crews warn managers that Gate 3 was unsafe?",
        "Was a warning about the gate ignored?",
    ],
)
def test_claim_and_denial_stand_side_by_side(archive: Archive, question: str) -> None:
    """The union's claim is a side and the ministry's denial the other, with their speakers."""
    answer = archive.ask(question)
    claim, denial = side_texts(answer)
    assert answer.agreement is not None
    assert answer.agreement.kind == "disagree"
    assert "Maintenance crews" in claim
    assert "rejected" in denial or "No warning" in denial
    speakers = [side.speaker or "" for side in answer.agreement.sides]
    assert "union" in speakers[0]
    assert "inistry" in speakers[1]


def test_only_a_disagreement_on_the_question_counts(archive: Archive) -> None:
    """A disagreement on a warning is not mentioned in an answer about a strike."""
    assert archive.ask("Did the union go on strike?").agreement is None


def test_who_negates_a_claim_denies_it(archive: Archive) -> None:
    """A spokesman who "told" a conference that there was no warning is shown as denying it."""
    answer = archive.ask(WARNED)
    denying = next(q for q in answer.quotes if "Aldane" in (q.speaker or ""))
    assert "Pieter Aldane told a news conference" in denying.quote.text
    assert speaker_line(denying, answer) == "Denying it:"
    assert speaker_line(denying, replace(answer, agreement=None)) == ""  # denying what?


def test_a_label_adds_to_its_quote(archive: Archive) -> None:
    """A speaker whom the quote names is not repeated above it, nor shown as a pronoun."""
    answer = archive.ask(WARNED)
    cited = answer.quotes[0]
    shown = [
        speaker_line(replace(cited, speaker=speaker, act="claim", change=None), answer)
        for speaker in ("mara  voss", "He", "the leader of their union", "US officials", " ")
    ]
    assert shown == ["Mara voss:", "", "", "US officials:", ""]
    named = cited.quote.text.split()[0].lower()
    assert speaker_line(replace(cited, speaker=named, act="claim", change=None), answer) == ""


@pytest.mark.parametrize(
    ("question", "speaker"),
    [
        ("What did Karim Boland say?", "Boland"),
        ("What did the union leader claim?", "union"),
        ("What did the mayor say?", "Elise Kornath"),
    ],
)
def test_the_words_of_the_person_asked_for_come_first(
    archive: Archive, question: str, speaker: str
) -> None:
    """Asked what a person said, their own words answer, however short the question is."""
    answer = archive.ask(question)
    assert answer.status == "answered"
    assert speaker in (answer.quotes[0].speaker or "")


@pytest.mark.parametrize(
    ("name", "asked"), [("Norland Port League", "NPL"), ("NPL", "Norland Port League")]
)
def test_an_acronym_of_a_known_name_is_known(tmp_path: Path, name: str, asked: str) -> None:
    """A person whom the reports name in full, or by an acronym, is known; others are not."""
    text = f"The {name} chief said the harbour would close. Ships turned back."
    (tmp_path / "harbour.txt").write_text(f"Harbour\n\n{text}\n", encoding="utf-8")
    archive = Archive.open(tmp_path / "data", "port", PackagedEncoder())
    archive.add([str(tmp_path / "harbour.txt")])
    answer = archive.ask(f"What did the {asked} chief say about the harbour?")
    stranger = archive.ask("What did the QXL chief say about the harbour?")
    archive.close()
    assert answer.quotes[0].speaker == f"The {name} chief"
    assert stranger.status == "declined"


def test_nothing_is_quoted_twice(archive: Archive) -> None:
    """No sentence is in two quotes of an answer."""
    for question in (
        "Had the crews been warned about the gate?",
        WARNED,
        "Who ignored the warning?",
    ):
        spans = [(cited.quote.article_id, cited.quote) for cited in archive.ask(question).quotes]
        for n, (article_id, quote) in enumerate(spans):
            for other_id, other in spans[:n]:
                apart = quote.end <= other.start or other.end <= quote.start
                assert article_id != other_id or apart


def test_nobody_is_quoted_for_a_person_without_reports(archive: Archive) -> None:
    """A minister's words are not quoted for a prime minister whom no report names."""
    answer = archive.ask("What did the prime minister say?")
    assert (answer.status, answer.reason) == ("declined", "No report mentions “prime”.")
    named = archive.ask("What did the harpist Karim Boland say?")
    assert "Boland" in (named.quotes[0].speaker or "")  # one unknown word beside a known name


def test_a_rewrite_is_listed_and_not_quoted_again(archive: Archive) -> None:
    """Agency copy in another paper is listed as the same origin, and quoted once."""
    answer = archive.ask("When did Gate 3 fail?")
    (cited,) = [one for one in answer.quotes if "Gate 3, one of five" in one.quote.text]
    (also,) = cited.also
    numbered = {citation.number: citation for citation in answer.citations}
    publishers = {numbered[number].article.publisher for number in (cited.citation, also)}
    assert publishers == {"Northwire", "Carrowmere Courier"}
    assert also not in numbered[cited.citation].independent_of
    assert answer.independent < len(answer.citations)


@pytest.mark.parametrize(
    ("question", "earlier", "later"),
    [
        ("How many people died in the flood?", "at least two people", "to six"),
        ("How many people are missing now?", "Eleven people", "Three people"),
        ("How many were killed?", "at least two people", "to six"),  # in other words than asked
    ],
)
def test_counts_are_updated(archive: Archive, question: str, earlier: str, later: str) -> None:
    """The first and the last count are shown as earlier and later, not as a disagreement."""
    answer = archive.ask(question)
    assert answer.agreement is not None
    assert answer.agreement.kind == "updated"
    before, after = side_texts(answer)
    assert earlier in before
    assert later in after


def test_before_the_news_there_is_only_the_first_count(archive: Archive) -> None:
    """Asked as of the first day, the later count is not shown."""
    then = Filters(as_of=datetime(2026, 3, 10, tzinfo=UTC))
    answer = archive.ask("How many people are missing now?", then)
    assert answer.agreement is None
    assert "Eleven people" in answer.quotes[0].quote.text


def test_a_correction_comes_first(archive: Archive) -> None:
    """Asked what an earlier report had wrong, the correction comes first."""
    answer = archive.ask("Will retired judge Helena Brock lead the inquiry?")
    texts = [cited.quote.text for cited in answer.quotes]
    assert texts[0].startswith("Correction:")
    assert "led by retired judge Helena Brock" in texts[1]
    assert answer.agreement is not None
    assert answer.agreement.kind == "updated"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What happened in 1978?", "2 November 1978"),
        ("What did the minister promise last Wednesday?", "visited Ostermoor on Wednesday"),
        ("How many people were missing at first?", "Eleven people"),
        ("What is the latest on the missing people?", "Three people"),
    ],
)
def test_the_time_asked_for_comes_first(archive: Archive, question: str, words: str) -> None:
    """A sentence from the time in the question comes first, or the first or latest report."""
    assert words in archive.ask(question).quotes[0].quote.text


@pytest.mark.parametrize(
    ("question", "first", "reports"),
    [
        ("What has changed since Wednesday?", "Correction:", 6),
        ("What is new about the dam since 12 March?", "Correction:", 3),
        ("How has the death toll changed since Monday?", "OSTERMOOR", 1),
        ("Any news about Athletic since yesterday?", None, 0),
    ],
)
def test_what_changed_since(
    archive: Archive, question: str, first: str | None, reports: int
) -> None:
    """News since a day, perhaps on a topic, comes newest first; without any it declines."""
    answer = archive.ask(question)
    assert answer.news is not None
    assert answer.news.reports == reports
    assert {cited.change for cited in answer.quotes} <= {"new"}
    if first is None:
        assert "about “Athletic” since 13 March 2026" in (answer.reason or "")
    else:
        assert answer.quotes[0].quote.text.startswith(first)


def test_corrected_news_is_marked(archive: Archive) -> None:
    """News that was wrong comes after its correction, and a line says so."""
    answer = archive.ask("What is new about the inquiry since 13 March?")
    assert [quote.quote.text[:10] for quote in answer.quotes] == ["Correction", "An inquiry"]
    assert "an earlier report gave another number" in story_line(answer)


def test_the_timeline_is_of_events(archive: Archive) -> None:
    """Events are on the day when they happened, whenever they were reported."""
    found = archive.timeline("Gate 3")
    assert sum(found.days[date(2026, 3, 9)].values()) == 3
    assert date(2026, 2, 3) in found.days
    assert date(2026, 3, 10) not in found.days


def test_rewrites_are_linked(archive: Archive) -> None:
    """Among the ten reports, only the agency's first and the Courier's have one origin."""
    same = {
        one.article_id[:2]: [other.article_id[:2] for other in archive.related(one.article_id)]
        for one in archive.articles()
    }
    assert {name: others for name, others in same.items() if others} == {"01": ["02"], "02": ["01"]}


def test_a_recalled_answer_says_the_same(archive: Archive) -> None:
    """The log restores copies, independence and disagreement too."""
    for question in (WARNED, "When did Gate 3 fail?", "How many people died in the flood?"):
        answer = archive.ask(question)
        archive.answers.record(answer)
        again = archive.answers.get(answer.answer_id).answer
        assert again == answer
        assert story_line(again) == story_line(answer)
