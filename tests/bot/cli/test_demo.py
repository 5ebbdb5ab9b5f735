"""The demo answers what a visitor types, or replies with a hint."""

from __future__ import annotations

import pytest
from support.newsroom import ASKED, Newsroom, said

from bot.cli.demo import _HINT, _Person


@pytest.mark.parametrize("address", ["/ask ", "/ask question:", "@On Record ", "@on record, "])
async def test_a_typed_mention_counts(room: Newsroom, address: str) -> None:
    """A command or mention that is typed as plain text works."""
    visitor = _Person(room.env, room.guild, room.reader.user, room.env.bot)
    await visitor.send(room.channel, address + ASKED)
    assert ASKED in said(room.channel.last_message)
    assert "Quoted verbatim" in said(room.channel.last_message)


async def test_a_message_to_nobody_gets_a_hint(room: Newsroom) -> None:
    """A question without a mention is answered with how to ask."""
    visitor = _Person(room.env, room.guild, room.reader.user, room.env.bot)
    await visitor.send(room.channel, ASKED)
    assert room.channel.last_message.content == _HINT
