"""What every store guarantees; another engine takes a line in `support.stores.STORES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import FakeEncoder, put, ready, remove, restore
from support.postgres import Postgres, value
from support.stores import STORES, Make

from index.domain import Article, Filters, Notice, NoticeKind, Quote
from index.errors import (
    CancelledError,
    EncoderError,
    InputError,
    ModelMismatchError,
    NotFoundError,
    StoreError,
)
from index.reading.items import Link, PageState
from index.reading.text import clean
from index.store import catalogue
from index.store.catalogue import Catalogue
from index.store.postgres.schema import PREFIX
from index.store.postgres.store import PostgresStore
from index.store.snapshot import CatalogueSnapshot
from index.store.sources import Source
from index.store.types import Changes, Commit
from index.text.terms import terms

Open = Callable[[], Catalogue]
MARCH = datetime(2026, 3, 14, 12, tzinfo=UTC)
DAM = Article(
    article_id="dam",
    title="Dam fails",
    text="The dam failed at dawn. Nobody in Tessen was warned. Crews searched the valley.",
    publisher="Northwire",
    author="A. Vell",
    published=MARCH,
    url="https://northwire.example/dam",
    source="dam.txt",
)
BANK = Article(
    article_id="bank",
    title="Bank breached",
    text="Thieves took data from a bank. The bank blamed a supplier.",
    publisher="Gazette",
    published=MARCH + timedelta(days=2),
)
CUP = Article(article_id="cup", title="Cup", text="Athletic won the cup. The crowd sang.")


@pytest.fixture(params=STORES.values(), ids=STORES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens the same collection again, as other processes would."""
    opened: list[Catalogue] = []

    def opener() -> Catalogue:
        opened.append(request.param(tmp_path / "collection", request))
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> Catalogue:
    """Make an empty collection."""
    return open_store()


def ids(snapshot: CatalogueSnapshot, *article_ids: str) -> set[int]:
    """Return the sentence ids of the latest revisions of articles."""
    return {s.sentence_id for one in article_ids for s in snapshot.sentences(one)}


def seen(snapshot: CatalogueSnapshot, filters: Filters = Filters()) -> set[str]:  # noqa: B008 - frozen
    """Return the articles that questions see, after checking that both searches agree."""
    query = FakeEncoder().vector("The dam and the bank, the cup")
    everything = snapshot.dense(query, 1_000, filters).ids.tolist()
    assert len(set(everything)) == len(everything)
    rows = snapshot.rows(everything)
    words = {term for sentence_terms in rows.terms for term in sentence_terms}
    assert set(snapshot.lexical(sorted(words), 1_000, filters).ids.tolist()) == set(everything)
    return {sentence.article_id for sentence in rows.sentences}


def state(snapshot: CatalogueSnapshot) -> tuple[object, ...]:
    """Return all that a snapshot shows, to compare two of them; dense search comes last."""
    listed = [*snapshot.articles(), *snapshot.articles(retired=True)]
    vector = FakeEncoder().vector("Who warned the crews of the dam?")
    dense = snapshot.dense(vector, 100)
    rows = snapshot.rows(dense.ids.tolist())
    return (
        snapshot.generation,
        snapshot.model,
        snapshot.size(),
        listed,
        [snapshot.sentences(article.article_id) for article in listed],
        snapshot.publishers(),
        snapshot.history(),
        snapshot.sources(),
        snapshot.lexical(["dam", "crew"], 100).ids.tolist(),
        snapshot.document_frequencies(["dam", "bank", "crew"]),
        (dense.ids.tolist(), dense.scores.tolist()),
        (rows.sentences, rows.vectors.tolist(), rows.terms),
    )


# Empty


def test_an_empty_collection(store: Catalogue) -> None:
    """Generation 0 has no model and no contents, and all methods work."""
    with store.snapshot() as snapshot:
        assert (snapshot.generation, snapshot.model) == (0, None)
        assert seen(snapshot) == set()
        assert snapshot.size().articles == snapshot.size().sentences == 0
        assert snapshot.rows([1, 2], radius=2).sentences == ()
        assert snapshot.decide(DAM).outcome == "added"
        assert snapshot.embedded("dam") == {}
        assert (snapshot.articles(), snapshot.history(), snapshot.sources()) == ([], [], [])
        with pytest.raises(NotFoundError):
            snapshot.article("dam")
    store.prepare()


# Adding and updating


def test_added_articles_are_found(store: Catalogue) -> None:
    """An article is read back field for field, and both searches find it."""
    commit = put(store, DAM, BANK, CUP)
    assert commit.generation == 1
    assert commit.outcomes == {"dam": "added", "bank": "added", "cup": "added"}
    with store.snapshot() as snapshot:
        assert snapshot.article("dam") == DAM
        assert snapshot.articles() == [BANK, CUP, DAM]
        assert snapshot.publishers() == {"Northwire": 1, "Gazette": 1}
        assert (snapshot.size().articles, snapshot.size().sentences) == (3, 7)
        assert seen(snapshot) == {"dam", "bank", "cup"}
        cup = [sentence.text for sentence in snapshot.sentences("cup")]
        assert cup == ["Athletic won the cup.", "The crowd sang."]


