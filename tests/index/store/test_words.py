"""The full text of a large collection gives the same results as SQLite's."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes import put, remove, restore

from index.domain import Article, Filters
from index.store.sqlite import SqliteStore

WORDS = "dam gate flood mayor siren the of 1962 Östby U.S. a dams don’t".split()
SENTENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9)
TEXT = st.lists(SENTENCE, min_size=1, max_size=5)
STEPS = st.lists(st.tuples(st.integers(0, 5), TEXT | st.booleans(), st.booleans()), max_size=8)
TERMS = ["dam", "gate", "flood", "mayor", "the", "1962", "ostbi", "us", "a", "none", "dont"]
BY_POST = Filters(publishers=("Post",))


def report(number: int, text: list[list[str]]) -> Article:
    """Return a report with a sentence per paragraph; every second is the Post's."""
    lines = "\n\n".join(f"Line {' '.join(sentence)}." for sentence in text)
    publisher = "Post" if number % 2 else "Courier"
    return Article(article_id=f"r{number}", title="A report", text=lines, publisher=publisher)


@settings(max_examples=25, deadline=None)
@given(TEXT, STEPS)
def test_it_gives_what_sqlite_gives(first: list[list[str]], steps: list[tuple]) -> None:
    """Through all changes, both give the same sentences, scores and counts."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        stores = [
            opened.enter_context(closing(SqliteStore(Path(folder, str(limit)), exact_up_to=limit)))
            for limit in (0, 1_000)
        ]
        for store in stores:
            put(store, report(0, first))
            store.prepare()
        for number, change, prepares in steps:
            for store in stores:
                if isinstance(change, list):
                    put(store, report(number, change))
                else:
                    (restore if change else remove)(store, f"r{number}")
                if prepares:
                    store.prepare()
            same(*stores)


def same(large: SqliteStore, small: SqliteStore) -> None:
    """Check that both give the same for all terms."""
    with large.snapshot() as one, small.snapshot() as other:
        assert one.document_frequencies(TERMS) == other.document_frequencies(TERMS)
        for initial in "dtl1":
            live = {word: n for word, n in one.vocabulary(initial).items() if n}
            assert live.keys() >= other.vocabulary(initial).keys()
        for filters in (Filters(), BY_POST):
            for terms in (TERMS, ["dam"], ["none"], []):
                found, true = one.lexical(terms, 99, filters), other.lexical(terms, 99, filters)
                assert sorted(found.ids.tolist()) == sorted(true.ids.tolist())
                scores = dict(zip(found.ids.tolist(), found.scores.tolist(), strict=True))
                assert np.allclose([scores[i] for i in true.ids.tolist()], true.scores, atol=1e-4)
                assert np.all(np.diff(found.scores) <= 0)
                for k in (0, 2):
                    assert one.lexical(terms, k, filters).ids.tolist() == found.ids[:k].tolist()
