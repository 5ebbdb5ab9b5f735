"""Scheduled work: sources are read again, and data of servers that were left expires."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.fakes import FakeEncoder
from support.jobs import HeldJobs
from support.newsroom import Newsroom, Site, discord_with, said

from bot.bot import OnRecord
from bot.cogs import maintenance
from bot.cogs.maintenance import KnownServers, Maintenance
from bot.collections import Collections
from bot.settings import Discord, Settings
from index import Archive, IngestResult, SettingsError, Sources

NOW = datetime(2026, 3, 14, tzinfo=UTC)
DAY = 24 * 3600


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what happens every minute twice a day, so that weeks pass fast; comes first."""
    monkeypatch.setattr(maintenance, "OFTEN_MINUTES", 12 * 60)


@pytest.fixture
def weeks(slow: None, room: Newsroom, site: Site) -> Newsroom:  # noqa: ARG001 - must come first
    """Open the newsroom, where weeks pass fast."""
    site.reach(room.archive())
    return room


@pytest.fixture
def fed(room: Newsroom, site: Site) -> Newsroom:
    """Open the newsroom with a feed that is due every quarter of an hour."""
    site.publish("The tide rose at dawn. Boats left the quay.")
    site.reach(room.archive())
    room.archive().sources.add(site.feed, 15)
    return room


async def test_due_sources_are_read(fed: Newsroom, site: Site) -> None:
    """The schedule reads a feed when it is due, and not before it is due again."""
    await fed.env.advance_time(61)
    assert fed.archive().size().articles == 3
    assert (fed.archive().history()[0].actor, fed.archive().history()[0].action) == (
        "clock",
        "refresh",
    )
    site.publish("The tide rose at dawn. Boats left the quay.", "The market opened late.")
    await fed.env.advance_time(5 * 60)
    assert fed.archive().size().articles == 3
    await fed.env.advance_time(11 * 60)
    assert fed.archive().size().articles == 4


@pytest.mark.parametrize(("seconds", "read"), [(2, True), (20, False)])
async def test_due_within_a_moment_is_read_now(
    fed: Newsroom, site: Site, seconds: int, read: bool
) -> None:
    """A feed that is due just after the check is read at that check."""
    archive = fed.archive()
    checked = fed.env.now() + timedelta(seconds=60 + seconds, minutes=-15)
    archive.sources._store.update_source(site.feed, checked=checked)
    await fed.env.advance_time(61)
    assert archive.size().articles == (3 if read else 2)


async def test_paused_sources_are_left_alone(fed: Newsroom, site: Site) -> None:
    """The schedule does not read a paused feed."""
    fed.archive().sources.pause(site.feed)
    await fed.env.advance_time(3600)
    assert fed.archive().size().articles == 2


async def test_week_of_failures_is_reported_once(weeks: Newsroom, site: Site) -> None:
    """After a week of failures, moderators are told once in their channel, without a ping."""
    weeks.archive().sources.add(site.feed, 15)
    guild = weeks.env.bot.get_guild(weeks.guild.id)
    await guild.edit(system_channel=guild.get_channel(weeks.channel.id))
    await weeks.env.advance_time(6 * DAY)
    assert weeks.channel.history() == []
    await weeks.env.advance_time(3 * DAY)
    (told,) = weeks.channel.history()
    assert "have failed for a week" in said(told)
    assert "answers 404" in said(told)
    sent = [r for r in weeks.env.http_requests if r.path.endswith("/messages")][-1]
    assert sent.json["allowed_mentions"] == {"parse": []}
    await weeks.env.advance_time(9 * DAY)
    assert len(weeks.channel.history()) == 1