def test_search_orders_by_similarity(store: Catalogue) -> None:
    """The nearest sentence comes first, scores descend, and at most k are returned."""
    put(store, DAM, BANK, CUP)
    text = "Nobody in Tessen was warned."
    with store.snapshot() as snapshot:
        for ranked in (
            snapshot.dense(FakeEncoder().vector(text), 2),
            snapshot.lexical(terms(text), 2),
        ):
            (best,) = snapshot.rows([int(ranked.ids[0])]).sentences
            assert best.text == text
            assert len(ranked.ids) <= 2
            assert (np.diff(ranked.scores) <= 0).all()
        assert snapshot.lexical([], 5).ids.tolist() == []
        assert snapshot.lexical(["dam"], 0).ids.tolist() == []
        assert snapshot.lexical(['"', "dam OR bank", "*", "terms:dam"], 9).ids.tolist() == []


def test_equal_scores_come_by_ascending_id(store: Catalogue) -> None:
    """Sentences with equal scores are ordered by id in both searches."""
    put(store, *(replace(CUP, article_id=f"cup-{n}") for n in range(30)))
    with store.snapshot() as snapshot:
        won = sorted(snapshot.sentences(f"cup-{n}")[0].sentence_id for n in range(30))
        vector = FakeEncoder().vector("Athletic won the cup.")
        assert snapshot.lexical(terms("Athletic"), 7).ids.tolist() == won[:7]
        assert snapshot.dense(vector, 30).ids.tolist() == won


def test_an_unchanged_article_makes_no_generation(store: Catalogue) -> None:
    """Putting the same article again changes nothing."""
    put(store, DAM)
    again = put(store, replace(DAM, source="another.txt"))
    assert (again.generation, again.outcomes) == (1, {"dam": "unchanged"})
    with store.snapshot() as snapshot:
        assert snapshot.generation == 1
        assert len(snapshot.history()) == 1


def test_an_update_makes_a_revision(store: Catalogue) -> None:
    """The new text is searched, the old text is kept, and its quotes still check."""
    put(store, DAM, CUP)
    with store.snapshot() as snapshot:
        quote = Quote.cut(snapshot.article("dam"), 0, 23)
        old = ids(snapshot, "dam")
    text = "The dam failed at noon. Nobody in Tessen was warned."
    commit = put(store, replace(DAM, text=text))
    assert (commit.generation, commit.outcomes) == (2, {"dam": "updated"})
    with store.snapshot() as snapshot:
        assert snapshot.article("dam") == replace(DAM, text=text, revision=2)
        assert snapshot.article("dam", 1) == DAM
        quote.check(snapshot.article("dam", quote.revision))
        assert not old & ids(snapshot, "dam")
        assert snapshot.rows(old).sentences == ()
        assert snapshot.document_frequencies(terms("dawn noon")) == {"noon": 1}
        assert snapshot.size().sentences == 4
        assert seen(snapshot) == {"dam", "cup"}
        with pytest.raises(NotFoundError, match=f"revision {2**63}"):
            snapshot.article("dam", 2**63)
        with pytest.raises(NotFoundError, match="revision 3"):
            snapshot.article("dam", 3)


def test_a_new_byline_is_an_update(store: Catalogue) -> None:
    """A change of a visible field makes a revision, even with the same text."""
    put(store, DAM)
    assert put(store, replace(DAM, publisher="Courier")).outcomes == {"dam": "updated"}
    with store.snapshot() as snapshot:
        assert snapshot.publishers() == {"Courier": 1}


def test_one_id_twice_in_a_commit(store: Catalogue) -> None:
    """The last text of an id is stored, in a generation that adds one article."""
    other = replace(DAM, text="The dam held.")
    assert put(store, DAM, DAM, other).outcomes == {"dam": "added"}
    assert put(store, CUP, CUP).outcomes == {"cup": "added"}
    assert remove(store, "cup", "cup").outcomes == {"cup": "removed"}
    with store.snapshot() as snapshot:
        assert snapshot.generation == 3
        assert [event.articles for event in snapshot.history()] == [
            {"removed": 1},
            {"added": 1},
            {"added": 1},
        ]
        assert [s.text for s in snapshot.sentences("dam")] == ["The dam held."]
        assert snapshot.size().sentences == 1
        assert seen(snapshot) == {"dam"}


def test_vectors_must_fit_the_sentences(store: Catalogue) -> None:
    """A commit with too few vectors changes nothing, including the article before it."""
    short = replace(ready(DAM), vectors=FakeEncoder().encode(["one"]))
    with pytest.raises(StoreError, match="one vector per sentence"):
        store.commit(
            Changes(put=[ready(CUP), short]), model="fake-256", actor="tester", action="add"
        )
    with store.snapshot() as snapshot:
        assert (snapshot.generation, snapshot.articles(), snapshot.model) == (0, [], None)


def test_another_model_is_refused(store: Catalogue) -> None:
    """A commit of another model's embeddings is refused and changes nothing."""
    put(store, DAM)
    with pytest.raises(ModelMismatchError, match="reindex --rebuild"):
        put(store, CUP, model="other")
    with store.snapshot() as snapshot:
        assert (snapshot.model, snapshot.generation) == ("fake-256", 1)
        assert [article.article_id for article in snapshot.articles()] == ["dam"]


# Removing and restoring


def test_removed_articles_are_not_found(store: Catalogue) -> None:
    """A removed article is not searched or counted; its text and quotes stay."""
    put(store, DAM, BANK)
    with store.snapshot() as snapshot:
        quote, gone = Quote.cut(snapshot.article("dam"), 0, 7), ids(snapshot, "dam")
    assert remove(store, "dam", "nobody").outcomes == {"dam": "removed", "nobody": "absent"}
    with store.snapshot() as snapshot:
        assert seen(snapshot) == {"bank"}
        assert snapshot.rows(gone, radius=3).sentences == ()
        assert snapshot.document_frequencies(["dam", "bank"]) == {"bank": 2}
        assert [a.article_id for a in snapshot.articles(retired=True)] == ["dam"]
        assert snapshot.article("dam") == replace(DAM, retired=True)
        assert snapshot.decide(DAM, revive=False).outcome == "unchanged"
        assert snapshot.publishers() == {"Gazette": 1}
        quote.check(snapshot.article("dam", 1))


