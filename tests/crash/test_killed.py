"""
SIGKILL, wherever it strikes: resumed, the batch is complete, and nothing is in it twice.
"""

from __future__ import annotations

import asyncio
import json
import random
from functools import partial
from pathlib import Path

import pytest

from tests.crash.scene import scene, settings

KILLS = 10


@pytest.mark.parametrize("seed", [1, 2])
async def test_ten_kills(tmp_path: Path, seed: int) -> None:
    """Killed ten times at random moments, the batch ends complete and single, without one 429."""
    chance = random.Random(seed)
    async with scene(tmp_path, settings(workers=20, latency=0.12), held=True) as one:
        one.write(200, (1, 2, 4))
        for _ in range(KILLS):
            ran = await one.run("--quiet", kill_after=chance.uniform(0.1, 0.8))
            assert ran.code == -9, ran.err
        one.service.held = False
        ran = await one.run()
        assert ran.code == 0, ran.err
        assert one.violations() == []
        assert not one.service.log.refused


async def test_killed_while_it_reads_its_input(tmp_path: Path) -> None:
    """
    Killed in the midst of a large intake, the journal holds no part of that batch: another
    input under the same name is taken and completed, and nothing of the first was ever sent.
    """
    words = ("run", "-", "--journal", "batch.pacer.db", "--out", "batch.results.jsonl")
    lines = [
        json.dumps({"query": f"question {n}", "surfaces": ["claude"], "idempotencyKey": f"old-{n}"}).encode()
        for n in range(20_000)
    ]
    async with scene(tmp_path) as one:
        for amount in (1, 500, len(lines)):  # and the end of the input never comes
            running = await one.start(*words, "--quiet")
            await one.until(partial(one.is_held_by, running), running)
            assert running.process.stdin is not None
            running.process.stdin.write(b"\n".join(lines[:amount]))
            await running.process.stdin.drain()
            await asyncio.sleep(0.3)
            assert (await running.kill()).code == -9
            assert len(one.service.log) == 0
        one.write(10)
        ran = await one.run()
        assert ran.code == 0, ran.err
        assert one.violations() == []
        assert {entry.key for entry in one.submissions()} == {asked.key for asked in one.asked}
