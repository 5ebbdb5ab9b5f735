"""PostgreSQL: kills tear nothing, writers take turns, and both engines rank alike."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fakes import FakeEncoder, put, remove
from support.postgres import Postgres, made, value
from support.processes import environment
from support.stores import BANK, CUP, DAM

from index.archive import Archive
from index.domain import Article, Filters
from index.encoder import PackagedEncoder, Vectors
from index.errors import (
    InputError,
    NotFoundError,
    SettingsError,
    StoreBusyError,
    StoreError,
    StoreVersionError,
)
from index.store.engines import engine_of
from index.store.postgres import connections
from index.store.postgres.connections import Server, parameters
from index.store.postgres.engine import PostgresEngine
from index.store.postgres.schema import schema_of
from index.store.postgres.search import vector_indexes
from index.store.postgres.store import PostgresStore
from index.store.snapshot import CatalogueSnapshot
from index.store.sqlite import SqliteStore


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a collection name for this test alone."""
    return f"t{abs(hash(request.node.nodeid)):x}"


@pytest.fixture
def store(database: Server, name: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore(database, name)) as opened:
        yield opened


@pytest.fixture
def engine(postgres: Postgres) -> Iterator[PostgresEngine]:
    """Open the shared server as another process would."""
    with closing(PostgresEngine(postgres.address, postgres.password)) as opened:
        yield opened


def found(snapshot: CatalogueSnapshot) -> set[str]:
    """Return the articles that both searches find."""
    dense = snapshot.dense(FakeEncoder().vector("Who was warned of the dam?"), 1_000)
    rows = snapshot.rows(dense.ids.tolist())
    words = sorted({term for found in rows.terms for term in found})
    assert {*snapshot.lexical(words, 1_000).ids.tolist()} == {*dense.ids.tolist()}
    return {sentence.article_id for sentence in rows.sentences}


def consistent(database: Server, name: str) -> None:
    """Check that the counts and both searches have exactly the live sentences."""
    with database.reading(schema_of(name)) as db:
        live = "FROM sentence s JOIN article a ON a.live = s.revision"
        words = f"{live} JOIN word w USING (sentence_id)"
        length = "coalesce(sum(cardinality(string_to_array(s.terms, ' '))), 0)"
        for left, right in (
            (
                f"SELECT w.term, w.sentence_id, w.occurrences {words}",
                "SELECT term, sentence_id, occurrences FROM posting",
            ),
            ("SELECT term, count(*) FROM posting GROUP BY term", "SELECT * FROM term_count"),
            (f"SELECT s.sentence_id {live}", "SELECT sentence_id FROM live_vector"),
            (f"SELECT count(*), {length} {live}", "SELECT sentences, terms FROM live_size"),
            ("SELECT sentence_id FROM sentence", "SELECT sentence_id FROM embedding"),
        ):
            for one, other in ((left, right), (right, left)):
                rest = db.execute(f"SELECT count(*) FROM ({one} EXCEPT {other}) x").fetchone()
                assert rest == (0,), one


# The same ranking


SENTENCE = st.lists(
    st.sampled_from("dam bank cup gate river the crowd failed won twice 1.2 U.S.".split()),
    min_size=1,
    max_size=12,
).map(" ".join)


