"""What moderators hand in: addresses in a message, and files attached to it or to a command."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import discord

from bot.answering import actor_of
from bot.library import Library
from bot.manners import begin
from bot.press import Interaction
from index.intake import Report, Watcher
from index.plain import Failure
from index.sources import Upload

MAX_FILES = 10
_ADDRESS = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_TRAILING = ".,;:!?'\"”’)]}*_|~"


def addresses(text: str) -> list[str]:
    """The web addresses in a message, each once, without the punctuation around them."""
    found = (match.group().rstrip(_TRAILING) for match in _ADDRESS.finditer(text))
    closed = (one + ")" if one.count("(") > one.count(")") else one for one in found)
    return list(dict.fromkeys(closed))


async def bring_in(
    interaction: Interaction,
    names: Sequence[str],
    attachments: Sequence[discord.Attachment],
    *,
    dry_run: bool = False,
) -> None:
    """Add what addresses and attachments hold to the server's collection, shown as it goes."""
    await begin(interaction)  # downloads may take longer than a first answer may
    client = interaction.client
    library: Library = client.library
    most = client.settings.discord.attachment_mb * 1_000_000
    actor = actor_of(interaction)
    with tempfile.TemporaryDirectory(prefix="onrecord-") as folder:
        files = await saved(attachments, Path(folder), most)

        def job(watch: Watcher) -> Report:
            archive = library.archive(interaction.guild_id)
            return archive.add(names, actor=actor, files=files, dry_run=dry_run, watch=watch)

        await client.works.show(interaction, "Adding, dry run" if dry_run else "Adding", job)


async def saved(
    attachments: Sequence[discord.Attachment], folder: Path, most: int
) -> list[Upload | Failure]:
    """Download attachments into a folder, those that are not too large.

    Args:
        attachments: of one message or command.
        folder: there already; files in it are named by number, never by what strangers call them.
        most: bytes of one file.
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
