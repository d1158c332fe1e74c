"""When the snapshot is read again: often enough that the queue never runs dry, seldom enough to be cheap."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pacer.pacing.decisions import Bound, Finished, WaitUntil
from pacer.pacing.drain import Drain, reorder_share
from pacer.pacing.events import Item, StatusRead
from pacer.pacing.policy import Policy, UnitChoice

from .service import Service
from .world import World


def test_a_first_reading_says_nothing_of_drain() -> None:
    """One reading is no rate; nor is a second one before anything has left (pitfall 2)."""
    drain = Drain()
    drain.read(at=0.0, depth=0, capacity=100, cost=1.0)
    assert drain.rate is None
    drain.admitted(100.0)
    drain.read(at=1.0, depth=100, capacity=100, cost=1.0)
    assert not drain.rate


def test_an_exact_block_is_the_rate() -> None:
    """Forty units gone in ten seconds, with some left, are four a second."""
    drain = Drain()
    drain.read(at=0.0, depth=100, capacity=100, cost=1.0)
    drain.read(at=10.0, depth=60, capacity=100, cost=1.0)
    assert drain.rate == pytest.approx(4.0)


def test_a_censored_reading_never_lowers_the_rate() -> None:
    """Depth 0 at every read raises the rate each time: it is a lower bound, not the truth (pitfall 1)."""
    drain = Drain()
    drain.read(at=0.0, depth=10, capacity=10, cost=1.0)
    rates = []
    for n in range(1, 7):
        drain.read(at=10.0 * n, depth=0, capacity=10, cost=1.0)
        drain.admitted(10.0)
        assert drain.rate is not None
        rates.append(drain.rate)
    assert rates[0] >= 1.0
    assert all(later > earlier for earlier, later in pairwise(rates))
    assert drain.censored == 6


def test_an_exact_block_replaces_what_censored_readings_made_up() -> None:
    """After a row of doublings the first exact block is believed at once."""
    drain = Drain()
    drain.read(at=0.0, depth=10, capacity=10, cost=1.0)
    for n in range(1, 8):
        drain.read(at=float(n), depth=0, capacity=10, cost=1.0)
        drain.admitted(10.0)
    drain.read(at=12.0, depth=5, capacity=10, cost=1.0)
    assert drain.rate == pytest.approx(1.0)
    assert drain.censored == 0


def test_depth_that_nobody_of_ours_made_is_others() -> None:
    """More in the queue than was there and was added is another client's."""
    drain = Drain()
    assert not drain.read(at=0.0, depth=5, capacity=100, cost=1.0)
    drain.admitted(10.0)
    assert not drain.read(at=1.0, depth=15, capacity=100, cost=1.0)
    assert drain.read(at=2.0, depth=40, capacity=100, cost=1.0)


@pytest.mark.parametrize(("requests", "share"), [(0, 0.5), (1, 0.5), (16, 0.5), (100, 0.8), (1e6, 0.9)])
def test_only_a_deep_queue_is_read_late(requests: float, share: float) -> None:
    """A shallow queue is read at half, a deep one at nine tenths, because drain is a sample."""
    assert reorder_share(requests) == pytest.approx(share, abs=0.01)


# Whole runs ----------------------------------------------------------------------------


def world(
    *,
    capacity: int = 40,
    workers: int = 20,
    latency: float = 5.0,
    requests: int = 600,
    fan_out: int = 1,
    rtt: float = 0.1,
) -> World:
    """Return a sole tenant with the unit pinned, so that only reading decides."""
    service = Service(unit="children", capacity=capacity, workers=workers, latency=latency)
    items = [Item(n, fan_out) for n in range(requests)]
    return World(service, items, Policy(unit=UnitChoice.CHILDREN), rtt=rtt)


def reads(run: World) -> int:
    """Return how many status reads left."""
    return sum(isinstance(call, StatusRead) for _, call in run.sent)


@pytest.mark.parametrize(
    ("capacity", "workers", "latency", "rtt"),
    [
        (200, 50, 30.0, 0.1),
        (40, 20, 5.0, 0.1),
        (10, 8, 40.0, 0.1),
        (10, 50, 30.0, 0.8),
        (1, 4, 40.0, 0.1),
        (20, 15, 60.0, 0.1),
    ],
)
def test_the_queue_does_not_run_dry(capacity: int, workers: int, latency: float, rtt: float) -> None:
    """With drain well below capacity over two round trips, the makespan is within 5 % of the least."""
    run = world(capacity=capacity, workers=workers, latency=latency, rtt=rtt)

    assert run.drive() == Finished()

    run.check_complete()
    least = 600 * latency / workers
    ended = max(job.admitted_at for job in run.service.jobs.values()) + latency
    assert ended <= 1.05 * least + 2 * latency
    assert run.now <= 1.1 * least + 2 * latency
    assert run.throttled["queue"] == 0
    assert reads(run) <= 8 * 600 / capacity + run.now / 5 + 20


