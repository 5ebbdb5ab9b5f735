"""/inbox lists open items for moderators, who can open and complete them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.newsroom import ASKED, DAM, Newsroom, Site, discord_with, fields, labels, said

from bot.settings import Answers, Discord, Settings
from index import Declined, Week
from index.domain import Filters
from index.store import inbox as inbox_store
from index.store.inbox import grouped
from index.text.terms import content_terms

FERRY = "When did the ferry Marigold run aground?"
NEWS = "The ferry Marigold ran aground at noon on Friday."
EMPTY = "Nothing to do"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, answers=Answers(threshold=0.1))


async def inbox(room: Newsroom) -> Any:
    """Open the inbox as the editor."""
    return (await room.editor.slash(room.channel, "inbox")).response


async def flag(room: Newsroom, *, private: bool) -> None:
    """Ask, and report a wrong quote."""
    asked = await room.reader.slash(room.channel, "ask", question=ASKED, private=private)
    form = await room.reader.click(asked.response.message, label="Wrong quote")
    *_, reason = fields(form)
    await room.reader.submit_modal(form, {reason["custom_id"]: "Another *gate*."})


async def test_flagged_quote_is_opened_and_done(room: Newsroom) -> None:
    """Question, quote and reason are shown, the answer opens, and done items do not return."""
    assert EMPTY in said(await inbox(room))
    await flag(room, private=False)
    shown = await inbox(room)
    assert f"**Flagged by 1 reader** · {ASKED}" in said(shown)
    assert "failed at 4:40 a.m.…: Another \\*gate\\*." in said(shown)
    opened = await room.editor.click(shown.message, label="Open")
    assert "1 reader flagged a quote as wrong:" in said(opened.response)
    await room.editor.click(shown.message, label="Done")
    assert EMPTY in said(await inbox(room))


async def test_private_question_stays_private(room: Newsroom) -> None:
    """For a private answer, a moderator sees the flagged quote, not the question or answer."""
    await flag(room, private=True)
    shown = await inbox(room)
    assert "a private question" in said(shown)
    assert ASKED not in said(shown)
    assert labels(shown) == ["Done"]
    await room.reader.slash(room.channel, "ask", question=FERRY, private=True)
    assert "Marigold" not in said(await inbox(room))


async def test_declined_questions_are_counted_and_asked_again(
    room: Newsroom, settings: Settings, tmp_path: Path
) -> None:
    """Similar questions are one item with a count; asked again, new reports may answer them."""
    asked = await room.reader.slash(room.channel, "ask", question=FERRY)
    label = "Mention me here when there's an answer"
    await room.reader.click(asked.response.message, label=label)
    await room.reader.slash(room.channel, "ask", question="When did ferry Marigold run aground")
    await room.reader.slash(room.channel, "ask", question=FERRY)
    shown = await inbox(room)
    assert "1 open item" in said(shown)
    assert f"**Not answered** · {FERRY}" in said(shown)
    assert "asked 3 times · 1 reader will be notified of an answer" in said(shown)
    assert "answered now" not in said(shown)
    form = await room.editor.click(shown.message, label="Add reports")
    assert len(fields(form)) == 2
    room.stock(settings, tmp_path / "ferry", ferry=NEWS)
    shown = await inbox(room)
    assert "**answered now**" in said(shown)
    await room.editor.click(shown.message, label="Done")
    assert EMPTY in said(await inbox(room))


async def test_a_page_fits_in_a_message(room: Newsroom) -> None:
    """Several long questions full of markup fit, with their buttons, into Discord's limits."""
    for question in (FERRY, "Who painted Bryony Hall?", "Is Sorrel toxic?", "Why is Tansy ill?"):
        await room.reader.slash(room.channel, "ask", question=f"{question} {'*_~|' * 100}")
    shown = await inbox(room)
    assert "4 open items" in said(shown)
    view = discord.ui.LayoutView.from_message(shown.message)
    buttons = [item for item in view.walk_children() if isinstance(item, discord.ui.Button)]
    ids = [button.custom_id for button in buttons]
    assert len(ids) == len({*ids}) == 12
    assert view.content_length() <= 4_000


async def test_failing_source_is_shown_and_stopped(room: Newsroom, site: Site) -> None:
    """A failing source is listed with the reason, until it is no longer checked."""
    archive = room.archive()
    site.reach(archive)
    archive.sources.add(site.feed, 15)
    archive.sources.reindex([site.feed])
    shown = await inbox(room)
    assert "**Failing source**" in said(shown)
    assert "answers 404" in said(shown)
    await room.editor.click(shown.message, label="Stop checking it")
    assert [source.uri for source in archive.sources.all() if source.paused] == [site.feed]
    assert EMPTY in said(await inbox(room))


