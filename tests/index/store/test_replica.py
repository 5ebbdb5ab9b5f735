"""A streaming replica answers questions while it shows all known writes, and only then."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from support.fakes import FakeEncoder, put
from support.postgres import Postgres, made, replica_of
from support.stores import BANK, CUP, DAM

from index.archive import Archive
from index.errors import StoreError
from index.store.postgres import engine as engines
from index.store.postgres import replica as replicas
from index.store.postgres.connections import has_replayed, position_of
from index.store.postgres.engine import PostgresEngine
from index.store.postgres.store import PostgresStore
from index.store.protocol import Snapshot

QUESTION = "Who was warned of the dam?"
PATIENCE_S = 60


@pytest.fixture(scope="module")
def standby(postgres: Postgres) -> Iterator[Postgres]:
    """Start a replica of the shared server."""
    server = replica_of(postgres)
    server.start()
    yield server
    server.stop(kill=True)
    shutil.rmtree(server.folder)


@pytest.fixture
def engine(
    postgres: Postgres, standby: Postgres, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostgresEngine]:
    """Make a bot's engine, which answers questions from the replica."""
    monkeypatch.setattr(replicas, "_AGAIN_S", 0.2)
    with closing(PostgresEngine(postgres.address, postgres.password, standby.address)) as opened:
        yield opened


@pytest.fixture
def elsewhere(postgres: Postgres) -> Iterator[PostgresEngine]:
    """Make another bot's engine."""
    with closing(PostgresEngine(postgres.address, postgres.password)) as opened:
        yield opened


@pytest.fixture
def store(engine: PostgresEngine, request: pytest.FixtureRequest) -> Iterator[PostgresStore]:
    """Make a collection with a report, which the replica already shows."""
    name = f"t{abs(hash(request.node.nodeid)):x}"
    with closing(engine.open(name, create=True)) as opened:
        put(opened, DAM)
        wait_for_replica(opened)
        yield opened


def seen(snapshot: Snapshot) -> tuple[bool, int]:
    """Return whether a replica answered, and its generation."""
    row = snapshot.db.execute("SELECT pg_is_in_recovery()").fetchone()  # type: ignore[attr-defined]
    return row[0], snapshot.generation


def wait_for_replica(store: PostgresStore) -> None:
    """Return once the replica shows a collection."""
    deadline = time.monotonic() + PATIENCE_S
    while not store.read(seen)[0]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_news(engine: PostgresEngine, name: str, before: object) -> None:
    """Return once a process knows of another's write."""
    deadline = time.monotonic() + PATIENCE_S
    while engine.state(name) == before:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def replay(server: Postgres, *, goes_on: bool) -> None:
    """Let a replica fall behind, or catch up."""
    with psycopg.connect(server.address, password=server.password) as db:
        db.execute(f"SELECT pg_wal_replay_{'resume' if goes_on else 'pause'}()")


def test_a_replica_answers_like_the_primary(store: PostgresStore) -> None:
    """The replica answers and checks a question; records are read from the primary."""
    archive = Archive(store, FakeEncoder(), threshold=0.0)
    answer = archive.ask(QUESTION)
    assert [quote.quote for quote in answer.quotes]
    archive.check(answer)
    assert store.read(seen) == (True, 1)
    with store.snapshot() as snapshot:
        assert seen(snapshot) == (False, 1)
    archive.answers.record(answer)
    assert archive.answers.get(answer.answer_id).answer.quotes == answer.quotes


def test_a_replica_that_is_behind_is_not_asked(
    store: PostgresStore, engine: PostgresEngine, elsewhere: PostgresEngine, standby: Postgres
) -> None:
    """Once a write by any process is known, answers include it."""
    chance = random.Random(17)  # noqa: S311 - the same each time
    other, behind = elsewhere.open(store.name, create=False), 0
    try:
        for number in range(2, 20):
            replay(standby, goes_on=chance.random() < 0.5)
            state, writer = engine.state(store.name), chance.choice((store, other))
            generation = put(writer, replace(DAM, text=f"It failed {number} times.")).generation
            if writer is other:
                wait_for_news(engine, store.name, state)
            assert store.read(lambda snapshot: snapshot.generation) == generation == number
            behind += not store.read(seen)[0]
    finally:
        replay(standby, goes_on=True)
    assert behind
    wait_for_replica(store)
    assert store.read(seen) == (True, 19)


