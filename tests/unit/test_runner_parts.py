"""The parts of the runner by themselves, where a defect or a cancelled group meets them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import anyio
import pytest

from pacer.errors import JournalLost
from pacer.journal.entries import Entry, Sent
from pacer.journal.memory import MemoryJournal
from pacer.runner.crew import Crew
from pacer.runner.writer import JournalWriter

ResultT = TypeVar("ResultT")


async def inline(function: Callable[[], ResultT], /) -> ResultT:
    """Run it here."""
    return function()


class Broken(MemoryJournal):
    """A journal with a defect."""

    def write(self, entries: Sequence[Entry]) -> None:
        """Fail as no disk does."""
        raise ZeroDivisionError


async def test_an_intent_that_met_a_defect_is_not_durable() -> None:
    """Whoever waits for it is told, and sends nothing."""
    writer = JournalWriter(Broken(), None, inline)
    writing = asyncio.create_task(writer.run())
    with pytest.raises(JournalLost):
        await writer.commit(Sent(0, 1.0))
    with pytest.raises(JournalLost):
        await writer.commit()
    with pytest.raises(ZeroDivisionError):
        await writing


async def test_a_task_is_used_again() -> None:
    """There are as many tasks as there were jobs at once, not as many as there were jobs."""
    used: set[asyncio.Task[None] | None] = set()

    async def work(about: int) -> None:
        used.add(asyncio.current_task())
        await asyncio.sleep(0)

    async with anyio.create_task_group() as tasks:
        crew = Crew(tasks)
        for _ in range(10):
            crew.start(work, 0)
            crew.start(work, 1)
            await anyio.wait_all_tasks_blocked()
        crew.dismiss()
    assert len(used) == 2


async def test_a_job_that_fails_is_the_only_failure() -> None:
    """A job that is given while the group is being cancelled adds no error of its own."""

    async def idle(about: int) -> None:
        pass

    async def fail(about: int) -> None:
        raise KeyError("a defect")

    async def work_on() -> None:
        async with anyio.create_task_group() as tasks:
            crew = Crew(tasks)
            for about in range(3):
                crew.start(idle, about)
            await anyio.wait_all_tasks_blocked()
            crew.start(fail, 0)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.sleep(0.01)
                crew.start(idle, 0)
                crew.dismiss()

    with pytest.raises(ExceptionGroup) as caught:
        await work_on()
    assert [type(error) for error in caught.value.exceptions] == [KeyError]
