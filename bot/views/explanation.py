"""Explain in words how an answer came about."""

from __future__ import annotations

from collections.abc import Sequence

from discord.utils import format_dt

from bot.markdown import escape, shorten
from bot.views.answer import citation_line
from bot.views.text import became_words, describe_filters, plural, share_of, strength
from index import LoggedAnswer

_QUESTION_CHARS, _QUOTE_CHARS, _TITLE_CHARS, _NOTE_CHARS = 300, 160, 150, 300
_NOTES = 3  # reasons that readers gave


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