@given(
    texts=st.lists(st.lists(SENTENCE, min_size=1, max_size=4), min_size=1, max_size=8),
    asked=st.lists(st.sampled_from("dam bank cup gate river crowd fail win 1.2 us".split())),
    removed=st.sets(st.integers(0, 7)),
    k=st.integers(1, 12),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_engines_rank_alike(
    database: Server,
    tmp_path_factory: pytest.TempPathFactory,
    *,
    texts: list[list[str]],
    asked: list[str],
    removed: set[int],
    k: int,
) -> None:
    """Both engines give the same ids, order and scores, filtered or not."""
    articles = [
        Article(
            article_id=f"a{n}",
            title="A",
            text=" ".join(f"{sentence.capitalize()}." for sentence in sentences),
            publisher=("North", "South")[n % 2],
        )
        for n, sentences in enumerate(texts)
    ]
    folder = tmp_path_factory.mktemp("alike")
    with (
        closing(SqliteStore(folder)) as embedded,
        closing(PostgresStore(database, f"alike{folder.name[5:]}")) as served,
    ):
        for store in (embedded, served):
            put(store, *articles)
            remove(store, *(f"a{n}" for n in removed))
        vector = FakeEncoder().vector(" ".join(asked))
        with embedded.snapshot() as one, served.snapshot() as other:
            assert [*other.articles()] == [*one.articles()]
            for filters in (Filters(), Filters(publishers=("north",))):
                for ours, theirs in (
                    (one.lexical(asked, k, filters), other.lexical(asked, k, filters)),
                    (one.dense(vector, k, filters), other.dense(vector, k, filters)),
                ):
                    assert theirs.scores == pytest.approx(ours.scores, rel=1e-5, abs=1e-6)
                    assert theirs.ids.tolist() == ours.ids.tolist()
        served.erase()


@pytest.mark.encoder
def test_both_engines_quote_alike(database: Server, name: str, tmp_path: Path) -> None:
    """Both engines give the same quotes for sixty questions on the sample reports."""
    encoder = PackagedEncoder()
    with (
        closing(Archive(SqliteStore(tmp_path), encoder)) as embedded,
        closing(Archive(PostgresStore(database, name), encoder)) as served,
    ):
        for archive in (embedded, served):
            archive.add([str(files("bot") / "sample")])
        lines = (Path(__file__).parents[2] / "data" / "ordinary.jsonl").read_text("utf-8")
        quoted = 0
        for line in lines.splitlines():
            ours, theirs = (a.ask(json.loads(line)["question"]) for a in (embedded, served))
            assert theirs.quotes == ours.quotes, line
            assert (theirs.status, theirs.closest) == (ours.status, ours.closest)
            assert theirs.confidence == pytest.approx(ours.confidence, abs=1e-4)
            quoted += bool(ours.quotes)
        assert quoted > 20


def times_used(server: Postgres, name: str) -> int:
    """Return how often the vector index of a collection was searched."""
    return int(
        value(
            server,
            "SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_all_indexes "
            "WHERE schemaname = %s AND indexrelname LIKE 'live_vector_0'",
            schema_of(name),
        )
    )


def test_an_indexed_search_agrees(postgres: Postgres, database: Server, name: str) -> None:
    """The HNSW index finds what an exact search finds, also with a filter."""
    # In so small a table the planner prefers to read all of it.
    address = f"{postgres.address}?options=-c%20enable_seqscan%3Doff%20-c%20enable_sort%3Doff"
    words = "dam bank cup gate river crowd fire storm court vote port ship train road mine".split()
    texts = [f"The {a} and the {b} met a {c}." for a in words for b in words for c in words[:4]]
    articles = [
        Article(article_id=f"a{n}", title="A", text=text, publisher=f"Paper {n % 9}")
        for n, text in enumerate(texts)
    ]
    with (
        closing(Server(address, postgres.password)) as preferring,
        closing(PostgresStore(preferring, name, exact_up_to=20)) as indexed,
        closing(PostgresStore(database, name)) as exact,
    ):
        put(indexed, *articles)
        indexed.prepare()
        with database.lease() as db:
            assert vector_indexes(db, schema_of(name)) == {"live_vector_0": True}
        with indexed.snapshot() as one, exact.snapshot() as other:
            for filters in (Filters(), Filters(publishers=("Paper 3",))):
                shares = []
                for question in ("dam cup", "court vote fire", "mine"):
                    vector = FakeEncoder().vector(question)
                    ours, theirs = (s.dense(vector, 10, filters) for s in (one, other))
                    shares.append(np_share(ours.scores, theirs.scores))
                assert sum(shares) / len(shares) > 0.9
        deadline = time.monotonic() + 20
        while not times_used(postgres, name):  # statistics come a little later
            assert time.monotonic() < deadline
        indexed.rebuild(FakeEncoder("other"), actor="tester")
        indexed.prepare()
        with database.lease() as db:
            assert [*vector_indexes(db, schema_of(name)).values()] == [True]
            assert "live_vector_0" not in vector_indexes(db, schema_of(name))
        indexed.erase()


def np_share(ours: Vectors, theirs: Vectors) -> float:
    """Return how many of the expected scores are reached: ties may be broken otherwise."""
    return float((ours >= theirs - 1e-6).mean())


# Killed, or broken off

OPENED = """
import os, signal, sys, time
from itertools import count
from support.fakes import FakeEncoder, put, remove
from index.archive import Archive
from index.domain import Article
from index.store import catalogue
from index.store.postgres.engine import PostgresEngine

address, password, name = sys.argv[1:]
engine = PostgresEngine(address, password)
store = engine.open(name, create=True)
"""
WRITER = """
with store.snapshot() as snapshot:
    first = snapshot.generation
for n in range(first, first + 100_000):
    text = " ".join(f"Sentence {i} of report {n} is here." for i in range(n % 20 + 1))
    put(store, Article(article_id=f"r{n % 20}", title=str(n), text=text))
    if n % 3 == 0:
        remove(store, f"r{n % 20}")
    with store.snapshot() as snapshot:
        print(snapshot.generation, flush=True)
"""


def start(script: str, server: Postgres, name: str) -> subprocess.Popen[str]:
    """Start a Python process, with a collection open as `store`."""
    return subprocess.Popen(
        [sys.executable, "-c", OPENED + script, server.address, server.password, name],
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
    )


def killed(server: Postgres, name: str, lines: int) -> int:
    """Kill a process that writes after so many lines; return the last generation it printed."""
    with start(WRITER, server, name) as writer:
        assert writer.stdout is not None
        printed = [int(writer.stdout.readline()) for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        printed += [int(line) for line in writer.stdout if line.endswith("\n")]
    return printed[-1]


def test_a_killed_writer_tears_nothing(postgres: Postgres, database: Server, name: str) -> None:
    """After kill -9 during commits, all commits are whole, and others can write."""
    for lines in (4, 9):
        last = killed(postgres, name, lines)
        consistent(database, name)
        with closing(PostgresStore(database, name)) as store:
            with store.snapshot() as snapshot:
                assert snapshot.generation >= last
                live = {article.article_id for article in snapshot.articles()}
                assert found(snapshot) == live
            assert put(store, replace(DAM, text=f"It was {lines}.")).generation > last


def test_a_killed_server_loses_no_commit() -> None:
    """After kill -9 of the server during commits and questions, no commit is missing."""
    server, ended = made(), threading.Event()
    server.start()

    def ask(store: PostgresStore) -> int:
        answered = 0
        while not ended.is_set() or not answered:
            try:
                with store.snapshot() as snapshot:
                    assert "dam" in found(snapshot)
                    answered += 1
            except StoreError:
                answered = 0
                time.sleep(0.1)
        return answered

    try:
        with (
            closing(PostgresEngine(server.address, server.password)) as engine,
            ThreadPoolExecutor(3) as threads,
        ):
            store, database = engine.open("kept", create=True), engine.server
            database._pool.timeout = 5.0
            put(store, DAM)
            asking = [threads.submit(ask, store) for _ in range(3)]
            with start(WRITER, server, "kept") as writer:
                assert writer.stdout is not None
                last = [int(writer.stdout.readline()) for _ in range(6)][-1]
                server.stop(kill=True)
                writer.kill()
            with pytest.raises(StoreError, match="check the server"), store.snapshot():
                pass
            server.start()
            with store.snapshot() as snapshot:
                assert snapshot.generation >= last
                assert "dam" in found(snapshot)
            ended.set()
            assert all(one.result() for one in asking)
            consistent(database, "kept")
            deadline = time.monotonic() + 60
            while engine._news.position("kept") is None:  # it does not listen again yet
                assert time.monotonic() < deadline
                time.sleep(0.05)
            state = engine.state("kept")
            with start("remove(store, 'dam')", server, "kept") as bot:
                assert bot.wait() == 0
            while engine.state("kept") == state:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        ended.set()
        server.stop()
        shutil.rmtree(server.folder)


def test_a_killed_rebuild_continues(postgres: Postgres, store: PostgresStore, name: str) -> None:
    """Sentences embedded before a kill are not embedded again; the old vectors are used."""
    script = (
        "catalogue._REBUILT = 4\n"
        "def die(count): count == 8 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "store.rebuild(FakeEncoder('other'), actor='tester', on_progress=die)\n"
    )
    put(store, *(replace(DAM, article_id=f"dam-{n}") for n in range(10)))
    with start(script, postgres, name) as rebuilding:
        assert rebuilding.wait() == -signal.SIGKILL
    with store.snapshot() as snapshot:
        assert (snapshot.model, len(found(snapshot))) == ("fake-256", 10)
    encoder = FakeEncoder("other")
    store.rebuild(encoder, actor="tester")
    assert len(encoder.texts) == 12
    with store.snapshot() as snapshot:
        assert snapshot.model == "other"


def test_a_lost_connection_is_replaced(postgres: Postgres, store: PostgresStore) -> None:
    """After the server closed all connections, the next question and commit open new ones."""
    put(store, DAM)
    with psycopg.connect(postgres.address, password=postgres.password) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND application_name LIKE 'onrecord %'"
        )
    with store.snapshot() as snapshot:
        assert found(snapshot) == {"dam"}
    put(store, CUP)


BOT = """
archive = Archive(store, FakeEncoder())
for number in count():
    answer = archive.ask("Who was warned of the dam?")
    archive.answers.record(answer, channel=1, message=number)
    print("answered", flush=True)
"""


def test_bots_killed_in_turn_lose_no_answer(
    postgres: Postgres, store: PostgresStore, name: str
) -> None:
    """When each of two bots is killed once, the other goes on, and no answer is lost."""
    put(store, DAM)
    bots = [start(BOT, postgres, name) for _ in range(2)]
    answered = 0

    def hear(bot: subprocess.Popen[str], lines: int) -> None:
        nonlocal answered
        assert bot.stdout is not None
        for _ in range(lines):
            assert bot.stdout.readline() == "answered\n"
            answered += 1

    def kill(number: int) -> None:
        nonlocal answered
        bot = bots[number]
        assert bot.stdout is not None
        bot.kill()
        answered += sum(line == "answered\n" for line in bot.stdout)
        bot.wait()
        bot.stdout.close()

    for number in (0, 1):
        hear(bots[0], 5)
        hear(bots[1], 5)
        kill(number)
        hear(bots[1 - number], 10)
        bots[number] = start(BOT, postgres, name)
    for number in (0, 1):
        kill(number)
    recorded = value(postgres, f'SELECT sum(times) FROM "onrecord-{name}".asked')
    assert answered <= recorded <= answered + 4  # four were killed, perhaps before they said so


class Cutting:
    """Forwards bytes to a server, and cuts the connection at a COMMIT, or at its answer."""

    def __init__(self, server: Postgres, *, after: bool) -> None:
        self._server, self._after = server, after
        self.armed = self._cuts = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server.port))
                for source, target in ((client, server), (server, client)):
                    asking = source is client
                    passing = threading.Thread(target=self._pass, args=(source, target, asking))
                    passing.daemon = True
                    passing.start()

    def _pass(self, source: socket.socket, target: socket.socket, asking: object) -> None:
        with source, target, suppress(OSError):
            while data := source.recv(65_536):
                if self.armed and asking and b"COMMIT" in data:
                    self.armed, self._cuts = False, True
                if self._cuts and asking != self._after:
                    self._cuts = False
                    for end in (source, target):
                        end.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(data)

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_connection_cut_in_a_commit_leaves_it_whole(
    postgres: Postgres, store: PostgresStore, name: str, *, after: bool
) -> None:
    """A commit whose connection is cut takes effect once or not at all."""
    put(store, DAM)
    with closing(Cutting(postgres, after=after)) as line:
        address = postgres.address.replace(str(postgres.port), str(line.port))
        with closing(Server(address, postgres.password)) as server:
            other = PostgresStore(server, name)
            with other.snapshot() as snapshot:
                assert found(snapshot) == {"dam"}
            line.armed = True
            with pytest.raises(StoreError, match="check the server"):
                put(other, CUP)
            consistent(server, name)
            outcome = put(other, CUP).outcomes["cup"]
    assert outcome == ("unchanged" if after else "added")
    with store.snapshot() as snapshot:
        assert (snapshot.generation, found(snapshot)) == (2, {"dam", "cup"})


