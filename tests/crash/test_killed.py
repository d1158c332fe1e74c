"""
SIGKILL, wherever it strikes: resumed, the batch is complete, and nothing is in it twice.
"""

from __future__ import annotations

import asyncio
import random
from functools import partial
from pathlib import Path

import pytest

from tests.crash.scene import Running, scene, settings

KILLS = 10


@pytest.mark.parametrize("seed", [1, 2])
async def test_ten_kills(tmp_path: Path, seed: int) -> None:
    """Killed ten times at random moments, the batch ends complete and single, without one 429."""
    chance = random.Random(seed)
    async with scene(tmp_path, settings(workers=20, latency=0.12)) as one:
        one.write(200, (1, 2, 4))
        for _ in range(KILLS):
            ran = await one.run("--quiet", kill_after=chance.uniform(0.1, 0.8))
            assert ran.code == -9, ran.err
        ran = await one.run()
        assert ran.code == 0, ran.err
        assert one.violations() == []
        assert not one.service.log.refused


def is_held(journal: Path, running: Running) -> bool:
    """Return whether *running* has opened *journal*."""
    lock = journal.with_name(f"{journal.name}-lock")
    return lock.exists() and lock.read_text() == f"{running.process.pid}\n"


async def test_killed_while_it_reads_its_input(tmp_path: Path) -> None:
    """
    Killed in the midst of a large intake, the journal holds no part of that batch: another
    input under the same name is taken and completed, and nothing of the first was ever sent.
    """
    async with scene(tmp_path) as one:
        one.write(60_000)
        for seconds in (0.05, 0.3, 0.6):
            running = await one.start("run", "batch.jsonl", "--quiet")
            await one.until(partial(is_held, one.journal, running), running)
            await asyncio.sleep(seconds)
            assert (await running.kill()).code == -9
            assert len(one.service.log) == 0
        one.write(10)
        ran = await one.run()
        assert ran.code == 0, ran.err
        assert one.violations() == []
        assert {entry.key for entry in one.submissions()} == {asked.key for asked in one.asked}