async def test_inbox_is_for_moderators(room: Newsroom) -> None:
    """A reader is not offered /inbox, and its buttons refuse them."""
    await flag(room, private=False)
    shown = await inbox(room)
    assert "inbox" not in room.reader.available_commands(room.channel)
    await (
        room.env.bot.get_guild(room.guild.id)
        .get_role(room.desk.id)
        .edit(permissions=discord.Permissions.none())
    )
    for label in ("Open", "Done"):
        refused = await room.editor.click(shown.message, label=label)
        assert "for moderators" in said((refused.followups or [refused.response])[-1])
    assert len(room.archive().inbox.flagged(room.guild.id, [])) == 1


WORDS = st.sampled_from("dam gate ferry crew bank harbour quay flood".split())
ASKINGS = st.lists(st.lists(WORDS, max_size=5).map(" ".join), max_size=30)


@given(ASKINGS)
def test_grouping_finds_all_similar_questions(asked: list[str]) -> None:
    """Each question joins the first that shares half of their words, as if all were compared."""
    items = [declined(text) for text in asked]
    expected: list[list[Declined]] = []
    for item in items:
        near = (g for g in expected if inbox_store._alike(_words(item), _words(g[0])))
        if (group := next(near, None)) is not None:
            group.append(item)
        else:
            expected.append([item])
    assert grouped(items) == expected


def test_grouping_a_thousand_questions_compares_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among a thousand questions that share common words, few are compared."""
    compared, alike = [0], inbox_store._alike

    def counted(*words: frozenset[str]) -> bool:
        compared[0] += 1
        return alike(*words)

    monkeypatch.setattr(inbox_store, "_alike", counted)
    letters = str.maketrans("0123456789", "bcdfghjklm")
    names = [f"a{number}a".translate(letters) for number in range(1000, 4000)]
    items = [declined(f"Who saw {' with '.join(names[n : n + 3])}?") for n in range(0, 3000, 3)]
    assert len(grouped(items)) == 1000
    assert compared[0] < 10_000  # all with all: half a million


def declined(question: str) -> Declined:
    """Make a question that was declined once."""
    return Declined((question,), question, Filters(), times=1, watchers=0)


def _words(item: Declined) -> frozenset[str]:
    return frozenset(content_terms(item.question))


async def test_servers_that_share_reports_have_inboxes_of_their_own(tmp_path: Path) -> None:
    """Items flagged, declined, counted or done in a server do not appear in another."""
    shared = Discord(collections={"*": "desk"})
    settings = Settings(data=tmp_path, answers=Answers(threshold=0.1), discord=shared)
    async with discord_with(settings) as room:
        other = Newsroom(room.env, "Elsewhere")
        room.stock(settings, tmp_path / "reports", dam=DAM)
        asked = [
            said((await desk.reader.slash(desk.channel, "ask", question=FERRY)).response)
            for desk in (room, other)
        ]
        await flag(other, private=True)
        shown = await inbox(room)
        assert "1 open item" in said(shown)
        assert "asked 1 time\n" in f"{said(shown)}\n"
        await room.editor.click(shown.message, label="Done")
        assert EMPTY in said(await inbox(room))
        assert "2 open items" in said(await inbox(other))
        archive, now = room.archive(), datetime.now(UTC)
        assert archive.inbox.week(room.guild.id, now) == Week(0, 1, 0)
        assert archive.inbox.week(other.guild.id, now) == Week(1, 1, 1)
        first, last = (re.findall(r"answer `(\w+)`", text) for text in asked)
        assert first == last
        why = await room.editor.slash(room.channel, "why", answer=first[0])
        assert FERRY in said(why.response)


def test_other_filters_are_another_question(room: Newsroom) -> None:
    """Questions with the same words and other filters are not grouped."""
    archive = room.archive()
    answer = archive.ask(FERRY)
    filtered = replace(answer, answer_id="f" * 12, filters=Filters(publishers=("Harbour Post",)))
    for declined in (answer, filtered):
        archive.answers.record(declined, server=1, channel=7, message=8)
    assert len(archive.inbox.declined(1, [7])) == 2
    assert archive.inbox.declined(1, [6]) == []
