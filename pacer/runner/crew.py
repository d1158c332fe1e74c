"""
Tasks that are kept: a call to a near service is shorter than the making of a task for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from anyio.abc import TaskGroup

Job = tuple[Callable[[Any], Awaitable[None]], Any]


class Crew:
    """
    Runs jobs at once, each in a task that has none, or in a new one.

    There are never more tasks than there were jobs at the same time.
    """

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._idle: list[_Hand] = []
        self._dismissed = False

    def start(self, work: Callable[[Any], Awaitable[None]], about: Any) -> None:
        """Begin ``work(about)``; what it raises ends the task group."""
        if self._idle:
            self._idle.pop().give((work, about))
        else:
            self._tasks.start_soon(self._serve, (work, about))

    def dismiss(self) -> None:
        """Let every task end once it has no job."""
        self._dismissed = True
        while self._idle:
            self._idle.pop().give(None)

    async def _serve(self, job: Job | None) -> None:
        while job is not None:
            work, about = job
            await work(about)
            if self._dismissed:
                return
            hand = _Hand()
            self._idle.append(hand)
            job = await hand.next()


class _Hand:
    """An idle task."""

    __slots__ = ("_job", "_wanted")

    def __init__(self) -> None:
        self._wanted = anyio.Event()
        self._job: Job | None = None

    def give(self, job: Job | None) -> None:
        """Wake it with a *job*; None sends it home."""
        self._job = job
        self._wanted.set()

    async def next(self) -> Job | None:
        """Return the next job; None when there will be none."""
        await self._wanted.wait()
        return self._job
