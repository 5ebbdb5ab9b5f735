"""The bot as a process on real sockets: it starts, answers at once, and stops in good order."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from support.discord_server import (
    BROKEN,
    CHANNEL,
    GUILD,
    READER,
    DiscordServer,
    Fault,
    discord_server,
)
from support.fakes import FakeEncoder
from support.processes import environment

from index import Archive

TOKEN = "MTAw.not-a.token"  # noqa: S105 - of nobody
ASKED = "When did the gate at Hallow Dam fail?"
BOT = [sys.executable, "-m", "support.started_bot"]
START_S = 180  # of a busy machine


def can_be_first() -> bool:
    """Return whether this user may start a process as the first of a container."""
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([unshare, "-pf", "true"], check=False).returncode == 0


@dataclass
class Started:
    """A bot that is running."""

    process: asyncio.subprocess.Process
    first: bool
    lines: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    log: str = ""

    async def logged(self, words: str) -> str:
        """Wait for a line of the log."""
        async with asyncio.timeout(START_S):
            while words not in (line := await self.lines.get()):
                assert line, self.log
        return line

    def send(self, number: int) -> None:
        """Send a signal to the bot itself, not to the process that started it."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        os.kill(int(children.read_text().split()[0]) if self.first else pid, number)

    async def ended(self) -> int:
        """Wait until the bot has ended; return its status."""
        async with asyncio.timeout(START_S):
            return await self.process.wait()


@asynccontextmanager
async def started(
    data: Path,
    server: DiscordServer | None,
    *arguments: str,
    seconds: float = 0,
    first: bool = False,
) -> AsyncIterator[Started]:
    """Run `onrecord ARGUMENTS`; a question takes `seconds` (see `support.started_bot`)."""
    settings = data / "onrecord.toml"
    settings.write_text("[discord]\nquestions_per_minute = 100\n[answers]\nthreshold = 0.0\n")
    variables = {
        **environment(),
        "ONRECORD_TEST_DISCORD": server.url if server else "",
        "ONRECORD_TEST_SECONDS": str(seconds),
        "ONRECORD_DATA": str(data),
        "ONRECORD_CONFIG": str(settings),
        "DISCORD_TOKEN": TOKEN,
    }
    command = [*(["unshare", "--pid", "--fork", "--kill-child"] if first else []), *BOT, *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, env=variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    running = Started(process, first)

    async def read() -> None:
        assert process.stdout is not None
        while line := (await process.stdout.readline()).decode():
            running.log += line
            running.lines.put_nowait(line)
        running.lines.put_nowait("")

    reading = asyncio.create_task(read())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Make a data folder with the server's collection."""
    text = "The gate at Hallow Dam failed on Monday. Two people died, the authority said."
    row = f'{{"id": "dam", "text": "{text}"}}\n'.encode()
    with closing(Archive.open(tmp_path, f"server-{GUILD}", FakeEncoder())) as archive:
        archive.add(["-"], stream=io.BytesIO(row))
    return tmp_path


FIRST = pytest.param(
    *(signal.SIGTERM, True),
    marks=pytest.mark.skipif(not can_be_first(), reason="needs the right to make namespaces"),
    id="as process 1",
)


@pytest.mark.parametrize(
    ("number", "first"),
    [
        pytest.param(signal.SIGTERM, False, id="SIGTERM"),
        pytest.param(signal.SIGINT, False, id="SIGINT"),
        FIRST,
    ],
)
async def test_stop_loses_no_answer(data: Path, number: int, *, first: bool) -> None:
    """Stopped under load, the bot sends every answer in flight and ends with status 0."""
    async with discord_server() as server:
        async with started(data, server, "bot", seconds=0.4, first=first) as bot:
            await bot.logged(" ready ")
            asked = [await server.ask(f"{ASKED} {count}") for count in range(8)]
            await server.typing.wait()  # it has begun with the first
            await asyncio.sleep(0.1)
            assert not any(one.answers for one in asked)
            begun = time.monotonic()
            bot.send(number)
            assert await bot.ended() == 0
            seconds = time.monotonic() - begun
        assert seconds < 10
        assert all(one.answers for one in asked)
        assert "unfinished=0" in bot.log


async def test_a_second_signal_ends_it_at_once(data: Path) -> None:
    """While the bot waits for an answer, a second signal ends it with a status that says so."""
    async with discord_server() as server, started(data, server, "bot", seconds=60) as bot:
        await bot.logged(" ready ")
        await server.ask(ASKED)
        await asyncio.sleep(0.5)
        bot.send(signal.SIGTERM)
        await bot.logged("stopping after SIGTERM")
        bot.send(signal.SIGTERM)
        assert await bot.ended() == 128 + signal.SIGTERM


async def test_stop_does_not_wait_for_ever(data: Path) -> None:
    """An answer that never ends delays the stop by less than ten seconds, and is logged."""
    async with discord_server() as server, started(data, server, "bot", seconds=60) as bot:
        await bot.logged(" ready ")
        await server.ask(ASKED)
        await asyncio.sleep(0.5)
        begun = time.monotonic()
        bot.send(signal.SIGTERM)
        assert await bot.ended() == 0
        assert time.monotonic() - begun < 10.5
    assert "unfinished=1" in bot.log


def test_unloading_python_does_not_delay_the_end() -> None:
    """Once all is closed, the process ends without waiting for its modules."""
    script = (
        "import asyncio, os, signal, time; from bot.lifecycle import stop_signals\n"
        "class Slow:\n"
        "    def __del__(self, sleep=time.sleep): sleep(60)\n"
        "slow = Slow()\n"
        "async def main():\n"
        "    with stop_signals() as stopped:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        await stopped.wait()\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", script], timeout=30, check=True)