# Several at once


def test_a_second_writer_is_told_who_writes(
    store: PostgresStore, database: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that waits in vain is told which process writes; readers do not wait."""
    monkeypatch.setattr(connections, "_BUSY_S", 1)
    put(store, DAM)
    with database.writing(schema_of(name)):
        with pytest.raises(StoreBusyError, match=rf"“onrecord .* {os.getpid()}” .* is writing"):
            put(store, CUP)
        with store.snapshot() as snapshot:
            assert found(snapshot) == {"dam"}
    put(store, CUP)


def test_a_collection_is_created_once(database: Server, name: str) -> None:
    """A collection opened by many at once is created once, and all can use it."""

    def use(number: int) -> None:
        with closing(PostgresStore(database, name)) as store:
            put(store, replace(CUP, article_id=f"cup-{number}"))

    with ThreadPoolExecutor(6) as threads:
        [*threads.map(use, range(6))]
    with closing(PostgresStore(database, name)) as store, store.snapshot() as snapshot:
        assert (snapshot.generation, snapshot.size().articles) == (6, 6)


def test_many_ask_while_articles_come_and_go(store: PostgresStore) -> None:
    """Each question of many threads sees exactly one generation."""
    done = threading.Event()
    put(store, *(replace(DAM, article_id=f"dam-{n}") for n in range(8)))

    def ask() -> None:
        while not done.is_set():
            with store.snapshot() as snapshot:
                live = {article.article_id for article in snapshot.articles()}
                assert found(snapshot) == live
                assert len(live) in {8, 9}

    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(ask) for _ in range(3)]
        for number in range(8):
            put(store, replace(CUP, article_id=f"cup-{number}"))
            remove(store, f"dam-{number}")
        done.set()
        for one in asking:
            one.result()


def test_two_stores_add_a_report_once(database: Server, name: str) -> None:
    """A twin that another writer commits between look-up and commit is recognised."""
    page = "https://northwire.example/dam"
    mine = replace(DAM, article_id="mine", url=page, id_given=False)
    theirs = replace(DAM, article_id="theirs", url=page + "?utm_source=x", id_given=False)
    here, elsewhere = PostgresStore(database, name), PostgresStore(database, name)
    with here.snapshot() as snapshot:
        assert snapshot.decide(mine).outcome == "added"
    put(elsewhere, theirs)
    (decision,) = put(here, mine).put
    assert (decision.article.article_id, decision.outcome) == ("theirs", "unchanged")


def test_others_write_while_a_rebuild_embeds(store: PostgresStore, database: Server) -> None:
    """The collection is not locked while sentences are embedded."""
    other = PostgresStore(database, store.name)

    class Embedding(FakeEncoder):
        def encode(self, texts: Sequence[str], **how: Any) -> Vectors:
            if not self.texts:
                put(other, CUP)
            return super().encode(texts, **how)

    put(store, DAM)
    store.rebuild(Embedding("other"), actor="tester")
    with store.snapshot() as snapshot:
        assert snapshot.size().articles == 2


def test_a_commit_is_heard_elsewhere(engine: PostgresEngine, store: PostgresStore) -> None:
    """Another process learns of a commit and of an erasure without asking."""
    assert engine.state(store.name) is None
    states = set[object]()
    for article in (DAM, CUP):
        put(store, article)
        deadline = time.monotonic() + 20
        while engine.state(store.name) in {None, *states}:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        states.add(engine.state(store.name))
    assert store.name in engine.names()
    store.erase()
    while engine.state(store.name) is not None:
        assert time.monotonic() < deadline + 20
        time.sleep(0.01)
    assert store.name not in engine.names()


def test_work_is_done_by_one_process_at_a_time(
    engine: PostgresEngine, postgres: Postgres, name: str
) -> None:
    """A process holds some work until it ends or is killed; other work goes on."""
    script = "end = engine.hold(name, 'reading'); print('held', flush=True); time.sleep(600)"
    with start(script, postgres, name) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert engine.hold(name, "reading") is None
        end = engine.hold(name, "asking")
        assert end is not None
        assert engine.hold(name, "asking") is None
        end()
        other.kill()
    deadline = time.monotonic() + 20
    while (end := engine.hold(name, "reading")) is None:
        assert time.monotonic() < deadline
    end()
    end = engine.hold(name, "reading")
    assert end is not None
    end()


def test_events_of_all_processes_are_counted(
    engine: PostgresEngine, postgres: Postgres, name: str
) -> None:
    """The limit in a window applies to all processes together, even if all count at once."""
    with closing(PostgresEngine(postgres.address, postgres.password)) as other:
        both = [engine, other] * 5
        with ThreadPoolExecutor(6) as threads:
            waits = [*threads.map(lambda one: one.wait_s(name, 4, 60.0), both)]
        assert waits.count(0.0) == 4
        assert all(50 < wait <= 60 for wait in waits if wait)
        assert other.wait_s(f"{name} 2", 1, 0.2) == 0
        assert engine.wait_s(f"{name} 2", 1, 0.2)
        time.sleep(0.3)
        assert engine.wait_s(f"{name} 2", 1, 0.2) == 0


def test_collections_see_nothing_of_each_other(engine: PostgresEngine, name: str) -> None:
    """Two schemas of a database share no article, and erasing one leaves the other."""
    one, other = (engine.open(f"{name}{n}", create=True) for n in (1, 2))
    put(one, DAM)
    put(other, replace(DAM, text="The dam held."), CUP)
    with one.snapshot() as snapshot:
        assert found(snapshot) == {"dam"}
        assert snapshot.article("dam") == DAM
    one.erase()
    with other.snapshot() as snapshot:
        assert found(snapshot) == {"dam", "cup"}
    with pytest.raises(NotFoundError, match="no collection"):
        engine.open(f"{name}1", create=False)


# Backups


def test_a_backup_moves_between_engines(store: PostgresStore, tmp_path: Path) -> None:
    """Each engine recovers the other's backups."""
    put(store, DAM, CUP)
    remove(store, "cup")
    store.preferences.put(1, "days", 7, actor="operator", note="")
    store.backup(tmp_path / "copy")
    with closing(SqliteStore(tmp_path / "embedded")) as embedded:
        embedded.recover(tmp_path / "copy", actor="tester")
        with embedded.snapshot() as snapshot:
            assert found(snapshot) == {"dam"}
            assert snapshot.history()[1].note == ""
        assert embedded.preferences.of(1) == {"days": 7}
        put(embedded, BANK)
        embedded.backup(tmp_path / "back")
    with store.snapshot() as before:
        last = before.generation
        commit = store.recover(tmp_path / "back", actor="tester")
        assert found(before) == {"dam"}
    assert commit.generation > last
    with store.snapshot() as snapshot:
        assert found(snapshot) == {"dam", "bank"}
        assert [a.article_id for a in snapshot.articles(retired=True)] == ["cup"]
    put(store, replace(CUP, article_id="next"))


def test_a_file_that_is_no_backup_is_refused(store: PostgresStore, tmp_path: Path) -> None:
    """A file that is not a backup is refused by its name, and nothing is changed."""
    put(store, DAM)
    (tmp_path / "copy").write_bytes(b"%PDF-1.7 " * 900)
    with pytest.raises(StoreError, match="copy is damaged"):
        store.recover(tmp_path / "copy", actor="tester")
    with store.snapshot() as snapshot:
        assert (snapshot.generation, found(snapshot)) == (1, {"dam"})


# What is not as it should be


def test_another_versions_collection_is_left_alone(
    store: PostgresStore, postgres: Postgres, database: Server, name: str
) -> None:
    """A schema of another version is not read, written or erased."""
    put(store, DAM)
    with psycopg.connect(postgres.address, password=postgres.password) as db:
        db.execute(f"COMMENT ON SCHEMA \"onrecord-{name}\" IS 'On Record, schema 999'")
    with closing(PostgresStore(database, name)) as other:
        for act in (lambda: put(other, CUP), other.erase, lambda: other.snapshot().__enter__()):
            with pytest.raises(StoreVersionError, match="another version"):
                act()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda address: address.replace("postgres@", "nobody@"), "PGPASSWORD"),
        (lambda address: address + "_other", "does not exist"),
        (lambda address: address.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1"), ""),
    ],
)
def test_a_server_that_cannot_be_used_is_explained(
    postgres: Postgres, change: Any, message: str
) -> None:
    """A wrong user or database is explained at once; another host in the address is tried."""
    with closing(PostgresEngine(change(postgres.address), postgres.password)) as engine:
        if not message:
            engine.names()
            return
        started = time.monotonic()
        with pytest.raises(StoreError, match=message):
            engine.names()
        assert time.monotonic() - started < 10


