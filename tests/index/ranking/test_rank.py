"""Rankings are ordered, explained and repeatable; declines say what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import FakeEncoder, write_rows

from index.archive import Archive
from index.domain import Filters
from index.encoder import PackagedEncoder
from index.errors import QuestionError
from index.ranking.features import JUDGING
from index.ranking.model import packaged

ROWS = [
    {
        "id": "dam",
        "title": "Dam fails",
        "text": "The dam at Tessen failed at 4:40 on Monday. Six people drowned below it. "
        "Crews had warned of a broken hoist.",
        "publisher": "Northwire",
        "published": "2026-03-09",
    },
    {
        "id": "denial",
        "title": "Ministry denies warning",
        "text": "The ministry denied that crews had warned of the hoist. It will pay 4,000 crowns.",
        "publisher": "Courier",
        "published": "2026-03-12",
    },
    {"id": "cup", "title": "Cup final", "text": "Athletic won the cup. The crowd sang in Adell."},
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Open a collection of three small reports, embedded by the fake encoder."""
    folder = tmp_path_factory.mktemp("data")
    with closing(Archive.open(folder, "few", FakeEncoder(), threshold=0.3)) as opened:
        opened.add([str(write_rows(folder / "rows.jsonl", ROWS))])
        yield opened


def test_the_stating_sentence_comes_first(archive: Archive) -> None:
    """A question in the words of a sentence is answered by that sentence."""
    assert archive.search("Did the dam at Tessen fail?").sentences[0].text.startswith("The dam at")


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("What does Northwire say of crews that warned?", "dam"),
        ("What does Courier say of crews that warned?", "denial"),
        ("Had crews warned of the hoist, on March 9, 2026?", "dam"),
        ("Had crews warned of the hoist, on March 12, 2026?", "denial"),
    ],
)
def test_a_named_source_is_preferred(archive: Archive, question: str, first: str) -> None:
    """A report by the publisher or of the day in the question ranks above others."""
    assert archive.search(question).sentences[0].article_id == first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=st.text(max_size=120))
def test_any_question_gives_an_ordered_ranking(archive: Archive, question: str) -> None:
    """Scores fall, sentences are distinct, and asking again gives the same ranking."""
    try:
        ranking = archive.search(question)
    except QuestionError:
        return
    assert (np.diff(ranking.scores) <= 0).all()
    assert len({one.sentence_id for one in ranking.sentences}) == len(ranking.sentences)
    assert 0 <= ranking.confidence <= 1
    again = archive.search(question)
    assert again.sentences == ranking.sentences
    assert again.scores.tolist() == ranking.scores.tolist()


@pytest.mark.parametrize(
    "question",
    [
        "Six people drowned?",
        "Had crews warned of the hoist, and did the ministry deny the warning?",
    ],
)
def test_an_explanation_adds_up(archive: Archive, question: str) -> None:
    """The contributions of features, and of a repeated report, add up to each score."""
    ranking = archive.search(question)
    added = ranking.contributions()
    total = np.sum([*added.values()], axis=0)
    np.testing.assert_allclose(total, ranking.scores, atol=1e-4)
    assert (added["same_article"] <= 1e-4).all()
    assert added["same_article"].min() < -0.5 or len(ranking.query.clauses) == 1


def test_confidence_falls_with_what_is_missing(archive: Archive) -> None:
    """The fewer of a question's words the reports have, the lower the confidence."""
    asked = ["Had crews warned of a hoist?", "Had crews warned of a flood?", "Had bees fled a zoo?"]
    sure = [archive.search(question).confidence for question in asked]
    odds = [confidence / (1 - confidence) for confidence in sure]
    assert odds[0] > 4 * odds[1]
    assert odds[1] > 4 * odds[2]


def test_weights_and_features_are_the_same_set(archive: Archive) -> None:
    """Every weight has a feature, and every feature is weighed or judges an answer."""
    measured = archive.search("Did the dam at Tessen fail?").features
    assert {*measured} - JUDGING == {*packaged().fitted, *packaged().by_hand}
    assert {*packaged().confidence} >= JUDGING


