"""The moderators' half of `/reports`: bringing reports in, taking them out, putting things right.

Everybody's half is in `records`; the commands here join its group when the bot starts.
"""

from __future__ import annotations

import asyncio
import gzip
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self

import discord
from discord import app_commands, ui
from discord.app_commands import Choice

from bot.answering import actor_of, archive_of, begun
from bot.ask import ROW_CHARS, ROWS, Choices
from bot.incoming import MAX_FILES, bring_in
from bot.manners import begin, tell
from bot.outcome import fitting, report_text
from bot.press import IN_PLACE, PRIVATE, Form, Interaction, Pressed, button, page_row
from bot.records import key_of, known, title_choices
from bot.render import escaped, notice_view
from index import store
from index.archive import MAX_NOTE_CHARS, Archive
from index.article import Article
from index.errors import InputError, NotFoundError
from index.intake import Report, Watcher
from index.refresh import Sources
from index.sources import is_address
from index.store import Event

Title = app_commands.Range[str, 1, 200]
Note = app_commands.Range[str, 1, MAX_NOTE_CHARS]
Source = app_commands.Range[str, 1, 2000]
Every = Literal["quarter-hourly", "hourly", "six-hourly", "daily", "weekly", "manually"]
_MINUTES: Mapping[Every, int | None] = {
    "quarter-hourly": 15,
    "hourly": 60,
    "six-hourly": 360,
    "daily": 1_440,
    "weekly": 10_080,
    "manually": None,
}
_FILES = ("file", *(f"file{number}" for number in range(2, MAX_FILES + 1)))
_File = discord.Attachment | None
_PAGE = 8  # lines of the audit log
_TITLES, _SHORT = 3, 60  # of each, and their length
_LOOK_BACK = 200  # changes to choose from
_WORDS = "erase everything"
# Rows to choose from are asked for before the command is, and without its check.
_FOR_MODERATORS = app_commands.check(lambda interaction: interaction.client.moderates(interaction))


