"""Every engine that keeps collections, and reports to store in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from index.domain import Article
from index.store.catalogue import Catalogue
from index.store.postgres.store import PostgresStore
from index.store.sqlite import SqliteStore

DAM = Article(article_id="dam", title="Dam", text="The dam failed. Nobody was warned.")
BANK = Article(article_id="bank", title="Bank", text="Thieves took data. The bank blamed others.")
CUP = Article(article_id="cup", title="Cup", text="Athletic won the cup. The crowd sang.")
Make = Callable[[Path, pytest.FixtureRequest], Catalogue]


def embedded(folder: Path, _: pytest.FixtureRequest, **options: int) -> Catalogue:
    """Open a collection in a folder."""
    return SqliteStore(folder, **options)


def postgres(folder: Path, request: pytest.FixtureRequest, **options: int) -> Catalogue:
    """Open a collection on the shared server, named after that folder."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:20]
    return PostgresStore(request.getfixturevalue("database"), name, **options)


STORES: dict[str, Make] = {
    "embedded": embedded,
    "embedded-compact": partial(embedded, exact_up_to=3),
    "postgres": postgres,
    "postgres-indexed": partial(postgres, exact_up_to=3),
}
ENGINES = {name: STORES[name] for name in ("embedded", "postgres")}


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalogue]:
    """Make an empty collection of each engine."""
    store: Catalogue = request.param(tmp_path / "collection", request)
    yield store
    store.close()
