"""Long work on a collection: one message shows how far it is, what came of it, and can end it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import discord
from discord import ui
from discord.utils import format_dt

from bot.collections import Collections
from bot.manners import Interaction, begin, sentence
from bot.press import IN_PLACE, Press, Pressed, button
from bot.render import MAX_TEXT, Row, escaped, notice_view
from bot.settings import Discord
from bot.views.text import outcomes, plural
from index import (
    Archive,
    CancelledError,
    IngestResult,
    InputError,
    NotFoundError,
    Progress,
    ProgressCallback,
)

log = logging.getLogger(__name__)
Job = Callable[[Archive, ProgressCallback], IngestResult]
EVERY_S = 2.0  # between two edits
_AT_ONCE = 2  # of all servers; more would make questions wait for the processor
_LAST_WORDS_S = 5.0  # when the bot stops
_CELLS = 20
_TITLE = 80
_LISTED = 10  # of each kind
_NO_FILES = "-# The rest would come as a file: for that I need Attach Files here."


@dataclass(slots=True)
class Work:
    """Work under way. Its thread writes `progress`, and reads `stopped_by`.

    Attributes:
        collection: that it changes; `alone` if no other of the kind may change it meanwhile.
        what: in a word or two, such as "Reindexing".
        by: the id of who started it; 0 for the bot itself.
        place: the address of the message that shows it, once there is one.
    """

    collection: str
    what: str
    by: int
    name: str
    alone: bool = False
    place: str | None = None
    progress: Progress | None = None
    stopped_by: str | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(4))
    since: datetime = field(default_factory=discord.utils.utcnow)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self, made: Progress) -> None:
        """Note how far it is. Raises CancelledError where somebody wants it to end."""
        self.progress = made
        if self.stopped_by is not None:
            raise CancelledError(f"{self.stopped_by} stopped it")


class Works:
    """All work under way in this process, in threads of its own, apart from those of questions."""

    def __init__(self, library: Collections, settings: Discord) -> None:
        """Begin with none; the settings tell which servers share a collection."""
        self.running: dict[str, Work] = {}
        self._library = library
        self._settings = settings
        self._threads = ThreadPoolExecutor(_AT_ONCE, "onrecord-work")

    async def show(
        self,
        interaction: Interaction,
        what: str,
        job: Job,
        *,
        alone: bool = False,
        dry_run: bool = False,
    ) -> None:
        """Do a job, and show it and what came of it where it was asked for, for all to see.

        Args:
            interaction: a command, answered at most by a deferral.
            what: "Reindexing".
            job: blocking; called with the server's collection and where to report progress.
            alone: whether no other such job may run in the same collection meanwhile.
            dry_run: whether it only tells what would be done.

        Raises:
            InputError: another job has the collection to itself; nothing was begun.
        """
        user, server = interaction.user, interaction.guild_id
        what = f"{what}, dry run" if dry_run else what
        collection = self._settings.collection_of(server)
        work = Work(collection, what, user.id, user.display_name, alone=alone)
        shown = _Shown(interaction)
        with self._listed(work):
            if not interaction.response.is_done():
                await begin(interaction)
            task = asyncio.ensure_future(self.run(self._on(server, job), work))
            while not await ended(task):
                work.place = await shown.put(progress_view(work))
            try:
                view, *files = result_view(what, task.result(), interaction, dry_run=dry_run)
            except CancelledError as error:
                view, files = notice_view(f"### {what}\n{error} before anything was changed."), []
            except Exception as error:  # noqa: BLE001 - `sentence` logs what nobody foresaw
                view, files = notice_view(f"### {what}\n{escaped(sentence(error))}"), []
            await shown.end(view, files)

    async def quietly(self, server: int | None, what: str, job: Job) -> bool:
        """Do a job of the bot's own; no where the collection is another's."""
        work = Work(self._settings.collection_of(server), what, 0, "The schedule", alone=True)
        if self.at(work.collection):
            return False
        with self._listed(work):
            await self.run(self._on(server, job), work)
        return True

    def _on(self, server: int | None, job: Job) -> Callable[[ProgressCallback], IngestResult]:
        return lambda watch: job(self._library.archive(server), watch)

    def at(self, collection: str) -> Work | None:
        """What has a collection to itself, if anything."""
        found = (one for one in self.running.values() if one.alone)
        return next((one for one in found if one.collection == collection), None)

    def busy(self, server: int | None) -> bool:
        """Whether anything changes a server's collection."""
        collection = self._settings.collection_of(server)
        return any(one.collection == collection for one in self.running.values())

    @contextlib.contextmanager
    def _listed(self, work: Work) -> Iterator[None]:
        if work.alone and (other := self.at(work.collection)):
            since = format_dt(other.since, "R")
            where = f" It is shown, and can be stopped, at {other.place}." if other.place else ""
            raise InputError(
                f"{escaped(other.name)} started {other.what.lower()} {since}: "
                f"wait until it has ended.{where}"
            )
        self.running[work.key] = work
        try:
            yield
        finally:
            del self.running[work.key]
            work.over.set()

    async def run(
        self, job: Callable[[ProgressCallback], IngestResult], work: Work
    ) -> IngestResult:
        """Do a job in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, job, work.watch)

    async def close(self) -> None:
        """End all work after the article in hand, and let it say what it did."""
        works = [*self.running.values()]
        for work in works:
            work.stopped_by = "The operator"
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                for work in works:
                    await work.over.wait()


async def ended(task: asyncio.Task[IngestResult]) -> bool:
    """Wait for a task until the next edit is due; whether it has ended."""
    return bool((await asyncio.wait({task}, timeout=EVERY_S))[0])


class _Shown:
    """The one message of a work: an interaction's for as long as that lives, then a channel's."""

    def __init__(self, interaction: Interaction) -> None:
        self._interaction = interaction
        self._channel: Any = interaction.channel
        self._message: discord.Message | None = None

    async def put(self, view: ui.LayoutView) -> str | None:
        """Show how far it is; what cannot be shown is left to the end. The message's address."""
        with contextlib.suppress(Exception):  # whatever the network does, the work goes on
            await self._write(view=view, files=[])
        return self._message.jump_url if self._message else None

    async def end(self, view: ui.LayoutView, files: Sequence[discord.File]) -> None:
        """Show what came of it: in the message, else as a new one, else to who asked."""
        for way in (self._write, self._channel.send, self._interaction.user.send):
            try:
                await way(view=view, files=files)
            except Exception as error:  # noqa: BLE001 - the next way may do
                log.warning("what came of a long work could not be shown: %s", error)
                for one in files:
                    one.reset()
            else:
                return

    async def _write(self, *, view: ui.LayoutView, files: Sequence[discord.File]) -> None:
        if self._message is None:
            self._message = await self._interaction.followup.send(view=view, files=files, wait=True)
            return
        shown = self._message
        if self._interaction.is_expired():
            shown = self._channel.get_partial_message(shown.id)
        await shown.edit(view=view, attachments=files)


