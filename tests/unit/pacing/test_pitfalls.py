"""
Mistakes that a pacer makes once: those of docs/pacing-limits.md, section 8, that no other file is about;
and what is done about other clients, of its section 6.
"""

from __future__ import annotations

import pytest

from pacer.pacing.admission import Admission
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.decisions import Finished
from pacer.pacing.drain import Drain
from pacer.pacing.events import Item, StatusRead
from pacer.pacing.policy import Policy, UnitChoice
from pacer.pacing.probe import STARVED, Probe
from pacer.pacing.reading import Reading
from pacer.simulation.outcome import run
from pacer.simulation.scenario import Scenario

from .service import Service
from .world import World


def test_workers_that_start_together_are_no_measure_of_drain() -> None:
    """Fifty places free themselves at once and then none for half a minute; few reads find that out (3)."""
    service = Service(unit="children", capacity=200, workers=50, latency=30.0)
    world = World(service, [Item(n, 1) for n in range(400)], Policy(unit=UnitChoice.CHILDREN))

    assert world.drive(horizon=29.0) is None

    assert sum(isinstance(call, StatusRead) for _, call in world.sent) <= 20
    assert world.drive() == Finished()
    assert world.now <= 1.05 * 400 / 50 * 30.0


def test_the_first_block_is_forgotten_with_the_second() -> None:
    """Idle workers take fifty of the first wave at once; that rate does not outlive the next reading (3)."""
    drain = Drain()
    drain.read(at=0.0, depth=0, capacity=200, cost=1.0)
    drain.admitted(200.0)
    drain.read(at=1.0, depth=150, capacity=200, cost=1.0)
    assert drain.rate == pytest.approx(50.0)
    drain.read(at=11.0, depth=120, capacity=200, cost=1.0)
    assert drain.rate == pytest.approx(3.0)


def test_a_lull_in_a_queue_of_one_is_not_believed() -> None:
    """
    Where the queue holds one request no block is ever exact. After a minute of one departure
    in four seconds, ten seconds without any do not put the next look further away than before.
    """
    drain = Drain()
    drain.read(at=0.0, depth=0, capacity=1, cost=1.0)
    for n in range(1, 16):
        drain.admitted(1.0)
        drain.read(at=4.0 * n, depth=0, capacity=1, cost=1.0)
    drain.admitted(1.0)

    def wait() -> float:
        due = drain.next_read(
            policy=Policy(), cost=1.0, capacity=1.0, fits_at=0.0, lead=0.0, full_drain=False, top_up=False
        )
        return due - drain.last_at

    before = wait()
    drain.read(at=70.0, depth=1, capacity=1, cost=1.0)
    assert before <= wait() <= 2.0


def test_a_block_of_a_few_departures_does_not_begin_a_new_one() -> None:
    """What little leaves between two close reads is counted from the last anchor on (4)."""
    drain = Drain()
    drain.read(at=0.0, depth=100, capacity=100, cost=1.0)
    for second, depth in ((1.0, 100), (2.0, 99), (3.0, 99), (8.0, 92)):
        drain.read(at=second, depth=depth, capacity=100, cost=1.0)
    assert drain.rate == pytest.approx(1.0)


@pytest.mark.parametrize(("inflight", "others"), [(10, False), (13, False), (14, True)])
def test_own_captures_are_counted_when_a_read_is_asked_for(inflight: int, others: bool) -> None:
    """What ends, or is admitted, while the read is under way is not taken for somebody else's (6)."""
    reading = Reading(Policy())
    reading.asked(at=0.0, own=10)
    reading.admitted(cost=3.0, children=3)  # and meanwhile some of the ten have ended, and were read
    snapshot = CapacitySnapshot(
        depth=5, capacity=40, sync_limit=1, sync_running=0, inflight=inflight, by_surface={}
    )
    reading.taken(snapshot, at=0.1, cost=1.0, room=35.0, tally=True)
    assert reading.others(now=0.1) is others


@pytest.mark.parametrize("unit", ["parents", "children", "both"])
def test_the_order_inside_a_wave_is_not_known(unit: str) -> None:
    """Round trips that vary shuffle every wave; no unit too cheap is learnt from that (7)."""
    shuffled = Scenario(
        name=f"00 shuffled {unit}",
        requests=250,
        capacity=40,
        workers=20,
        fan_out=(1, 2, 4, 8),
        unit=unit,  # type: ignore[arg-type]
        rtt=0.2,
        jitter=2.0,
    )
    for seed in (1, 2):
        outcome = run(shuffled, seed=seed)
        assert outcome.error == ""
        assert outcome.queue_429 == 0


def test_a_probe_never_asks_for_more_than_the_queue_could_hold() -> None:
    """Waves double, but not beyond one queue of parents: 1 + F times the safe charge at most (9)."""
    probe = Probe(allowed=True)
    limits = []
    wave = 2
    for censored in range(STARVED, STARVED + 20):
        if probe.snapshot(censored=censored, wave=wave, capacity=10, known=False):
            break
        assert probe.limit is not None
        limits.append(probe.limit)
        wave = int(probe.limit)
    assert limits == [4.0, 8.0, 10.0]


def test_a_wave_that_takes_longer_than_the_queue_lasts() -> None:
    """Sixteen connections at 800 ms carry 20 a second against a drain of 25: more are opened (12)."""
    service = Service(unit="children", capacity=100, workers=250, latency=10.0)
    world = World(service, [Item(n, 1) for n in range(5_000)], Policy(unit=UnitChoice.CHILDREN), rtt=0.8)

    assert world.drive() == Finished()

    assert world.throttled["queue"] == 0
    ended = max(job.admitted_at for job in service.jobs.values()) + 10.0
    assert ended <= 1.15 * 5_000 / 250 * 10.0  # with sixteen: 1.25


@pytest.mark.parametrize(
    ("rate", "rtt", "in_flight"), [(0.0, 0.1, 4), (3.3, 0.1, 4), (10.0, 0.2, 8), (50.0, 0.8, 16)]
)
def test_beside_others_little_is_in_flight_at_once(rate: float, rtt: float, in_flight: int) -> None:
    """Four times the drain goes out, four at least: a wave of theirs refuses no more than that."""
    admission = Admission(Policy(unit=UnitChoice.CHILDREN))
    assert admission.free_connections == 16
    admission.beside(rate=rate, rtt=rtt, crowded=False)
    assert admission.free_connections == in_flight
    admission.by_itself()
    assert admission.free_connections == 16


def test_others_that_were_met_are_never_forgotten() -> None:
    """After two quiet minutes they no longer bind waves, but what is in flight may still be theirs."""
    reading = Reading(Policy())
    reading.asked(at=0.0, own=0)
    snapshot = CapacitySnapshot(depth=5, capacity=40, sync_limit=1, sync_running=0, inflight=9, by_surface={})
    reading.taken(snapshot, at=0.1, cost=1.0, room=35.0, tally=True)
    assert reading.others(now=100.0)
    assert not reading.others(now=200.0)
    assert reading.met_others
