"""No server sees another server's text, whatever people do in any order, and whatever they copy."""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path
from typing import Any

import discord
import pytest
from support.newsroom import Newsroom, fields, labels, parts, report, said

from bot.settings import Settings
from bot.views.base import ACTIONS, Button, Row, notice_view

SECRETS = ("quagga", "thylacine", "solenodon")
QUESTIONS = (
    "Which animal did the keepers hide?",
    "Who fed it on Monday?",
    "What has changed since Monday?",
    "When did the ferry sink?",
)
_TYPED = discord.ComponentType.text_input.value
BUTTON = re.compile(r"onrecord:([a-z]+):(.{0,60}):(\d{1,9})")
CHANGES = (
    *((name, "report") for name in ("remove", "restore", "correct", "retract")),
    *(("undo", "change"), ("sources pause", "source"), ("sources remove", "source")),
)
AUTOCOMPLETED = (
    *(("ask", "publisher"), ("reports show", "report"), ("moderate remove", "report")),
    *(("moderate undo", "change"), ("moderate sources pause", "source")),
)


async def everything(result: Any) -> str:
    """All that an interaction showed to anybody: texts, buttons, forms, choices and files."""
    shown = [json.dumps(result.modal or {}), json.dumps(result.autocomplete_choices or [])]
    for message in filter(None, (result.response, *result.followups)):
        shown += [message.content, said(message), *labels(message)]
        files = [await file.read() for file in message.attachments]
        packed = b"\x1f\x8b"
        files = [gzip.decompress(file) if file.startswith(packed) else file for file in files]
        shown += [file.decode("latin-1") for file in files]
    return "\n".join(shown)