def test_restored_articles_are_found_again(store: Catalogue) -> None:
    """A restored article has its old sentence ids, so nothing is embedded."""
    put(store, DAM, BANK)
    with store.snapshot() as snapshot:
        before = ids(snapshot, "dam")
        assert seen(snapshot) == {"dam", "bank"}
    remove(store, "dam")
    with store.snapshot() as snapshot:
        assert seen(snapshot) == {"bank"}
    assert restore(store, "dam", "bank").outcomes == {"dam": "restored", "bank": "unchanged"}
    with store.snapshot() as snapshot:
        assert ids(snapshot, "dam") == before
        assert seen(snapshot) == {"dam", "bank"}
        assert snapshot.size().sentences == 5


def test_removing_twice_makes_one_generation(store: Catalogue) -> None:
    """Removing a removed or unknown article changes nothing."""
    put(store, DAM)
    assert remove(store, "dam").generation == 2
    assert remove(store, "dam").generation == 2
    assert remove(store, "nobody").generation == 2
    assert restore(store, "nobody").generation == 2


def test_a_refresh_does_not_revive(store: Catalogue) -> None:
    """Without `revive`, putting a removed article does not restore it."""
    put(store, DAM)
    remove(store, "dam")
    changed = replace(DAM, text="The dam held.")
    assert put(store, changed, DAM, revive=False).outcomes == {"dam": "unchanged"}
    with store.snapshot() as snapshot:
        assert seen(snapshot) == set()
        assert snapshot.article("dam").text == DAM.text


def test_adding_revives(store: Catalogue) -> None:
    """With `revive`, putting a removed article restores it, with any new text."""
    put(store, DAM, CUP)
    remove(store, "dam", "cup")
    assert put(store, DAM, replace(CUP, text="Athletic lost.")).outcomes == {
        "dam": "restored",
        "cup": "updated",
    }
    with store.snapshot() as snapshot:
        assert seen(snapshot) == {"dam", "cup"}
        assert snapshot.document_frequencies(["win", "lose"]) == {"lose": 1}


# Filters


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(publishers=("northWIRE",)), {"dam"}),
        (Filters(publishers=("Northwire", "GAZETTE")), {"dam", "bank"}),
        (Filters(publishers=("Nobody",)), set()),
        (Filters(since=MARCH), {"dam", "bank"}),
        (Filters(since=MARCH + timedelta(seconds=1)), {"bank"}),
        (Filters(until=MARCH), {"dam"}),
        (Filters(until=MARCH - timedelta(seconds=1)), set()),
        (Filters(as_of=MARCH + timedelta(days=1)), {"dam"}),
        (Filters(until=MARCH + timedelta(days=9), as_of=MARCH), {"dam"}),
        (Filters(since=MARCH, publishers=("gazette",)), {"bank"}),
        (Filters(since=MARCH.astimezone()), {"dam", "bank"}),
    ],
)
def test_filters(store: Catalogue, filters: Filters, expected: set[str]) -> None:
    """Publishers match without case, dates inclusively; undated articles pass no date filter."""
    put(store, DAM, BANK, CUP)
    with store.snapshot() as snapshot:
        assert seen(snapshot, filters) == expected


def test_days_are_those_of_the_report(store: Catalogue) -> None:
    """A filter by day uses the report's own clock; a filter by minute uses the moment."""
    evening = datetime(2026, 11, 3, 21, 24, tzinfo=timezone(timedelta(hours=-5)))
    put(store, replace(DAM, published=evening), replace(BANK, published=None, guessed_date=MARCH))
    third, fourth = (datetime(2026, 11, day, tzinfo=UTC) for day in (3, 4))
    with store.snapshot() as snapshot:
        assert snapshot.article("dam").published == evening
        assert snapshot.article("dam").published.utcoffset() == evening.utcoffset()
        assert seen(snapshot, Filters(since=third, until=fourth - timedelta(microseconds=1)))
        assert not seen(snapshot, Filters(since=fourth))
        assert seen(snapshot, Filters(since=fourth + timedelta(hours=2, minutes=24)))
        assert not seen(snapshot, Filters(since=fourth + timedelta(hours=2, minutes=25)))


def test_a_guessed_date_is_not_used(store: Catalogue) -> None:
    """A guessed date is stored, but not used to filter or order."""
    put(store, replace(DAM, published=None, guessed_date=MARCH), BANK)
    with store.snapshot() as snapshot:
        assert snapshot.article("dam").guessed_date == MARCH
        assert seen(snapshot, Filters(since=MARCH - timedelta(days=1))) == {"bank"}
        assert snapshot.published() == (BANK.published, BANK.published)
        assert snapshot.undated(Filters()) == 1
        assert snapshot.undated(Filters(publishers=("Gazette",))) == 0


def test_filters_match_any_script_without_case(store: Catalogue) -> None:
    """Publishers are compared by case folding in any script."""
    put(store, replace(DAM, publisher="Straßenblatt ÉTÉ"))
    with store.snapshot() as snapshot:
        assert seen(snapshot, Filters(publishers=("STRASSENBLATT été",))) == {"dam"}


