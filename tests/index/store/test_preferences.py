"""Preferences: kept for each server with the collection, and recorded in the audit log."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from index.store.catalogue import Catalogue
from index.store.sqlite import SqliteStore


def test_preferences_are_each_servers_own(engine_store: Catalogue) -> None:
    """Servers that share a collection have their own preferences, and None unsets one."""
    preferences = engine_store.preferences
    preferences.put(1, "days", 7, actor="discord:5", note="Days: 7")
    preferences.put(2, "days", [1, 2], actor="discord:6", note="Days: some")
    assert preferences.of(1) == {"days": 7}
    assert preferences.named("days") == {1: 7, 2: [1, 2]}
    preferences.put(1, "days", None, actor="discord:5", note="Days: default")
    assert preferences.of(1) == {}
    with engine_store.snapshot() as snapshot:
        events = [(event.actor, event.action, event.note) for event in snapshot.history()]
    assert events == [
        ("discord:5", "settings", "Days: default"),
        ("discord:6", "settings", "Days: some"),
        ("discord:5", "settings", "Days: 7"),
    ]


def test_a_recovery_brings_back_no_moderators(engine_store: Catalogue, tmp_path: Path) -> None:
    """A recovery keeps present preferences; only an empty collection takes the backup's."""
    preferences = engine_store.preferences
    preferences.put(1, "roles", [5, 6], actor="operator", note="")
    engine_store.backup(tmp_path / "copy")
    preferences.put(1, "roles", [5], actor="operator", note="")
    preferences.put(2, "days", 7, actor="operator", note="")
    engine_store.recover(tmp_path / "copy", actor="operator")
    assert preferences.of(1) == {"roles": [5]}
    assert preferences.of(2) == {"days": 7}
    with closing(SqliteStore(tmp_path / "b")) as new:
        new.recover(tmp_path / "copy", actor="operator")
        assert new.preferences.of(1) == {"roles": [5, 6]}


def test_a_damaged_collection_takes_the_backups_preferences(tmp_path: Path) -> None:
    """If preferences cannot be read, they come from the backup."""
    with closing(SqliteStore(tmp_path / "a")) as store:
        store.preferences.put(1, "days", 7, actor="operator", note="")
        store.backup(tmp_path / "copy")
    (tmp_path / "a" / "catalogue.sqlite3").write_bytes(b"no database at all" * 99)
    with closing(SqliteStore(tmp_path / "a")) as store:
        store.recover(tmp_path / "copy", actor="operator")
        assert store.preferences.of(1) == {"days": 7}