def test_three_hundred_mixed_requests_through_a_queue_of_twenty() -> None:
    """The batch of the brief: no 429, all complete, within 1.25 times captures x latency / workers."""
    fan_outs = [1, 3, 2, 6, 1, 4] * 50
    service = Service(unit="both", capacity=20, workers=10, latency=6.0)
    run = World(service, [Item(n, fan_out) for n, fan_out in enumerate(fan_outs)])

    assert run.drive() == Finished()

    run.check_complete()
    assert not run.throttled
    assert run.now <= 1.25 * sum(fan_outs) * 6.0 / 10


def test_a_window_of_reads_never_exceeds_the_longest_wait() -> None:
    """With backlog, reads are at most 30 s apart, however slow the drain was (pitfall 5)."""
    run = world(capacity=50, workers=1, latency=120.0, requests=70)
    assert run.drive(horizon=2000.0) is None

    asked = [at for at, call in run.sent if isinstance(call, StatusRead)]
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert max(gaps) <= 30.0 + 2 * run.rtt


@pytest.mark.parametrize("capacity", [10, 400])
def test_a_collapse_and_an_instant_recovery_cost_little(capacity: int) -> None:
    """After the service has run at a tenth for a while, its recovery is noticed within a wait (pitfall 5)."""
    run = world(capacity=capacity, workers=40, latency=4.0, requests=3000)
    assert run.drive(horizon=60.0) is None
    run.service.workers = 4
    assert run.drive(horizon=400.0) is None
    run.service.workers = 40
    idle = run.service.idle

    assert run.drive() == Finished()

    run.check_complete()
    assert run.service.idle - idle <= 15.0
    done = (60.0 + 34.0) * 10.0
    assert run.now <= 400.0 + (3000 - done) / 10.0 * 1.1 + 40.0


def test_an_oversized_request_is_waited_for_without_polling() -> None:
    """While a request larger than the queue waits for depth 0, reads stay few (pitfall 8)."""
    run = world(capacity=10, workers=2, latency=10.0, requests=12, fan_out=12)

    assert run.drive() == Finished()

    run.check_complete()
    assert not run.throttled
    assert reads(run) <= 15 * 12


def test_a_wait_is_not_moved_by_being_asked() -> None:
    """The promised moment stands: deciding again before it names the same moment (pitfall 10)."""
    run = world(workers=4, latency=20.0)
    assert run.drive(horizon=3.0) is None
    wait = run.obey()
    assert isinstance(wait, WaitUntil)
    for _ in range(5):
        run.advance(run.now + (wait.at - run.now) / 3)
        again = run.obey()
        assert isinstance(again, WaitUntil)
        assert again.at == pytest.approx(wait.at)


def test_a_full_queue_that_is_ours_is_no_contention() -> None:
    """A sole tenant that fills the queue itself never takes itself for others (pitfall 16)."""
    run = world()
    while run.drive(horizon=run.now + 5.0) is None:
        assert not run.controller.statistics().others
    assert all(wait.bound is not Bound.TENANTS for _, wait in run.waits)


def test_others_on_the_key_are_noticed_and_lived_with() -> None:
    """With another client taking room all the time the batch still ends complete, and knows of the other."""
    run = world(capacity=20, workers=5, latency=2.0, requests=60)
    noticed = False
    while run.drive(horizon=run.now + 1.0) is None:
        run.service.intrude(5)
        noticed = noticed or run.controller.statistics().others
        assert run.now < 2_000.0
    assert noticed
    run.check_complete()
    assert set(run.outcome.values()) == {"accepted"}


def test_capacity_that_falls_in_mid_run_is_followed() -> None:
    """From 40 to 6 in mid-run: what is too much is refused at most once, and the batch ends complete."""
    run = world(capacity=40, workers=5, latency=2.0, requests=200)
    assert run.drive(horizon=20.0) is None
    run.service.capacity = 6

    assert run.drive() == Finished()

    run.check_complete()
    assert run.controller.statistics().bursts <= 2
