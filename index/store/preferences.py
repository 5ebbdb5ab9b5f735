"""What the moderators of a server have chosen for it, kept with the collection that it uses.

A preference is a name and a JSON value; what they mean is up to who reads them. Several servers may
share a collection, each with preferences of its own. They are not part of a generation, but a
change of one makes one, so that the audit log names it.
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
        """Return a server's preferences by name; those that were never chosen are left out."""
        rows = self._rows("SELECT name, value FROM preference WHERE server = ?", (server,))
        return {name: json.loads(value) for name, value in rows}

    def named(self, name: str) -> dict[int, Any]:
        """Return the values of one preference by server."""
        rows = self._rows("SELECT server, value FROM preference WHERE name = ?", (name,))
        return {server: json.loads(value) for server, value in rows}

    def put(self, server: int, name: str, value: object, *, actor: str, note: str) -> None:
        """Choose a value (None: none any more), and say so in the audit log with that note."""
        with self._writing() as db:
            db.execute("DELETE FROM preference WHERE server = ? AND name = ?", (server, name))
            if value is not None:
                values = (server, name, json.dumps(value))
                db.execute("INSERT INTO preference VALUES (?, ?, ?)", values)
            Writer(db).finish(actor, "settings", note, always=True)

    def keep(self, server: int, chosen: Mapping[str, Any]) -> None:
        """Choose again what a server had chosen before its collection was erased."""
        rows = [(server, name, json.dumps(value)) for name, value in chosen.items()]
        with self._writing() as db:
            db.executemany("INSERT INTO preference VALUES (?, ?, ?)", rows)

    def forget(self, server: int) -> None:
        """Delete all that a collection keeps of a server that shares it no more.

        Answers stay until they are old: others may have got the same ones.
        """
        with self._writing() as db:
            for table in ("preference", "watch", "feedback", "asked"):
                db.execute(f"DELETE FROM {table} WHERE server = ?", (server,))
