"""Buttons under answers: what they show, to whom, and that they work after restarts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import discord
from support.fakes import FakeEncoder
from support.newsroom import ASKED, DAM, Newsroom, fields, labels, parts, said

from bot.bot import OnRecord
from bot.collections import Collections
from bot.markdown import shorten
from bot.settings import Settings
from bot.views.base import ACTIONS, Button

LONG = " ".join(
    f"Paragraph {n} of the tunnel chronicle is told here, Mara Voss said." for n in range(12)
)


async def ask(room: Newsroom, question: str = ASKED, **options: Any) -> Any:
    """Ask, and return the answer's message."""
    result = await room.reader.slash(room.channel, "ask", question=question, **options)
    return result.response


async def test_answer_carries_its_buttons(room: Newsroom) -> None:
    """Each button's id names the answer and is within Discord's length."""
    message = await ask(room)
    assert labels(message) == [
        "More passages",
        "Sentences around",
        "Sources",
        "Wrong quote",
    ]
    shown = re.search(r"answer `(\w+)`", said(message))
    ids = [part["custom_id"] for part in parts(message) if "custom_id" in part]
    assert shown
    assert all(shown[1] in one and len(one) <= 100 for one in ids)


def test_every_button_has_an_id_that_is_found_again() -> None:
    """The custom ids of all actions match the template, even with the largest numbers."""
    for name in ACTIONS:
        made = Button(name, "f" * 60, 999_999_999)
        assert len(made.custom_id) <= 100
        assert made.template.fullmatch(made.custom_id)


