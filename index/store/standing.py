"""Compare the articles that an answer cites with their state in the answer's generation.

States are compared, never times: a change that was undone leaves no trace, and no change is missed
because another has the same second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from index.domain import Answer, Article
from index.store.rows import notice_at
from index.store.snapshot import CatalogueSnapshot

Became = Literal["changed", "revised", "removed", "corrected", "retracted", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a cited article has changed since the answer was given.

    Attributes:
        article: the article as it is now, with its notice.
        became: empty if nothing has changed; "changed" if it lost a quote, "revised" if its text
            changed elsewhere, "withdrawn" if the correction that the answer showed was withdrawn.
    """

    article: Article
    became: tuple[Became, ...]

    @property
    def state(self) -> str:
        """A key for what readers of the answer have to know; "" if nothing has changed."""
        notice = self.article.notice
        note = notice.note if notice and notice.kind in self.became else ""
        return " ".join([*(word for word in self.became if word != "revised"), note]).strip()


def standings(snapshot: CatalogueSnapshot, answer: Answer) -> tuple[Standing, ...]:
    """Return the standing of each article that an answer cites, in the order of its citations.

    Raises:
        NotFoundError: an article is no longer stored, after a recovery.
    """
    return tuple(_standing(snapshot, answer, citation.article) for citation in answer.citations)


def _standing(snapshot: CatalogueSnapshot, answer: Answer, cited: Article) -> Standing:
    now, became = snapshot.article(cited.article_id), list[Became]()
    cuts = [q.quote for q in answer.quotes if q.quote.article_id == cited.article_id]
    retracted = now.notice is not None and now.notice.kind == "retracted"
    if now.retired and not retracted:
        became.append("removed")
    elif not now.retired and now.revision != cited.revision:
        lost = any(cut.text not in now.text for cut in cuts)
        became.append("changed" if lost else "revised")
    if now.notice != notice_at(snapshot.db, cited.article_id, answer.generation):
        became.append(now.notice.kind if now.notice else "withdrawn")
    return Standing(now, tuple(became))
