"""The reader distinguishes answers from near misses, marks answers, and checks its weights."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.errors import EncoderError
from index.network import SEP
from index.reader.excerpts import (
    QUESTION_TOKENS,
    SENTENCE_TOKENS,
    TITLE_TOKENS,
    Excerpt,
    lay_out,
)
from index.reader.model import WEIGHTS, Reader, Reading, TrainedReader

REPORT = (
    "The Orsk dam failed at dawn on Friday, and water reached the market square within an hour.",
    "Nine people died in the flood, the mayor of Orsk, Lena Petrova, said.",
    "Work on the dam began in 1957 and cost 40 million crowns.",
    "Petrova, 52, has promised an inquiry.",
    "The football club has called off its match against Brod.",
)
ANSWERED = {
    "how many people died in the flood": (1, "Nine"),
    "When did work on the dam begin?": (2, "1957"),
    "who is the mayor of orsk?": (1, "Lena Petrova"),
    "How old is Petrova?": (3, "52"),
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    """Load a reader for all tests, which takes a second."""
    return TrainedReader()


def read(reader: Reader, question: str) -> list[Reading]:
    """Read the report as one excerpt."""
    return reader.read(question, [Excerpt("", REPORT)])[0]


@pytest.mark.encoder
@pytest.mark.parametrize("question", ANSWERED)
def test_the_sentence_that_answers_is_read_as_such(reader: Reader, question: str) -> None:
    """It scores best in its report, and the words marked in it are the answer."""
    readings = read(reader, question)
    index, answer = ANSWERED[question]
    best = max(range(len(REPORT)), key=lambda i: readings[i].score)
    assert best == index
    assert answer in REPORT[best][readings[best].start : readings[best].end]


@pytest.mark.encoder
def test_a_near_miss_is_less_probable_than_an_answer(reader: Reader) -> None:
    """The best sentence for what the report lacks scores below every true answer."""
    answered = [max(r.probability for r in read(reader, question)) for question in ANSWERED]
    missed = [
        max(r.probability for r in read(reader, question))
        for question in (
            "Who is the mayor of Brod?",
            "Who scored for Brod?",
            "Why was Petrova fired?",
        )
    ]
    assert max(missed) < min(answered)


@pytest.mark.encoder
def test_readings_keep_the_order_and_do_not_depend_on_company(reader: Reader) -> None:
    """Scores are the same alone, in another order, together or from several threads."""
    question = "How many people died?"
    texts = [Excerpt("", (sentence,)) for sentence in REPORT]
    alone = [reader.read(question, [text])[0] for text in texts]
    many = reader.read(question, texts[::-1] * 5)
    assert many[:5][::-1] == alone
    assert reader.read(question, []) == []
    with ThreadPoolExecutor(4) as pool:
        fresh = TrainedReader()
        results = list(pool.map(lambda _: read(fresh, question), range(8)))
    assert all(result == results[0] for result in results)


@pytest.mark.encoder
@pytest.mark.parametrize(
    "text", ["", " \n", "word " * 3_000, "\x00", "😀\u202e\u0301", "橋が落ちた。"]
)
def test_any_text_is_read(reader: Reader, text: str) -> None:
    """Empty, blank, endless and foreign texts get a finite score, and marks lie inside them."""
    for question, sentence in (("What fell?", text), (text, "It fell.")):
        ((_, reading),) = reader.read(question, [Excerpt(text, (text, sentence))])
        assert 0 <= reading.probability <= 1
        assert reading.start is None or reading.end is not None
        assert 0 <= (reading.start or 0) <= (reading.end or 0) <= len(sentence)


@pytest.mark.encoder
def test_weights_that_were_changed_or_are_missing_are_refused(tmp_path: Path) -> None:
    """Changed or missing weights raise a clear error at first use."""
    changed = tmp_path / "changed.onnx"
    changed.write_bytes(WEIGHTS.read_bytes() + b"\0")
    with pytest.raises(EncoderError, match="not the published ones"):
        TrainedReader(changed).read("Who?", [Excerpt("", ("She.",))])
    with pytest.raises(EncoderError, match="missing"):
        TrainedReader(tmp_path / "none").read("Who?", [Excerpt("", ("She.",))])


@pytest.mark.encoder
def test_an_excerpt_is_cut_to_its_parts_and_offsets_point_into_its_sentences() -> None:
    """Each part has its limit, and tokens have right offsets after accents and emoji."""
    long = "word " * 200
    (full,) = lay_out([long], [Excerpt(long, (long, long))])
    assert len(full.ids) == QUESTION_TOKENS + TITLE_TOKENS + 2 * SENTENCE_TOKENS + 5
    sentences = ("It rained.", "😀 Zoë paid 40 crowns.")
    (short,) = lay_out(["Who paid?"], [Excerpt("", sentences)])
    assert [i for i, token in enumerate(short.ids) if token == SEP][1:] == short.ends
    assert short.types == [0] * short.first(0) + [1] * (len(short.ids) - short.first(0))
    words = [
        [text[a:b] for a, b in own] for text, own in zip(sentences, short.offsets, strict=True)
    ]
    assert words[0] == ["It", "rained", "."]
    assert words[1][1:4] == ["Zoë", "paid", "40"]
    assert short.first(1) == short.ends[0] + 1
