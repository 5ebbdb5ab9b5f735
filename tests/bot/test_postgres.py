"""Several bots share collections in a PostgreSQL database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from support.fakes import FakeEncoder
from support.newsroom import ASKED, DAM, Site, discord_with, said
from support.postgres import Postgres

from bot.bot import OnRecord
from bot.collections import Collections
from bot.settings import Discord, Settings
from index import SettingsError


@pytest.fixture
def settings(settings: Settings, postgres: Postgres, request: pytest.FixtureRequest) -> Settings:
    name = f"bot{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(postgres.address, password=postgres.password) as db:
        db.execute("DROP SCHEMA IF EXISTS onrecord CASCADE")  # what other tests counted
    shared = {
        "store": postgres.address,
        "store_password": SecretStr(postgres.password),
        "discord": Discord(collections={"*": name}),
    }
    return settings.model_copy(update=shared)


def files(folder: Path) -> list[Path]:
    """Return the embedded collections in a folder."""
    return [*folder.rglob("*.sqlite3")]


async def test_two_bots_share_what_one_answered(settings: Settings, tmp_path: Path) -> None:
    """A question is answered from the database, and another bot finds the logged answer."""
    async with discord_with(settings) as room:
        room.stock(settings, tmp_path / "reports", dam=DAM)
        asked = await room.reader.slash(room.channel, "ask", question=ASKED)
        assert "failed at 4:40" in said(asked.response).replace("*", "")
        await room.env.settle()
        with closing(Collections(settings, FakeEncoder())) as elsewhere:
            archive = elsewhere.archive(room.guild.id)
            with archive._store.snapshot() as snapshot:
                (row,) = snapshot.db.execute("SELECT answer_id, channel FROM answer").fetchall()
            entry = archive.answers.get(row[0])
            assert (entry.channel, entry.answer.question) == (room.channel.id, ASKED)
        assert not files(tmp_path)


async def test_the_limit_of_questions_spans_bots(settings: Settings, tmp_path: Path) -> None:
    """A person's questions to another bot count towards the limit; other people's do not."""
    few = settings.discord.model_copy(update={"questions_per_minute": 2})
    settings = settings.model_copy(update={"discord": few})
    async with discord_with(settings) as room:
        room.stock(settings, tmp_path / "reports", dam=DAM)
        with closing(Collections(settings, FakeEncoder())) as elsewhere:
            other = OnRecord(elsewhere, settings)
            for _ in range(2):
                await other.question_limit.take(room.reader.user.id, 7)
        refused = await room.reader.slash(room.channel, "ask", question=ASKED)
        assert "You've asked a lot in the last minute" in said(refused.response)
        assert room.env.errors
        answered = await room.editor.slash(room.channel, "ask", question=ASKED)
        assert "failed at 4:40" in said(answered.response).replace("*", "")


async def test_the_limit_of_buttons_spans_bots(settings: Settings, tmp_path: Path) -> None:
    """A person's presses at another bot count towards the limit; other people's do not."""
    few = settings.discord.model_copy(update={"questions_per_minute": 1})
    settings = settings.model_copy(update={"discord": few})
    async with discord_with(settings) as room:
        room.stock(settings, tmp_path / "reports", dam=DAM)
        asked = await room.reader.slash(room.channel, "ask", question=ASKED)
        with closing(Collections(settings, FakeEncoder())) as elsewhere:
            other = OnRecord(elsewhere, settings)
            for _ in range(5):
                await other.press_limit.take(room.reader.user.id, 7)
        refused = await room.reader.click(asked.response.message, label="Sources")
        assert "You've pressed many buttons in the last minute" in said(refused.response)
        shown = await room.editor.click(asked.response.message, label="Sources")
        assert "### Sources" in said(shown.response)


async def test_a_schedule_runs_on_one_bot(settings: Settings, tmp_path: Path, site: Site) -> None:
    """While another bot reads a collection's sources, this bot leaves them, and looks later."""
    async with discord_with(settings) as room:
        room.stock(settings, tmp_path / "reports", dam=DAM)
        site.publish("The tide rose at dawn. Boats left the quay.")
        site.reach(room.archive())
        room.archive().sources.add(site.feed, 15)
        with closing(Collections(settings, FakeEncoder())) as elsewhere:
            end = elsewhere.hold(room.guild.id, "reading sources")
            assert end is not None
            await room.env.advance_time(120)
            assert room.archive().size().articles == 1
            end()
            await room.env.advance_time(120)
            assert room.archive().size().articles == 2


def test_a_bot_reads_from_the_replica_of_its_settings(settings: Settings) -> None:
    """The engine gets the replica; a replica without a primary is refused."""
    named = settings.model_copy(update={"replica": settings.store})
    with closing(Collections(named, FakeEncoder())) as collections:
        assert collections._engine._replica
    alone = named.model_copy(update={"store": ""})
    with pytest.raises(SettingsError, match="“store”"):
        Collections(alone, FakeEncoder())


def test_a_bot_connects_its_shards(settings: Settings) -> None:
    """The settings say which shards a process connects, and of how many."""
    some = settings.model_copy(update={"discord": Discord(shards="2-3/8")})
    with closing(Collections(settings, FakeEncoder())) as collections:
        bot = OnRecord(collections, some)
        assert (bot.shard_ids, bot.shard_count) == ([2, 3], 8)
        assert OnRecord(collections, settings).shard_count is None
