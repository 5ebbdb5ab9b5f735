"""Moderators' commands: remove, correct, undo, history, export, erase; and who may use them."""

from __future__ import annotations

import gzip
import json
from typing import Any

import discord
import pytest
from support.jobs import HeldJobs
from support.newsroom import ASKED, DAM, Newsroom, discord_with, fields, labels, said

from bot.settings import Discord, Settings
from index import Archive, IngestResult, NotFoundError

BOSS = discord.Permissions(manage_guild=True, manage_messages=True)
LATER = b"The ferry Marigold ran aground at noon."
GULL = b"A grey gull flew over the harbour at noon."


@pytest.mark.parametrize(("command", "left"), [("correct", 2), ("retract", 1)])
async def test_notices_are_kept(room: Newsroom, command: str, left: int) -> None:
    """A correction stays with its report; a retraction also removes the report."""
    report = await room.choice(command, "report", "hallow dam")
    note = "It was *five* o'clock."
    result = await room.editor.slash(room.channel, f"moderate {command}", report=report, note=note)
    words = "marked as corrected" if command == "correct" else "retracted and removed"
    assert words in said(result.response)
    assert result.ephemeral
    notice = room.archive().article(report).notice
    assert notice
    assert (notice.note, notice.actor) == (note, f"discord:{room.editor.id}")
    assert room.archive().size().articles == left
    history = await room.editor.slash(room.channel, "moderate history")
    assert "It was \\*five\\* o'clock." in said(history.response)


async def test_undo_goes_back(room: Newsroom) -> None:
    """Earlier states are offered with what made them; an undo can itself be undone."""
    await room.add(("ferry.txt", LATER))
    rows = await room.editor.autocomplete(room.channel, "moderate undo", "change", "")
    assert [row["value"] for row in rows] == [1]
    assert "add: 2 added" in rows[0]["name"]
    result = await room.editor.slash(room.channel, "moderate undo", change=1)
    assert "**Removed 1**" in said(result.response)
    assert room.archive().size().articles == 2
    await room.editor.slash(room.channel, "moderate undo", change=2)
    assert room.archive().size().articles == 3


async def test_undo_asks_before_it_withdraws(room: Newsroom) -> None:
    """Losses are listed with a button to undo; if there would be more, it asks again."""
    report = await room.choice("correct", "report", "hallow dam")
    room.archive().correct(report, "It was *five*.")
    result = await room.editor.slash(room.channel, "moderate undo", change=1)
    assert "### Undo everything after change 1?" in said(result.response)
    assert "- This would withdraw the correction of “A gate" in said(result.response)
    assert "It was \\*five\\*." in said(result.response)
    assert room.archive().article(report).notice
    room.archive().retract(report, "Made up.")
    again = await room.editor.click(result.response.message, label="Undo anyway")
    assert "withdraw the retraction of" in said(again.response)
    done = await room.editor.click(again.response.message, label="Undo anyway")
    assert "**Withdrawn 2**" in said(done.response)
    assert "- retraction of “A gate" in said(done.response)
    assert "- correction of “A gate" in said(done.response)
    assert room.archive().article(report).notice is None
    history = await room.editor.slash(room.channel, "moderate history")
    assert "undo: 1 restored · back to 1" in said(history.response)


async def test_restoring_asks_before_it_withdraws_a_retraction(room: Newsroom) -> None:
    """The retraction is named, with a button for moderators; a changed note asks again."""
    report = await room.choice("retract", "report", "hallow dam")
    room.archive().retract(report, "Made *up*.")
    result = await room.editor.slash(room.channel, "moderate restore", report=report)
    assert "### Restore “A gate at Hallow Dam" in said(result.response)
    assert "This would withdraw the retraction of “A gate" in said(result.response)
    room.archive().retract(report, "Copied.")
    again = await room.editor.click(result.response.message, label="Restore anyway")
    assert "”: Copied." in said(again.response)
    assert room.archive().article(report).retired
    done = await room.editor.click(again.response.message, label="Restore anyway")
    assert "**Restored 1**" in said(done.response)
    assert "**Withdrawn 1**" in said(done.response)
    assert not room.archive().article(report).retired