def test_own_writes_are_known_before_their_notification(
    store: PostgresStore,
    elsewhere: PostgresEngine,
    standby: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A notification of another's write does not let an older state be read."""
    written = threading.Event()

    def position(db: psycopg.Connection) -> str:
        found = position_of(db)
        if not written.is_set():  # another's write is heard, and this process writes meanwhile
            with psycopg.connect(
                standby.address, password=standby.password, autocommit=True
            ) as other:
                while not has_replayed(other, found):
                    time.sleep(0.01)
            replay(standby, goes_on=False)
            written.set()
            put(store, CUP)
        return found

    monkeypatch.setattr(engines, "position_of", position)
    try:
        put(elsewhere.open(store.name, create=False), BANK)
        assert written.wait(PATIENCE_S)
        time.sleep(0.5)
        assert store.read(seen) == (False, 3)
    finally:
        replay(standby, goes_on=True)


def test_an_erased_collection_is_not_read_from_the_replica(
    store: PostgresStore, engine: PostgresEngine, standby: Postgres
) -> None:
    """An erased collection is gone, and one created again is new."""
    replay(standby, goes_on=False)
    try:
        store.erase()
        with closing(engine.open(store.name, create=True)) as again:
            assert again.read(lambda snapshot: snapshot.size().articles) == 0
            assert again.read(seen) == (False, 0)
    finally:
        replay(standby, goes_on=True)


def test_a_dry_run_keeps_the_replica(
    store: PostgresStore,
) -> None:
    """A dry run writes nothing, so the replica is still used."""
    Archive(store, FakeEncoder()).undo(0, dry_run=True)
    assert store.read(seen) == (True, 1)


def test_a_replica_that_dies_costs_no_answer(store: PostgresStore, standby: Postgres) -> None:
    """If a replica is killed, the primary answers; the replica is used again when it is back."""
    with store._replica._server.lease() as db:  # type: ignore[union-attr]
        assert db.execute("SELECT 1").fetchall()
        standby.stop(kill=True)
    try:
        for _ in range(5):
            assert store.read(seen) == (False, 1)
    finally:
        standby.start()
    wait_for_replica(store)


def test_a_question_that_a_replica_broke_off_is_asked_again(
    store: PostgresStore, standby: Postgres
) -> None:
    """If a replica cancels a query to catch up, the primary answers the question."""
    asked = []

    def work(snapshot: Snapshot) -> tuple[bool, int]:
        asked.append(seen(snapshot)[0])
        if asked == [True]:
            with psycopg.connect(standby.address, password=standby.password) as db:
                db.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND application_name LIKE 'onrecord %'"
                )
        return seen(snapshot)

    assert store.read(work) == (False, 1)
    assert asked == [True, False]


def test_a_server_that_is_no_replica_is_refused(
    postgres: Postgres, engine: PostgresEngine, store: PostgresStore
) -> None:
    """Another server and the primary itself are not used, and `check` says why."""
    assert "a replica, " in engine.check()
    other = made()
    other.start()
    try:
        for address, message in (
            (other.address, "not a replica of the primary"),
            (postgres.address, "or is not a replica"),
        ):
            with closing(PostgresEngine(postgres.address, postgres.password, address)) as wrong:
                wrong._replica._server._parameters["password"] = (  # type: ignore[union-attr]
                    other if address == other.address else postgres
                ).password
                assert wrong.open(store.name, create=False).read(seen) == (False, 1)
                with pytest.raises(StoreError, match=message):
                    wrong.check()
    finally:
        other.stop(kill=True)
        shutil.rmtree(other.folder)


def test_the_replica_is_asked_again_after_own_writes(store: PostgresStore) -> None:
    """It does not matter whether a notification comes before or after the write is noted."""
    report = store._on_write

    def late(name: str, *, exists: bool) -> None:
        time.sleep(0.1)  # its notification is heard first
        report(name, exists=exists)

    store._on_write = late
    put(store, CUP)
    wait_for_replica(store)
