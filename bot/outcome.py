"""What taking in, removing or rebuilding did, in a few lines and, where that is long, in a file."""

from __future__ import annotations

import io
from typing import Any

import discord
from discord import ui

from bot.render import MAX_TEXT, escaped, notice_view
from bot.wording import KINDS
from index.intake import Report

_LISTED = 10  # of each kind
_CHARS = 120  # of a title or a name

_NO_FILES = "-# The rest would come as a file: for that I need Attach Files here."


def result_view(
    what: str, report: Report, interaction: discord.Interaction[Any]
) -> tuple[ui.LayoutView, *tuple[discord.File, ...]]:
    """A result as a message, with everything in a file where the message holds not all."""
    text = f"### {what}\n{report_text(report)}"
    more = report_lines(report) if _is_long(report) else ""
    return fitting(text, "result.txt", interaction, more)


def fitting(
    text: str, name: str, interaction: discord.Interaction[Any], more: str = ""
) -> tuple[ui.LayoutView, *tuple[discord.File, ...]]:
    """A text as a message; with a file of that name where it does not fit, or there is `more`."""
    if len(text) <= MAX_TEXT and not more:
        return (notice_view(text),)
    start = text[: MAX_TEXT - len(_NO_FILES) - 1].rpartition("\n")[0]
    if not interaction.app_permissions.attach_files:
        return (notice_view(f"{start}\n{_NO_FILES}"),)
    view = notice_view(start)
    view.add_item(ui.File[Any](f"attachment://{name}"))
    return view, discord.File(io.BytesIO((more or text).encode()), name)


def report_text(report: Report) -> str:
    """What it did: counts, the first titles, and what failed with its reason."""
    lines = []
    for kind in KINDS:
        changes = getattr(report, kind)
        if changes:
            lines.append(f"**{kind.capitalize()} {len(changes):,}**")
            lines += [f"- {escaped(one.title[:_CHARS])}" for one in changes[:_LISTED]]
            lines += _more(len(changes))
    lines += [f"**Unchanged {report.unchanged:,}**"] if report.unchanged else []
    if report.failed:
        lines.append(f"**Failed {len(report.failed):,}**")
        for failure in report.failed[:_LISTED]:
            lines.append(f"- {escaped(failure.source[-_CHARS:])}: {escaped(failure.error)}")
        lines += _more(len(report.failed))
    if report.embedded:
        lines.append(f"**Embedded {report.embedded:,} sentences again**")
    return "\n".join([*(lines or ["There is nothing new."]), f"-# {report.seconds:.1f} s"])


def report_lines(report: Report) -> str:
    """Everything it did, a line each: what became of it, its title or source, its id or reason."""
    lines = [
        f"{kind}\t{one.title}\t{one.sentences} sentences\t{one.article_id}"
        for kind in KINDS
        for one in getattr(report, kind)
    ]
    lines += [f"unchanged\t{report.unchanged} articles"] if report.unchanged else []
    lines += [f"failed\t{one.source}\t{one.error}" for one in report.failed]
    return "\n".join([*lines, ""])


def _is_long(report: Report) -> bool:
    return max(len(report.failed), *(len(getattr(report, kind)) for kind in KINDS)) > _LISTED


def _more(count: int) -> list[str]:
    return [f"- … and {count - _LISTED:,} more"] if count > _LISTED else []
