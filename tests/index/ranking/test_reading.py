"""The reader's part in an answer: what comes first, what is quoted, what is marked."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import FakeEncoder, FakeReader, write_rows

from index.archive import Archive
from index.domain import Answer, Article, CitedQuote, Quote, Sentence
from index.errors import InputError
from index.ranking.model import packaged
from index.ranking.rank import EXCERPT, READ, excerpts
from index.reader.excerpts import Excerpt

QUESTION = "How many crowns will the ministry pay for the hoist?"
MANY = (
    "How many crowns will the ministry pay for the hoist, and who will repair the old hoist, "
    "and which crews said on Monday that the price is a secret?"
)
ROWS = [
    {
        "id": "ministry",
        "title": "Ministry pays",
        "text": "The ministry will pay for the hoist. It set aside 4,000 crowns for it on Monday.",
    },
    {
        "id": "hoist",
        "title": "Hoist",
        "text": "How many crowns the ministry will pay for the hoist is a secret, crews said.",
    },
    {
        "id": "many",
        "title": "Pay",
        "text": " ".join(f"The hoist {n} is old, {'very ' * 20}old." for n in range(40)),
    },
]


def opened(folder: Path, *parts: str) -> Archive:
    """Open the reports above with a reader that takes these parts for answers."""
    folder.mkdir(exist_ok=True)
    archive = Archive.open(folder, "few", FakeEncoder(), reader=FakeReader(*parts), threshold=0.0)
    archive.add([str(write_rows(folder / "rows.jsonl", ROWS))])
    return archive


def test_the_sentence_that_answers_is_first_and_marked(tmp_path: Path) -> None:
    """The sentence that answers is quoted first, with the answering words marked."""
    answer = opened(tmp_path, "4,000 crowns").ask(QUESTION)
    assert answer.short is answer.quotes[0]
    assert answer.quotes[0].answer is not None
    assert answer.quotes[0].answer.text == "4,000 crowns"
    assert "4,000 crowns" in answer.quotes[0].quote.text


def test_differing_figures_have_no_short_form(tmp_path: Path) -> None:
    """If another quote has a different count, the first is not shown as the answer."""
    question = "How many people were hurt by the hoist?"
    rows = [
        {"id": "now", "title": "Hoist", "text": "Four people were hurt by the hoist on Monday."},
        {"id": "then", "title": "Brod", "text": "Nine people were hurt by the hoist in Brod."},
    ]

    def asked(*given: dict[str, str]) -> Answer:
        folder = tmp_path / str(len(given))
        folder.mkdir()
        reader = FakeReader("Four people", "Nine people")
        archive = Archive.open(folder, "few", FakeEncoder(), reader=reader, threshold=0.0)
        archive.add([str(write_rows(folder / "rows.jsonl", given))])
        return archive.ask(question)

    alone, both = asked(rows[0]), asked(*rows)
    assert alone.short is alone.quotes[0]
    assert len(both.quotes) > 1
    assert both.short is None


def test_corrected_words_are_no_short_form(tmp_path: Path) -> None:
    """Words that a moderator corrected are quoted, but not shown as the answer."""
    archive = opened(tmp_path, "4,000 crowns")
    archive.correct(archive.ask(QUESTION).quotes[0].quote.article_id, "It was 5,000 crowns.")
    answer = archive.ask(QUESTION)
    assert "4,000 crowns" in answer.quotes[0].quote.text
    assert answer.short is None


def test_corrected_words_in_a_copy_are_no_short_form(tmp_path: Path) -> None:
    """Words that a moderator corrected in one report are not the answer in its copy either."""
    text = "The repair of the hoist will cost 4,000 crowns, the harbour office said on Monday."
    rows = [
        {"id": name, "title": "Hoist", "text": text, "publisher": outlet}
        for name, outlet in (("wire", "Wire"), ("copy", "Courier"))
    ]
    archive = Archive.open(
        tmp_path, "copies", FakeEncoder(), reader=FakeReader("4,000 crowns"), threshold=0.0
    )
    archive.add([str(write_rows(tmp_path / "rows.jsonl", rows))])
    question = "What will the repair of the hoist cost?"
    before = archive.ask(question)
    assert before.short is not None
    (also,) = before.short.also
    archive.correct(before.citations[also - 1].article.article_id, "It was 5,000 crowns.")
    after = archive.ask(question)
    assert "4,000 crowns" in after.quotes[0].quote.text
    assert after.short is None


def test_what_hardly_answers_is_quoted_only_if_nothing_ranks_better(tmp_path: Path) -> None:
    """A sentence with only the question's words is not quoted beside an answer."""
    quoted = [cited.quote.text for cited in opened(tmp_path, "4,000 crowns").ask(QUESTION).quotes]
    assert not any("secret" in text for text in quoted)
    unsure = opened(tmp_path / "unsure").ask(QUESTION)
    assert ["secret" in cited.quote.text for cited in unsure.quotes] == [True]
    assert unsure.short is None


def test_no_part_is_marked_where_the_reader_is_unsure(tmp_path: Path) -> None:
    """Nothing is marked without a place, or in a sentence that does not count as an answer."""
    archive = opened(tmp_path)
    assert all(cited.answer is None for cited in archive.ask(QUESTION).quotes)


