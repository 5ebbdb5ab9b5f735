"""Decide which stored article an incoming one is, and what storing it does.

When in doubt, two articles stay two: a duplicate can be removed, an overwritten report is lost.

An id that was given is kept. Any other article is a stored one

- by its key (a feed's guid) or the id made for it, if it may come from there and either its
  address or at least half of its words are the same: feeds give a guid away again;
- by its page, unless both name different parts of that page (`live#p1`, `live#p2`) in other words,
  or are known by two keys of one feed or site, as the posts of a live blog are;
- by its words, if the stored one has the same publisher, title and text today, unless they are
  known by two keys of one feed or site and have two addresses, as daily bulletins have.

An article is revised only from where it came: else the writer of a feed could put words into
another outlet's mouth. A retracted article is not added again, whatever key and address its site or
publisher gives it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urldefrag

from index.domain import Article
from index.reading.urls import canonical, is_home, site
from index.store.database import LIST, Database
from index.store.rows import NEWEST, notice_at
from index.store.types import Decision, Put
from index.text.rewrites import shared_wording
from index.text.terms import content_terms

Identity = Literal["key", "page", "words"]
_HALF = 0.5  # of the words of the shorter text that two texts share if they are of one report
_ALL = 0.9  # of the wording of the shorter text: the texts differ by a line or so
_KNOWN = f"SELECT key, article_id FROM identity JOIN article USING (article) WHERE key IN {LIST}"
_STORED = """
    SELECT a.article, a.latest, a.live,
    (SELECT max(number) FROM revision WHERE article = a.article),
    EXISTS (SELECT 1 FROM revision u WHERE u.article = a.article AND u.revision > a.latest
    AND u.text_hash = ?), r.text_hash, r.title, r.text, r.publisher, r.source, r.url
    FROM article a JOIN revision r ON r.revision = a.latest WHERE a.article_id = ?
"""
_RETRACTED = """
    SELECT DISTINCT a.article_id FROM notice n JOIN article a USING (article)
    WHERE n.kind = 'retracted' AND a.live IS NULL
"""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A stored article: its row, its latest and live revisions, and the number of its last one.

    `undone` says whether the text it is compared with was stored later and undone.
    """

    row: int
    latest: int
    live: int | None
    number: int
    undone: bool
    text_hash: str
    article: Article


def identity_keys(article: Article) -> dict[Identity, str]:
    """Return what recognises an article under another id, the strongest first.

    They are its key and its canonical URL, if it has them, and a hash of publisher, title and text.
    """
    parts = [(article.publisher or "").casefold(), article.title, article.text]
    words = "\x00".join(" ".join(part.split()) for part in parts).encode("utf-8", "surrogatepass")
    keys: dict[Identity, str] = {"key": f"key {article.key}"} if article.key else {}
    if page := _page(article):
        keys["page"] = f"page {page}"
    return {**keys, "words": f"words {hashlib.sha256(words).hexdigest()}"}


def claim(db: Database, article: Article, row: int) -> None:
    """Note what recognises an article with that row.

    A page that two keys of one site name recognises neither of them.
    """
    keys = identity_keys(article)
    sql = "INSERT INTO identity VALUES (?, ?) ON CONFLICT DO NOTHING"
    db.executemany(sql, [(key, row) for key in keys.values()])
    if named := _named(article):
        db.execute(sql, (named, row))
        (first,) = db.execute("SELECT article FROM identity WHERE key = ?", (named,)).fetchone()
        if first != row:
            db.execute("DELETE FROM identity WHERE key = ?", (keys["page"],))


def comes_from(source: str | None, known: Article) -> bool:
    """Return whether an article may come from a source: its own site, or a file as before."""
    homes = {site(known.source)} | ({site(known.url)} if known.url else set())
    return site(source) in homes


def share_words(a: Article, b: Article) -> bool:
    """Return whether two texts share enough words to be two versions of one report."""
    left, right = (set(content_terms(article.text)) for article in (a, b))
    return a.text == b.text or len(left & right) >= _HALF * max(1, min(len(left), len(right)))