@button("halt", "Stop", IN_PLACE)
@button("halting", "Stopping …", IN_PLACE)
async def _halt(pressed: Pressed) -> None:
    """Ask a work to end after the article in hand: for who began it, and for moderators."""
    interaction = pressed.interaction
    work = interaction.client.works.running.get(pressed.key)
    if work is None:
        raise NotFoundError("This has ended already; what is in stays in.")
    if interaction.user.id != work.by and not interaction.client.moderates(interaction):
        raise InputError("Only who began it, or a moderator, can stop it.")
    work.stopped_by = escaped(interaction.user.display_name)
    await pressed.reply(progress_view(work))


def progress_view(work: Work) -> ui.LayoutView:
    """How far a work is, with the button that ends it."""
    stopping = work.stopped_by is not None
    stop = Press("halting" if stopping else "halt", work.key, off=stopping)
    return notice_view(progress_text(work), [Row(stop)])


def progress_text(work: Work) -> str:
    """Bar, counts, the article in hand, and the time it may still take."""
    made = work.progress
    lines = [f"### {work.what}"]
    if made is None:
        lines.append("Beginning …")
    else:
        counts = [plural(made.articles, "article")] if made.articles else []
        if made.total:
            share = min(made.articles / made.total, 1.0)
            full = round(share * _CELLS)
            counts = [f"{made.articles:,} of at most {plural(made.total, 'article')}"]
            lines.append(f"`{'█' * full}{'░' * (_CELLS - full)}` {share:.0%}")
        lines.append(" · ".join([*counts, f"{plural(made.sentences, 'sentence')} embedded"]))
        lines.append(f"-# {escaped(made.title[:_TITLE])}")
    begun = format_dt(work.since, "R")
    lines.append(f"-# by {escaped(work.name)}, begun {begun}{_left(work)}")
    return "\n".join(lines)


def _left(work: Work) -> str:
    made = work.progress
    if made is None or not made.total or not made.articles:
        return ""
    passed = (discord.utils.utcnow() - work.since).total_seconds()
    seconds = passed * max(0, made.total - made.articles) / made.articles
    told = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"  # noqa: PLR2004
    return f" · about {told} left"


def result_view(
    what: str, report: IngestResult, interaction: Interaction, *, dry_run: bool = False
) -> tuple[ui.LayoutView, *tuple[discord.File, ...]]:
    """A result as a message, with everything in a file where the message holds not all."""
    lines: list[str] = []
    for head, more, under in outcomes(report, dry_run=dry_run, folders=False):
        lines += [head + more, *under] if len(under) > _LISTED else []
    text = f"### {what}\n{report_text(report, dry_run=dry_run)}"
    return fitting(text, "result.txt", interaction, "\n".join(lines))


def fitting(
    text: str, name: str, interaction: Interaction, more: str = ""
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


def report_text(report: IngestResult, *, dry_run: bool = False) -> str:
    """What it did: counts, the first titles, and what failed with its reason."""
    lines = []
    for head, more, under in outcomes(report, dry_run=dry_run, folders=False):
        lines += [f"**{head}**{more}", *(f"- {escaped(one)}" for one in under[:_LISTED])]
        lines += [f"- … and {len(under) - _LISTED:,} more"] * (len(under) > _LISTED)
    return "\n".join([*(lines or ["There is nothing new."]), f"-# {report.seconds:.1f} s"])