@pytest.mark.parametrize(("line", "status"), [("pass", 0), ("raise ValueError", 1)])
def test_a_failure_while_stopping_has_a_status(line: str, status: int) -> None:
    """If a part fails after the signal, the process ends with a status of its own."""
    script = (
        "import asyncio, os, signal; from bot.lifecycle import stop_signals\n"
        "async def main():\n"
        "    with stop_signals() as stopped:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        await stopped.wait()\n"
        f"        {line}\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], timeout=60, check=False, stderr=subprocess.DEVNULL
    )
    assert ended.returncode == status


async def test_commands_are_sent_when_they_changed(data: Path) -> None:
    """Commands are sent to Discord at the first start, and later only when asked for."""
    async with discord_server() as server:
        for arguments, synced in (((), 1), ((), 1), (("--sync",), 2)):
            async with started(data, server, "bot", *arguments) as bot:
                await bot.logged(" ready ")
                assert server.synced == synced
        (data / "commands.sha256").write_text("of other commands")
        async with started(data, server, "bot") as bot:
            await bot.logged(" ready ")
        assert server.synced == 3


async def test_log_of_a_healthy_run(data: Path) -> None:
    """The log has the start, a question's result, and the end; no question, asker or secret."""
    async with discord_server() as server, started(data, server, "bot", "--debug") as bot:
        await bot.logged(" ready ")
        await server.ask(ASKED)
        await bot.logged("question answered")
        bot.send(signal.SIGTERM)
        await bot.ended()
    for pattern in (
        rf"INFO bot.bot starting version=\S+ encoder=\S+ data={data}",
        r"INFO bot.bot ready servers=1 ",
        r"INFO bot.answers question answered id=[0-9a-f]{12} ",
        rf" server={GUILD} ms=\d+ status=answered quotes=1",
        r"INFO bot.lifecycle stopping after SIGTERM",
        r"INFO bot.bot stopped seconds=\S+ unfinished=0",
    ):
        assert re.search(pattern, bot.log), pattern
    assert TOKEN not in bot.log
    assert "Traceback" not in bot.log


async def test_demo_stops_too(data: Path) -> None:
    """The demo stops like the bot, and leaves nothing behind."""
    async with started(data, None, "demo", "--no-browser", "--port", "0") as demo:
        await demo.logged("Stop it with Ctrl-C")
        begun = time.monotonic()
        demo.send(signal.SIGTERM)
        assert await demo.ended() == 0
        assert time.monotonic() - begun < 10
    assert "Traceback" not in demo.log


@pytest.mark.encoder
async def test_first_answer_comes_at_once(data: Path) -> None:
    """With the real encoder, the first question is answered within two seconds."""
    async with discord_server() as server, started(data, server, "bot", seconds=-1) as bot:
        await bot.logged(" ready ")
        begun = time.monotonic()
        asked = await server.ask(ASKED)
        async with asyncio.timeout(START_S):
            await asked.done.wait()
        assert time.monotonic() - begun < 2