def refusal(known: Article) -> str:
    """Return why an article from elsewhere may not revise this one, and what to do."""
    return (
        f"“{known.title}” came from {site(known.source) or 'a file'}, and is revised only from "
        "there: give this report an address or an id of its own, or say with `correct` what is "
        "wrong with that one."
    )


def decide(db: Database, article: Article, *, revive: bool) -> Decision:
    """Decide what storing an article does, in view of what this connection sees."""
    given, same_words = article, False
    if article.id_given:
        stored = _stored(db, article.article_id, article)
    else:
        kind, stored = _recognised(db, article)
        name = stored.article.article_id if stored else _free_id(db, article)
        url = stored.article.url if stored and kind in {"page", "words"} else article.url
        article = replace(article, article_id=name, url=url)
        same_words = kind == "words"
    if stored is None:
        twin, reason = _retracted_twin(db, article)
        if twin is None:
            return Decision(given, article, "added")
        article = replace(article, article_id=twin.article.article_id)
        row = (twin.row, twin.latest, twin.live, twin.number)
        if revive:
            return Decision(given, article, "refused", reason, *row)
        return Decision(given, article, "unchanged", "", *row)
    known, live = stored.article, stored.live
    outcome: Put = "updated"
    reason = ""
    if live is None and revive and (retracted := _retraction(db, known)):
        outcome, reason = "refused", retracted
    elif same_words or stored.text_hash == article.text_hash:
        outcome = "restored" if live is None and revive else "unchanged"
    elif not comes_from(article.source, known):
        outcome, reason = "refused", refusal(known)
    elif (live is None or stored.undone) and not revive:  # until its source says something else
        outcome = "unchanged"
    claims = comes_from(article.source, known) and _has_unclaimed(db, given)
    row = (stored.row, stored.latest, live, stored.number)
    return Decision(given, article, outcome, reason, *row, claims)


def _has_unclaimed(db: Database, article: Article) -> bool:
    """Return whether an article's key, or its page under that key, recognises no article yet."""
    keys = [identity_keys(article).get("key"), _named(article)]
    sql = "SELECT count(*) FROM identity WHERE key IN (?, ?)"
    (claimed,) = db.execute(sql, keys).fetchone()
    return bool(claimed < sum(key is not None for key in keys))


def _retraction(db: Database, known: Article) -> str:
    """Return why a retracted article is not added again; "" if it is not retracted."""
    notice = notice_at(db, known.article_id, NEWEST)
    if notice is None or notice.kind != "retracted":
        return ""
    return f"“{known.title}” was retracted ({notice.note}): restore it first, if that was wrong."


def _retracted_twin(db: Database, article: Article) -> tuple[_Stored | None, str]:
    """Return the retracted article that an article brings back, and why it is not added.

    Such an article is on the same page and shares half of the words, or is from the same site or
    publisher and shares nearly all of the wording. None and "" if there is none.
    """
    page = _page(article)
    for (name,) in db.execute(_RETRACTED).fetchall():
        stored = _stored(db, name, article)
        reason = _retraction(db, stored.article) if stored else ""
        if not stored or not reason:
            continue
        known = stored.article
        on_page = page is not None and canonical(known.url or "") == page
        if (on_page and share_words(article, known)) or (
            _same_outlet(article, known)
            and _is_as_long(article, known)
            and shared_wording(article.text, known.text) >= _ALL
        ):
            return stored, reason
    return None, ""


def _is_as_long(article: Article, known: Article) -> bool:
    """Return whether neither text is over twice as long: a longer one may quote the other."""
    short, long = sorted((len(article.text), len(known.text)))
    return long <= 2 * short


def _same_outlet(article: Article, known: Article) -> bool:
    """Return whether both articles have the same publisher or come from the same site."""
    publishers = [(other.publisher or "").casefold() for other in (article, known)]
    if all(publishers) and not site(article.source):  # files say nothing about where they come from
        return publishers[0] == publishers[1]
    return publishers[0] == publishers[1] != "" or comes_from(article.source, known)


