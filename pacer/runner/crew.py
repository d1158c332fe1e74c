"""
Tasks that are kept: a call to a near service is shorter than the making of a task for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from anyio.abc import TaskGroup

Job: TypeAlias = tuple[Callable[[Any], Awaitable[None]], Any]


class Crew:
    """
    Runs jobs at once, each in a task that has none, or in a new one.

    There are never more tasks than there were jobs at the same time.
    """

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._idle: list[asyncio.Future[Job | None]] = []
        self._dismissed = False

    def start(self, work: Callable[[Any], Awaitable[None]], about: Any) -> None:
        """Begin ``work(about)``; what it raises ends the task group."""
        if not self._give((work, about)):
            self._tasks.start_soon(self._serve, (work, about))

    def dismiss(self) -> None:
        """Let every task end once it has no job."""
        self._dismissed = True
        while self._give(None):
            pass

    def _give(self, job: Job | None) -> bool:
        """Wake an idle task with a *job*, None to send it home; return whether there was one."""
        while self._idle:
            idle = self._idle.pop()
            if not idle.done():  # a group that is being cancelled has cancelled it
                idle.set_result(job)
                return True
        return False

    async def _serve(self, job: Job | None) -> None:
        while job is not None:
            work, about = job
            await work(about)
            if self._dismissed:
                return
            given: asyncio.Future[Job | None] = asyncio.get_running_loop().create_future()
            self._idle.append(given)
            job = await given
