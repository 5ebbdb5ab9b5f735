"""The log: an event per line, with fields, without secrets, and with details of failures."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.newsroom import ASKED, Newsroom, Site, discord_with

from bot.jobs import Job
from bot.logs import Formatter, configure, fields
from bot.settings import Logs, Settings
from index import (
    Archive,
    CancelledError,
    IngestResult,
    Progress,
    ProgressCallback,
    StoreBusyError,
)


def line(message: str, **values: object) -> str:
    """Return the line for a message with fields, where TOKEN is the secret."""
    record = logging.LogRecord("bot.x", logging.INFO, "", 0, message, None, None)
    record.__dict__.update(fields(**values))
    return Formatter(["TOKEN"]).format(record)


def test_fields_stay_on_one_line() -> None:
    """A value with spaces, quotes or line breaks is quoted; a value of None is left out."""
    text = line("done", count=2, title='a "b"\nc', server=None)
    assert text.endswith(r'INFO bot.x done count=2 title="a \"b\"\nc"')
    assert "\n" not in text


def test_secrets_are_left_out() -> None:
    """The tokens of the bot and of an interaction's reply are never written."""
    address = "https://discord.com/api/v10/webhooks/12/aW50ZX.J-h_w==/messages"
    text = line(f"failed with TOKEN: POST {address}", header="Bot TOKEN")
    assert "TOKEN" not in text
    assert "aW50ZX" not in text
    assert "/webhooks/12/[secret]" in text


async def test_a_failure_names_command_server_and_user(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error is logged with command, server, user and traceback."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Archive, "ask", broken)
    await room.reader.slash(room.channel, "ask", question=ASKED)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    for part in ("ask", f"server {room.guild.id}", f"user {room.reader.id}"):
        assert part in record.getMessage()
    assert record.exc_info
    assert room.env.errors


@pytest.mark.parametrize("wanted", [False, True])
async def test_questions_are_logged_only_if_wanted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, wanted: bool
) -> None:
    """A question's text is logged only if the settings allow it, and its asker never."""
    caplog.set_level(logging.DEBUG, "bot")
    settings = Settings(data=tmp_path, logs=Logs(questions=wanted))
    async with discord_with(settings) as room:
        await room.reader.slash(room.channel, "ask", question=ASKED)
        user = room.reader.id
    written = "\n".join(Formatter().format(record) for record in caplog.records)
    assert "question answered id=" in written
    assert str(user) not in written
    assert ("Hallow" in written) == wanted


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("permitted", [False, True])
def test_messages_are_logged_only_if_wanted(*, debug: bool, permitted: bool) -> None:
    """discord.py's DEBUG lines with messages are written only if the settings allow it."""
    with restored_loggers():
        configure(Logs(level="DEBUG", questions=permitted), [], debug=debug)
        gateway = logging.getLogger("discord.gateway")
        assert gateway.isEnabledFor(logging.DEBUG) == permitted
        assert gateway.isEnabledFor(logging.INFO)
        assert logging.getLogger("bot").isEnabledFor(logging.DEBUG)
        configure(Logs(level="ERROR"), [])
        assert not gateway.isEnabledFor(logging.INFO)


@contextmanager
def restored_loggers() -> Iterator[None]:
    """Undo what `configure` does to the loggers of this process."""
    loggers = [logging.getLogger(name) for name in ("", "bot", "index", "discord")]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    try:
        yield
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers


async def test_jobs_are_logged(
    room: Newsroom, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Reading sources is logged with counts, and a failing source without its query."""
    caplog.set_level(logging.INFO, "bot")
    site.publish("The tide rose at dawn.")
    site.reach(room.archive())
    room.archive().sources.add(site.feed, 15)
    room.archive().sources.add(site.feed + "s?key=abc", 15)
    await room.env.advance_time(61)
    written = "\n".join(Formatter().format(record) for record in caplog.records)
    assert 'job finished job="A scheduled refresh" collection=server-' in written
    assert "added=1" in written
    assert f"source={site.feed}s reason=" in written
    assert "key=abc" not in written


async def test_how_each_job_ended_is_logged(
    room: Newsroom, caplog: pytest.LogCaptureFixture
) -> None:
    """A stopped and a failed job are logged like a finished one."""
    caplog.set_level(logging.INFO, "bot")
    jobs, collection = room.env.bot.jobs, f"server-{room.guild.id}"

    def fail(*_: object) -> IngestResult:
        raise StoreBusyError("Another process is writing.")

    def stop(_: Archive, on_progress: ProgressCallback) -> IngestResult:
        job.stopped_by = "Ada"
        on_progress(Progress(1, 2, None, "Dam"))
        raise AssertionError

    for task, error in ((fail, StoreBusyError), (stop, CancelledError)):
        job = Job(collection, "Adding", 0, "Ada")
        with pytest.raises(error):
            await jobs.run(job, task)
    lines = [Formatter().format(record) for record in caplog.records]
    ended = [line.partition(" bot.jobs ")[2] for line in lines if "started" not in line]
    place = f"job=Adding collection={collection}"
    assert ended == [
        f"job failed {place} error=StoreBusyError",
        f'job stopped {place} reason="Ada stopped it"',
    ]


async def test_a_busy_collection_is_no_failure(
    room: Newsroom,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While another process holds the collection, a line says so; then the source is read."""
    site.publish("The tide rose at dawn.")
    site.reach(room.archive())
    room.archive().sources.add(site.feed, 15)

    def busy(*_: object, **__: object) -> None:
        raise StoreBusyError("Another process is writing.")

    with monkeypatch.context() as patch:
        patch.setattr("index.store.sqlite.SqliteStore.commit", busy)
        await room.env.advance_time(61)
    assert f"reading sources failed for server {room.guild.id}: Another process" in caplog.text
    assert "Traceback" not in caplog.text
    for source in room.archive().sources.all():
        assert (source.failures, source.error) == (0, None)
    await room.env.advance_time(61)
    assert room.archive().size().articles == 3
