"""
A Retry-After outlives the process that read it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pacer.sandbox import Fault
from tests.crash.scene import DURABLE, scene

WAIT = 6.0

GATES = {
    "rate": Fault("error", status=429, retry_after=WAIT, calls=(6,)),
    "queue": Fault(
        "error", on="submit", status=429, code="QUEUE_CAPACITY_EXCEEDED", retry_after=WAIT, calls=(4,)
    ),
    "a date": Fault("error", on="submit", status=429, retry_after=WAIT, retry_after_form="date", calls=(4,)),
    "unavailable": Fault("page", on="submit", status=503, retry_after=WAIT, calls=(4,)),
}


@pytest.mark.parametrize("kind", GATES)
async def test_a_gate_outlives_two_kills(tmp_path: Path, kind: str) -> None:
    """
    Killed inside a gate, started again and killed again, started once more: nothing that the
    gate closes is sent before its time, and then the batch completes.
    """
    async with scene(tmp_path, faults=[GATES[kind]]) as one:
        one.write(30, (1, 2))
        for _ in range(2):
            began = one.now()
            running = await one.start("run", "batch.jsonl", "--quiet")
            await one.until(lambda: any(entry.retry_seconds for entry in one.service.log), running)
            await asyncio.sleep(1.0 + DURABLE)
            one.note(began, await running.kill(), one.now())
        ran = await one.run()
        assert ran.code == 0, ran.err
        assert one.violations() == []
        [told] = [entry for entry in one.service.log if entry.retry_seconds]
        assert len(one.invocations) == 3
        assert one.invocations[2].began < told.at + WAIT, "too slow a machine to see the gate"


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
