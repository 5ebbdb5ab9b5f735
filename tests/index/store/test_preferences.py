"""Preferences: kept for each server with the collection, and named in the audit log."""

from __future__ import annotations

from pathlib import Path

from index.store.catalogue import Catalogue


def test_preferences_are_each_servers_own(engine_store: Catalogue) -> None:
    """Servers that share a collection choose for themselves; no value takes a choice back."""
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


def test_preferences_survive_a_backup(engine_store: Catalogue, tmp_path: Path) -> None:
    """A recovered collection has the preferences of its backup."""
    preferences = engine_store.preferences
    preferences.put(1, "days", 7, actor="operator", note="")
    engine_store.backup(tmp_path / "copy")
    preferences.put(1, "days", 9, actor="operator", note="")
    engine_store.recover(tmp_path / "copy", actor="operator")
    assert preferences.of(1) == {"days": 7}