def test_filters_hold_after_changes(store: Catalogue) -> None:
    """A filter sees the newest byline and no removed article."""
    put(store, DAM, BANK)
    with store.snapshot() as snapshot:
        assert seen(snapshot) == {"dam", "bank"}
    put(store, replace(CUP, publisher="Northwire"), replace(BANK, publisher="Northwire"))
    remove(store, "dam")
    with store.snapshot() as snapshot:
        assert seen(snapshot, Filters(publishers=("northwire",))) == {"cup", "bank"}
        assert seen(snapshot, Filters(publishers=("gazette",))) == set()


# Snapshots


def test_a_snapshot_keeps_its_generation(open_store: Open) -> None:
    """An open snapshot does not change, whatever is committed meanwhile."""
    here, elsewhere = open_store(), open_store()
    put(here, DAM, CUP)
    with here.snapshot() as snapshot, elsewhere.snapshot() as other:
        before = state(snapshot)
        assert state(other) == before
        put(elsewhere, replace(DAM, text="The dam held."), BANK)
        remove(here, "cup")
        here.add_sources([Source("/reports", "folder")])
        with here.snapshot() as newer:
            assert seen(newer) == {"dam", "bank"}
            assert newer.generation == 3
        assert state(snapshot)[:-2] == state(other)[:-2] == before[:-2]


def test_an_older_snapshot_finds_only_what_it_has(open_store: Open) -> None:
    """After a search of a newer generation, an older one may only miss removed sentences."""
    here, elsewhere = open_store(), open_store()
    put(here, DAM, CUP)
    vector = FakeEncoder().vector("The dam held.")
    with here.snapshot() as snapshot:
        put(elsewhere, BANK, *(replace(DAM, article_id=f"dam-{n}") for n in range(3)))
        remove(elsewhere, "cup")
        with here.snapshot() as newer:
            assert seen(newer) == {"dam", "bank", "dam-0", "dam-1", "dam-2"}
        found = set(snapshot.dense(vector, 99).ids.tolist())
        assert ids(snapshot, "dam") <= found <= ids(snapshot, "dam", "cup")
        assert len(snapshot.dense(vector, 2).ids) == 2
    with here.snapshot() as newer:
        assert len(seen(newer)) == 5


def test_a_name_that_is_not_utf8_is_refused(store: Catalogue) -> None:
    """Invalid bytes on a command line are explained, and the store stays usable."""
    with pytest.raises(InputError, match="not UTF-8"):
        remove(store, "caf\udce9")
    with pytest.raises(InputError, match="not UTF-8"), store.snapshot() as snapshot:
        snapshot.article("caf\udce9")
    assert put(store, DAM).generation == 1


def test_an_error_inside_a_snapshot_leaves_the_store_usable(store: Catalogue) -> None:
    """A caller's error passes through, and the next snapshot works."""
    put(store, DAM)
    with pytest.raises(KeyError), store.snapshot() as snapshot:
        raise KeyError(snapshot.generation)
    put(store, CUP)
    with store.snapshot() as snapshot:
        assert seen(snapshot) == {"dam", "cup"}


# Rows


def test_rows_have_what_ranking_needs(store: Catalogue) -> None:
    """Rows are ordered by id, each with text, vector, terms and article."""
    put(store, DAM, BANK)
    with store.snapshot() as snapshot:
        wanted = ids(snapshot, "dam", "bank")
        rows = snapshot.rows(iter(sorted(wanted, reverse=True)))
        assert [s.sentence_id for s in rows.sentences] == sorted(wanted)
        assert rows.articles == {"dam": DAM, "bank": BANK}
        for sentence, vector, found in zip(rows.sentences, rows.vectors, rows.terms, strict=True):
            article = rows.articles[sentence.article_id]
            assert sentence.text == article.text[sentence.start : sentence.end]
            assert vector == pytest.approx(FakeEncoder().vector(sentence.text))
            assert list(found) == terms(sentence.text)


@given(st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_neighbours_stay_in_their_article(open_store: Open, data: st.DataObject) -> None:
    """Rows are the live sentences asked for and their neighbours in the article."""
    store = open_store()
    with store.snapshot() as snapshot:
        empty = snapshot.generation == 0
    if empty:
        for number, count in enumerate((1, 3, 2, 1, 5, 2)):
            text = " ".join(f"Sentence {n} of report {number} is here." for n in range(count))
            put(store, Article(article_id=f"r{number}", title="R", text=text))
        put(store, Article(article_id="r2", title="R", text="Only one sentence is left here."))
        remove(store, "r3")
    radius = data.draw(st.integers(0, 3))
    with store.snapshot() as snapshot:
        live = [s for a in snapshot.articles() for s in snapshot.sentences(a.article_id)]
        asked = data.draw(st.sets(st.integers(0, 20), max_size=6))
        expected = {
            s.sentence_id
            for s in live
            if any(
                s.article_id == other.article_id and abs(s.position - other.position) <= radius
                for other in live
                if other.sentence_id in asked
            )
        }
        rows = snapshot.rows((i for i in asked), radius=radius)
        assert [s.sentence_id for s in rows.sentences] == sorted(expected)
        assert len(rows.vectors) == len(rows.terms) == len(expected)
        assert set(rows.articles) == {s.article_id for s in rows.sentences}
    store.close()


HOSTILE = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("\x00\u202e\u0301\u200d\ufe0f😀אَ\n\r\u2028. aB'\"%"),
    ),
    min_size=1,
    max_size=120,
)


