"""What moderators do: bringing reports in, taking them out, putting things right, looking after.

Their half of `/reports` stands beside everybody's, so only the bot can refuse it: see
`ReportGroup`.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Self, cast, get_args

import discord
from discord import app_commands, ui
from discord.app_commands import Choice
from discord.utils import format_dt

from bot.manners import Interaction, actor_of, archive_of, begin, begun, tell
from bot.press import IN_PLACE, PRIVATE, ROW_CHARS, Choices, Form, Pressed, button, paged, rows
from bot.records import ReportGroup, Title, key_of, known, reports, title_choices, titles
from bot.render import escaped, notice_view
from bot.views.text import source_error, source_name
from bot.work import fitting, report_text
from index import (
    MAX_NOTE_CHARS,
    Archive,
    Article,
    Failure,
    HistoryEvent,
    IngestResult,
    InputError,
    NotFoundError,
    ProgressCallback,
    Source,
    Sources,
    Upload,
    is_url,
)

MAX_FILES = 10
Note = app_commands.Range[str, 1, MAX_NOTE_CHARS]
Address = app_commands.Range[str, 1, 2000]
Every = Literal["quarter-hourly", "hourly", "six-hourly", "daily", "weekly", "manually"]
_MINUTES = dict(zip(get_args(Every), (15, 60, 360, 1_440, 10_080, None), strict=True))
_FILES = ("file", *(f"file{number}" for number in range(2, MAX_FILES + 1)))
_File = discord.Attachment | None
_PAGE = 8  # lines of the audit log
_TITLES, _SHORT = 3, 60  # of each, and their length
_LOOK_BACK = 200  # changes to choose from
_WORDS = "erase everything"
_ADDRESS = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_TRAILING = ".,;:!?'\"”’)]}*_|~"

for_moderators = app_commands.check(lambda interaction: interaction.client.moderates(interaction))
sources = ReportGroup(name="sources", description="Where reports come from", parent=reports)


# Bringing in


@reports.command()
@app_commands.describe(
    **dict.fromkeys(_FILES, "Text, PDF, Word, HTML, JSON lines, or a zip of these")
)
@app_commands.rename(dry_run="dry-run")
async def add(
    interaction: Interaction,
    address: Address | None = None,
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
    """Adds reports: a page or a feed by its address, or files.

    Args:
        address: Of a feed or a page
        dry_run: Only tell what would be done
    """
    given = (file, file2, file3, file4, file5, file6, file7, file8, file9, file10)
    files = [one for one in given if one is not None]
    if address is None and not files:
        raise InputError("Give me the address of a page or a feed, or attach files.")
    names = [_address(address)] if address is not None else []
    await _bring_in(interaction, names, files, dry_run=dry_run)


@app_commands.context_menu(name="Add to the reports")
@app_commands.guild_only()
@app_commands.default_permissions(manage_messages=True)
@for_moderators
async def add_message(interaction: Interaction, message: discord.Message) -> None:
    """Add what a message links to and what is attached to it."""
    found = addresses(message.content)
    if not found and not message.attachments:
        raise InputError("This message has neither a link nor a file to add.")
    await _bring_in(interaction, found, message.attachments)


def addresses(text: str) -> list[str]:
    """The web addresses in a message, each once, without the punctuation around them."""
    found = (match.group().rstrip(_TRAILING) for match in _ADDRESS.finditer(text))
    closed = (one + ")" if one.count("(") > one.count(")") else one for one in found)
    return list(dict.fromkeys(closed))


async def _bring_in(
    interaction: Interaction,
    names: Sequence[str],
    attachments: Sequence[discord.Attachment],
    *,
    dry_run: bool = False,
) -> None:
    """Add what addresses and attachments hold to the server's collection, shown as it goes."""
    await begin(interaction)  # downloads may take longer than a first answer may
    client, actor = interaction.client, actor_of(interaction)
    most = client.settings.discord.attachment_mb * 1_000_000
    with tempfile.TemporaryDirectory(prefix="onrecord-") as folder:
        files = await _saved(attachments, Path(folder), most)

        def job(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
            return archive.add(
                names, actor=actor, files=files, dry_run=dry_run, on_progress=on_progress
            )

        await client.works.show(interaction, "Adding", job, dry_run=dry_run)


async def _saved(
    attachments: Sequence[discord.Attachment], folder: Path, most: int
) -> list[Upload | Failure]:
    """Download attachments of at most so many bytes each into a folder.

    Files there are named by number, never by what strangers call them.
    """
    made: list[Upload | Failure] = []
    for number, one in enumerate(attachments):
        if number >= MAX_FILES:
            made.append(Failure(one.filename, f"I take {MAX_FILES} files at once: add it alone."))
        elif one.size > most:
            said = f"It is larger than {most / 1e6:,.3g} MB: split it into one file a report."
            made.append(Failure(one.filename, said))
        else:
            try:
                await one.save(folder / str(number))
                made.append(Upload(folder / str(number), one.filename))
            except discord.HTTPException:
                made.append(Failure(one.filename, "Discord does not hand it out: attach it again."))
    return made


def _address(typed: str) -> str:
    """An address, and never a file of this machine."""
    if not is_url(typed.strip()):
        raise InputError("An address begins with https:// or http://: copy all of it.")
    return typed.strip()


@app_commands.command()
@app_commands.rename(dry_run="dry-run")
@app_commands.guild_only()
@app_commands.default_permissions(manage_messages=True)
@for_moderators
async def reindex(interaction: Interaction, rebuild: bool = False, dry_run: bool = False) -> None:
    """Takes in what the sources of this server's reports have new.

    Args:
        rebuild: Embed every sentence again (after a change of the model)
        dry_run: Only tell what would be done
    """
    if rebuild and dry_run:
        raise InputError("A rebuild takes nothing in: there is nothing to tell beforehand.")
    actor = actor_of(interaction)

    def job(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
        if rebuild:
            return archive.rebuild(actor=actor, on_progress=on_progress)
        if not archive.sources.all():
            raise NotFoundError("No sources are known yet: add one with /reports sources add.")
        return archive.sources.reindex(actor=actor, dry_run=dry_run, on_progress=on_progress)

    what = "Rebuilding" if rebuild else "Reindexing"
    await interaction.client.works.show(interaction, what, job, alone=True, dry_run=dry_run)


# Putting right


@reports.command()
async def remove(interaction: Interaction, report: Title) -> None:
    """Takes a report out; old answers keep their quotes.

    Args:
        report: Its title
    """
    archive = await begun(interaction)
    article_id = await _named(interaction, report)
    await _told(interaction, archive.remove, [article_id])


@reports.command()
async def restore(interaction: Interaction, report: Title) -> None:
    """Brings a removed report back.

    Args:
        report: Its title
    """
    archive = await begun(interaction)
    article_id = await _named(interaction, report, retired=True)
    await _told(interaction, archive.restore, [article_id])


@reports.command()
async def undo(interaction: Interaction, change: int) -> None:
    """Makes the reports what they were after an earlier change.

    Args:
        change: The last change that is to stand
    """
    archive = await begun(interaction)
    await _told(interaction, archive.undo, change)


async def _told(
    interaction: Interaction, change: Callable[..., IngestResult], what: object
) -> None:
    """ArticleChange a collection, and say what came of it."""
    report = await asyncio.to_thread(change, what, actor=actor_of(interaction))
    await tell(interaction, notice_view(report_text(report)))


@reports.command()
async def correct(interaction: Interaction, report: Title, note: Note) -> None:
    """Marks a report as corrected; its quotes then say so.

    Args:
        report: Its title
        note: What is wrong, and what is right
    """
    await _notify(interaction, report, note, Archive.correct)


@reports.command()
async def retract(interaction: Interaction, report: Title, note: Note) -> None:
    """Takes a report out and says why under answers that quote it.

    Args:
        report: Its title
        note: Why it is retracted
    """
    await _notify(interaction, report, note, Archive.retract)


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


remove.autocomplete("report")(titles)
correct.autocomplete("report")(titles)
retract.autocomplete("report")(titles)


# Rows to choose from are asked for before the command is, and without its check.
@restore.autocomplete("report")
@for_moderators
async def _removed(interaction: Interaction, typed: str) -> Choices:
    return await title_choices(interaction, typed, retired=True)


@undo.autocomplete("change")
@for_moderators
async def _changes(interaction: Interaction, typed: str) -> list[Choice[int]]:
    archive = await archive_of(interaction)
    events = await asyncio.to_thread(archive.history, _LOOK_BACK)
    # The newest is how it stands.
    return rows(typed, [(_event_label(one), one.generation) for one in events[1:]])


@reports.command()
async def history(interaction: Interaction) -> None:
    """Who changed what in the reports, and when."""
    await begin(interaction, ephemeral=True)
    await _history(Pressed(interaction, "", 0))


@button("later", "◀ Later", IN_PLACE)
@button("earlier", "Earlier ▶", IN_PLACE)
async def _history(pressed: Pressed) -> None:
    """One page of the audit log, newest first."""
    if not pressed.interaction.client.moderates(pressed.interaction):
        raise app_commands.CheckFailure
    events = await asyncio.to_thread((await pressed.archive()).history)
    shown, _, turns = paged(events, pressed, _PAGE, "later", "earlier")
    lines = [*map(_event_line, shown)] or ["Nothing was changed here yet."]
    await pressed.reply(notice_view("\n".join(["### What was changed", *lines]), turns))


def _event_line(event: HistoryEvent) -> str:
    """A line of the audit log."""
    name, _, person = event.actor.partition(":")
    by = f"<@{person}>" if name == "discord" and person.isdecimal() else escaped(event.actor)
    noted = f": {escaped(event.note[:_SHORT])}" if event.note else ""
    titles = "".join(f"\n-# {escaped(title[:_SHORT])}" for title in event.titles[:_TITLES])
    when = format_dt(event.at, "f")
    return f"**{event.generation}** · {when} · {by} · {_what(event)}{noted}{titles}"


def _event_label(event: HistoryEvent) -> str:
    """The same in one row to choose, which shows plain text only."""
    titles = ", ".join(event.titles)
    label = f"{event.generation} · {event.at:%d %b %Y %H:%M} UTC · {_what(event)} · {titles}"
    return label.removesuffix(" · ")[:ROW_CHARS]


def _what(event: HistoryEvent) -> str:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in event.articles.items())
    return f"{event.action}: {counts}" if counts else event.action


# Taking away


@reports.command()
async def export(interaction: Interaction) -> None:
    """All reports as a file that can be added elsewhere."""
    archive = await begun(interaction)
    if not interaction.app_permissions.attach_files:
        raise InputError("For a file I need Attach Files here.")
    most = interaction.filesize_limit

    def packed(path: Path) -> bool:
        with gzip.open(path, "wb") as file:
            archive.export(cast("IO[bytes]", file))
        return path.stat().st_size <= most

    with tempfile.TemporaryDirectory(prefix="onrecord-") as folder:
        path = Path(folder, "reports.jsonl.gz")
        if not await asyncio.to_thread(packed, path):
            raise InputError(
                f"Even packed it is larger than the {most // 1_000_000} MB that Discord takes "
                "here: the operator can write it with `onrecord export`."
            )
        await interaction.followup.send(file=discord.File(path), ephemeral=True)


@reports.command(name="erase-all")
async def erase_all(interaction: Interaction) -> None:
    """Deletes all reports and answers for good."""
    if not interaction.permissions.manage_guild:
        raise InputError("To erase everything you need Manage Server.")
    await interaction.response.send_modal(Erase())


class Erase(Form, title="Erase all reports and answers?"):
    """Asks for the words that nobody types by mistake."""

    words: ui.TextInput[Self] = ui.TextInput(
        label=f"This cannot be undone. Type: {_WORDS}", placeholder=_WORDS, max_length=40
    )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        client, server = interaction.client, interaction.guild_id
        if self.words.value.strip().casefold() != _WORDS:
            raise InputError(f"Nothing was erased: the words are “{_WORDS}”.")
        if client.works.busy(server):
            raise InputError("Nothing was erased: reports are being added. Stop that first.")
        await begin(interaction, **PRIVATE)
        await asyncio.to_thread(client.library.erase, server)
        told = "All reports, answers, sources and the audit log are erased."
        await tell(interaction, notice_view(told))


# Looking after sources


@sources.command(name="list")
async def list_sources(interaction: Interaction) -> None:
    """Where I look for reports, how often, and what fails."""
    archive = await begun(interaction)
    lines = [_source_lines(one) for one in await asyncio.to_thread(archive.sources.all)]
    text = "\n".join(["### Sources", *(lines or ["There are none yet."])])
    await tell(interaction, *fitting(text, "sources.md", interaction))


@sources.command(name="add")
async def add_source(interaction: Interaction, address: Address, every: Every = "hourly") -> None:
    """Looks into a page or feed regularly from now on.

    Args:
        address: Of a feed or a page
        every: How often; manually: only on /reindex
    """
    uri, actor = _address(address), actor_of(interaction)

    def job(archive: Archive, on_progress: ProgressCallback) -> IngestResult:
        archive.sources.add(uri, _MINUTES[every])
        return archive.sources.reindex([uri], actor=actor, on_progress=on_progress)

    await interaction.client.works.show(interaction, "Adding a source", job)


@sources.command()
async def pause(interaction: Interaction, source: Address) -> None:
    """Does not look into a source until it is resumed.

    Args:
        source: Its address
    """
    await _settle(interaction, source, Sources.pause, "Paused: I no longer look there.")


@sources.command()
async def resume(interaction: Interaction, source: Address) -> None:
    """Looks into a paused source again.

    Args:
        source: Its address
    """
    await _settle(interaction, source, Sources.resume, "Resumed: I look there again.")


@sources.command(name="remove")
async def forget(interaction: Interaction, source: Address) -> None:
    """Forgets a source; its reports stay.

    Args:
        source: Its address
    """
    await _settle(interaction, source, Sources.forget, "Forgotten; its reports stay.")


async def _settle(
    interaction: Interaction, source: str, change: Callable[[Sources, str], None], told: str
) -> None:
    """Do something with one source."""
    archive = await begun(interaction)
    uris = {_key(one.uri): one.uri for one in await asyncio.to_thread(archive.sources.all)}
    uri = uris.get(source, source.strip())
    if uri not in uris.values():
        raise NotFoundError("There is no such source: choose one from the list.")
    await asyncio.to_thread(change, archive.sources, uri)
    await tell(interaction, notice_view(f"{escaped(source_name(uri)[:300])}\n{told}"))


@pause.autocomplete("source")
@resume.autocomplete("source")
@forget.autocomplete("source")
@for_moderators
async def _sources(interaction: Interaction, typed: str) -> Choices:
    archive = await archive_of(interaction)
    listed = await asyncio.to_thread(archive.sources.all)
    return rows(typed, [(source_name(one.uri), _key(one.uri)) for one in listed])


def _key(uri: str) -> str:
    """What stands for a source in a row to choose; it does not tell where a file lies."""
    return key_of(uri, shown=is_url(uri))


def _source_lines(one: Source) -> str:
    """A source: how often it is looked into, and how that went."""
    names = {minutes: name for name, minutes in _MINUTES.items()} | {None: "only on `/reindex`"}
    often = names.get(one.every, f"every {one.every} minutes")
    lines = [f"{escaped(source_name(one.uri)[:300])}\n-# {'**paused**' if one.paused else often}"]
    if one.succeeded:
        lines.append(f"read {format_dt(one.succeeded, 'R')}")
    if one.failing_since:
        since = format_dt(one.failing_since, "R")
        lines.append(f"**fails** since {since}: {escaped(source_error(one)[:300])}")
    return " · ".join(lines)
