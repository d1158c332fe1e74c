"""
A bad network in virtual time: complete, single, nothing inside a gate, whatever the wire does.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pacer.instrumentation import happening
from pacer.sandbox import Latency, SandboxServer, Settings
from tests.network.paced import WitnessedService, paced
from tests.network.proxy import HELD_UP, Toxic, between

TOXICS: dict[str, dict[Toxic, float]] = {
    "resets": {"reset_before": 0.1, "reset_after": 0.1, "reset_within": 0.05},
    "black holes": {"black_hole": 0.04, "black_hole_after": 0.04},
    "half-closed connections": {"half_reply": 0.1, "no_reply": 0.1},
    "slow bodies": {"drip": 0.4, "trickle": 0.03},
    "late requests": {"late": 0.06},
    "all of it": {
        "reset_before": 0.03,
        "reset_after": 0.03,
        "reset_within": 0.03,
        "black_hole": 0.02,
        "black_hole_after": 0.02,
        "half_reply": 0.03,
        "no_reply": 0.03,
        "drip": 0.1,
        "trickle": 0.02,
        "late": 0.02,
    },
}

LIMITS: dict[str, dict[str, Any]] = {
    "no window": {},
    "a window": {"rate_limit": 60, "rate_window": 20.0},
}


def batch(number: int) -> list[dict[str, Any]]:
    """Return requests of one, two and four captures."""
    surfaces = [["claude"], ["claude", "gemini"], ["claude", "gemini", "chatgpt", "copilot"]]
    return [{"id": f"q{n}", "query": f"question {n}", "surfaces": surfaces[n % 3]} for n in range(number)]


def small_service(**more: Any) -> WitnessedService:
    """Return a service that 60 requests keep busy for a while."""
    return WitnessedService(Settings(capacity=30, workers=15, latency=Latency(mean=4.0), **more), seed=5)


@pytest.mark.looptime
@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("kind", TOXICS)
async def test_toxics(tmp_path: Path, kind: str, limits: str) -> None:
    """
    Under resets, black holes, half-closed connections, slow bodies and late requests, on top
    of a slow wire: every request admitted once, every capture in the results once, no gate broken.
    """
    service = small_service(**LIMITS[limits])
    async with (
        SandboxServer(service) as server,
        between(server.base_url, shares=TOXICS[kind], latency=0.15, jitter=0.8, seed=1) as proxy,
    ):
        ran = await paced(tmp_path, service, proxy.url, batch(60))
    assert ran.outcome.kind == "finished", ran.outcome
    assert ran.violations == []
    assert set(proxy.met) == set(TOXICS[kind])


@pytest.mark.looptime
async def test_a_wire_of_two_seconds(tmp_path: Path) -> None:
    """A round trip of four seconds that varies by half costs time, and neither a request nor a 429."""
    service = small_service()
    async with (
        SandboxServer(service) as server,
        between(server.base_url, latency=2.0, jitter=0.5, seed=2) as proxy,
    ):
        ran = await paced(tmp_path, service, proxy.url, batch(40))
    assert ran.outcome.kind == "finished", ran.outcome
    assert ran.violations == []
    assert not service.log.refused
    assert service.log.calls["submit"] == 40


@pytest.mark.looptime
@pytest.mark.parametrize("toxic", ["reset_before", "black_hole", "no_reply"])
async def test_an_outage_in_mid_run(tmp_path: Path, toxic: Toxic) -> None:
    """
    When the wire is dead for ten minutes it is probed, not hammered: at most 20 requests in
    the first minute and 4 in any later one; then the batch goes on, complete and single.
    """
    service = small_service()
    async with SandboxServer(service) as server, between(server.base_url, latency=0.05) as proxy:
        loop = asyncio.get_running_loop()
        loop.call_later(4.0, proxy.shares.__setitem__, toxic, 1.0)
        loop.call_later(4.0 + 600.0, proxy.shares.clear)
        ran = await paced(tmp_path, service, proxy.url, batch(60))
    assert ran.outcome.kind == "finished", ran.outcome
    assert ran.violations == []
    noticed = next(told.at for told in ran.happened if told.name == happening.OUTAGE_BEGAN) - ran.epoch
    answers = (call.read_at for call in ran.sent if call.read_at and not call.lost)
    over = min(at for at in answers if at > noticed)
    assert over - noticed > 400
    probes = [call.sent_at - noticed for call in ran.sent if noticed < call.sent_at < over]
    assert len([at for at in probes if at < 60]) <= 20
    for minute in range(1, 12):
        assert len([at for at in probes if 60 * minute <= at < 60 * (minute + 1)]) <= 4


@pytest.mark.looptime
async def test_every_other_request_comes_late(tmp_path: Path) -> None:
    """
    Half of all calls arrive only after their sender has given up and sent them again: the
    copies meet at the service, and the captures are paid and listed once.
    """
    service = small_service()
    async with SandboxServer(service) as server, between(server.base_url, latency=0.05, seed=3) as proxy:
        asyncio.get_running_loop().call_later(0.1, proxy.shares.__setitem__, "late", 0.5)
        ran = await paced(tmp_path, service, proxy.url, batch(12))
    assert ran.outcome.kind == "finished", ran.outcome
    assert ran.seconds > HELD_UP
    assert ran.violations == []
    assert service.log.replayed > 0