@given(HOSTILE, HOSTILE)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_survives_the_store(open_store: Open, text: str, title: str) -> None:
    """`text == article.text[start:end]` after a round trip, letter for letter, NUL included."""
    store = open_store()
    article = Article(article_id="a", title=title, text="Start. " + text, publisher=title)
    put(store, article)
    with store.snapshot() as snapshot:
        stored = snapshot.article("a")
        assert (stored.text, stored.title, stored.publisher) == (article.text, title, title)
        assert stored.text_hash == article.text_hash
        sentences = snapshot.sentences("a")
        rows = snapshot.rows([s.sentence_id for s in sentences])
        assert rows.sentences == tuple(sentences)
        for sentence in sentences:
            assert sentence.text == article.text[sentence.start : sentence.end]
            assert Quote.cut(stored, sentence.start, sentence.end).text == sentence.text
        assert snapshot.embedded("a").keys() == {s.text for s in sentences}
    assert set(embedded_again(store)) >= {s.text for s in sentences}
    store.close()


def embedded_again(store: Catalogue) -> list[str]:
    """Return what a rebuild would embed first, and stop it."""
    encoder = FakeEncoder("x", fail_after=0)
    with pytest.raises(EncoderError):
        store.rebuild(encoder, actor="tester")
    return encoder.texts


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x24F), min_size=3, max_size=80))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_term_finds_its_sentence(open_store: Open, text: str) -> None:
    """Full text finds and counts each term of the analysis."""
    store = open_store()
    put(store, Article(article_id="a", title="A", text="Start " + clean(text)))
    with store.snapshot() as snapshot:
        for sentence in snapshot.sentences("a"):
            for term in terms(sentence.text):
                assert sentence.sentence_id in snapshot.lexical([term], 1_000).ids.tolist()
                assert snapshot.document_frequencies([term])[term] >= 1
    store.close()


# History, sources


def test_history_says_who_did_what(store: Catalogue) -> None:
    """Each generation has an actor, action, time and counts, newest first."""
    before = datetime.now(UTC) - timedelta(seconds=2)
    put(store, DAM, CUP)
    put(store, replace(DAM, text="The dam held."), BANK)
    remove(store, "cup")
    with store.snapshot() as snapshot:
        events = snapshot.history()
        assert [(e.generation, e.actor, e.action) for e in events] == [
            (3, "tester", "remove"),
            (2, "tester", "add"),
            (1, "tester", "add"),
        ]
        assert [e.articles for e in events] == [
            {"removed": 1},
            {"updated": 1, "added": 1},
            {"added": 2},
        ]
        assert [sorted(e.titles) for e in events] == [
            ["Cup"],
            ["Bank breached", "Dam fails"],
            ["Cup", "Dam fails"],
        ]
        assert all(before <= event.at <= datetime.now(UTC) for event in events)
        assert snapshot.history(2) == events[:2]
        assert snapshot.history(0) == []


def test_sources_are_added_and_removed(store: Catalogue) -> None:
    """Sources are listed once, in the order they were added; removing one keeps its articles."""
    put(store, DAM)
    store.add_sources([Source("/b", "folder"), Source("/a.txt", "file")])
    store.add_sources([Source("/b", "folder", every=30)])
    with store.snapshot() as snapshot:
        assert snapshot.sources() == [Source("/b", "folder"), Source("/a.txt", "file")]
    store.remove_source("/b")
    store.remove_source("/nowhere")
    with store.snapshot() as snapshot:
        assert snapshot.sources() == [Source("/a.txt", "file")]
        assert seen(snapshot) == {"dam"}


def test_known_sentences_spare_the_encoder(store: Catalogue) -> None:
    """A store returns the vectors of the latest revision by text."""
    put(store, DAM)
    put(store, replace(DAM, text="The dam held. Crews searched the valley."))
    with store.snapshot() as snapshot:
        kept = snapshot.embedded("dam")
        assert kept.keys() == {"The dam held.", "Crews searched the valley."}
        for text, vector in kept.items():
            assert vector == pytest.approx(FakeEncoder().vector(text))


def test_a_source_is_changed_part_by_part(store: Catalogue) -> None:
    """Changes of a source's result, interval and pause do not undo each other."""
    store.add_sources([Source("https://a.example/feed", "url", every=30)])
    (before,) = sources(store)
    store.update_source(before.uri, paused=True)
    store.update_source(before.uri, **before.after(MARCH, "It answers 500."))
    store.update_source(before.uri, every=60)
    store.update_source("https://nobody.example/", every=7)
    failed = {"checked": MARCH, "failing_since": MARCH, "failures": 1, "error": "It answers 500."}
    assert sources(store) == [replace(before, every=60, paused=True, **failed)]
    later = MARCH + timedelta(hours=1)
    store.update_source(before.uri, reported=True)
    store.update_source(before.uri, **before.after(later, None))
    fine = replace(before, every=60, paused=True, checked=later, succeeded=later)
    assert sources(store) == [fine]


def test_adding_a_source_again_changes_its_interval(store: Catalogue) -> None:
    """Adding a source again changes only its interval, in a single step."""
    assert store.put_source(Source("/b", "folder", every=30)) == Source("/b", "folder", every=30)
    store.update_source("/b", paused=True, checked=MARCH)
    again = store.put_source(Source("/b", "folder"))
    assert again == Source("/b", "folder", paused=True, checked=MARCH)
    assert sources(store) == [again]


def sources(store: Catalogue) -> list[Source]:
    """Return the addresses of the stored sources."""
    with store.snapshot() as snapshot:
        return snapshot.sources()


