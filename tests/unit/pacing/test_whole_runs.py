"""Whole runs against an honest service: no 429, nothing lost, the queue never dry."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pacer.pacing.decisions import Finished
from pacer.pacing.events import Item
from pacer.pacing.policy import Policy, UnitChoice

from .service import Service
from .world import World

UNITS = ("parents", "children", "both")


def requests(fan_outs: list[int]) -> list[Item]:
    """Return a batch with these fan-outs."""
    return [Item(n, fan_out, ("chatgpt",)) for n, fan_out in enumerate(fan_outs)]


@given(
    unit=st.sampled_from(UNITS),
    choice=st.sampled_from(UnitChoice),
    capacity=st.integers(1, 60),
    workers=st.integers(1, 30),
    latency=st.sampled_from((0.3, 2.0, 20.0)),
    rtt=st.sampled_from((0.01, 0.1, 0.8)),
    fan_outs=st.lists(st.integers(1, 8), min_size=1, max_size=60),
    release_at_end=st.booleans(),
)
def test_a_sole_tenant_meets_no_429_and_loses_nothing(
    unit: str,
    choice: UnitChoice,
    capacity: int,
    workers: int,
    latency: float,
    rtt: float,
    fan_outs: list[int],
    release_at_end: bool,
) -> None:
    """Whatever the queue's size and unit, a sole tenant ends complete and without a 429."""
    if choice.name not in ("AUTO", "BOTH", unit.upper()):
        choice = UnitChoice.AUTO  # a unit pinned wrong promises nothing
    service = Service(
        unit=unit, capacity=capacity, workers=workers, latency=latency, release_at_end=release_at_end
    )
    world = World(service, requests(fan_outs), Policy(unit=choice), rtt=rtt)

    assert world.drive() == Finished()

    world.check_complete()
    world.check_account()
    assert service.refused_full == 0


def test_decisions_grow_no_faster_than_the_batch() -> None:
    """Four times the requests take about four times the decisions, not sixteen."""
    counts = []
    for size in (500, 2_000):
        service = Service(unit="children", capacity=100, workers=50, latency=5.0)
        world = World(service, requests([1] * size))
        assert world.drive() == Finished()
        counts.append(world.decisions)

    assert counts[1] <= 4.5 * counts[0]