@pytest.mark.parametrize(("question", "clauses"), [(QUESTION, "few"), (MANY, "many")])
def test_only_the_best_are_read_and_scores_are_explained(
    tmp_path: Path, question: str, clauses: str
) -> None:
    """Unread sentences score like the worst read; all parts of a score add up."""
    archive = opened(tmp_path, "4,000 crowns")
    ranking = archive.search(question)
    assert READ <= len(ranking.readings) < len(ranking.sentences)
    assert sorted(ranking.features["reader"].tolist())[-2:] == [-4, 4]
    assert ranking.scores.tolist() == sorted(ranking.scores.tolist(), reverse=True)
    parts = ranking.contributions()
    assert np.allclose(parts["reader"], packaged().reader[clauses] * ranking.features["reader"])
    assert np.allclose(sum(parts.values()), ranking.scores, atol=1e-4)


def test_a_yes_or_no_question_is_read_unless_it_asks_several_things(tmp_path: Path) -> None:
    """A sentence can say whether a ministry pays, but not whether two reports agree."""
    archive = opened(tmp_path, "4,000 crowns")
    assert archive.search("Will the ministry pay for the hoist?").readings
    both = "Does one report say that the ministry pays, while another says that crews are old?"
    ranking = archive.search(both)
    assert len(ranking.query.clauses) > 1
    assert not ranking.readings


def test_a_topic_is_not_read(tmp_path: Path) -> None:
    """A topic that is not a question is ranked without the reader."""
    archive = opened(tmp_path, "4,000 crowns")
    assert archive.search("whats the price of the hoist").readings
    assert not archive.search("tell me about the hoist").readings


def test_only_english_is_read(tmp_path: Path) -> None:
    """Neither a question nor a report in another language is read: the reader knows English."""
    archive = opened(tmp_path, "4,000 crowns")
    assert archive.search(QUESTION).readings
    assert not archive.search("Was kostet der hoist?").readings
    german = {"title": "Deichbau", "text": "Der Deich bei Tessen kostet 4,000 crowns. Er ist neu."}
    archive.add([str(write_rows(tmp_path / "german.jsonl", [german]))])
    assert not archive.search("How much did the Deich at Tessen cost?").readings


def test_a_sentence_is_read_among_its_neighbours(tmp_path: Path) -> None:
    """The reader also sees the title and the previous sentence, which explain "it"."""
    archive = opened(tmp_path)
    archive.search(QUESTION)
    reader = archive._ranker.reader
    assert isinstance(reader, FakeReader)
    both = tuple(ROWS[0]["text"].partition(" It")[0::2])
    assert Excerpt("Ministry pays", (both[0], f"It{both[1]}")) in reader.excerpts


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 400)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_excerpts_are_whole_runs_and_hold_the_best(
    rows: list[tuple[int, int]], draw: Random
) -> None:
    """Excerpts are consecutive sentences within a limit; the first has the best sentence."""
    sentences, counts = [], Counter[int]()
    for number, (article, size) in enumerate(rows):
        name, place = f"a{article}", counts[article]
        counts[article] += 1
        sentences.append(Sentence(number, name, 1, place, 0, size, "w" * size))
    draw.shuffle(sentences)
    chosen = excerpts(sentences)
    assert len(chosen) <= READ
    assert all(sentences[0] in own for own in chosen[:1])
    assert bool(chosen) == bool(sentences)
    for own in chosen:
        assert {s.article_id for s in own} == {own[0].article_id}
        assert [s.position for s in own] == [own[0].position + i for i in range(len(own))]
        assert len(own) == 1 or sum(len(s.text) for s in own) <= EXCERPT


def test_the_reader_moves_the_confidence(tmp_path: Path) -> None:
    """The confidence uses the weights for read sentences, and grows with the reader's score."""
    yes = opened(tmp_path, "4,000 crowns").search(QUESTION)
    no = opened(tmp_path / "no").search(QUESTION)
    assert yes.confidence > no.confidence
    logit = sum(w * yes.evidence[name] for name, w in packaged().read_confidence.items())
    assert math.isclose(yes.confidence, 1 / (1 + math.exp(-logit)), rel_tol=1e-6)


def test_another_reader_gives_answers_of_another_id(tmp_path: Path) -> None:
    """An answer's id depends on the reader."""
    archive = opened(tmp_path, "4,000 crowns")
    before = archive.ask(QUESTION)
    without = Archive.open(tmp_path, "few", FakeEncoder(), threshold=0.0)
    assert without.ask(QUESTION).answer_id != before.answer_id


def test_an_answer_is_kept_with_its_part(tmp_path: Path) -> None:
    """The log restores an answer with the part that answers."""
    archive = opened(tmp_path, "4,000 crowns")
    sent = archive.ask(QUESTION)
    archive.answers.record(sent)
    assert archive.answers.get(sent.answer_id).answer == sent
    archive.check(sent)


def test_a_part_lies_in_its_quote() -> None:
    """The part that answers is cut from the quote itself."""
    article = Article(article_id="a", title="t", text="It will pay. It paid 4,000 crowns.")
    with pytest.raises(InputError, match="part of the quote"):
        CitedQuote(Quote.cut(article, 0, 12), 1, answer=Quote.cut(article, 21, 33))
