"""Run until a signal: the first one asks for an orderly stop, the second ends the process at once.

A process that is the first of its container gets no signal that it does not handle itself, so both
are handled here, SIGTERM (docker stop, systemd) like SIGINT (Ctrl-C).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)
ANSWERS_S = 6.5  # in which what was begun is finished
_PROCESS_S = 8.5  # after which the process ends, whatever is still at work; commits are whole


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGTERM or SIGINT sets; the process ends soon after it.

    It ends with status 1 if what runs meanwhile fails, else with 0.
    """
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    numbers: list[int] = []
    status = 0

    def end() -> None:
        os._exit(status)

    def stop() -> None:
        log.info("stopping after %s", signal.Signals(numbers[0]).name)
        stopped.set()

    def receive(number: int, _: FrameType | None) -> None:
        numbers.append(number)
        if len(numbers) > 1:
            os._exit(128 + number)
        limit = threading.Timer(_PROCESS_S, end)
        limit.daemon = True
        limit.start()
        # Python takes its modules apart without a limit, since no thread runs by then: do not.
        atexit.register(end)
        loop.call_soon_threadsafe(stop)

    before = {number: signal.signal(number, receive) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    except BaseException:
        status = 1
        raise
    finally:
        if not numbers:  # else a second signal still counts while the process ends
            for number, handler in before.items():
                signal.signal(number, handler)


async def run_until(stopped: asyncio.Event, work: Coroutine[Any, Any, object]) -> None:
    """Work until that is done, or cancel it as soon as `stopped` is set; raise what it raises."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
    if not working.cancelled():
        working.result()


async def finish(prefixes: tuple[str, ...], seconds: float) -> int:
    """Wait until the tasks whose names begin so have ended; return how many have not in time."""

    def running() -> set[asyncio.Task[Any]]:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        return {task for task in tasks if task.get_name().startswith(prefixes)}

    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (tasks := running()) and (left := end - loop.time()) > 0:
        await asyncio.wait(tasks, timeout=left)  # those that they begin count as well
    return len(tasks)