async def test_unsent_warning_is_sent_later(
    weeks: Newsroom, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning that could not be sent is tried again later."""
    weeks.archive().sources.add(site.feed, 15)
    weeks.env.inject_error("POST", "/users/@me/channels", status=403, code=50007)
    for _ in range(18):
        await weeks.env.advance_time(DAY / 2)
        if "could be notified" in caplog.text:
            break
    feeds = [source for source in weeks.archive().sources.all() if source.uri == site.feed]
    assert not feeds[0].reported
    await weeks.env.advance_time(2 * DAY)
    assert "have failed for a week" in said(weeks.guild.owner.dm_channel.last_message)


async def test_all_servers_that_share_a_source_are_warned(
    slow: None,  # noqa: ARG001 - must come first
    settings: Settings,
    site: Site,
) -> None:
    """Each server that shares a failing source is warned once."""
    shared = settings.model_copy(update={"discord": Discord(collections={"*": "desk"})})
    async with discord_with(shared) as room:
        other = Newsroom(room.env, "Elsewhere")
        site.reach(room.archive())
        room.archive().sources.add(site.feed, 15)
        for _ in range(9):
            await room.env.advance_time(DAY)
        for desk in (room, other):
            (told,) = desk.guild.owner.dm_channel.history()
            assert "have failed for a week" in said(told)


async def test_a_server_that_left_others_is_forgotten(settings: Settings) -> None:
    """When a server is left for good, shared reports stay, and data about the server is deleted."""
    shared = settings.model_copy(update={"discord": Discord(collections={"*": "desk"})})
    async with discord_with(shared) as room:
        archive, gone = room.archive(), 77
        declined = archive.ask("Who guards the gate?")
        for server in (gone, room.guild.id):
            archive.preferences.put(server, "keep_days", 7, actor="operator", note="")
            archive.answers.record(declined, server=server, channel=server, message=2)
            archive.people.add_feedback(declined.answer_id, "No.", reader=server, server=server)
            archive.people.add_watch(declined, server=server, channel=server, person=1)
        await room.env.bot.get_cog("Maintenance")._erase(gone)
        assert [*archive.preferences.named("keep_days")] == [room.guild.id]
        assert [watch.server for watch in archive.people.watches()] == [room.guild.id]
        here = archive.inbox.declined(room.guild.id, [room.guild.id])
        assert here
        assert archive.inbox.flagged(room.guild.id, [])
        assert archive.inbox.declined(gone, [gone]) == archive.inbox.flagged(gone, []) == []


async def test_moderators_may_have_a_channel_of_their_own(weeks: Newsroom, site: Site) -> None:
    """The channel chosen in /settings is used before those that Discord suggests."""
    desk = weeks.guild.create_text_channel("desk")
    preferences = weeks.archive().preferences
    preferences.put(weeks.guild.id, "notices", desk.id, actor="operator", note="")
    weeks.archive().sources.add(site.feed, 15)
    await weeks.env.advance_time(9 * DAY)
    assert "have failed for a week" in said(desk.last_message)


async def test_owner_is_told_if_no_channel_can_be_used(weeks: Newsroom, site: Site) -> None:
    """Without a channel to write in, the server's owner gets the message."""
    weeks.archive().sources.add(site.feed, 15)
    await weeks.env.advance_time(9 * DAY)
    assert "have failed for a week" in said(weeks.guild.owner.dm_channel.last_message)


def test_servers_left_expire_unless_rejoined(tmp_path: Path) -> None:
    """A server's data is due for erasing some days after it was left, unless the bot came back."""
    servers = KnownServers(tmp_path / "servers.json", timedelta(days=30))
    assert servers.update([1, 2], NOW) == []
    assert servers.update([1], NOW) == []
    assert servers.update([1], NOW + timedelta(days=29)) == []
    assert servers.update([1, 2], NOW + timedelta(days=29)) == []
    assert servers.update([1], NOW + timedelta(days=30)) == []
    again = KnownServers(tmp_path / "servers.json", timedelta(days=30))
    assert again.update([1], NOW + timedelta(days=60)) == [2]
    again.remove(2)
    assert again.update([1], NOW + timedelta(days=90)) == []


def test_damaged_list_of_servers_is_reported(tmp_path: Path) -> None:
    """A list damaged by a power cut is reported with advice; the bot does not guess."""
    (tmp_path / "servers.json").touch()
    with pytest.raises(SettingsError, match=r"servers.json is damaged: delete it"):
        KnownServers(tmp_path / "servers.json", timedelta(days=30))


async def test_left_server_is_kept_then_erased(weeks: Newsroom, settings: Settings) -> None:
    """A server that removed the bot is kept for the set number of days, then erased."""
    other = Newsroom(weeks.env, "Elsewhere")
    other.stock(settings, settings.data / "elsewhere", gull="A gull flew over the harbour.")
    folder = settings.data / f"server-{other.guild.id}"
    await weeks.env.advance_time(3600)
    await weeks.env.bot.get_guild(other.guild.id).leave()
    await weeks.env.advance_time(29 * DAY)
    assert folder.is_dir()
    await weeks.env.advance_time(2 * DAY)
    assert not folder.exists()
    assert weeks.archive().size().articles == 2


async def test_leaving_while_the_bot_is_down_is_noticed(
    weeks: Newsroom, settings: Settings
) -> None:
    """A server that removed the bot while it was down counts as left at the start."""
    collections = Collections(settings, FakeEncoder())
    collections.archive(77).prepare()
    here = [weeks.guild.id, 77]
    KnownServers(settings.data / "servers.json", timedelta(days=30)).update(here, weeks.env.now())
    await weeks.env.restart_bot(OnRecord(collections, settings))
    await weeks.env.advance_time(29 * DAY)
    assert (settings.data / "server-77").is_dir()
    await weeks.env.advance_time(2 * DAY)
    assert not (settings.data / "server-77").exists()
    assert (settings.data / f"server-{weeks.guild.id}").is_dir()
    collections.close()


def test_another_processes_servers_are_not_left(tmp_path: Path) -> None:
    """A process with some of the shards does not count another process's servers as left."""
    shards = Discord(shards="0-1/4")
    known = KnownServers(tmp_path / "servers.json", timedelta(days=30), shards.serves)
    here, elsewhere = 1 << 22, 2 << 22
    now = datetime(2026, 3, 14, tzinfo=UTC)
    known.update([here, elsewhere], now)
    for day in (0, 31, 62):
        expired = known.update([], now + timedelta(days=day))
        assert expired == ([here] if day >= 31 else [])
        assert known.known() == {here}


async def test_a_failed_erasure_does_not_stop_the_others(
    weeks: Newsroom, settings: Settings
) -> None:
    """If a collection cannot be erased, that is logged, and the next is erased."""
    collections = Collections(settings, FakeEncoder())
    collections.archive(77).prepare()
    (settings.data / "server-66").mkdir()
    (settings.data / "server-66" / "catalogue.sqlite3").write_bytes(b"no database at all" * 99)
    here = [weeks.guild.id, 66, 77]
    KnownServers(settings.data / "servers.json", timedelta(days=30)).update(here, weeks.env.now())
    await weeks.env.restart_bot(OnRecord(collections, settings))
    await weeks.env.advance_time(31 * DAY)
    assert not (settings.data / "server-77").exists()
    collections.close()


async def test_schedule_leaves_a_reindexed_collection_alone(
    fed: Newsroom, held: HeldJobs, caplog: pytest.LogCaptureFixture
) -> None:
    """During a reindex, the schedule silently reads no source of that collection."""
    await fed.editor.slash(fed.channel, "reindex")
    await fed.env.advance_time(120)
    assert fed.archive().size().articles == 2
    assert len(fed.env.bot.jobs.running) == 1
    assert "scheduled work failed" not in caplog.text
    await held.release()
    assert fed.archive().size().articles == 3


async def test_reindex_is_refused_during_scheduled_reading(fed: Newsroom, held: HeldJobs) -> None:
    """While the schedule reads sources, a reindex is refused with the reason."""
    await fed.env.advance_time(61)
    assert [job.name for job in fed.env.bot.jobs.running.values()] == ["The schedule"]
    result = await fed.editor.slash(fed.channel, "reindex")
    assert "The schedule started a scheduled refresh" in said(result.response)
    assert fed.env.errors
    await held.release()


async def test_stop_lets_scheduled_work_end(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scheduled work that is running when the bot stops is completed."""
    go, ended = asyncio.Event(), []

    async def work(_: object, server: int, archive: Archive) -> None:
        await room.env.external_wait(go.wait(), reason="held by the test")
        await asyncio.to_thread(archive.size)
        ended.append(server)

    monkeypatch.setattr(Maintenance, "_refresh", work)
    monkeypatch.setattr(Sources, "due", lambda _: NOW - timedelta(days=365))
    await room.env.restart_bot(OnRecord(room.env.bot.collections, room.env.bot.settings))
    await room.env.advance_time(61)
    stopping = asyncio.create_task(room.env.bot.close())
    await asyncio.sleep(0.1)
    assert not stopping.done()
    go.set()
    await stopping
    assert ended == [room.guild.id]


async def test_a_slow_source_delays_no_other_collection(
    room: Newsroom, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a collection is read for minutes, another is read again and again."""
    monkeypatch.setattr(maintenance, "SCHEDULED_AT_ONCE", 2)
    rooms = [Newsroom(room.env, f"Server {number}") for number in range(3)]
    for other in rooms:
        other.stock(settings, settings.data / "reports", gull="A gull flew over the harbour.")
    slow = {other.guild.id: asyncio.Event() for other in rooms[:2]}
    begun: list[int] = []

    async def work(_: object, server: int, __: Archive) -> datetime:
        begun.append(server)
        if server in slow:
            await room.env.external_wait(slow[server].wait(), reason="held by the test")
        return room.env.now()

    monkeypatch.setattr(Maintenance, "_refresh", work)
    monkeypatch.setattr(Sources, "due", lambda _: NOW - timedelta(days=365))
    await room.env.restart_bot(OnRecord(room.env.bot.collections, room.env.bot.settings))
    first, second = slow
    slow[second].set()
    await room.env.advance_time(181)
    assert begun.count(first) == 1
    assert begun.count(room.guild.id) >= 3
    slow[second].clear()
    await room.env.advance_time(61)
    before = len(begun)
    await room.env.advance_time(61)
    assert len(begun) == before
    for event in slow.values():
        event.set()
    await room.env.settle()
    assert begun.count(rooms[2].guild.id) >= 4


async def test_a_collection_without_work_is_not_opened(
    fed: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collection is opened only when it changes or a source is due."""
    await fed.env.advance_time(5 * 60)
    opened: list[int | None] = []
    archive = Collections.archive

    def counted(collections: Collections, server: int | None, *, create: bool = True) -> Archive:
        opened.append(server)
        return archive(collections, server, create=create)

    monkeypatch.setattr(Collections, "archive", counted)
    await fed.env.advance_time(5 * 60)
    assert opened == []
    collection = archive(fed.env.bot.collections, fed.guild.id)
    collection.remove([collection.articles()[0].article_id])
    await fed.env.advance_time(61)
    assert len(opened) == 1  # for all that happens every minute
    opened.clear()
    await fed.env.advance_time(16 * 60)
    assert opened


async def test_a_schedule_survives_what_it_cannot_list(
    fed: Newsroom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If the collections cannot be listed once, that is logged, and the schedule goes on."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(Collections, "existing", broken)
        await fed.env.advance_time(61)
    assert "listing the collections failed" in caplog.text
    await fed.env.advance_time(61)
    assert fed.archive().size().articles == 3


async def test_stop_begins_nothing_more(
    room: Newsroom, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a stop, waiting work is not begun: no server, note or watch."""
    other = Newsroom(room.env, "Elsewhere")
    other.stock(settings, settings.data / "reports", gull="A gull flew over the harbour.")
    go, begun = asyncio.Event(), list[int]()

    async def work(_: object, server: int, __: Archive) -> None:
        begun.append(server)
        await room.env.external_wait(go.wait(), reason="held by the test")

    monkeypatch.setattr(maintenance, "ask_again", work)
    monkeypatch.setattr(maintenance, "watches_due", lambda *_: room.env.now())
    await room.env.restart_bot(OnRecord(room.env.bot.collections, room.env.bot.settings))
    await room.env.advance_time(61)
    bot = room.env.bot
    stopping = asyncio.create_task(bot.close())
    await asyncio.sleep(0.1)
    go.set()
    await stopping
    assert len(begun) == 1
    assert not await bot.jobs.run_silently(room.guild.id, "A refresh", lambda *_: IngestResult(0))


async def test_server_that_discord_still_knows_is_not_erased(
    weeks: Newsroom, settings: Settings
) -> None:
    """Before data is erased, Discord is asked whether the bot is still in the server."""
    servers = KnownServers(settings.data / "servers.json", timedelta(days=30))
    servers.update([weeks.guild.id], weeks.env.now() - timedelta(days=40))
    servers.update([], weeks.env.now() - timedelta(days=39))
    await weeks.env.bot.get_cog("Maintenance")._erase(weeks.guild.id)
    assert (settings.data / f"server-{weeks.guild.id}").is_dir()
    assert weeks.archive().size().articles == 2


async def test_warnings_have_a_limit(
    weeks: Newsroom, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When an hour's unasked messages are used up, a warning is sent later."""
    weeks.archive().sources.add(site.feed, 15)
    with monkeypatch.context() as full:
        full.setattr(weeks.env.bot.unasked, "wait_s", lambda _: 60.0)
        await weeks.env.advance_time(9 * DAY)
        assert weeks.guild.owner.dm_channel.history() == []
    await weeks.env.advance_time(DAY)
    assert "have failed for a week" in said(weeks.guild.owner.dm_channel.last_message)


async def test_old_answers_of_a_left_server_are_deleted(weeks: Newsroom) -> None:
    """While the collection of a left server is kept, its old answers are still deleted."""
    other = Newsroom(weeks.env, "Elsewhere")
    archive = other.archive()
    archive.answers.record(archive.ask("Who?"), channel=1, message=2)
    await weeks.env.advance_time(3600)
    await weeks.env.bot.get_guild(other.guild.id).leave()
    with archive.answers._writing() as db:
        db.execute("UPDATE answer SET at = '2020-01-01T00:00:00+00:00'")
    await weeks.env.advance_time(2 * DAY)
    with archive.answers._snapshot() as snapshot:
        assert snapshot.db.execute("SELECT count(*) FROM answer").fetchone() == (0,)


async def test_weekly_counts_are_opt_in(weeks: Newsroom) -> None:
    """Weekly counts are sent only if chosen, and then every seven days."""
    desk = weeks.guild.create_text_channel("desk")
    await weeks.env.advance_time(2 * DAY)
    assert desk.history() == []
    archive = weeks.archive()
    for name, value in (("notices", desk.id), ("weekly", True)):
        archive.preferences.put(weeks.guild.id, name, value, actor="operator", note="")
    answer = archive.ask("Who guards the gate?")
    archive.answers.record(answer, server=weeks.guild.id, channel=1, message=2)
    await weeks.env.advance_time(2 * DAY)
    (note,) = desk.history()
    assert "### The last seven days" in said(note)
    assert "0 quotes flagged as wrong" in said(note)
    await weeks.env.advance_time(8 * DAY)
    assert len(desk.history()) == 2
