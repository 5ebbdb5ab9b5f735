"""How an answer came about, in words."""

from __future__ import annotations

from collections.abc import Sequence

from discord.utils import format_dt

from bot.markdown import escape
from bot.views.answer import citation_line, describe_filters
from bot.views.text import plural, share_of, strength
from index import Article, Feedback, LoggedAnswer

_QUESTION_CHARS, _QUOTE_CHARS, _TITLE_CHARS = 300, 160, 150
_NOTES = 3  # reasons that readers gave


def explanation(entry: LoggedAnswer, feedback: Sequence[Feedback], generation: int) -> str:
    """Where an answer comes from, how strong its evidence is, and what has changed since.

    Args:
        entry: the logged answer.
        feedback: what readers reported about it.
        generation: the collection's generation now.
    """
    answer = entry.answer
    later = generation - answer.generation
    age = f"{plural(later, 'change')} ago" if later else "current"
    lines = [
        f"### {escape(answer.question[:_QUESTION_CHARS])}",
        f"Answer `{answer.answer_id}`, {format_dt(entry.at, 'f')}"
        + ("" if entry.message else ", private"),
        f"Asked of {describe_filters(answer.filters) or 'all reports'}, with {answer.model}",
        f"Collection version {answer.generation} ({age})",
        f"Overall evidence: **{strength(answer.confidence)}**"
        + (f". {escape(answer.reason)}" if answer.reason else ""),
    ]
    quotes = answer.quotes or ((answer.closest,) if answer.closest else ())
    for cited, score in zip(quotes, answer.scores, strict=False):
        text = " ".join(cited.quote.text.split())
        short = text if len(text) <= _QUOTE_CHARS else text[:_QUOTE_CHARS].rstrip() + " …"
        evidence = strength(share_of(answer.confidence, score, max(answer.scores)))
        lines.append(f"- **[{cited.citation}]** {evidence}: {escape(short)}")
    lines += ["", *(citation_line(citation) for citation in answer.citations)]  # "" ends the list
    changes = [f"{_title(article)} has **changed**" for article in entry.updated]
    changes += [f"{_title(article)} was **removed**" for article in entry.removed]
    unchanged = "None of the reports behind it has changed since."
    lines.append(f"Since then: {'; '.join(changes)}." if changes else unchanged)
    lines += [f"{len(feedback)} flagged a quote as wrong."] * bool(feedback)
    lines += [f"- “{escape(item.note)}”" for item in feedback[-_NOTES:]]
    return "\n".join(lines)


def _title(article: Article) -> str:
    return f"“{escape(article.title[:_TITLE_CHARS])}”"
