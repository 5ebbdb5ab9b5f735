"""/help describes the bot, and /forget-me deletes what is kept about a person."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from support.newsroom import ASKED, Newsroom, discord_with, fields, labels, said

from bot.cogs.help import help_text
from bot.settings import Answers, Discord, Settings

FERRY = "When did the ferry Marigold run aground?"


async def test_help_names_every_command(room: Newsroom) -> None:
    """/help describes, in private, exactly what the person can use."""
    for person in (room.reader, room.editor):
        result = await person.slash(room.channel, "help")
        assert result.ephemeral
        text = said(result.response)
        for name in person.available_commands(room.channel):
            group, *rest = name.split()
            known = name == "help" or f"`{''.join(rest)}`" in text
            assert known or f"/{' '.join([group, *rest][:2])}" in text, name
            assert f"/{group}" in text or name == "help"
    assert "/moderate" in text
    assert "/moderate" not in said((await room.reader.slash(room.channel, "help")).response)


def test_help_says_how_long_things_are_kept(tmp_path: Path) -> None:
    """The days come from the settings; for shared reports it does not say that they are erased."""
    days = Discord(keep_days_after_leaving=1)
    settings = Settings(data=tmp_path, discord=days)
    own = help_text(settings, 7, 90)
    assert "without names, for 90 days" in own
    assert "until it is answered or 90 days have passed" in own
    assert "erased, after 1 day at the latest" in own
    shared = settings.model_copy(update={"discord": Discord(collections={"*": "desk"})})
    assert "they stay if I am removed" in help_text(shared, 7, 90)
    assert "erased" not in help_text(shared, 7, 90)


def answer_id(message: Any) -> str:
    """Return the id under an answer."""
    match = re.search(r"answer `(\w+)`", said(message))
    assert match
    return match[1]


async def flag(person: Any, message: Any) -> None:
    """Report a wrong quote."""
    form = await person.click(message, label="Wrong quote")
    (field,) = fields(form)
    await person.submit_modal(form, {field["custom_id"]: "Another gate."})


async def test_forget_me_deletes_what_is_kept_about_a_person(tmp_path: Path) -> None:
    """A person's watches, private answers and feedback are deleted; others' stay."""
    settings = Settings(data=tmp_path, answers=Answers(threshold=0.1))
    async with discord_with(settings) as room:
        room.stock(settings, tmp_path / "reports", dam=ASKED.replace("When did", "At noon"))
        public = await room.reader.slash(room.channel, "ask", question=ASKED)
        for person in (room.reader, room.editor):
            await flag(person, public.response.message)
            asked = await person.slash(room.channel, "ask", question=FERRY)
            await person.click(
                asked.response.message, label="Mention me here when there's an answer"
            )
        hidden = "Who guards a gate at Hallow Dam?"
        private = await room.reader.slash(room.channel, "ask", question=hidden, private=True)
        shown = await room.reader.slash(room.channel, "forget-me")
        assert shown.ephemeral
        counts = "1 watched question, 1 private answer and 1 note on a wrong quote"
        assert counts in said(shown.response)
        assert "the record of what you changed" in said(shown.response)
        assert len(room.archive().people.watches()) == 2
        done = await room.reader.click(shown.response.message, label="Delete it")
        assert f"Deleted. That is {counts}." in said(shown.response)
        assert labels(shown.response) == []
        assert done.followups == []
        assert [watch.person for watch in room.archive().people.watches()] == [room.editor.id]
        gone = (
            await room.reader.click(
                private.response.message, label="Notify me when there's an answer"
            )
            if "Notify me when there's an answer" in labels(private.response)
            else await room.reader.click(private.response.message, label="More passages")
        )
        assert "I no longer have this answer" in said(
            gone.followups[-1] if gone.followups else gone.response
        )
        why = await room.editor.slash(room.channel, "why", answer=answer_id(public.response))
        assert "1 reader flagged a quote as wrong:" in said(why.response)
        again = await room.reader.slash(room.channel, "forget-me")
        assert "0 watched questions, 0 private answers and 0 notes" in said(again.response)
