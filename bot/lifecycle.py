"""Run until a signal: the first asks for an orderly stop, the second ends the process at once.

SIGTERM (docker stop, systemd) is handled like SIGINT (Ctrl-C): the first process of a container
receives only signals that it handles.
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
ANSWERS_S = 6.5  # for work in flight to finish
_PROCESS_S = 8.5  # after which the process ends, whatever is still running; commits are atomic


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Yield an event that the first SIGTERM or SIGINT sets; the process ends soon after.

    Its exit status is 1 if the body of the `with` statement raises, else 0.
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
        # Tearing down modules has no time limit, since the timer's thread is gone by then: skip it.
        atexit.register(end)
        loop.call_soon_threadsafe(stop)

    before = {number: signal.signal(number, receive) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    except BaseException:
        status = 1
        raise
    finally:
        if not numbers:  # else keep the handlers, for a second signal while the process ends
            for number, handler in before.items():
                signal.signal(number, handler)


async def run_until(stopped: asyncio.Event, work: Coroutine[Any, Any, object]) -> None:
    """Await work, or cancel it as soon as `stopped` is set; raise what it raises."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
    if not working.cancelled():
        working.result()


async def finish(prefixes: tuple[str, ...], seconds: float) -> int:
    """Wait for the tasks whose names have one of these prefixes; return how many are unfinished."""

    def running() -> set[asyncio.Task[Any]]:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        return {task for task in tasks if task.get_name().startswith(prefixes)}

    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (tasks := running()) and (left := end - loop.time()) > 0:
        await asyncio.wait(tasks, timeout=left)  # then look for tasks that these have started
    return len(tasks)