async def test_undo_notices_changes_during_its_preview(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report added after the preview is not undone without asking."""
    undo = Archive.undo

    def overtaken(archive: Archive, change: int, **options: Any) -> IngestResult:
        preview = undo(archive, change, **options)
        if options.get("dry_run"):
            archive.correct(report, "It was five.")
        return preview

    report = await room.choice("correct", "report", "hallow dam")
    await room.add(("ferry.txt", LATER))
    monkeypatch.setattr(Archive, "undo", overtaken)
    result = await room.editor.slash(room.channel, "moderate undo", change=1)
    assert "nothing was done" in said(result.response)
    assert room.archive().size().articles == 3
    assert room.env.errors


async def test_a_correction_says_what_it_replaces(room: Newsroom) -> None:
    """The earlier correction, which is no longer shown, is named beside the new one."""
    report = await room.choice("correct", "report", "hallow dam")
    for note, words in (("It was five.", ""), ("It was six.", "This replaces: Corrected on ")):
        options = {"report": report, "note": note}
        result = await room.editor.slash(room.channel, "moderate correct", **options)
        assert words in said(result.response)
    assert ": It was five." in said(result.response)


async def test_undo_asks_before_nothing_is_left(room: Newsroom) -> None:
    """Going back to before the first reports asks too; a reader cannot press the button."""
    result = await room.editor.slash(room.channel, "moderate undo", change=0)
    assert "2 reports would be removed, and none would be left." in said(result.response)
    assert room.archive().size().articles == 2
    await room.editor.click(result.response.message, label="Undo anyway")
    assert room.archive().size().articles == 0


async def test_history_counts_what_it_does_not_list(room: Newsroom) -> None:
    """For a change of many reports, a few are named and the rest are counted."""
    await room.add(*((f"gull{n}.txt", GULL + str(n).encode()) for n in range(9)))
    result = await room.editor.slash(room.channel, "moderate history")
    assert "add: 9 added" in said(result.response)
    assert "-# and 6 more" in said(result.response)


async def test_export_can_be_added_again(room: Newsroom) -> None:
    """The exported file has every report in the form that adding accepts."""
    result = await room.editor.slash(room.channel, "moderate export")
    assert result.ephemeral
    (file,) = result.response.attachments
    assert file.filename == "reports.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(await file.read()).splitlines()]
    assert {row["text"] for row in rows} >= {DAM}


async def test_large_export_says_what_to_do(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export too large for Discord, even packed, is refused with another way to get it."""
    text = b"The ferry ran aground at noon. " * 3_000
    await room.add(("ferry.txt", text))
    real = discord.Interaction.__init__
    for most, words in ((9_000, ""), (90, "onrecord export")):

        def limited(self: Any, *, most: int = most, **named: Any) -> None:
            real(self, **named)
            self.filesize_limit = most

        monkeypatch.setattr(discord.Interaction, "__init__", limited)
        result = await room.editor.slash(room.channel, "moderate export")
        assert words in said(result.response)
        assert bool(result.response.attachments) == (not words)
    assert room.env.errors


async def erase(room: Newsroom, words: str) -> str:
    """Fill in the form that confirms erasing everything; return the reply."""
    boss = room.guild.create_role("Boss", permissions=BOSS)
    owner = room.guild.add_member(room.env.create_user("owner"), roles=[boss])
    asked = await owner.slash(room.channel, "moderate erase-all")
    (field,) = fields(asked)
    return said((await owner.submit_modal(asked, {field["custom_id"]: words})).response)


async def test_erasing_takes_the_right_words(room: Newsroom) -> None:
    """Only the right words erase reports, answers, log and sources, but not settings."""
    preferences = room.archive().preferences
    preferences.put(room.guild.id, "moderator_roles", [7], actor="operator", note="")
    answer = await room.reader.slash(room.channel, "ask", question=ASKED)
    answer_id = said(answer.response).rpartition("answer `")[2][:12]
    assert "Nothing was erased" in await erase(room, "yes")
    assert room.env.errors
    assert room.archive().size().articles == 2
    assert "have been erased" in await erase(room, " Erase everything ")
    archive = room.archive()
    assert archive.size().articles == 0
    assert archive.history() == []
    assert archive.sources.all() == []
    with pytest.raises(NotFoundError):
        archive.answers.get(answer_id)
    assert archive.preferences.of(room.guild.id) == {"moderator_roles": [7]}
    pressed = await room.reader.click(answer.response.message, label="Sources")
    assert "I no longer have this answer" in said(pressed.response)
    assert room.env.errors


async def test_erasing_needs_manage_server(room: Newsroom) -> None:
    """Readers, and people who only manage messages, are refused with the reason."""
    allowed = room.guild.create_role(
        "Helpers", permissions=discord.Permissions(manage_messages=True)
    )
    helper = room.guild.add_member(room.env.create_user("helper"), roles=[allowed])
    for person in (room.reader, helper):
        await room.offer_everything(person)
        result = await person.slash(room.channel, "moderate erase-all")
        assert "Erasing everything needs Manage Server" in said(result.response)
    assert room.env.errors


async def test_a_shared_collection_cannot_be_erased(settings: Settings) -> None:
    """If servers share a collection, erasing is refused before any words are asked for."""
    shared = settings.model_copy(update={"discord": Discord(collections={"*": "shared"})})
    async with discord_with(shared) as room:
        boss = room.guild.create_role("Boss", permissions=BOSS)
        owner = room.guild.add_member(room.env.create_user("owner"), roles=[boss])
        result = await owner.slash(room.channel, "moderate erase-all")
        assert "shares its reports with others" in said(result.response)
        assert room.env.errors


@pytest.mark.parametrize(
    ("command", "option"),
    [("restore", "report"), ("undo", "change"), ("sources pause", "source")],
)
async def test_choices_are_for_moderators(room: Newsroom, command: str, option: str) -> None:
    """Removed reports, changes and sources are not offered to readers as they type."""
    archive = room.archive()
    archive.remove([archive.articles()[0].article_id])
    assert await room.editor.autocomplete(room.channel, f"moderate {command}", option, "")
    await room.offer_everything(room.reader)
    assert not await room.reader.autocomplete(room.channel, f"moderate {command}", option, "")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("add", {}),
        ("remove", {"report": "x"}),
        ("restore", {"report": "x"}),
        ("history", {}),
        ("undo", {"change": 1}),
        ("export", {}),
        ("sources list", {}),
        ("sources pause", {"source": "x"}),
    ],
)
async def test_readers_are_refused(room: Newsroom, command: str, options: dict[str, Any]) -> None:
    """Readers are not offered moderators' commands, and the bot itself refuses them too."""
    assert not [n for n in room.reader.available_commands(room.channel) if "moderate" in n]
    await room.offer_everything(room.reader)
    result = await room.reader.slash(room.channel, f"moderate {command}", **options)
    assert "for moderators" in said(result.response)
    assert result.ephemeral
    assert room.env.errors