def test_waiting_doubles_up_to_a_day() -> None:
    """A source is due after its interval; failures in a row double it, up to a day."""
    here = Source("x", "url", every=60)
    assert due(here, MARCH)
    assert replace(here, paused=True).due() is None
    assert replace(here, every=None).due() is None
    waits = []
    for _ in range(8):
        here = replace(here, **here.after(MARCH, "no"))
        hours = (n for n in range(1, 50) if due(here, MARCH + timedelta(hours=n)))
        waits.append(next(hours))
    assert waits == [2, 4, 8, 16, 24, 24, 24, 24]
    assert due(replace(here, **here.after(MARCH, None)), MARCH + timedelta(hours=1))
    rare = Source("x", "url", every=3 * 24 * 60)
    assert not due(replace(rare, **rare.after(MARCH, "no")), MARCH + timedelta(days=2))


def due(source: Source, now: datetime) -> bool:
    """Return whether a source is due by then."""
    moment = source.due()
    return moment is not None and moment <= now


# Pages, and articles under two ids


LINK = Link("https://northwire.example/cup", "Cup", "northwire.example cup-7")
PAGE = PageState("https://northwire.example/dam", '"v1"', None, ("dam", "cup"), (LINK,))


def test_a_page_is_known_while_its_articles_are(store: Catalogue) -> None:
    """A page's state is returned only while all its articles are stored."""
    changes = Changes(put=[ready(DAM)], pages=[PAGE])
    store.commit(changes, model="fake-256", actor="tester", action="add")
    with store.snapshot() as snapshot:
        assert snapshot.page(PAGE.address) is None
    newer = replace(PAGE, etag='"v2"')
    commit = store.commit(Changes(put=[ready(CUP)]), model="fake-256", actor="t", action="add")
    same = store.commit(Changes(pages=[newer]), actor="tester", action="reindex")
    assert same.generation == commit.generation
    remove(store, "dam")
    with store.snapshot() as snapshot:
        assert snapshot.page(PAGE.address) == newer
        assert snapshot.page("elsewhere") is None


FOUND = replace(DAM, article_id="found", id_given=False, source="https://northwire.example/rss")
MOVED = replace(FOUND, url="http://www.NORTHWIRE.example/dam/?utm_source=x#top")


@pytest.mark.parametrize(
    ("article", "article_id", "outcome"),
    [
        (MOVED, "dam", "unchanged"),
        (replace(MOVED, text="The dam held."), "dam", "unchanged"),  # words of an older revision
        (replace(MOVED, text="It rained."), "dam", "updated"),
        (replace(MOVED, text="It rained.", source="https://else.example/"), "dam", "refused"),
        (replace(MOVED, text="It rained.", id_given=True), "found", "added"),
        (replace(FOUND, url=None, publisher="NORTHWIRE"), "dam", "unchanged"),
        (replace(FOUND, url=None, publisher="Gazette"), "found", "added"),
        (replace(DAM, text="It rained.", source="https://else.example/"), "dam", "refused"),
        (replace(DAM, source="https://else.example/"), "dam", "unchanged"),
        (replace(CUP, text="Athletic lost the cup."), "cup", "updated"),
    ],
)
def test_an_article_is_recognised(
    store: Catalogue, article: Article, article_id: str, outcome: str
) -> None:
    """An article is recognised by id, page and words, and revised only by its source."""
    put(store, replace(DAM, text="The dam held."))
    put(store, DAM, replace(DAM, article_id="copy"), CUP)
    with store.snapshot() as snapshot:
        expected = snapshot.decide(article)
        was = snapshot.articles()
    commit = put(store, article)
    (decision,) = commit.put
    assert decision == expected
    assert (decision.article.article_id, decision.outcome) == (article_id, outcome)
    assert bool(decision.reason) == (outcome == "refused")
    with store.snapshot() as snapshot:
        assert snapshot.article(article_id).url in {article.url, DAM.url}
        assert (snapshot.articles() == was) == (outcome in {"unchanged", "refused"})


def test_twins_in_a_commit_are_recognised(store: Catalogue) -> None:
    """A twin of an article that the same commit adds is not added."""
    commit = put(store, DAM, MOVED)
    assert [decision.outcome for decision in commit.put] == ["added", "unchanged"]
    assert commit.outcomes == {"dam": "added"}
    with store.snapshot() as snapshot:
        assert [article.article_id for article in snapshot.articles()] == ["dam"]


# Rewrites

AGENCY = (
    "A container ship ran aground off the coast of Adell early on Monday and blocked the only "
    "channel to the harbour. Tugs tried for nine hours to free the vessel, but the falling tide "
    "left her stuck on a bank of sand. Nobody was hurt, the port authority said, and no oil has "
    "leaked from her tanks so far."
)
REWRITE = (
    "Nobody was hurt, the port authority said, and no oil has leaked from her tanks so far. A "
    "container ship ran aground off the coast of Adell early on Monday and blocked the only "
    "channel to the harbour."
)


