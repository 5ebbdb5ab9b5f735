"""Each feature measures what its name says."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from support.fakes import FakeEncoder

from index.answering.attribution import annotate
from index.domain import Article, Quote, Sentence
from index.ranking.features import Floats, article_bm25, table
from index.ranking.features import given as given_spans
from index.ranking.query import FollowUp, parse
from index.store.types import Rows
from index.text.sentences import split
from index.text.terms import terms

REPORTS = (
    Article(
        article_id="dam",
        title="Dam fails",
        text="The dam at Tessen failed on Monday. Nobody was hurt. Who had been warned?",
        publisher="Northwire",
        published=datetime(2026, 3, 9, tzinfo=UTC),
    ),
    Article(
        article_id="cup",
        title="Cup",
        text="Bruno Asante scored twice for Carrowmere. The crowd sang: photo by staff",
        publisher="Courier",
    ),
)


def rows_of(*articles: Article) -> Rows:
    """Return all sentences of the articles, as a store would."""
    encoder = FakeEncoder()
    sentences: list[Sentence] = []
    for article in articles:
        spans = split(article.text)
        voices = annotate(article.text, spans)
        for position, (span, voice) in enumerate(zip(spans, voices, strict=True)):
            place = (len(sentences) + 1, article.article_id, 1, position, span.start, span.end)
            text = article.text[span.start : span.end]
            sentences.append(Sentence(*place, text, voice.speaker, voice.act))
    return Rows(
        sentences=tuple(sentences),
        vectors=encoder.encode([one.text for one in sentences]),
        terms=tuple(tuple(terms(one.text)) for one in sentences),
        articles={article.article_id: article for article in articles},
    )


def measured(
    question: str, *articles: Article, after: FollowUp | None = None
) -> tuple[list[str], dict[str, Floats]]:
    """Return the candidates' texts and features; all terms are equally rare."""
    rows = rows_of(*articles)
    query = parse(question, {one.publisher for one in articles if one.publisher}, after=after)
    vectors = FakeEncoder().encode_parts(query.question, query.clauses)
    idf = np.ones(len(query.terms), dtype=np.float32)
    return [one.text for one in rows.sentences], table(query, rows, vectors, idf)


def test_cover_is_the_share_of_the_question() -> None:
    """A sentence with two of three content words covers two thirds, one without any nothing."""
    texts, found = measured("Which dam failed badly?", *REPORTS)
    cover = dict(zip(texts, found["cover"].tolist(), strict=True))
    assert cover["The dam at Tessen failed on Monday."] == pytest.approx(2 / 3)
    assert cover["Nobody was hurt."] == 0


def test_neighbours_and_title_lend_their_words() -> None:
    """A sentence gets a share of the question's words in its neighbours and title."""
    texts, found = measured("Did the dam at Tessen fail?", *REPORTS)
    bm25 = dict(zip(texts, found["clause_bm25"].tolist(), strict=True))
    assert bm25["Nobody was hurt."] > bm25["Who had been warned?"] > 0
    assert bm25["Bruno Asante scored twice for Carrowmere."] == 0
    near = dict(zip(texts, found["near"].tolist(), strict=True))
    assert near["Nobody was hurt."] == 1  # the sentence before has all words
    assert near["Bruno Asante scored twice for Carrowmere."] == 0


def test_publisher_and_day_mark_the_whole_report() -> None:
    """All sentences of the report that the question names are marked, and no others."""
    texts, found = measured("What did Northwire say on March 9, 2026?", *REPORTS)
    own = [1.0] * 3 + [0.0] * (len(texts) - 3)
    assert found["publisher"].tolist() == own
    assert found["day"].tolist() == own


@pytest.mark.parametrize(
    ("question", "day"),
    [
        ("What was said on March 9, 2026?", 1.0),
        ("What was said on 10 March?", 0.5),
        ("What was said in March 2026?", 0.25),
        ("What was said in April 2026?", 0.0),
    ],
)
def test_a_day_counts_more_than_a_month(question: str, day: float) -> None:
    """1 on the day of publication, a half on the next, a quarter in the month."""
    _, found = measured(question, REPORTS[0])
    assert set(found["day"].tolist()) == {day}


