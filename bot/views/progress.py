"""A job's status message: it shows progress, then the result, and carries a Stop button."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any

import discord
from discord import ui
from discord.utils import format_dt

from bot.interactions import (
    Interaction,
    context_of,
    defer,
    edit_reply,
    explain,
    is_moderator,
)
from bot.jobs import Job, Task
from bot.markdown import escape
from bot.views.base import MAX_TEXT, Button, Press, Row, button, notice_view
from bot.views.text import outcomes, plural
from index import CancelledError, IngestResult, InputError, NotFoundError

log = logging.getLogger(__name__)
EDIT_EVERY_S = 2.0  # at first; then less and less often, because of Discord's rate limits
_EDIT_AT_LEAST_S, _SLOWER = 30.0, 1.5
_CELLS = 20
_TITLE_CHARS = 80
_LISTED = 10  # titles or failures of each kind
_NO_FILES = "-# To send the rest as a file, I need the Attach Files permission here."


async def run_job(
    interaction: Interaction, title: str, task: Task, *, exclusive: bool = False
) -> None:
    """Run a job on the server's collection, with a public status message where it was started.

    Args:
        interaction: of a command or modal, without a reply yet, except for a deferral.
        title: such as "Reindexing".
        task: blocks; called with the collection and a callback for progress.
        exclusive: whether it excludes other exclusive jobs on the collection.

    Raises:
        InputError: another job excludes this one; nothing was started.
    """
    jobs, server, user = interaction.client.jobs, interaction.guild_id, interaction.user
    collection = interaction.client.settings.discord.collection_of(server)
    job = Job(collection, title, user.id, user.display_name, exclusive)
    status = StatusMessage(interaction)
    with jobs.listed(job):
        if not interaction.response.is_done():
            await defer(interaction)
        running = asyncio.ensure_future(jobs.run(job, task))
        pause = EDIT_EVERY_S
        while not await finished(running, pause):
            job.url = await status.update(progress_view(job))
            pause = min(pause * _SLOWER, _EDIT_AT_LEAST_S)
        try:
            view, *files = result_view(title, running.result(), interaction)
        except CancelledError as error:
            text = f"### {title}\n{escape(str(error))} before anything was changed."
            view, files = notice_view(text), []
        except Exception as error:  # noqa: BLE001 - `explain` logs it
            text = escape(explain(error, context_of(interaction)))
            view, files = notice_view(f"### {title}\n{text}"), []
        await status.finish(view, files)


async def finished(running: asyncio.Future[IngestResult], seconds: float) -> bool:
    """Wait up to so many seconds; return whether a job has finished."""
    return bool((await asyncio.wait({running}, timeout=seconds))[0])


class StatusMessage:
    """A job's message, edited through the interaction until its token expires, then directly."""

    def __init__(self, interaction: Interaction) -> None:
        """Use the interaction's reply, which the first update posts."""
        self._interaction = interaction
        self._channel: Any = interaction.channel
        self._message: discord.Message | None = None

    async def update(self, view: ui.LayoutView) -> str | None:
        """Show progress and return the message's URL; the job goes on if that fails."""
        try:
            await self._write(view=view, files=[])
        except Exception as error:  # noqa: BLE001 - whatever the network does
            log.warning("the progress of a job could not be shown: %s", error)
        return self._message.jump_url if self._message else None

    async def finish(self, view: ui.LayoutView, files: list[discord.File]) -> None:
        """Show the result in the message, else in a new message, else in a direct message."""
        for send in (self._write, self._channel.send, self._interaction.user.send):
            try:
                await send(view=view, files=files)
            except Exception as error:  # noqa: BLE001 - the next way may work
                log.warning("the result of a job could not be shown: %s", error)
                for file in files:
                    file.reset()
            else:
                return

    async def _write(self, *, view: ui.LayoutView, files: list[discord.File]) -> None:
        if self._message is None:
            self._message = await edit_reply(self._interaction, view, *files)
        elif self._interaction.is_expired():
            message = self._channel.get_partial_message(self._message.id)
            await message.edit(view=view, attachments=files)
        else:
            await self._message.edit(view=view, attachments=files)


@button("halt", "Stop", "in place")
async def stop_job(press: Press) -> None:
    """Stop a job after its current report, for the person who started it and for moderators."""
    interaction = press.interaction
    job = interaction.client.jobs.running.get(press.key)
    if job is None:
        raise NotFoundError("This has already finished; whatever was added stays.")
    if interaction.user.id != job.started_by and not await is_moderator(interaction):
        raise InputError("Only the person who started it, or a moderator, can stop it.")
    job.stopped_by = interaction.user.display_name
    await press.reply(progress_view(job))


def progress_view(job: Job) -> ui.LayoutView:
    """Return the progress of a job, with its Stop button."""
    stopping = job.stopped_by is not None
    stop = Button("halt", job.key, disabled=stopping, label="Stopping …" if stopping else "")
    return notice_view(progress_text(job), [Row(stop)])


def progress_text(job: Job) -> str:
    """Return a progress bar, counts, the current report, and when the job is likely to finish."""
    progress, end = job.progress, ""
    lines = [f"### {job.title}"]
    if progress is None:
        lines.append("Starting …")
    else:
        count = plural(progress.articles, "report") if progress.articles else ""
        if progress.total:
            share = min(progress.articles / progress.total, 1.0)
            lines.append(f"`{'█' * round(share * _CELLS):░<{_CELLS}}` {share:.0%}")
            count = f"{progress.articles:,} of at most {plural(progress.total, 'report')}"
            if share:
                passed = discord.utils.utcnow() - job.started_at
                end = f" · done about {format_dt(job.started_at + passed / share, 'R')}"
        embedded = f"{plural(progress.sentences, 'sentence')} embedded"
        lines += [f"{count} · {embedded}" if count else embedded]
        lines.append(f"-# {escape(progress.title[:_TITLE_CHARS])}")
    started = format_dt(job.started_at, "R")
    return "\n".join([*lines, f"-# started by {escape(job.name)} {started}{end}"])


def result_view(
    title: str, result: IngestResult, interaction: Interaction
) -> tuple[ui.LayoutView, *tuple[discord.File, ...]]:
    """Return a result as a message, with the full list in a file if it does not fit."""
    lines: list[str] = []
    for heading, detail, items in outcomes(result, operator=False):
        lines += [heading + detail, *items] if len(items) > _LISTED else []
    text = f"### {title} · finished\n{result_text(result)}"
    if len(text) <= MAX_TEXT and not lines:
        return (notice_view(text),)
    start = text[: MAX_TEXT - len(_NO_FILES) - 1].rpartition("\n")[0]
    if not interaction.app_permissions.attach_files:
        return (notice_view(f"{start}\n{_NO_FILES}"),)
    view = notice_view(start)
    view.add_item(ui.File[Any]("attachment://result.txt"))
    content = "\n".join(lines) or text
    return view, discord.File(io.BytesIO(content.encode()), "result.txt")


def result_text(result: IngestResult) -> str:
    """Return counts, the first titles, and failures with their reasons."""
    lines = []
    for heading, detail, items in outcomes(result, operator=False):
        lines += [f"**{heading}**{detail}", *(f"- {escape(item)}" for item in items[:_LISTED])]
        lines += [f"- … and {len(items) - _LISTED:,} more"] * (len(items) > _LISTED)
    return "\n".join([*(lines or ["Nothing has changed."]), f"-# {result.seconds:.1f} s"])
