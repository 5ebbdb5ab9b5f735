"""Explain in words how an answer came about."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from discord.utils import format_dt

from bot.answers import recall
from bot.markdown import escape, shorten
from bot.views.answer import AnswerView, citation_line, text_view
from bot.views.text import became_words, describe_filters, plural, share_of, strength
from index import Archive, LoggedAnswer, Viewer

_QUESTION_CHARS, _QUOTE_CHARS, _TITLE_CHARS, _NOTE_CHARS = 300, 160, 150, 300
_NOTES = 3  # reasons that readers gave


async def explanation_view(archive: Archive, answer_id: str, viewer: Viewer) -> AnswerView:
    """Return a message on how an answer came about. Raises NotFoundError as `recall` does."""
    entry = await recall(archive, answer_id, viewer)
    feedback = await asyncio.to_thread(archive.people.feedback, entry.answer.answer_id)
    generation = await asyncio.to_thread(lambda: archive.generation)
    return text_view(entry.answer, explanation(entry, feedback, generation))


def explanation(entry: LoggedAnswer, feedback: Sequence[str], generation: int) -> str:
    """Return where an answer comes from, how strong its evidence is, and what has changed since.

    Args:
        entry: the logged answer.
        feedback: what readers said is wrong with its quotes.
        generation: the collection's present generation.
    """
    answer = entry.answer
    later = generation - answer.generation
    age = f"{plural(later, 'change')} ago" if later else "the latest"
    searched = escape(describe_filters(answer.filters)) or "all reports"
    lines = [
        f"### {escape(answer.question[:_QUESTION_CHARS])}",
        f"Answer `{answer.answer_id}`, {format_dt(entry.at, 'f')}"
        + ("" if entry.message else ", private"),
        f"Searched {searched}, with {answer.model}",
        f"As the reports were after change {answer.generation}, {age}",
        f"Overall evidence: **{strength(answer.confidence)}**"
        + (f". {escape(answer.reason)}" if answer.reason else ""),
    ]
    for cited, score in zip(answer.shown, answer.scores, strict=False):
        text = " ".join(cited.quote.text.split())
        short = text if len(text) <= _QUOTE_CHARS else text[:_QUOTE_CHARS].rstrip() + " …"
        evidence = strength(share_of(answer.confidence, score, max(answer.scores)))
        lines.append(f"- **[{cited.citation}]** {evidence}: {escape(short)}")
    lines += ["", *(citation_line(citation) for citation in answer.citations)]  # "" ends the list
    changes = [
        f"- “{escape(shorten(s.article.title, _TITLE_CHARS))}” "
        f"{escape(shorten(became_words(s), _NOTE_CHARS))}"
        for s in entry.standings
        if s.became
    ]
    lines += (
        ["**Since then:**", *changes] if changes else ["None of its reports has changed since."]
    )
    flags = plural(len(feedback), "reader")
    lines += [f"{flags} flagged a quote as wrong:"] * bool(feedback)
    lines += [f"- “{escape(note)}”" for note in feedback[-_NOTES:]]
    return "\n".join(lines)
