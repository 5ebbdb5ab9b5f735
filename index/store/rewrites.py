"""Find the revisions of different articles that copy or rewrite each other."""

from __future__ import annotations

from collections.abc import Sequence

from index.store.database import Database
from index.text.rewrites import is_rewrite

_SHARED = 2  # hashes shared by the sketches of a text and its rewrite; 1 in a tiny sketch
_TINY = 8  # hashes of a tiny sketch, which is that of a text of some 30 words
_COMMON = 51  # a hash in so many revisions is boilerplate, not a sign of a rewrite
_CANDIDATES = 20  # revisions compared with a new revision


def note_rewrites(db: Database, revision: int, key: int, text: str, hashes: Sequence[int]) -> None:
    """Store which revisions of other articles copy or rewrite this text, or are its source.

    Candidates share word trigrams in their sketches; live revisions come first.
    """
    least = _SHARED if len(hashes) >= _TINY else 1
    if not hashes:
        return
    each = ", ".join(["(?)"] * len(hashes))
    candidates = db.execute(
        f"WITH own (hash) AS (VALUES {each}) SELECT r.revision, r.text FROM "
        "(SELECT s.revision, count(*) AS shared FROM own CROSS JOIN sketch s "
        "WHERE s.hash = own.hash AND (SELECT count(*) FROM "
        "(SELECT 1 FROM sketch WHERE hash = own.hash LIMIT ?) few) < ? "
        "GROUP BY s.revision HAVING count(*) >= ?) alike JOIN revision r USING (revision) "
        "JOIN article a USING (article) WHERE a.article <> ? "
        "ORDER BY coalesce(a.live = r.revision, FALSE) DESC, shared DESC, r.revision LIMIT ?",
        (*hashes, _COMMON, _COMMON, least, key, _CANDIDATES),
    ).fetchall()
    pairs = [(revision, other) for other, other_text in candidates if is_rewrite(text, other_text)]
    pairs += [(other, revision) for _, other in pairs]
    db.insert("rewrite", pairs)
    db.insert("sketch", [(value, revision) for value in hashes])