def free_port() -> int:
    """Return an unused port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_a_monitor_sees_counts_and_nobody(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/metrics has counts but no question, person or server; /healthz shows the connection."""
    port = free_port()
    monkeypatch.setenv("ONRECORD_METRICS_PORT", str(port))
    page = f"http://127.0.0.1:{port}"
    async with (
        discord_server() as server,
        started(data, server, "bot") as bot,
        aiohttp.ClientSession() as session,
    ):
        await bot.logged(" ready ")
        asked = await server.ask(ASKED)
        await bot.logged("question answered")
        await asked.done.wait()
        async with session.get(f"{page}/healthz") as shown:
            assert (shown.status, await shown.text()) == (200, "ok\n")
        async with session.get(f"{page}/metrics") as shown:
            text = await shown.text()
        await server.cut()
        health = "ok\n"
        async with asyncio.timeout(START_S):
            while health == "ok\n":
                await asyncio.sleep(0.05)
                async with session.get(f"{page}/healthz") as shown:
                    health = await shown.text()
        assert (shown.status, health) == (503, "not connected to Discord (1 of 1 shards)\n")
    for line in (
        'onrecord_questions_total{status="answered"} 1.0',
        'onrecord_stage_seconds_count{stage="waiting"} 1.0',
        'onrecord_stage_seconds_count{stage="answering"} 1.0',
        'onrecord_stage_seconds_count{stage="sending"} 1.0',
        "onrecord_gateway_open 1.0",
        "onrecord_servers 1.0",
        "onrecord_questions_waiting 0.0",
        "onrecord_build_info{",
    ):
        assert line in text
    words = re.sub(r" \S+$", "", text, flags=re.MULTILINE)  # without the numbers counted
    for private in ("Hallow", GUILD, CHANNEL, READER, str(data)):
        assert private not in words
    named = {*re.findall(r"# TYPE (\S+?(?<!_created)) ", text)}
    guide = (Path(__file__).parents[2] / "config" / "README.md").read_text(encoding="utf-8")
    assert named == {*re.findall(r"`(onrecord_\w+)`", guide)}


async def test_a_taken_port_is_reported(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the port for monitors is in use, the start fails and says what to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("ONRECORD_METRICS_PORT", str(taken.getsockname()[1]))
        async with discord_server() as server, started(data, server, "bot") as bot:
            assert await bot.ended() == 2
    assert "The setting metrics.port is" in bot.log
    assert "choose another" in bot.log


async def test_discord_may_be_down_at_the_start(data: Path) -> None:
    """The bot says so and tries again, and starts once Discord answers."""
    port = free_port()
    down = DiscordServer()
    down.url = f"http://127.0.0.1:{port}/api"
    async with started(data, down, "bot") as bot:
        await bot.logged("Discord cannot be reached (ClientConnectorError); trying again in 2 s")
        async with discord_server(port) as server:
            await bot.logged(" ready ")
            await server.ask(ASKED)
            await bot.logged("question answered")
            bot.send(signal.SIGTERM)
            assert await bot.ended() == 0
    assert "Traceback" not in bot.log
    assert "Unclosed" not in bot.log


async def test_each_question_is_answered_once_whatever_discord_does(data: Path) -> None:
    """Whether requests are limited, fail or break off, each question is answered once.

    Each is sent again, and no message comes twice.
    """
    failing = [Fault(status, late) for status in (500, 502, BROKEN) for late in (False, True)]
    limited = Fault(429)
    async with discord_server() as server, started(data, server, "bot") as bot:
        await bot.logged(" ready ")
        asked = [await server.ask(ASKED, faults=[fault]) for fault in (*failing, limited)]
        # Of what acknowledges a command, which Discord does not limit; and of its answer.
        faults: list[list[Fault | None]] = [[fault] for fault in failing]
        faults += [[None, fault] for fault in (*failing, limited)]
        asked += [await server.ask(ASKED, command=True, faults=both) for both in faults]
        async with asyncio.timeout(START_S):
            for one in asked:
                await one.done.wait()
        await asyncio.sleep(1)  # in which a second answer would come
        for one in asked:
            (answer,) = one.answers.values()
            assert "Quoted verbatim" in answer
    assert "Traceback" not in bot.log


@pytest.mark.parametrize("resumable", [True, False])
async def test_questions_are_answered_when_the_gateway_drops(
    data: Path, *, resumable: bool
) -> None:
    """Answers in flight arrive, missed events are caught up on, and nothing comes twice."""
    async with discord_server() as server, started(data, server, "bot", seconds=0.5) as bot:
        await bot.logged(" ready ")
        asked = [await server.ask(ASKED), await server.ask(f"{ASKED} 2", command=True)]
        await server.typing.wait()
        await server.drop(resumable=resumable)
        if resumable:  # what is asked before a new session begins is lost: Discord says nothing
            asked.append(await server.ask(f"{ASKED} 3"))
        async with asyncio.timeout(START_S):
            await server.connected.wait()
            asked.append(await server.ask(f"{ASKED} 4"))
            for one in asked:
                await one.done.wait()
        await asyncio.sleep(1)
        assert [len(one.answers) for one in asked] == [1] * len(asked)
        assert server.sessions == 1 + (not resumable)
    assert "Traceback" not in bot.log