def test_a_database_that_is_not_ready_is_explained(postgres: Postgres, name: str) -> None:
    """Without pgvector, with an old version or without rights, the message says what to run."""
    with psycopg.connect(postgres.address, password=postgres.password, autocommit=True) as db:
        for sql in (
            "DROP DATABASE IF EXISTS {0}",
            "CREATE DATABASE {0}",
            "DROP ROLE IF EXISTS {0}",
        ):
            db.execute(sql.format(name))
        db.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{postgres.password}'")
    owners = postgres.address.removesuffix("postgres") + name

    def check(message: str, *statements: str) -> None:
        with psycopg.connect(owners, password=postgres.password, autocommit=True) as db:
            for statement in statements:
                db.execute(statement)
        theirs = owners.replace("postgres@", f"{name}@")
        with (
            closing(PostgresEngine(theirs, postgres.password)) as engine,
            pytest.raises(StoreError, match=message),
        ):
            engine.check()

    check("run CREATE EXTENSION vector")
    extended = "UPDATE pg_extension SET extversion = '{}' WHERE extname = 'vector'"
    check("ALTER EXTENSION vector UPDATE", "CREATE EXTENSION vector", extended.format("0.7.4"))
    check("GRANT it CREATE ON DATABASE", extended.format("0.8.5"))
    with psycopg.connect(postgres.address, password=postgres.password, autocommit=True) as db:
        db.execute(f"DROP DATABASE {name}")
        db.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://me@db.example/news", "verify-full"),
        ("postgresql://me@db.example/news?sslmode=require", "require"),
        ("postgresql://me@127.0.0.1,db.example/news", "verify-full"),
        ("postgresql://me@localhost/news", None),
        ("postgresql:///news", None),
        ("postgresql://me@[::1]/news", None),
    ],
)
def test_the_certificate_of_another_host_is_checked(address: str, expected: str | None) -> None:
    """TLS with a checked certificate is the default for other hosts."""
    given = parameters(address, "secret")
    assert given.get("sslmode") == expected
    assert given["password"] == "secret"  # noqa: S105


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("postgresql://me:secret@db.example/news", "PGPASSWORD"),
        ("postgresql://me@db.example/news?password=secret", "PGPASSWORD"),
        ("postgresql://me:secret@[db.example/news", "not that of a PostgreSQL database"),
        ("news at home", "not that of a PostgreSQL database"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(
    tmp_path: Path, address: str, message: str
) -> None:
    """A password in the address and an invalid address are refused, and not repeated."""
    with pytest.raises(SettingsError, match=message) as raised:
        engine_of(tmp_path, address)
    assert "secret" not in str(raised.value)


def test_a_name_that_is_too_long_is_refused(engine: PostgresEngine) -> None:
    """A name that PostgreSQL would silently cut is refused."""
    with pytest.raises(InputError, match="too long"):
        engine.open("ü" * 40, create=True)


def test_an_unfinished_index_is_built_again(
    engine: PostgresEngine, database: Server, name: str
) -> None:
    """`check` counts what a broken `CREATE INDEX` left, and `prepare` builds it again."""
    with closing(PostgresStore(database, name, exact_up_to=1)) as store:
        put(store, DAM)
        with engine.server.lease() as db, pytest.raises(psycopg.errors.DataException):
            db.execute(
                f'CREATE INDEX CONCURRENTLY live_vector_0 ON "onrecord-{name}".live_vector '
                "USING hnsw ((vector::halfvec(3)) halfvec_ip_ops)"
            )
        assert "pgvector 0." in engine.check()
        assert "1 unfinished" in engine.check()
        with store.snapshot() as snapshot:
            assert found(snapshot) == {"dam"}
        store.prepare()
        assert "unfinished" not in engine.check()
        store.erase()