def test_rewrites_are_stored_both_ways(store: Catalogue) -> None:
    """Live articles of the same origin are linked, whichever came first."""
    first = Article(article_id="first", title="Ship", text=AGENCY)
    second = Article(article_id="second", title="Aground", text=REWRITE)

    def rewrites() -> dict[str, frozenset[str]]:
        with store.snapshot() as snapshot:
            return snapshot.rewrites(["first", "second", "dam"])

    put(store, first, DAM)
    put(store, second, *(replace(CUP, article_id=f"cup-{n}") for n in range(60)))
    both = {"first": {"second"}, "second": {"first"}, "dam": frozenset()}
    assert rewrites() == both
    remove(store, "second")
    assert not any(rewrites().values())
    restore(store, "second")
    assert rewrites() == both
    put(store, replace(second, text="The harbour of Adell is open again since noon on Tuesday."))
    assert not any(rewrites().values())
    store.commit(Changes(undo=5 - 1), actor="mod", action="undo")
    assert rewrites() == both
    with store.snapshot() as snapshot:  # what a hundred articles share is no sign of a rewrite
        assert snapshot.rewrites(["cup-0"])["cup-0"] == {f"cup-{n}" for n in range(1, 51)}


# Notices, going back


def notice(store: Catalogue, kind: NoticeKind, note: str, article_id: str = "dam") -> Commit:
    """Commit a notice."""
    made = Notice(kind, note, MARCH, "mod")
    changes = Changes(notices=[(article_id, made)])
    return store.commit(changes, actor="mod", action=kind, note=note)


def test_a_correction_stays_with_its_article(store: Catalogue) -> None:
    """Every revision and row of an article has its newest notice; the corpus is the same."""
    put(store, DAM, CUP)
    with store.snapshot() as snapshot:
        before = snapshot.size()
        rows = snapshot.rows(ids(snapshot, "dam"))
        assert rows.articles["dam"].notice is None
    assert notice(store, "corrected", "It was noon.").outcomes == {"dam": "corrected"}
    notice(store, "corrected", "It was one o'clock.")
    put(store, replace(DAM, text="The dam held."))
    told = Notice("corrected", "It was one o'clock.", MARCH, "mod")
    with store.snapshot() as snapshot:
        assert snapshot.article("dam").notice == snapshot.article("dam", 1).notice == told
        assert snapshot.rows(ids(snapshot, "dam", "cup")).articles["dam"].notice == told
        assert snapshot.article("cup").notice is None
        assert seen(snapshot) == {"dam", "cup"}
        assert snapshot.history()[1].articles == {"corrected": 1}
        assert snapshot.history()[1].note == "It was one o'clock."
        assert before.articles == snapshot.size().articles
    assert notice(store, "corrected", "x", "nobody").outcomes == {"nobody": "absent"}


def test_a_retraction_removes_the_article(store: Catalogue) -> None:
    """A retracted article is not found and says why; restoring it ends the retraction."""
    put(store, DAM, CUP)
    notice(store, "corrected", "It was noon.")
    assert notice(store, "retracted", "Made up.").outcomes == {"dam": "retracted"}
    with store.snapshot() as snapshot:
        assert seen(snapshot) == {"cup"}
        dam = snapshot.article("dam")
        assert dam.notice is not None
        assert (dam.retired, dam.notice.kind) == (True, "retracted")
        assert snapshot.size().sentences == 2
    restore(store, "dam")
    with store.snapshot() as snapshot:
        dam = snapshot.article("dam")
        assert dam.notice is not None
        assert (dam.retired, dam.notice.kind) == (False, "corrected")
        assert seen(snapshot) == {"dam", "cup"}


def live_state(snapshot: CatalogueSnapshot) -> object:
    """Return what questions see of a snapshot, without its number."""
    return (
        [(one, snapshot.sentences(one.article_id)) for one in snapshot.articles()],
        snapshot.size(),
        snapshot.publishers(),
        seen(snapshot),
    )


@pytest.mark.parametrize("revive", [True, False])
def test_a_retracted_article_has_no_second_id(store: Catalogue, *, revive: bool) -> None:
    """Its words by its publisher under another id and address are not stored beside it."""
    put(store, DAM, CUP)
    notice(store, "retracted", "Made up.")
    again = replace(DAM, article_id="again", url="https://northwire.example/again")
    changes = Changes(put=[ready(again)], revive=revive)
    (decision,) = store.commit(changes, model=FakeEncoder().model, actor="mod", action="add").put
    assert decision.outcome == ("refused" if revive else "unchanged")
    assert decision.article.article_id == "dam"
    with store.snapshot() as snapshot:
        assert seen(snapshot) == {"cup"}
        with pytest.raises(NotFoundError):
            snapshot.article("again")


