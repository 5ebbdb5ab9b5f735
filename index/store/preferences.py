"""Keep what a server's moderators chose, with the collection that the server uses.

A preference is a name and a JSON value; the caller knows what they mean. Several servers may share
a collection, each with its own preferences. They are not part of a generation, but changing a
preference makes a generation, so that the audit log records it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from index.store.tables import Tables
from index.store.writer import Writer


class Preferences(Tables):
    """The preferences of every server that uses a collection."""

    def of(self, server: int) -> dict[str, Any]:
        """Return a server's preferences by name, without those that were never chosen."""
        rows = self._rows("SELECT name, value FROM preference WHERE server = ?", (server,))
        return {name: json.loads(value) for name, value in rows}

    def named(self, name: str) -> dict[int, Any]:
        """Return the values of one preference by server."""
        rows = self._rows("SELECT server, value FROM preference WHERE name = ?", (name,))
        return {server: json.loads(value) for server, value in rows}

    def put(self, server: int, name: str, value: object, *, actor: str, note: str) -> None:
        """Set a preference (None: unset it), and record that in the audit log with a note."""
        with self._writing() as db:
            db.execute("DELETE FROM preference WHERE server = ? AND name = ?", (server, name))
            if value is not None:
                values = (server, name, json.dumps(value))
                db.execute("INSERT INTO preference VALUES (?, ?, ?)", values)
            Writer(db).finish(actor, "settings", note, always=True)

    def keep(self, server: int, chosen: Mapping[str, Any]) -> None:
        """Set again what a server had chosen before its collection was erased."""
        rows = [(server, name, json.dumps(value)) for name, value in chosen.items()]
        with self._writing() as db:
            db.executemany("INSERT INTO preference VALUES (?, ?, ?)", rows)

    def forget(self, server: int) -> None:
        """Delete what a collection keeps about a server that no longer uses it.

        Answers stay until they are pruned: other servers may have got the same answers.
        """
        with self._writing() as db:
            for table in ("preference", "watch", "feedback", "asked"):
                db.execute(f"DELETE FROM {table} WHERE server = ?", (server,))