# Recognising


def _recognised(
    db: Database, article: Article
) -> tuple[Identity | Literal["id", ""], _Stored | None]:
    """Return the stored article that an article without a given id is, and how it is recognised."""
    for name in _made_ids(article):
        stored = _stored(db, name, article)
        if stored and _is_same_report(article, stored.article):
            return "id", stored
    keys, named = identity_keys(article), _named(article)
    names = dict(db.execute(_KNOWN, ([*keys.values(), named],)).fetchall())
    if named in names and keys["key"] not in names:  # the page of another article of that site
        del keys["page"]
    for kind, key in keys.items():
        stored = _stored(db, names[key], article) if key in names else None
        if stored and _recognises(db, kind, article, stored):
            said_before = kind == "page" and names.get(keys["words"]) == names[key]
            return "words" if said_before else kind, stored
    return "", None


def _recognises(db: Database, kind: Identity, article: Article, stored: _Stored) -> bool:
    """Return whether an article is a stored article with the same key, page or words."""
    known = stored.article
    if kind == "key":
        return _is_same_report(article, known)
    if kind == "page":
        return not _other_part(article, known) or share_words(article, known)
    if identity_keys(article)["words"] != identity_keys(known)["words"]:  # it was revised since
        return False
    scope = f"key {(article.key or '').partition(' ')[0]} "
    sql = "SELECT 1 FROM identity WHERE article = ? AND key BETWEEN ? AND ?"
    is_keyed = article.key and db.execute(sql, (stored.row, scope, f"{scope}\U0010ffff")).fetchone()
    return not is_keyed or _same_address(article, known)


def _is_same_report(article: Article, known: Article) -> bool:
    """Return whether two articles with the same key or derived id may be the same report."""
    related = _same_address(article, known) or share_words(article, known)
    return related and comes_from(article.source, known)


def _same_address(article: Article, known: Article) -> bool:
    """Return whether both have the same page, or, like files, neither an address nor a key."""
    if not article.url or not known.url:
        return article.url == known.url and not article.key
    return _page(article) == _page(known) is not None and not _other_part(article, known)


def _other_part(article: Article, known: Article) -> bool:
    """Return whether both name a part of a page, and the parts differ."""
    parts = [urldefrag(other.url or "").fragment for other in (article, known)]
    return all(parts) and parts[0] != parts[1]


def _page(article: Article) -> str | None:
    """Return the page an article is on; a home page only if the article was read from it."""
    page, source = (canonical(url or "") for url in (article.url, article.source))
    return page if page and (page == source or not is_home(article.url or "")) else None


def _named(article: Article) -> str | None:
    """Return a key for a page that a feed's item only names, within the scope of the item's key.

    None if the article was read from the page itself.
    """
    page = _page(article)
    if not article.key or not page or page == canonical(article.source or ""):
        return None
    return f"named {article.key.partition(' ')[0]} {page}"


def _made_ids(article: Article) -> Iterator[str]:
    """Yield the id derived for an article, then others in case another article has it."""
    name = article.article_id
    yield name
    for parts in ((name, article.url), (name, article.url, article.title, article.text)):
        text = "\x00".join(part or "" for part in parts)
        yield hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _free_id(db: Database, article: Article) -> str:
    """Return an id that no stored article has."""
    for name in _made_ids(article):
        if not db.execute("SELECT 1 FROM article WHERE article_id = ?", (name,)).fetchone():
            break
    return name


def _stored(db: Database, name: str, compared: Article) -> _Stored | None:
    """Return what is stored under an id."""
    row = db.execute(_STORED, (compared.text_hash, name)).fetchone()
    if row is None:
        return None
    *place, text_hash, title, text, publisher, source, url = row
    key, latest, live, number, undone = place
    article = Article(
        article_id=name, title=title, text=text, publisher=publisher, source=source, url=url
    )
    return _Stored(key, latest, live, number, bool(undone), text_hash, article)
