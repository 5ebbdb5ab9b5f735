"""Long work on a collection: one message shows how far it is, and a button in it ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import discord
from discord import ui

from bot.manners import begin
from bot.outcome import result_view
from bot.press import IN_PLACE, Interaction, Press, Pressed, button, row_of
from bot.render import escaped, notice_view
from bot.settings import Discord
from index.errors import CancelledError, InputError, NotFoundError, OnRecordError
from index.intake import Progress, Report, Watcher

log = logging.getLogger(__name__)
Job = Callable[[Watcher], Report]
EVERY_S = 2.0  # between two edits
_AT_ONCE = 2  # of all servers; more would make questions wait for the processor
_LAST_WORDS_S = 5.0  # when the bot stops
_CELLS = 20
_TITLE = 80


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

    def __init__(self, settings: Discord) -> None:
        """Begin with none; the settings tell which servers share a collection."""
        self.running: dict[str, Work] = {}
        self._settings = settings
        self._threads = ThreadPoolExecutor(_AT_ONCE, "onrecord-work")

    async def show(
        self, interaction: Interaction, what: str, job: Job, *, alone: bool = False
    ) -> None:
        """Do a job, and show it and what came of it where it was asked for, for all to see.

        Args:
            interaction: a command, answered at most by a deferral.
            what: "Reindexing".
            job: blocking; called with what it reports its progress to.
            alone: whether no other such job may run in the same collection meanwhile.

        Raises:
            InputError: another job has the collection to itself; nothing was begun.
        """
        by, name = interaction.user.id, interaction.user.display_name
        collection = self._settings.collection_of(interaction.guild_id)
        work = Work(collection, what, by, name, alone=alone)
        shown = _Shown(interaction)
        with self._listed(work):
            if not interaction.response.is_done():
                await begin(interaction)
            task = asyncio.ensure_future(self.run(job, work))
            while not await ended(task):
                work.place = await shown.put(progress_view(work))
            try:
                view, *files = result_view(what, task.result(), interaction)
            except CancelledError as error:
                said = f"### {what}\n{error} before anything was changed."
                view, files = notice_view(said), []
            except OnRecordError as error:
                view, files = notice_view(f"### {what}\n{escaped(str(error))}"), []
            except Exception:
                await shown.drop()
                raise  # the error handler answers
            await shown.end(view, files)

    async def quietly(self, server: int | None, what: str, job: Job) -> bool:
        """Do a job of the bot's own; no where the collection is another's."""
        work = Work(self._settings.collection_of(server), what, 0, "The schedule", alone=True)
        if self.at(work.collection):
            return False
        with self._listed(work):
            await self.run(job, work)
        return True

    def at(self, collection: str) -> Work | None:
        """What has a collection to itself, if anything."""
        return next(
            (one for one in self.running.values() if one.alone and one.collection == collection),
            None,
        )

    def on(self, collection: str) -> bool:
        """Whether anything changes a collection."""
        return any(one.collection == collection for one in self.running.values())

    @contextlib.contextmanager
    def _listed(self, work: Work) -> Iterator[None]:
        if work.alone and (other := self.at(work.collection)):
            since = int(other.since.timestamp())
            where = f" It is shown, and can be stopped, at {other.place}." if other.place else ""
            raise InputError(
                f"{escaped(other.name)} started {other.what.lower()} <t:{since}:R>: "
                f"wait until it has ended.{where}"
            )
        self.running[work.key] = work
        try:
            yield
        finally:
            del self.running[work.key]
            work.over.set()

    async def run(self, job: Job, work: Work) -> Report:
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


async def ended(task: asyncio.Task[Report]) -> bool:
    """Wait for a task until the next edit is due; whether it has ended."""
    return bool((await asyncio.wait({task}, timeout=EVERY_S))[0])


class _Shown:
    """The one message of a work: an interaction's for as long as that lives, then a channel's."""

    def __init__(self, interaction: Interaction) -> None:
        self._interaction = interaction
        self._message: discord.Message | None = None

    async def put(self, view: ui.LayoutView) -> str | None:
        """Show how far it is; what cannot be shown is left to the end. The message's address."""
        with contextlib.suppress(Exception):  # whatever the network does, the work goes on
            await self._write(view, [])
        if self._message is None:
            return None
        server, channel = self._interaction.guild_id, self._interaction.channel_id
        return f"https://discord.com/channels/{server}/{channel}/{self._message.id}"

    async def end(self, view: ui.LayoutView, files: list[discord.File]) -> None:
        """Show what came of it: in the message, else as a new one, else to who asked."""
        for way in (self._write, self._post, self._tell):
            try:
                await way(view, files)
            except Exception as error:  # noqa: BLE001 - the next way may do
                log.warning("what came of a long work could not be shown: %s", error)
                for one in files:
                    one.reset()
            else:
                return

    async def drop(self) -> None:
        """Take the half-done bar away: an error is told instead."""
        if self._message is not None:
            with contextlib.suppress(discord.HTTPException):
                await self._message.delete()

    async def _write(self, view: ui.LayoutView, files: list[discord.File]) -> None:
        if self._message is None:
            self._message = await self._interaction.followup.send(view=view, files=files, wait=True)
        elif not self._interaction.is_expired():
            await self._message.edit(view=view, attachments=files)
        else:
            channel: Any = self._interaction.channel
            partial = channel.get_partial_message(self._message.id)
            await partial.edit(view=view, attachments=files)

    async def _post(self, view: ui.LayoutView, files: list[discord.File]) -> None:
        channel: Any = self._interaction.channel
        await channel.send(view=view, files=files)

    async def _tell(self, view: ui.LayoutView, files: list[discord.File]) -> None:
        await self._interaction.user.send(view=view, files=files)


@button("halt", "Stop", IN_PLACE)
@button("halting", "Stopping …", IN_PLACE)
async def _halt(pressed: Pressed) -> None:
    """Ask a work to end after the article in hand: for who began it, and for moderators."""
    interaction = pressed.interaction
    work: Work | None = interaction.client.works.running.get(pressed.key)
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
    return notice_view(progress_text(work), [row_of([stop])])


def progress_text(work: Work) -> str:
    """Bar, counts, the article in hand, and the time it may still take."""
    made = work.progress
    lines = [f"### {work.what}"]
    if made is None:
        lines.append("Beginning …")
    else:
        counts = f"{made.articles:,} article{'s' * (made.articles != 1)}"
        if made.total:
            share = min(made.articles / made.total, 1.0)
            full = round(share * _CELLS)
            counts = f"{made.articles:,} of at most {made.total:,} articles"
            lines.append(f"`{'█' * full}{'░' * (_CELLS - full)}` {share:.0%}")
        elif not made.articles:
            counts = ""
        lines.append(" · ".join(filter(None, [counts, f"{made.sentences:,} sentences embedded"])))
        lines.append(f"-# {escaped(made.title[:_TITLE])}")
    lines.append(
        f"-# by {escaped(work.name)}, begun <t:{int(work.since.timestamp())}:R>{_left(work)}"
    )
    return "\n".join(lines)


def _left(work: Work) -> str:
    made = work.progress
    if made is None or not made.total or not made.articles:
        return ""
    passed = (discord.utils.utcnow() - work.since).total_seconds()
    seconds = passed * max(0, made.total - made.articles) / made.articles
    told = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"  # noqa: PLR2004
    return f" · about {told} left"