def test_articles_are_ranked_by_their_text(archive: Archive) -> None:
    """Each article is ranked once, scores fall, and the article on the topic comes first."""
    found = archive.search("Athletic cup final").by_article()
    assert found[0][0].article_id == "cup"
    assert len({article.article_id for article, _ in found}) == len(found)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("How many turbines does the Quillon stadium have?", "No report mentions “Quillon”."),
        (
            "How many turbines does the Adell stadium have?",
            "The reports do not seem to answer this.",
        ),
        ("Wer bezahlt den neuen Damm?", "another language"),
        ("According to the Tribune, did Adell vote?", "publisher"),
    ],
)
def test_a_decline_names_what_is_missing(archive: Archive, question: str, says: str) -> None:
    """The reason has the names that no report has, or what else the question lacks."""
    given_back = archive.ask(question)
    assert given_back.status == "declined"
    assert says in (given_back.reason or "")


def test_a_short_question_is_no_single_word(archive: Archive) -> None:
    """Only for a single word is a whole question asked for; “Did anyone resign?” is enough."""
    assert "One word is too little to go by" in (archive.ask("resignations?").reason or "")
    asked = archive.ask("Did anyone resign?")
    assert asked.reason == "The reports do not seem to answer this."


def test_the_days_of_the_reports_are_mentioned(archive: Archive) -> None:
    """A year in which reports were published is not called missing, even if none writes it."""
    known = archive.ask("Who juggled melons in 2026?")
    assert (known.status, known.reason) == ("declined", "The reports do not seem to answer this.")
    assert archive.ask("Who juggled melons in 2031?").reason == "No report mentions “2031”."


def test_a_filter_that_hides_the_answer_is_named(archive: Archive) -> None:
    """A decline names the filter that excludes a report that would answer."""
    asked = "Did the dam at Tessen fail at 4:40 on Monday?"
    assert archive.ask(asked).status == "answered"
    hidden = archive.ask(asked, Filters(since=datetime(2026, 3, 11, tzinfo=UTC)))
    assert hidden.status == "declined"
    assert "“Dam fails” (Northwire), is left out by the filter “since”" in (hidden.reason or "")


def test_an_undated_report_is_left_out_with_a_reason(tmp_path: Path) -> None:
    """If a date filter excludes an undated report that would answer, the reason says so."""
    text = "The dam at Tessen failed at 4:40 on Monday."
    rows = write_rows(tmp_path / "rows.jsonl", [{"_id": "dam", "title": "Dam fails", "text": text}])
    with closing(Archive.open(tmp_path, "undated", FakeEncoder(), threshold=0.0)) as undated:
        undated.add([str(rows)])
        since = Filters(since=datetime(2026, 3, 11, tzinfo=UTC))
        hidden = undated.ask("Did the dam at Tessen fail at 4:40 on Monday?", since)
    assert "left out by the filter “since”: it states no date." in (hidden.reason or "")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Open a collection of the sample reports, embedded by the real encoder."""
    folder = Path(str(files("bot") / "sample"))
    data = tmp_path_factory.mktemp("sample")
    with closing(Archive.open(data, "sample", PackagedEncoder())) as opened:
        opened.add([str(folder)])
        yield opened


@pytest.mark.encoder
@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("How far is the dam from Ostermoor?", "stands 14 kilometers upstream"),
        ("How many children were on the gymnasium roof?", "She counted 31 children"),
        ("When did Gate 3 fail?", "failed at 4:40 a.m."),
        ("Had dam crews warned about the gate?", "warned managers seven weeks"),
        ("Who will lead the inquiry into the dam failure?", "led by civil engineer Samuel Orde"),
        ("What happened at Fennick in 1978?", "19 people drowned"),
        ("How many customers did the breach at Tessen Bank affect?", "41,000 customers"),
    ],
)
def test_the_sample_is_answered(sample: Archive, question: str, says: str) -> None:
    """The sentence that answers is quoted first."""
    assert says in sample.ask(question).quotes[0].quote.text


@pytest.mark.encoder
@pytest.mark.parametrize(
    "question",
    [
        "Who is the prime minister of Arvenland?",
        "Which film won the most awards?",
        "Who is the president of Arvenland?",
    ],
)
def test_what_the_sample_lacks_is_declined(sample: Archive, question: str) -> None:
    """Questions that no report answers are declined with a reason."""
    answer = sample.ask(question)
    assert answer.status == "declined"
    assert answer.reason