class Desk(app_commands.Group):
    """Commands for moderators; they stand beside everybody's, so only the bot can refuse them."""

    def __init__(self) -> None:
        """Make the commands; they are not yet part of any tree."""
        super().__init__(name="desk", description="For moderators")

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        allowed: bool = interaction.client.moderates(interaction)
        return allowed

    @app_commands.command(description="Adds reports: a page or a feed by its address, or files")
    @app_commands.describe(
        address="Of a feed or a page",
        dry_run="Only tell what would be done",
        **dict.fromkeys(_FILES, "Text, PDF, Word, HTML, JSON lines, or a zip of these"),
    )
    @app_commands.rename(dry_run="dry-run")
    async def add(
        self,
        interaction: Interaction,
        address: app_commands.Range[str, 1, 2000] | None = None,
        file: _File = None,
        file2: _File = None,
        file3: _File = None,
        file4: _File = None,
        file5: _File = None,
        file6: _File = None,
        file7: _File = None,
        file8: _File = None,
        file9: _File = None,
        file10: _File = None,
        dry_run: bool = False,
    ) -> None:
        """Add an address, files, or both."""
        given = (file, file2, file3, file4, file5, file6, file7, file8, file9, file10)
        files = [one for one in given if one is not None]
        if address is None and not files:
            raise InputError("Give me the address of a page or a feed, or attach files.")
        names = [_address(address)] if address is not None else []
        await bring_in(interaction, names, files, dry_run=dry_run)

    @app_commands.command(description="Takes a report out; old answers keep their quotes")
    @app_commands.describe(report="Its title")
    async def remove(self, interaction: Interaction, report: Title) -> None:
        """Take one report out."""
        await _change(interaction, report, Archive.remove)

    @app_commands.command(description="Brings a removed report back")
    @app_commands.describe(report="Its title")
    async def restore(self, interaction: Interaction, report: Title) -> None:
        """Bring one report back."""
        await _change(interaction, report, Archive.restore, retired=True)

    @app_commands.command(description="Marks a report as corrected; its quotes then say so")
    @app_commands.describe(report="Its title", note="What is wrong, and what is right")
    async def correct(self, interaction: Interaction, report: Title, note: Note) -> None:
        """Attach a correction to a report."""
        await _notify(interaction, report, note, Archive.correct)

    @app_commands.command(description="Takes a report out and says why under answers that quote it")
    @app_commands.describe(report="Its title", note="Why it is retracted")
    async def retract(self, interaction: Interaction, report: Title, note: Note) -> None:
        """Take a report out, with the reason."""
        await _notify(interaction, report, note, Archive.retract)

    @remove.autocomplete("report")
    @correct.autocomplete("report")
    @retract.autocomplete("report")
    async def _live(self, interaction: Interaction, typed: str) -> Choices:
        return await title_choices(interaction, typed)

    @restore.autocomplete("report")
    @_FOR_MODERATORS
    async def _removed(self, interaction: Interaction, typed: str) -> Choices:
        return await title_choices(interaction, typed, retired=True)

    @app_commands.command(description="Makes the reports what they were after an earlier change")
    @app_commands.describe(change="The last change that is to stand")
    async def undo(self, interaction: Interaction, change: int) -> None:
        """Go back to a generation; that is a change as well, and can be undone."""
        archive = await begun(interaction)
        report = await asyncio.to_thread(archive.undo, change, actor=actor_of(interaction))
        await tell(interaction, notice_view(report_text(report)))

    @undo.autocomplete("change")
    @_FOR_MODERATORS
    async def _changes(self, interaction: Interaction, typed: str) -> list[Choice[int]]:
        archive = await archive_of(interaction)
        events = await asyncio.to_thread(archive.history, _LOOK_BACK)
        rows = [Choice(name=event_label(one), value=one.generation) for one in events]
        found = [row for row in rows[1:] if typed.casefold() in row.name.casefold()]
        return found[:ROWS]  # the newest is how it stands

    @app_commands.command(description="All reports as a file that can be added elsewhere")
    async def export(self, interaction: Interaction) -> None:
        """Send the reports as JSON lines, packed where they are many."""
        archive = await begun(interaction)
        if not interaction.app_permissions.attach_files:
            raise InputError("For a file I need Attach Files here.")
        with tempfile.TemporaryDirectory(prefix="onrecord-") as folder:
            most = interaction.filesize_limit
            path = await asyncio.to_thread(_exported, archive, Path(folder), most)
            if path is None:
                raise InputError(
                    f"Even packed it is larger than the {most // 1_000_000} MB that Discord takes "
                    "here: the operator can write it with `onrecord export`."
                )
            await interaction.followup.send(file=discord.File(path), ephemeral=True)

    @app_commands.command(name="erase-all", description="Deletes all reports and answers for good")
    async def erase_all(self, interaction: Interaction) -> None:
        """Ask for the words that confirm it; only Manage Server may."""
        if not interaction.permissions.manage_guild:
            raise InputError("To erase everything you need Manage Server.")
        await interaction.response.send_modal(Erase())

    sources = app_commands.Group(name="sources", description="Where reports come from")

    @sources.command(name="list", description="Where I look for reports, how often, and what fails")
    async def list_sources(self, interaction: Interaction) -> None:
        """List the sources; as a file too where they are many."""
        archive = await begun(interaction)
        lines = [source_lines(one) for one in await asyncio.to_thread(archive.sources.all)]
        text = "\n".join(["### Sources", *(lines or ["There are none yet."])])
        await tell(interaction, *fitting(text, "sources.md", interaction))

    @sources.command(name="add", description="Looks into a page or feed regularly from now on")
    @app_commands.describe(
        address="Of a feed or a page", every="How often; manually: only on /reindex"
    )
    async def add_source(
        self,
        interaction: Interaction,
        address: app_commands.Range[str, 1, 2000],
        every: Every = "hourly",
    ) -> None:
        """Remember a source, and look into it at once."""
        uri, server, actor = _address(address), interaction.guild_id, actor_of(interaction)
        client = interaction.client

        def job(watch: Watcher) -> Report:
            archive = client.library.archive(server)
            archive.sources.add(uri, _MINUTES[every])
            found: Report = archive.sources.reindex([uri], actor=actor, watch=watch)
            return found

        await client.works.show(interaction, "Adding a source", job)

    @sources.command(description="Does not look into a source until it is resumed")
    @app_commands.describe(source="Its address")
    async def pause(self, interaction: Interaction, source: Source) -> None:
        """Pause a source."""
        await _settle(interaction, source, Sources.pause, "Paused: I no longer look there.")

    @sources.command(description="Looks into a paused source again")
    @app_commands.describe(source="Its address")
    async def resume(self, interaction: Interaction, source: Source) -> None:
        """Resume a source."""
        await _settle(interaction, source, Sources.resume, "Resumed: I look there again.")

    @sources.command(name="remove", description="Forgets a source; its reports stay")
    @app_commands.describe(source="Its address")
    async def forget(self, interaction: Interaction, source: Source) -> None:
        """Forget a source."""
        await _settle(interaction, source, Sources.forget, "Forgotten; its reports stay.")

    @pause.autocomplete("source")
    @resume.autocomplete("source")
    @forget.autocomplete("source")
    @_FOR_MODERATORS
    async def _sources(self, interaction: Interaction, typed: str) -> Choices:
        archive = await archive_of(interaction)
        every = [one.uri for one in await asyncio.to_thread(archive.sources.all)]
        found = [uri for uri in every if typed.casefold() in uri.casefold()]
        return [Choice(name=uri[:ROW_CHARS], value=key_of(uri)) for uri in found[:ROWS]]

    @app_commands.command(description="Who changed what in the reports, and when")
    async def history(self, interaction: Interaction) -> None:
        """Show the audit log in pages."""
        await begin(interaction, ephemeral=True)
        await _history(Pressed(interaction, "", 0))