async def test_more_passages_turn_in_place(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Further passages are shown in a private message, whose pages turn in place."""
    room.stock(settings, tmp_path / "long", tunnel=LONG)
    message = await ask(room, "What does the tunnel chronicle tell?")
    result = await room.editor.click(message.message, label="More passages")
    assert result.ephemeral
    first = said(result.response)
    assert "Page 1 of" in first
    assert labels(result.response) == ["(◀ Back)", "Next ▶"]
    before = len(room.channel.history())
    await room.editor.click(result.response.message, label="Next ▶")
    turned = said(result.response)
    assert "Page 2 of" in turned
    assert len(room.channel.history()) == before
    quotes = {line for line in first.split("\n") if line.startswith("> ")}
    assert quotes.isdisjoint(turned.split("\n"))


async def test_sentences_around_are_verbatim(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """A quote is shown with two sentences on each side, as a continuous part of the report."""
    room.stock(settings, tmp_path / "long", tunnel=LONG)
    message = await ask(room, "What does Paragraph 5 of the tunnel chronicle tell?")
    result = await room.reader.click(message.message, label="Sentences around")
    assert result.ephemeral
    shown = said(result.response).replace("*", "")
    quotes = re.findall(r"^> (.+)$", shown, re.MULTILINE)
    assert quotes
    assert all(quote in LONG and quote.count(".") >= 3 for quote in quotes)


async def test_sources_tell_what_changed(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """The list of sources says whether each report is unchanged, changed or removed."""
    message = await ask(room)
    result = await room.reader.click(message.message, label="Sources")
    assert "unchanged" in said(result.response)
    room.stock(settings, tmp_path / "reports", dam=DAM.replace("4:40", "5:10"))
    result = await room.reader.click(message.message, label="Sources")
    assert "since this answer it was changed and no longer says" in said(result.response)
    archive = room.archive()
    archive.remove([one.article_id for one in archive.articles()])
    result = await room.reader.click(message.message, label="Sources")
    assert "since this answer it was removed" in said(result.response)


async def test_name_of_who_shares_is_escaped(room: Newsroom) -> None:
    """A display name cannot format, link or mention."""
    member = room.guild.add_member(room.env.create_user("mask", global_name="**@everyone** [x](y)"))
    result = await member.slash(room.channel, "ask", question=ASKED, private=True)
    shared = await member.click(result.response.message, label="Show everyone")
    assert shared.acknowledged
    assert r"Shared by \*\*\@everyone\*\* \[x\]\(y\)" in said(room.channel.last_message)


async def test_private_answer_can_be_shared(room: Newsroom) -> None:
    """Sharing posts the answer for all, names who shared it, and logs the message."""
    message = await ask(room, private=True)
    assert labels(message)[-1] == "Show everyone"
    await room.reader.click(message.message, label="Show everyone")
    (shared,) = room.channel.history(viewer=room.editor)
    text = said(shared)
    assert "Shared by reader" in text
    assert "4:40" in text
    assert "Show everyone" not in labels(shared)
    found = re.search(r"answer `(\w+)`", text)
    assert found
    assert room.archive().answers.get(found[1]).message == shared.id


async def test_sharing_that_fails_is_told_in_private(room: Newsroom) -> None:
    """If the answer can no longer be shared, only the person who tried is told."""
    message = await ask(room, private=True)
    room.archive().answers.prune(0)
    result = await room.reader.click(message.message, label="Show everyone")
    assert "I no longer have this answer" in said(result.followups[-1])
    assert room.channel.history(viewer=room.editor) == []


async def test_feedback_is_kept_without_a_name(room: Newsroom) -> None:
    """The form for a wrong quote asks for a reason, which /why shows without a name."""
    message = await ask(room)
    asked = await room.reader.click(message.message, label="Wrong quote")
    assert asked.modal
    (field,) = fields(asked)
    empty = await room.reader.submit_modal(asked, {field["custom_id"]: "  "})
    assert "nothing was recorded" in said(empty.response)
    assert room.env.errors
    asked = await room.reader.click(message.message, label="Wrong quote")
    (field,) = fields(asked)
    done = await room.reader.submit_modal(asked, {field["custom_id"]: "It is *another* gate."})
    assert "Moderators see this without your name" in said(done.response)
    assert done.ephemeral
    found = re.search(r"answer `(\w+)`", said(message))
    assert found
    why = await room.reader.slash(room.channel, "why", answer=found[1])
    text = said(why.response)
    assert "1 reader flagged a quote as wrong:" in text
    assert "It is \\*another\\* gate." in text


async def test_a_wrong_quote_is_chosen_from_several(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """If an answer has several quotes, a reader chooses the wrong one, and /why names it."""
    other = "The gate at Hallow Dam did not fail, the ministry said on Tuesday."
    room.stock(settings, tmp_path / "more", other=other)
    message = await ask(room)
    asked = await room.reader.click(message.message, label="Wrong quote")
    quote, reason = fields(asked)
    labels = [option["label"] for option in quote["options"]]
    assert {"The gate at Hallow Dam did not fail, the ministry said on Tuesday."} < {*labels}
    given = {quote["custom_id"]: ["1"], reason["custom_id"]: "They said no such thing."}
    await room.reader.submit_modal(asked, given)
    found = re.search(r"answer `(\w+)`", said(message))
    assert found
    why = await room.reader.slash(room.channel, "why", answer=found[1])
    assert f"“{shorten(labels[1], 40)}: They said no such thing.”" in said(why.response)


async def test_old_buttons_work_after_a_restart(room: Newsroom, settings: Settings) -> None:
    """After a restart, the bot handles buttons of earlier messages."""
    message = await ask(room)
    again = OnRecord(Collections(settings, FakeEncoder()), settings)
    await room.env.restart_bot(again)
    result = await room.reader.click(message.message, label="Sources")
    assert "### Sources" in said(result.response)
    result = await room.reader.click(message.message, label="More passages")
    assert "Page 1 of" in said(result.response)


async def test_damaged_log_shows_no_quote(room: Newsroom) -> None:
    """A logged span outside the stored text is refused."""
    message = await ask(room)
    with room.archive().answers._writing() as db:
        db.execute("UPDATE answer SET parts = replace(parts, '\"end\":51,', '\"end\":999,')")
    result = await room.reader.click(message.message, label="Sentences around")
    assert "is not inside article" in said(result.response)
    assert "4:40" not in said(result.response)


async def test_buttons_have_a_limit(room: Newsroom) -> None:
    """Five buttons may be pressed for each question; the next press is refused with the wait."""
    message = await ask(room)
    for _ in range(30):
        await room.reader.click(message.message, label="Sources")
    refused = await room.reader.click(message.message, label="Sources")
    assert refused.ephemeral
    assert "You've pressed many buttons in the last minute" in said(refused.response)
    await room.env.advance_time(61)
    again = await room.reader.click(message.message, label="Sources")
    assert "### Sources" in said(again.response)


async def test_button_of_another_version_says_so(room: Newsroom) -> None:
    """Pressing a button whose action no longer exists gets a reply."""
    view = discord.ui.View()
    view.add_item(discord.ui.Button(label="Old", custom_id="onrecord:vanished:abc:0"))
    channel = room.env.bot.get_channel(room.channel.id)
    pressed = await room.reader.click(await channel.send(view=view), label="Old")
    assert "out of date" in said(pressed.response)
