"""Outages: noticed after three failures, probed one at a time, never hammered."""

from __future__ import annotations

from math import inf, nextafter

import pytest

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Bound, Finished, ReadSnapshot, Stop, SubmitWave, WaitUntil
from pacer.pacing.events import (
    Accepted,
    Call,
    Item,
    JobRead,
    Lost,
    Queued,
    SnapshotTaken,
    StatusRead,
    Submission,
)
from pacer.pacing.health import Breaker, Health, Kind
from pacer.pacing.policy import Policy

from .service import Service
from .world import Fault, World

POLICY = Policy()


def test_three_failures_in_a_row_make_an_outage() -> None:
    """Two failures are bad luck; the third in a row, with no answer between, is an outage."""
    breaker = Breaker(POLICY)
    for at in (1.0, 2.0):
        breaker.failed(at=at, sent_at=at, jitter=0.0)
        assert breaker.since is None
    breaker.failed(at=3.0, sent_at=3.0, jitter=0.0)
    assert breaker.since == 3.0


def test_an_answer_between_starts_the_count_over() -> None:
    """Failures with an answer between them are no outage, however many."""
    breaker = Breaker(POLICY)
    for at in range(20):
        breaker.failed(at=at, sent_at=at, jitter=0.0)
        if at % 2:
            breaker.answered()
    assert breaker.since is None