class Erase(Form, title="Erase all reports and answers?"):
    """Asks for the words that nobody types by mistake."""

    words: ui.TextInput[Self] = ui.TextInput(
        label=f"This cannot be undone. Type: {_WORDS}", placeholder=_WORDS, max_length=40
    )

    async def on_submit(self, interaction: Interaction, /) -> None:
        client, server = interaction.client, interaction.guild_id
        if self.words.value.strip().casefold() != _WORDS:
            raise InputError(f"Nothing was erased: the words are “{_WORDS}”.")
        if client.works.on(client.settings.discord.collection_of(server)):
            raise InputError("Nothing was erased: reports are being added. Stop that first.")
        await begin(interaction, **PRIVATE)
        await asyncio.to_thread(client.library.erase, server)
        told = "All reports, answers, sources and the audit log are erased."
        await tell(interaction, notice_view(told))


@button("later", "◀ Later", IN_PLACE)
@button("earlier", "Earlier ▶", IN_PLACE)
async def _history(pressed: Pressed) -> None:
    """One page of the audit log, newest first."""
    if not pressed.interaction.client.moderates(pressed.interaction):
        raise app_commands.CheckFailure
    archive, page = await pressed.archive(), pressed.page
    first, behind = page * _PAGE, (page + 1) * _PAGE
    events = await asyncio.to_thread(archive.history, behind + 1)
    row = page_row("later", "earlier", page, last=len(events) <= behind)
    lines = [event_line(one) for one in events[first:behind]] or ["Nothing was changed here yet."]
    rows = [row] if page or len(events) > behind else []
    await pressed.reply(notice_view("\n".join(["### What was changed", *lines]), rows))


def event_line(event: Event) -> str:
    """A line of the audit log."""
    by = _actor(event.actor)
    noted = f": {escaped(event.note[:_SHORT])}" if event.note else ""
    titles = "".join(f"\n-# {escaped(title[:_SHORT])}" for title in event.titles[:_TITLES])
    when = f"<t:{int(event.at.timestamp())}:f>"
    return f"**{event.generation}** · {when} · {by} · {_what(event)}{noted}{titles}"


