"""Limit how often something may happen, counted for all processes together.

Counts are kept under a hash, in an unlogged table, as long as they matter.
"""

from __future__ import annotations

import psycopg

from index.store.postgres.connections import Server, hash_of

_MAKE = """
    CREATE SCHEMA IF NOT EXISTS onrecord;
    CREATE UNLOGGED TABLE IF NOT EXISTS onrecord.pace (
        key bigint PRIMARY KEY, times double precision[] NOT NULL)
"""
_COUNT = """
    WITH old AS (
        DELETE FROM onrecord.pace WHERE key IN (
            SELECT key FROM onrecord.pace WHERE key <> %(key)s
            AND times[cardinality(times)] < extract(epoch FROM now()) - %(window)s
            FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO onrecord.pace AS p VALUES (%(key)s, ARRAY[extract(epoch FROM now())])
    ON CONFLICT (key) DO UPDATE SET times = (
        SELECT CASE WHEN count(*) < %(most)s
            THEN array_append(array_agg(t ORDER BY t), excluded.times[1])
            ELSE array_agg(t ORDER BY t) END
        FROM unnest(p.times) AS t WHERE t > excluded.times[1] - %(window)s)
    RETURNING times, extract(epoch FROM now())::double precision
"""


def wait_s(server: Server, event: str, most: int, window_s: float) -> float:
    """Count an event; if `most` were counted within `window_s` already, return the wait instead."""
    values = {"key": hash_of(event), "most": most, "window": window_s}
    with server.lease() as db:
        try:
            (row,) = db.execute(_COUNT, values).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            with db.transaction():
                db.execute("SELECT pg_advisory_xact_lock(%s)", (hash_of("pace"),))
                db.execute(_MAKE)
            (row,) = db.execute(_COUNT, values).fetchall()
    times, now = row
    return 0.0 if times[-1] == now else float(times[-most] + window_s - now)