class Mischief:
    """Three servers, each with a secret, and people who act in them at random."""

    def __init__(self, rooms: list[Newsroom], dice: random.Random) -> None:
        self.rooms, self.dice = rooms, dice
        self.ids = ["dam"]  # of answers, reports, changes and sources, of any server
        self.buttons = list[tuple[str, ...]]()  # of any server
        self.silent = 0

    async def once(self) -> tuple[int, str]:
        """Perform one action in a server; return which, and what it showed."""
        number = self.dice.randrange(len(self.rooms))
        room = self.rooms[number]
        person = self.dice.choice([room.reader, room.editor])
        asking = (self.ask, self.ask, self.mention, self.check)
        looking = (self.why, self.complete, self.look, self.press, self.press)
        shown = await self.dice.choice((*asking, *looking, self.change))(room, person)
        self.ids += re.findall(r"answer `(\w+)`", shown)
        return number, shown

    async def everything(self, result: Any) -> str:
        """All that an interaction showed; its buttons may be copied from now on."""
        for message in filter(None, (result.response, *result.followups)):
            names = [part.get("custom_id") or "" for part in parts(message)]
            self.buttons += [found.groups() for name in names if (found := BUTTON.fullmatch(name))]
        return await everything(result)

    async def ask(self, room: Newsroom, person: Any) -> str:
        """Ask, in public or in private."""
        question, private = self.dice.choice(QUESTIONS), self.dice.random() < 0.5
        return await self.everything(
            await person.slash(room.channel, "ask", question=question, private=private)
        )

    async def mention(self, room: Newsroom, person: Any) -> str:
        """Ask in a message, whose text is visible in the channel."""
        question = self.dice.choice(QUESTIONS)
        await person.send(room.channel, f"{room.env.bot.user.mention} {question}")
        return said(room.channel.last_message)

    async def check(self, room: Newsroom, person: Any) -> str:
        """Check a claim against the reports."""
        claim = await person.send(room.channel, "The keepers hid an animal on Monday.")
        menu = "Check against the reports"
        return await self.everything(await person.context_menu(room.channel, menu, claim))

    async def why(self, room: Newsroom, person: Any) -> str:
        """Look up an answer of any server."""
        answer = self.dice.choice(self.ids)[:100]
        return await self.everything(await person.slash(room.channel, "why", answer=answer))

    async def complete(self, room: Newsroom, _: Any) -> str:
        """Begin to type a value."""
        command, option = self.dice.choice(AUTOCOMPLETED)
        rows = await room.editor.autocomplete(room.channel, command, option, "")
        if option != "publisher":  # the others are ids
            self.ids += [str(row["value"]) for row in rows]
        return json.dumps(rows)

    async def look(self, room: Newsroom, person: Any) -> str:
        """Look up what exists, also by the id of another server."""
        commands: list[tuple[Any, str, dict[str, Any]]] = [
            (person, "reports list", {}),
            (person, "reports show", {"report": self.dice.choice(self.ids)[:100]}),
            (person, "reports timeline", {"topic": "keepers"}),
            (person, "watching", {}),
            (room.editor, "inbox", {}),
            (room.editor, "settings", {}),
            (room.editor, "moderate history", {}),
            (room.editor, "moderate export", {}),
            (room.editor, "moderate sources list", {}),
        ]
        actor, command, options = self.dice.choice(commands)
        return await self.everything(await actor.slash(room.channel, command, **options))

    async def press(self, room: Newsroom, person: Any) -> str:
        """Press a button that was copied from anywhere, or invented."""
        name, key, page = self.dice.choice(sorted(ACTIONS)), self.dice.choice(self.ids)[:60], "0"
        if self.buttons and self.dice.random() < 0.7:
            name, key, page = self.dice.choice(self.buttons)
        copied = Button(name, key, int(page))
        channel = room.env.bot.get_channel(room.channel.id)
        message = await channel.send(view=notice_view("Copied.", [Row(copied)]))
        result = await person.click(message, label=ACTIONS[name].label)
        if result.modal:
            typed = [f["custom_id"] for f in fields(result) if f["type"] == _TYPED]
            values = dict.fromkeys(typed, "It is wrong.")
            result = await person.submit_modal(result, values)
        self.silent += not result.acknowledged
        return await self.everything(result)

    async def change(self, room: Newsroom, _: Any) -> str:
        """Change reports and sources, by the ids of any server."""
        command, option = self.dice.choice(CHANGES)
        name = self.dice.choice(self.ids)[:100]
        options: dict[str, Any] = {option: name}
        if command == "undo":  # Discord takes nothing but a number here
            options[option] = int(name) if name.isdigit() else 1
        if command in {"correct", "retract"}:
            options["note"] = "It was noon."
        return await self.everything(
            await room.editor.slash(room.channel, f"moderate {command}", **options)
        )


@pytest.mark.parametrize("seed", range(3))
async def test_no_server_sees_another(
    simcord_env: Any,
    settings: Settings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    seed: int,
) -> None:
    """No action shows another server's secret, each gets a reply, and no log has a secret."""
    rooms = [Newsroom(simcord_env, name) for name in ("Alpha", "Beta", "Gamma")]
    for room, secret in zip(rooms, SECRETS, strict=True):
        text = f"The keepers hid a {secret} on Monday. Nobody fed the {secret}, the warden said."
        written = report(f"The {secret}", text, f"{secret} Times", "2026-03-09")
        room.stock(settings, tmp_path / secret, report=written)
    mischief = Mischief(rooms, random.Random(seed))  # noqa: S311 - no secrets
    seen = set[int]()
    for _ in range(60):
        number, shown = await mischief.once()
        room = rooms[number]
        channels = (room.channel, room.reader.user.dm_channel, room.editor.user.dm_channel)
        told = "\n".join(said(each) for one in channels if one for each in one.history())
        named = {n for n, secret in enumerate(SECRETS) if secret in (shown + told).casefold()}
        assert named <= {number}
        seen |= named
    assert simcord_env.errors  # ids of other servers name nothing here
    assert seen == {0, 1, 2}
    assert not mischief.silent
    assert not any(secret in caplog.text.casefold() for secret in SECRETS)
