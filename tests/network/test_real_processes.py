"""
A bad network between a pacer process and the service, in real time.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.scene import scene, settings
from tests.network.proxy import Toxic, between

TOXICS: dict[str, dict[Toxic, float]] = {
    "resets": {"reset_before": 0.08, "reset_after": 0.08, "reset_within": 0.05},
    "half-closed connections": {"half_reply": 0.08, "no_reply": 0.08},
    "slow bodies": {"drip": 0.1},
}


@pytest.mark.parametrize("kind", TOXICS)
async def test_a_process_behind_a_bad_network(tmp_path: Path, kind: str) -> None:
    """Killed once, with one exchange in eight spoilt on top, the batch ends complete and single."""
    async with (
        scene(tmp_path, settings(latency=0.05)) as one,
        between(one.url, shares=TOXICS[kind], latency=0.01, jitter=0.9, seed=2) as proxy,
    ):
        one.url = proxy.url
        one.write(40, (1, 2))
        await one.run("--quiet", kill_when=lambda: len(one.submissions()) > 15)
        ran = await one.run()
        assert ran.code == 0, ran.err
        assert one.violations() == []
        assert "Traceback" not in ran.err
        assert set(proxy.met) == set(TOXICS[kind])
