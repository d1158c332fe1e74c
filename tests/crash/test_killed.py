"""
SIGKILL, wherever it strikes: resumed, the batch is complete, and nothing is in it twice.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.crash.scene import scene, settings

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
