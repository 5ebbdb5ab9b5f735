"""Decide who is answered next: the queue is bounded, and no server or person can occupy it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from index import QuestionError

_MOST_OF_PERSON = 2  # a person's questions queued or being answered; others wait to be queued
_MOST_WAITING = 128  # half a minute's work for two cores


class BusyError(QuestionError):
    """Too many questions are waiting."""


class Turns:
    """Gives turns to servers in rotation, as many at once as there are threads.

    Attributes:
        running: the number of questions that have a turn.
    """

    def __init__(self, at_once: int, *, most_waiting: int = _MOST_WAITING) -> None:
        """Give `at_once` turns at a time; at most `most_waiting` more questions wait."""
        self.running = 0
        self._at_once, self._most_waiting = at_once, most_waiting
        self._lines: dict[int | None, deque[asyncio.Future[None]]] = {}  # the next server is first
        # A semaphore lives as long as a question of that person waits for it or holds it.
        self._people = WeakValueDictionary[int, asyncio.Semaphore]()
        self._here = 0

    @property
    def waiting(self) -> int:
        """The number of questions that wait for a turn."""
        return self._here - self.running

    @asynccontextmanager
    async def turn(self, server: int | None, person: int | None) -> AsyncIterator[None]:
        """Wait for a turn and hold it; without a `person` (scheduled work) it is never refused.

        Raises:
            BusyError: at once, if too many questions are waiting already.
        """
        full = self.running == self._at_once and self.waiting >= self._most_waiting
        if full and person is not None:
            raise BusyError("Too many people are asking at this moment: try again in a minute.")
        self._here += 1
        try:
            async with self._of(person), self._held(server):
                yield
        finally:
            self._here -= 1

    @asynccontextmanager
    async def _of(self, person: int | None) -> AsyncIterator[None]:
        """Wait until a person may queue another question."""
        if person is None:
            yield
            return
        async with self._people.setdefault(person, asyncio.Semaphore(_MOST_OF_PERSON)):
            yield

    @asynccontextmanager
    async def _held(self, server: int | None) -> AsyncIterator[None]:
        if self.running < self._at_once:
            self.running += 1
        else:
            await self._wait(server)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, server: int | None) -> None:
        given = asyncio.get_running_loop().create_future()
        self._lines.setdefault(server, deque()).append(given)
        try:
            await given
        except asyncio.CancelledError:
            if not given.cancelled():  # the turn was given at the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give an ended turn to the next question in line, whose server then comes last."""
        while self._lines:
            server = next(iter(self._lines))
            line = self._lines.pop(server)
            given = line.popleft()
            if line:
                self._lines[server] = line
            if not given.cancelled():
                given.set_result(None)
                return
        self.running -= 1