def test_failures_of_calls_sent_before_the_outage_was_noticed_are_no_probes() -> None:
    """Forty replies lost together do not drive the pause between probes to its cap."""
    breaker = Breaker(POLICY)
    for n in range(40):
        breaker.failed(at=10.0 + n / 100, sent_at=9.0, jitter=1.0)
    assert breaker.probe_at <= 12.0


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_probes_that_fail_double_the_pause_to_its_cap(jitter: float) -> None:
    """Pauses lie between half and the whole of 1, 2, 4, 8, 16, 30, 30 seconds."""
    breaker, at = Breaker(POLICY), 0.0
    for _ in range(2):
        breaker.failed(at=at, sent_at=at, jitter=jitter)
    for ceiling in (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        breaker.failed(at=at, sent_at=at, jitter=jitter)
        assert breaker.probe_at - at == pytest.approx(ceiling * (0.5 + 0.5 * jitter))
        at = breaker.probe_at


def test_one_kind_of_call_can_be_out_while_the_others_answer() -> None:
    """Submissions that fail beside reads that pass close submissions only, one probe at a time."""
    health = Health(POLICY)
    for n in range(3):
        health.failed(Submission(n), at=float(n), sent_at=float(n), jitter=0.0)
        health.answered(Kind.STATUS)

    assert not health.outage
    assert health.allows(Kind.STATUS, now=2.0, in_flight=5)
    assert not health.allows(Kind.SUBMIT, now=nextafter(2.5, -inf), in_flight=0)
    assert health.allows(Kind.SUBMIT, now=2.5, in_flight=0)
    assert not health.allows(Kind.SUBMIT, now=2.5, in_flight=1)


def after_a_good_start(requests: int = 40) -> World:
    """Return a world of which a few requests were accepted in the first seconds."""
    service = Service(unit="both", capacity=8, workers=2, latency=2.0)
    world = World(service, [Item(n, 1) for n in range(requests)], seed=7)
    assert world.drive(horizon=20.0) is None
    return world


@pytest.mark.parametrize("status", ["there", "missing"])
@pytest.mark.parametrize("seed", range(5))
def test_an_outage_is_never_hammered(seed: int, status: str) -> None:
    """With every call failing: under 20 requests in the first minute, then at most 4 a minute, singly."""
    world = after_a_good_start()
    world.random.seed(seed)
    if status == "missing":
        world.fault = lambda call, now: Fault("missing") if isinstance(call, StatusRead) else None
        assert world.drive(horizon=140.0) is None
    began = world.now
    world.fault = lambda call, now: Fault("lost")
    before = len(world.sent)
    while world.controller.health.service.since is None:
        assert world.drive(horizon=world.now + 0.05) is None
    noticed = world.now

    assert world.drive(horizon=began + 1800.0) is None

    times = [at for at, _ in world.sent[before:] if at >= noticed]
    assert len([at for at in times if at < noticed + 60.0]) < 20
    late = [at for at in times if at >= noticed + 60.0]
    assert late, "nobody looks whether the service is back"
    for at in late:
        assert len([other for other in late if at <= other < at + 60.0]) <= 4
    assert len(world.calls) <= 1


def test_after_an_outage_a_read_comes_first_and_one_submission_alone() -> None:
    """What was known before an outage is not trusted: one call alone, and a read before more."""
    world = after_a_good_start()
    world.fault = lambda call, now: Fault("lost") if now < 300.0 else None
    before = len(world.sent)
    world.drive(horizon=400.0)

    good = [
        (at, call)
        for at, call in world.sent[before:]
        if at >= 300.0 - 0.05 and isinstance(call, StatusRead | Submission)
    ]
    probe = 0 if isinstance(good[0][1], StatusRead) else 1
    assert isinstance(good[probe][1], StatusRead)
    submissions = [at for at, call in good if isinstance(call, Submission)]
    assert submissions.count(submissions[0]) == 1
    assert world.drive() == Finished()
    world.check_complete()


def test_a_host_that_never_answers_stops_the_batch_after_a_minute() -> None:
    """Without any reply the batch stops at 60 s from the start, on the dot, and says what to check."""
    world = World(Service(), [Item(0, 1)], fault=lambda call, now: Fault("lost"))

    ended = world.drive()

    assert isinstance(ended, Stop)
    assert ended.code == "UNREACHABLE"
    assert world.now == 60.0
    assert len(world.sent) < 20


def test_an_outage_in_mid_run_stops_the_batch_after_an_hour() -> None:
    """An outage of 3,600 s stops the batch, resumable, rather than waiting for ever."""
    world = after_a_good_start()
    world.fault = lambda call, now: Fault("lost")

    ended = world.drive()

    assert isinstance(ended, Stop)
    assert ended.code in ("OUTAGE", "NO_PROGRESS")
    assert world.now == pytest.approx(3620.0, abs=120.0)


def test_a_broken_status_endpoint_does_not_keep_submissions_from_a_service_that_takes_them() -> None:
    """With reads failing for ever and submissions passing, the batch still ends complete."""
    service = Service(unit="both", capacity=50, workers=5, latency=2.0)
    world = World(
        service,
        [Item(n, 1) for n in range(10)],
        fault=lambda call, now: Fault("lost") if isinstance(call, StatusRead) else None,
    )

    assert world.drive() == Finished()
    world.check_complete()


def test_job_reads_that_fail_for_ever_end_the_run() -> None:
    """A dead job endpoint beside a live service does not keep the batch running for ever."""
    service = Service(unit="both", capacity=50, workers=5, latency=2.0)
    world = World(
        service,
        [Item(n, 1) for n in range(400)],
        fault=lambda call, now: Fault("lost") if isinstance(call, JobRead) else None,
    )

    ended = world.drive()

    assert isinstance(ended, Stop | Finished)
    assert world.now < 3 * 3600.0


def test_the_first_call_goes_alone() -> None:
    """Until something was answered one call is in flight at most: a refused key costs one request."""
    controller = PacingController(now=0.0)
    controller.receive(Queued(0.0, tuple(Item(n, 1) for n in range(5)), more=False))

    assert controller.decide(now=0.0) == ReadSnapshot()
    assert controller.decide(now=0.0) == WaitUntil(60.0, Bound.ROUND_TRIP)
    controller.receive(SnapshotTaken(0.1, 0.0, CapacitySnapshot(depth=0, capacity=100)))
    assert controller.decide(now=0.1) == SubmitWave((0, 1, 2, 3, 4))


def test_an_unreadable_answer_is_no_sign_of_an_outage() -> None:
    """A host that answers nonsense is there: its request is in doubt, and nothing is probed."""
    controller = PacingController(now=0.0)
    controller.receive(Queued(0.0, tuple(Item(n, 1) for n in range(5)), more=False))
    controller.decide(now=0.0)
    controller.receive(SnapshotTaken(0.1, 0.0, CapacitySnapshot(depth=0, capacity=100)))
    controller.decide(now=0.1)
    for n in range(4):
        call: Call = Submission(n)
        controller.receive(Lost(0.2, 0.1, call, None, 0.5, answered=True))

    assert not controller.health.outage
    controller.receive(Accepted(0.2, 0.1, 4, children=1))
    assert isinstance(controller.decide(now=5.0), SubmitWave | ReadSnapshot)
