"""Bots that share collections in a PostgreSQL database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.fakes import FakeEncoder
from support.newsroom import ASKED, DAM, discord_with, said
from support.postgres import Postgres

from bot.collections import Collections
from bot.settings import Discord, Settings


@pytest.fixture
def settings(settings: Settings, postgres: Postgres, request: pytest.FixtureRequest) -> Settings:
    name = f"bot{abs(hash(request.node.nodeid)):x}"
    shared = {
        "store": postgres.address,
        "store_password": SecretStr(postgres.password),
        "discord": Discord(collections={"*": name}),
    }
    return settings.model_copy(update=shared)


def files(folder: Path) -> list[Path]:
    """The embedded collections in a folder."""
    return [*folder.rglob("*.sqlite3")]


async def test_two_bots_share_what_one_answered(settings: Settings, tmp_path: Path) -> None:
    """A question is answered from the database, and another bot finds the answer and its place."""
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