def event_label(event: Event) -> str:
    """The same in one row to choose, which shows plain text only."""
    titles = ", ".join(event.titles)
    label = f"{event.generation} · {event.at:%d %b %Y %H:%M} UTC · {_what(event)} · {titles}"
    return label.removesuffix(" · ")[:ROW_CHARS]


def source_lines(one: store.Source) -> str:
    """A source: how often it is looked into, and how that went."""
    often = _span(one.every) if one.every else "only on `/reindex`"
    state = "**paused**" if one.paused else often
    lines = [f"{escaped(one.uri[:300])}\n-# {state}"]
    if one.succeeded:
        lines.append(f"read <t:{int(one.succeeded.timestamp())}:R>")
    if one.failures:
        since = f" since <t:{int(one.failing_since.timestamp())}:R>" if one.failing_since else ""
        lines.append(f"**fails**{since}: {escaped((one.error or '')[:300])}")
    return " · ".join(lines)


def _span(minutes: int) -> str:
    named = {number: name for name, number in _MINUTES.items() if number}
    return named.get(minutes, f"every {minutes} minutes")


def _what(event: Event) -> str:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in event.articles.items())
    return f"{event.action}: {counts}" if counts else event.action


def _actor(actor: str) -> str:
    name, _, person = actor.partition(":")
    return f"<@{person}>" if name == "discord" and person.isdecimal() else escaped(actor)


def _address(typed: str) -> str:
    """An address, and never a file of this machine."""
    if not is_address(typed.strip()):
        raise InputError("An address begins with https:// or http://: copy all of it.")
    return typed.strip()


def _exported(archive: Archive, folder: Path, most: int) -> Path | None:
    """The reports in a file of at most so many bytes; None where that cannot be."""
    path = folder / "reports.jsonl"
    with path.open("wb") as file:
        archive.export(file)
    if path.stat().st_size <= most:
        return path
    packed = folder / "reports.jsonl.gz"
    with path.open("rb") as file, gzip.open(packed, "wb") as smaller:
        shutil.copyfileobj(file, smaller)
    return packed if packed.stat().st_size <= most else None


async def _change(
    interaction: Interaction, title: str, change: Callable[..., Report], *, retired: bool = False
) -> None:
    """Do something with the one report of that id or title, and say what came of it."""
    archive = await begun(interaction)
    article_id = await _named(interaction, title, retired=retired)
    report = await asyncio.to_thread(change, archive, [article_id], actor=actor_of(interaction))
    await tell(interaction, notice_view(report_text(report)))


async def _notify(
    interaction: Interaction, title: str, note: str, make: Callable[..., Article]
) -> None:
    """Make something known of the one report of that id or title."""
    archive = await begun(interaction)
    article_id = await _named(interaction, title)
    article = await asyncio.to_thread(make, archive, article_id, note, actor=actor_of(interaction))
    became = article.notice.kind if article.notice else "unchanged"
    text = f"“{escaped(article.title[:ROW_CHARS])}” is now **{became}**."
    if interaction.client.settings.discord.notes:
        text += " Answers of the last 30 days that quote it will soon say so."
    await tell(interaction, notice_view(text))


async def _settle(
    interaction: Interaction, source: str, change: Callable[[Sources, str], None], told: str
) -> None:
    """Do something with one source."""
    archive = await begun(interaction)
    uris = {key_of(one.uri): one.uri for one in await asyncio.to_thread(archive.sources.all)}
    uri = uris.get(source, source.strip())
    if uri not in uris.values():
        raise NotFoundError("There is no such source: choose one from the list.")
    await asyncio.to_thread(change, archive.sources, uri)
    await tell(interaction, notice_view(f"{escaped(uri[:300])}\n{told}"))


async def _named(interaction: Interaction, title: str, *, retired: bool = False) -> str:
    """The id of the one report of that id or title."""
    stored = await known(interaction, retired=retired)
    found = [one for one in stored if key_of(one.article_id) == title] or [
        one for one in stored if one.title.casefold() == title.strip().casefold()
    ]
    if len(found) != 1:
        many = "Several reports have" if found else "No report has"
        raise NotFoundError(f"{many} that title: choose one from the list that opens as you type.")
    return found[0].article_id