def test_going_back_twice_to_a_retraction(store: Catalogue) -> None:
    """A second undo to a retraction above a later correction changes nothing."""
    put(store, DAM)
    notice(store, "retracted", "Made up.")
    restore(store, "dam")
    notice(store, "corrected", "It was noon.")
    for _ in range(2):
        commit = store.commit(Changes(undo=2), actor="mod", action="undo")
        assert commit.generation == 5


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
@given(st.lists(st.sampled_from(range(9)), min_size=1, max_size=8), st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_going_back_to_any_generation(
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    make: Make,
    steps: list[int],
    data: st.DataObject,
) -> None:
    """After any changes, undoing to a generation restores what questions saw then."""
    store = make(tmp_path_factory.mktemp("undo"), request)
    changed = replace(DAM, text="The dam held.")
    acts: list[Callable[[], object]] = [
        lambda: put(store, DAM),
        lambda: put(store, CUP, BANK),
        lambda: put(store, changed),
        lambda: remove(store, "dam", "bank"),
        lambda: restore(store, "dam", "cup"),
        lambda: notice(store, "corrected", "It was noon."),
        lambda: notice(store, "retracted", "Made up."),
        lambda: remove(store, "cup"),
        lambda: put(store, replace(DAM, publisher="Courier")),
    ]
    states = {}
    for step in steps:
        with store.snapshot() as snapshot:
            states[snapshot.generation] = live_state(snapshot)
        with suppress(InputError):  # a retracted article is not corrected
            acts[step]()
    with store.snapshot() as snapshot:
        newest, now = snapshot.generation, live_state(snapshot)
    states.pop(newest, None)
    for _ in range(2) if states else ():
        back = data.draw(st.sampled_from(sorted(states)))
        commit = store.commit(Changes(undo=back), actor="mod", action="undo")
        assert commit.generation in {newest, newest + 1}
        assert commit.generation > newest or now == states[back]
        with store.snapshot() as snapshot:
            newest, now = snapshot.generation, live_state(snapshot)
        assert (newest, now) == (commit.generation, states[back])
    text = f"Something else is said in {newest}."
    restore(store, "dam")  # a retracted article is not put again
    put(store, replace(DAM, text=text))
    with store.snapshot() as snapshot:
        assert "dam" in seen(snapshot)
        assert snapshot.article("dam").text == text
    store.close()


@pytest.mark.parametrize("generation", [-1, 2, 3])
def test_undo_to_an_unknown_generation_is_refused(store: Catalogue, generation: int) -> None:
    """An undo to a generation that never existed changes nothing."""
    put(store, DAM)
    with pytest.raises(NotFoundError, match="no generation"):
        store.commit(Changes(undo=generation), actor="mod", action="undo")
    with store.snapshot() as snapshot:
        assert (snapshot.generation, seen(snapshot)) == (1, {"dam"})


def test_an_erased_collection_is_gone(
    open_store: Open, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Nothing is left, open stores read nothing, and it can be created again."""
    store, other = open_store(), open_store()
    put(store, DAM, CUP)
    store.add_sources([Source("/b", "folder")])
    with other.snapshot() as snapshot:
        assert seen(snapshot) == {"dam", "cup"}
    store.prepare()
    store.erase()
    assert [*tmp_path.iterdir()] == []
    if isinstance(store, PostgresStore):
        server: Postgres = request.getfixturevalue("postgres")
        sql = "SELECT count(*) FROM pg_namespace WHERE nspname = %s"
        assert value(server, sql, PREFIX + store.name) == 0
    with other.snapshot() as snapshot:
        assert (seen(snapshot), snapshot.generation, snapshot.sources()) == (set(), 0, [])
        assert snapshot.articles(retired=True) == []
    put(other, BANK)
    for opened in (other, open_store()):
        with opened.snapshot() as snapshot:
            assert seen(snapshot) == {"bank"}


# Rebuilding


def stop(_: int) -> None:
    """Stop a rebuild."""
    raise CancelledError("Enough.")


def test_a_rebuild_switches_at_once(store: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions see the old model until the switch, then the new model; ids stay."""
    monkeypatch.setattr(catalogue, "_REBUILT", 2)
    put(store, DAM, CUP, BANK)
    remove(store, "bank")
    other, counts = FakeEncoder("other"), []
    with store.snapshot() as snapshot:
        before = ids(snapshot, "dam", "cup")
        assert seen(snapshot) == {"dam", "cup"}

    def look(done: int) -> None:
        counts.append(done)
        with store.snapshot() as snapshot:
            assert (snapshot.model, seen(snapshot)) == ("fake-256", {"dam", "cup"})

    commit = store.rebuild(other, actor="tester", on_progress=look)
    assert (len(other.texts), counts) == (7, [2, 4, 6, 7])
    with store.snapshot() as snapshot:
        assert (snapshot.model, snapshot.generation) == ("other", commit.generation)
        assert snapshot.history(1)[0].action == "rebuild"
        assert ids(snapshot, "dam", "cup") == before
        text = "Athletic won the cup."
        ranked = snapshot.dense(other.vector(text), 1)
        assert ranked.scores[0] == pytest.approx(1, abs=0.02)
        assert snapshot.rows(ranked.ids.tolist()).sentences[0].text == text
    with pytest.raises(ModelMismatchError):
        put(store, replace(CUP, article_id="late"))
    restore(store, "bank")
    with store.snapshot() as snapshot:
        assert ids(snapshot, "bank") <= set(snapshot.dense(other.vector("x"), 99).ids.tolist())


def test_a_rebuild_includes_new_sentences(store: Catalogue) -> None:
    """Sentences added during a rebuild are embedded before the switch."""
    put(store, DAM)
    other = FakeEncoder("other")

    def add(done: int) -> None:
        if done == 3:
            put(store, CUP)

    store.rebuild(other, actor="tester", on_progress=add)
    assert len(other.texts) == 5
    with store.snapshot() as snapshot:
        assert (snapshot.model, snapshot.generation) == ("other", 3)
        vector = other.vector("Athletic won the cup.")
        best = snapshot.rows(snapshot.dense(vector, 1).ids.tolist())
        assert best.sentences[0].article_id == "cup"


def test_a_stopped_rebuild_continues(store: Catalogue) -> None:
    """Staged embeddings are used again for the same model, and never for another."""
    put(store, DAM)
    other, third = FakeEncoder("other"), FakeEncoder("third")
    for encoder in (other, third):
        with pytest.raises(CancelledError):
            store.rebuild(encoder, actor="tester", on_progress=stop)
        assert len(encoder.texts) == 3
        with store.snapshot() as snapshot:
            assert (snapshot.model, seen(snapshot)) == ("fake-256", {"dam"})
    store.rebuild(third, actor="tester")
    assert len(third.texts) == 3
    store.rebuild(other, actor="tester")
    assert len(other.texts) == 6