def test_form_features_mark_what_is_asked_for() -> None:
    """Sentences with the speaker, act and time asked for are marked."""
    text = "Mara Voss said the gate failed in 2019. The ministry denied that it was warned."
    report = Article(article_id="gate", title="Gate", text=text)

    def column(question: str, name: str) -> list[float]:
        values: list[float] = measured(question, report)[1][name].tolist()
        return values

    assert column("What did Mara Voss say about the gate?", "speaker") == [1, 0]
    assert column("What did Mara Voss say about football?", "speaker") == [0, 0]
    assert column("Who denied it?", "act") == [0, 1]
    assert column("What happened in 2019?", "time") == [1, 0]
    assert column("Did the gate fail?", "time") == [0, 0]


@pytest.mark.parametrize("asked", ["the NPL chief", "the Norland Port League's chief"])
@pytest.mark.parametrize("speaker", ["The chief of the Norland Port League", "The NPL chief"])
def test_a_speaker_is_known_by_an_acronym(asked: str, speaker: str) -> None:
    """The question may abbreviate the name of the speaker, or the report."""
    text = f"{speaker} said the gate failed. Mara Voss said the gate held."
    report = Article(article_id="gate", title="Gate", text=text)
    _, features = measured(f"What did {asked} say about the gate?", report)
    assert features["speaker"].tolist() == [1, 0]


def test_a_follow_up_prefers_what_is_new() -> None:
    """Quoted sentences are marked as repeated, unless only they have the new words."""
    text = "The dam failed at dawn. A pin in the gate broke."
    report = Article(article_id="dam", title="Dam", text=text)
    quoted = (Quote.cut(report, 0, 23),)

    def columns(new_words: str) -> tuple[list[float], list[float]]:
        after = FollowUp(new_words, quoted)
        found = measured(f"{new_words} dam?", report, after=after)[1]
        return found["new_words"].tolist(), found["repeats"].tolist()

    assert columns("And a pin") == ([0, 1], [1, 0])
    assert columns("Why") == ([0, 0], [0, 0])
    assert columns("Did it fail at dawn") == ([1, 0], [0.5, 0])
    assert columns("") == ([0, 0], [1, 0])


def test_gives_wants_something_new() -> None:
    """A name answers “who” only if the question does not contain it."""
    texts, found = measured("Who scored twice for Carrowmere?", *REPORTS)
    gives = dict(zip(texts, found["gives"].tolist(), strict=True))
    assert gives["Bruno Asante scored twice for Carrowmere."] == 1
    assert gives["Nobody was hurt."] == 0
    _, again = measured("Did Bruno Asante score for Carrowmere?", *REPORTS)
    assert not again["gives"].any()


def test_form_is_read_from_the_last_mark() -> None:
    """Questions and captions are distinguished from statements by their last mark."""
    texts, found = measured("dam", *REPORTS)
    asks = dict(zip(texts, found["asks"].tolist(), strict=True))
    assert [text for text, one in asks.items() if one] == ["Who had been warned?"]
    assert found["unfinished"].tolist()[-1] == 1
    assert found["first"].tolist()[:3] == pytest.approx([1, 1 / 2, 1 / 3])


@pytest.mark.parametrize(
    ("question", "text", "cut"),
    [
        (
            "How far is it?",
            "It is 200 kilometers (125 miles) off.",
            ["200 kilometers", "125 miles"],
        ),
        ("How much was paid?", "They paid $1.2 billion.", ["$1.2 billion"]),
        ("When was it?", "It began on Monday in 2011.", ["Monday", "2011"]),
        ("When did it fail?", "It failed at 4:40 a.m., not at 16:40.", ["4:40 a.m.", "16:40"]),
        ("How much rain fell?", "It rained 187 millimeters.", ["187 millimeters"]),
        ("How many gates are there?", "Six; 1,200 like it stand abroad.", ["Six", "1,200"]),
        ("How many died?", "Six died; 1,200 fled.", ["Six"]),
        ("Was it warned?", "It was, in 2011.", []),
    ],
)
def test_what_is_given_is_cut_whole(question: str, text: str, cut: list[str]) -> None:
    """Spans of the kind asked for are the whole amount, date or number."""
    found = [*given_spans(parse(question), text)]
    assert [text[one.start : one.end] for one in found] == cut


def test_article_bm25_finds_the_report() -> None:
    """A report with the question's words scores above a report without them."""
    scores = article_bm25(parse("Which dam failed?"), REPORTS)
    assert scores[0] > scores[1]
