"""
One process that works on a batch: the real runner, until it ends by itself or is killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pacer.clock import FakeClock
from pacer.instrumentation.happening import Happening
from pacer.results import ResultsFile
from pacer.runner import Outcome, Runner
from tests.reliability.crashing import Fuse, MortalJournal, mortal, stepping
from tests.reliability.network import Line, Network
from tests.reliability.plan import End, Plan

ResultT = TypeVar("ResultT")

LONGEST = 30_000.0
"""Virtual seconds: longer than any limit of pacer's own together with what a plan can last."""


class Stuck(Exception):
    """A run that does not come to an end."""


@dataclass(slots=True)
class Process:
    """
    What one process is born with.

    Attributes:
        plan: The world it lives in.

        journal, results: Its files.

        network: Its way to the service.

        epoch: Its wall clock at time 0.

        number: Of the invocation, from 0.

        end: What befalls it.

        happened: Where it tells what happens, as long as it lives.
    """

    plan: Plan
    journal: Path
    results: Path
    network: Network
    epoch: float
    number: int
    end: End
    happened: list[Happening]

    async def live(self) -> Outcome | None:
        """
        Work until it ends by itself, or is killed (None).

        Raises:
            Stuck: It does neither.
        """
        loop = asyncio.get_running_loop()
        fuse = Fuse(self.end.crash)
        journal = mortal(self.journal, fuse)
        results = ResultsFile(self.results, journal)
        runner = self._runner(journal, results, fuse)
        if self.end.crash.kind == "step":
            loop.set_task_factory(stepping(fuse))  # until its death: whatever it starts is its own
        timers = []
        if self.end.crash.kind == "time":
            timers.append(loop.call_later(self.end.crash.at, fuse.blow))
        if self.end.interrupt is not None:
            timers.append(loop.call_later(self.end.interrupt, runner.interrupt, "asked to"))
        try:
            return await self._watched(loop.create_task(_work(runner, results)), fuse)
        finally:
            loop.set_task_factory(None)
            for timer in timers:
                timer.cancel()
            results.close()
            journal.close()

    def _runner(self, journal: MortalJournal, results: ResultsFile, fuse: Fuse) -> Runner:
        async def inline(function: Callable[[], ResultT]) -> ResultT:
            return function()

        clock = FakeClock(self.epoch)
        return Runner(
            Line(self.network, clock, fuse, invocation=self.number),
            journal,
            results=results,
            run_blocking=inline,
            policy=self.plan.policy,
            clock=clock,
            listener=lambda happening: None if fuse.blown else self.happened.append(happening),
            resend_in_doubt=self.plan.resend_in_doubt,
            seed=self.plan.seed + self.number,
        )

    async def _watched(self, process: asyncio.Task[Outcome], fuse: Fuse) -> Outcome | None:
        await asyncio.wait((process, fuse.burnt), timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
        if process.done() and not fuse.blown:
            return process.result()
        stuck = not fuse.blown
        fuse.blow()
        await _bury(process)
        if stuck:
            last = self.happened[-1] if self.happened else None
            raise Stuck(f"an invocation was not over after {LONGEST:,.0f} s; last heard: {last}")
        return None


async def _work(runner: Runner, results: ResultsFile) -> Outcome:
    results.open()
    results.flush()  # as the command does: the last process may have died before it could
    return await runner.run()


async def _bury(process: asyncio.Task[Outcome]) -> None:
    """End what is left of a dead process; it can do no more harm, whatever it still tries."""
    await asyncio.sleep(0)  # what has been started and has not begun cannot be cancelled cleanly
    process.cancel()
    remains = asyncio.all_tasks() - {asyncio.current_task()}
    while remains:
        for task in remains:
            task.cancel()
        await asyncio.wait(remains)
        for task in remains:
            if not task.cancelled():
                task.exception()  # a corpse may say anything
        remains = asyncio.all_tasks() - {asyncio.current_task()}