async def test_report_is_removed_and_restored(room: Newsroom) -> None:
    """Titles are offered while typing, and a removed report is offered for restoring."""
    offered = await room.editor.autocomplete(room.channel, "moderate remove", "report", "cup")
    assert len(offered) == 1
    assert offered[0]["name"].startswith("Carrowmere Athletic reached the cup final")
    for command, word in (("remove", "**Removed 1**"), ("restore", "**Restored 1**")):
        offered = await room.editor.autocomplete(room.channel, f"moderate {command}", "report", "c")
        title = next(one["value"] for one in offered if one["value"].startswith("cup"))
        result = await room.editor.slash(room.channel, f"moderate {command}", report=title)
        assert word in said(result.response)
    assert room.archive().size().articles == 2


async def test_unclear_titles_remove_nothing(room: Newsroom) -> None:
    """Some words of a title are not enough to remove a report."""
    result = await room.editor.slash(room.channel, "moderate remove", report="cup")
    assert "No report has that title" in said(result.response)
    assert room.archive().size().articles == 2
    assert room.env.errors


async def test_history_says_who_did_what(room: Newsroom) -> None:
    """The audit log names people, and its pages can be turned."""
    for number in range(11):
        file = (f"gull{number}.txt", GULL + str(number).encode())
        await room.add(file)
    result = await room.editor.slash(room.channel, "moderate history")
    assert f"<@{room.editor.id}> · add: 1 added" in said(result.response)
    assert "Page 1 of 2" in said(result.response)
    assert labels(result.response) == ["(◀ Back)", "Next ▶"]
    await room.editor.click(result.response.message, label="Next ▶")
    shown = room.channel.history(viewer=room.editor)[-1]
    assert "operator · add: 2 added" in said(shown)
    assert labels(shown) == ["◀ Back", "(Next ▶)"]
    await (
        room.env.bot.get_guild(room.guild.id)
        .get_role(room.desk.id)
        .edit(permissions=discord.Permissions.none())
    )
    refused = await room.editor.click(shown, label="◀ Back")
    assert "for moderators" in said(refused.followups[-1])


async def test_erasing_is_refused_during_jobs(room: Newsroom, held: HeldJobs) -> None:
    """While reports are being added, nothing is erased."""
    await room.editor.slash(room.channel, "reindex")
    await room.env.advance_time(3)
    assert "Stop that first" in await erase(room, "erase everything")
    assert room.archive().size().articles == 2
    assert room.env.errors
    await held.release()
