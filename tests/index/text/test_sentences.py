"""Sentence boundaries: gold items, exact offsets, and any text."""

import json
import time
from pathlib import Path
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text.sentences import MAX_SENTENCE, Span, split


class Item(TypedDict):
    """One line of boundaries.jsonl."""

    kind: str
    text: str
    sentences: list[str]


BOUNDARIES = Path(__file__).parents[2] / "data" / "boundaries.jsonl"
ITEMS: list[Item] = [json.loads(line) for line in BOUNDARIES.read_text("utf-8").splitlines()]
PLAIN = [item for item in ITEMS if item["kind"] == "plain"]
HARD = [item for item in ITEMS if item["kind"] != "plain"]

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\"'“”‘’«»()[].?!…。\n\r\t\x00\xa0\u2028\u200d\u0301\ufe0f\ud83d😀🏽אَU.S. aB1-•:,"
        ),
    ),
    max_size=400,
)
PROSE = st.lists(
    st.sampled_from(
        ["Mr.", "U.S.", "a.m.", "Inc.", "The", "dam", "failed.", '"Why?"', "she", "said.", "(It",
         "did.)", "Q:", "...", "\n", "\n\n", "    ", "\r\n", "- ", "No.", "10", "Adell's", "“We"]
    ),
    max_size=80,
).map(" ".join)  # fmt: skip


def sentences(text: str, language: str = "en") -> list[str]:
    """Return the sentences as text."""
    return [text[span.start : span.end] for span in split(text, language)]


def inner_ends(item: Item) -> set[int]:
    """Return gold sentence ends, without the last end, which any splitter finds."""
    ends, position = [], 0
    for sentence in item["sentences"]:
        position = item["text"].index(sentence, position) + len(sentence)
        ends.append(position)
    return set(ends[:-1])


def boundary_f1(items: list[Item]) -> float:
    """Return micro-averaged F1 of sentence ends, without the last end of each item."""
    right = wrong = missed = 0
    for item in items:
        gold, found = inner_ends(item), {span.end for span in split(item["text"])[:-1]}
        right += len(gold & found)
        wrong += len(found - gold)
        missed += len(gold - found)
    return 2 * right / (2 * right + wrong + missed)


def visible(text: str) -> str:
    """Return `text` without white space and invisible characters."""
    return "".join(c for c in text if c.isprintable() and not c.isspace())


def assert_invariants(text: str, spans: list[Span]) -> None:
    """Check that spans are ordered, stripped, capped, and leave out nothing visible."""
    position = 0
    for span in spans:
        piece = text[span.start : span.end]
        assert position <= span.start < span.end <= len(text)
        assert piece == piece.strip()
        assert len(piece) <= MAX_SENTENCE
        assert not visible(text[position : span.start])
        position = span.end
    assert not visible(text[position:])


def test_hard_items_reach_the_bar() -> None:
    """Boundary F1 on hard news items is at least .95."""
    assert len(HARD) >= 100
    assert boundary_f1(HARD) >= 0.95


def test_plain_items_lose_nothing() -> None:
    """Plain news is split exactly as a reader would split it."""
    assert len(PLAIN) >= 30
    assert [sentences(item["text"]) for item in PLAIN] == [item["sentences"] for item in PLAIN]


@given(HOSTILE, st.sampled_from(["en", "de", "ja", "ar", "", "xx-none", "\ud800\x00"]))
def test_any_string_is_split_exactly(text: str, language: str) -> None:
    """Spans of any string are ordered, stripped, capped, and leave out nothing visible."""
    assert_invariants(text, split(text, language))


@given(PROSE)
def test_any_prose_is_split_exactly(text: str) -> None:
    """The same holds for prose in which rules for abbreviations, quotes and lines meet."""
    assert_invariants(text, split(text))


@given(HOSTILE)
def test_result_depends_on_the_text_alone(text: str) -> None:
    """Splitting twice gives the same spans, so stored offsets can be rebuilt."""
    assert split(text) == split(text)


@given(st.text(" \t\n\r\v\f\x85\xa0\u2028\u3000", max_size=50))
def test_whitespace_has_no_sentences(text: str) -> None:
    """Text without a visible character has no sentences."""
    assert split(text) == []


@given(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=6), st.sampled_from(["\n", "\n\n"]))
def test_paragraphs_do_not_change_one_another(items: list[Item], gap: str) -> None:
    """Articles joined line by line are split as each is split alone."""
    text = gap.join(item["text"] for item in items)
    assert sentences(text) == [sentence for item in items for sentence in item["sentences"]]


@given(st.sampled_from(PLAIN), st.integers(45, 80), st.sampled_from(["", "    "]))
def test_hard_wraps_do_not_cut(item: Item, width: int, indent: str) -> None:
    """Wrapping a paragraph at any usual width leaves its sentences whole."""
    lines, line = [], indent
    for word in " ".join([item["text"]] * 3).split():
        if line.strip() and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line.strip() else line + word
    found = sentences("\n".join([*lines, line]))
    assert [" ".join(sentence.split()) for sentence in found] == item["sentences"] * 3


def test_long_sentence_is_cut_at_a_clause() -> None:
    """A sentence over the cap is cut after a clause, and no character is lost."""
    text = ", ".join(["the water rose in the lower town"] * 100) + "."
    found = sentences(text)
    assert len(found) > 1
    assert all(sentence.endswith((",", ".")) for sentence in found)
    assert " ".join(found) == text


@pytest.mark.parametrize("cluster", ["e\u0301", "👩\u200d🚒", "👍🏽"])
def test_cap_keeps_characters_whole(cluster: str) -> None:
    """The cap never separates a combining mark from its base."""
    assert all(sentence.startswith(cluster[0]) for sentence in sentences(cluster * 3000))


@pytest.mark.parametrize(
    "unit",
    ["word ", "a", "The dam. ", '"Oh (x. Y ', "U.S.", "(", "“", ".", "aa.Bb", "a\n", "e\u0301"],
)
def test_time_grows_with_the_text_alone(unit: str) -> None:
    """Sixteen times the text takes far less than 256 times as long."""

    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        start = time.process_time()
        split(text)
        return time.process_time() - start

    small = min(seconds(40_000) for _ in range(3))
    assert min(seconds(640_000) for _ in range(2)) < 128 * small + 0.2


def test_other_languages_pass_through() -> None:
    """The language is passed to the library: stops of other scripts end sentences."""
    assert sentences("橋が落ちた。二人が無事だった。", "ja") == [
        "橋が落ちた。",
        "二人が無事だった。",
    ]
    assert sentences("Das gilt z. B. für Adell. Kessel wartet.", "de") == [
        "Das gilt z. B. für Adell.",
        "Kessel wartet.",
    ]
    assert sentences("M. Kessel et MM. Orde attendent. Le barrage a cédé.", "fr") == [
        "M. Kessel et MM. Orde attendent.",
        "Le barrage a cédé.",
    ]
    assert sentences("He wore size M. The rest left.") == ["He wore size M.", "The rest left."]
