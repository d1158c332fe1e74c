"""
A Retry-After outlives the process that read it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pacer.sandbox import Fault
from tests.crash.scene import IN_FLIGHT, Scene, scene

WAIT = 120.0
"""Seconds: the kills are over before, however slow the machine."""

GATES = {
    "rate": Fault("error", status=429, retry_after=WAIT, calls=(6,)),
    "queue": Fault(
        "error", on="submit", status=429, code="QUEUE_CAPACITY_EXCEEDED", retry_after=WAIT, calls=(4,)
    ),
    "a date": Fault("error", on="submit", status=429, retry_after=WAIT, retry_after_form="date", calls=(4,)),
    "unavailable": Fault("page", on="submit", status=503, retry_after=WAIT, calls=(4,)),
}


@pytest.mark.parametrize("kind", GATES)
async def test_a_gate_outlives_three_kills(tmp_path: Path, kind: str) -> None:
    """
    Killed inside a gate, started again and killed again, twice: nothing that the gate closes
    is sent. Once its time has passed the batch completes.
    """
    async with scene(tmp_path, faults=[GATES[kind]]) as one:
        one.write(30, (1, 2))
        for _ in range(3):
            began = one.now()
            running = await one.start("run", "batch.jsonl", "--quiet")
            await one.until(partial(one.is_held_by, running), running)
            await one.until(lambda: bool(one.gates()), running)
            await asyncio.sleep(1.0)
            one.note(began, await running.kill(), one.now())
        assert one.violations(finished=False) == []
        [told] = [entry for entry in one.service.log if entry.retry_seconds]
        assert one.now() < told.at + WAIT
        later = [entry for entry in one.service.log if entry.at > told.at + IN_FLIGHT]
        assert [entry for entry in later if kind != "queue" or entry.what == "submit"] == []
        pass_time(one, WAIT)
        ran = await one.run()
        assert ran.code == 0, ran.err
        assert one.violations() == []


def pass_time(one: Scene, seconds: float) -> None:
    """Let *seconds* pass without waiting: all that has happened so far was so much earlier."""
    for entry in one.service.log:
        entry.at -= seconds
    one.invocations = [
        replace(invocation, began=invocation.began - seconds, ended=invocation.ended - seconds)
        for invocation in one.invocations
    ]
    with closing(sqlite3.connect(one.journal)) as journal:
        journal.execute("UPDATE gates SET until = until - ?", (seconds,))
        journal.commit()


async def test_a_gate_too_far_away(tmp_path: Path) -> None:
    """
    A Retry-After of hours stops the batch with exit 3 and says until when; the same command
    again stops too, without one call.
    """
    faults = [Fault("error", on="submit", status=429, retry_after=7200, calls=(1,))]
    async with scene(tmp_path, faults=faults) as one:
        one.write(3)
        ran = await one.run()
        assert ran.code == 3, ran.err
        assert "--max-retry-after" in ran.err
        calls = len(one.service.log)
        again = await one.run()
        assert again.code == 3, again.err
        assert len(one.service.log) == calls
        assert one.violations(finished=False) == []
