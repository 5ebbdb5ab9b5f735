"""Monitor the bot from this machine: `/metrics` for Prometheus, and `/healthz`.

They have counts and times, but never what was asked, by whom or where.
"""

from __future__ import annotations

import contextlib
import math
import platform
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from index import SettingsError

if TYPE_CHECKING:
    from bot.bot import OnRecord

_HOST = "127.0.0.1"  # not reachable from other machines
_COUNTED = CollectorRegistry()  # for this process, whatever bots it runs
_STAGES = Histogram(
    "onrecord_stage_seconds",
    "Seconds that each stage of an answer took: waiting, answering, checking its quotes, sending.",
    ["stage"],
    registry=_COUNTED,
    buckets=(0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 30, 60),
)
_QUESTIONS = Counter(
    "onrecord_questions", "Questions: answered or declined.", ["status"], registry=_COUNTED
)
_ERRORS = Counter("onrecord_errors", "What went wrong, by class.", ["kind"], registry=_COUNTED)


def stage(name: str) -> contextlib.AbstractContextManager[object]:
    """Time a block as a stage of an answer."""
    timer: contextlib.AbstractContextManager[object] = _STAGES.labels(name).time()
    return timer


def count_question(status: str) -> None:
    """Count an answer or a decline."""
    _QUESTIONS.labels(status).inc()


def count_error(error: BaseException) -> None:
    """Count an error by its class."""
    _ERRORS.labels(type(error).__name__).inc()


class _State(Collector):
    """The present state of the bot, collected on demand."""

    def __init__(self, bot: OnRecord) -> None:
        self._bot = bot

    def collect(self) -> Iterator[Metric]:
        bot = self._bot
        shards = bot.shards.values()
        latencies = [shard.latency for shard in shards if math.isfinite(shard.latency)]
        gauges: dict[str, tuple[str, float]] = {
            "ready": ("1 once all servers are known.", bot.is_ready()),
            "gateway_shards": ("Connections to Discord that should be open.", len(shards)),
            "gateway_open": (
                "Connections to Discord that are open.",
                sum(not shard.is_closed() for shard in shards),
            ),
            "gateway_latency_seconds": ("The slowest heartbeat.", max(latencies, default=math.nan)),
            "servers": ("Servers that the bot is in.", len(bot.guilds)),
            "questions_waiting": ("Questions that wait for a turn.", bot.turns.waiting),
            "questions_running": ("Questions that are being answered.", bot.turns.running),
            "jobs_running": ("Jobs that run or wait.", len(bot.jobs.running)),
        }
        for name, (about, value) in gauges.items():
            yield GaugeMetricFamily(f"onrecord_{name}", about, float(value))
        versions = {
            "version": version("onrecord"),
            "discord_py": version("discord.py"),
            "python": platform.python_version(),
            "encoder": bot.settings.model.name,
            "reader": str(bot.settings.answers.reader).lower(),
        }
        yield InfoMetricFamily("onrecord_build", "What is running.", versions)


def trouble(bot: OnRecord) -> str:
    """Return in a few words why the bot cannot answer at the moment; "" if it can."""
    if bot.stopping or bot.is_closed():
        return "stopping"
    if not bot.is_ready():
        return "starting"
    closed = sum(shard.is_closed() for shard in bot.shards.values())
    return f"not connected to Discord ({closed} of {len(bot.shards)} shards)" if closed else ""


@contextlib.asynccontextmanager
async def served(bot: OnRecord, port: int) -> AsyncIterator[None]:
    """Serve both pages to this machine inside the block; with a `port` of 0, serve nothing.

    Raises:
        SettingsError: the port is taken.
    """
    if not port:
        yield
        return
    states = CollectorRegistry()
    states.register(_State(bot))

    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(_COUNTED) + generate_latest(states)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def health(_: web.Request) -> web.Response:
        reason = trouble(bot)
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    pages = web.Application()
    pages.add_routes([web.get("/metrics", metrics), web.get("/healthz", health)])
    runner = web.AppRunner(pages, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, _HOST, port).start()
        except OSError as error:
            raise SettingsError(
                f"The setting metrics.port is {port}, which cannot be used ({error.strerror}): "
                "choose another."
            ) from error
        yield
    finally:
        await runner.cleanup()
