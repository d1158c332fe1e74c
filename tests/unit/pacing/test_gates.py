"""Gates: shut one tick before the promised moment, open on it."""

from __future__ import annotations

from math import inf, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Bound, Collect, ReadSnapshot, Stop, SubmitWave, WaitUntil
from pacer.pacing.events import (
    Accepted,
    CaptureRead,
    Item,
    JobRead,
    Lost,
    Memory,
    Queued,
    SnapshotTaken,
    StatusRead,
    Submission,
    Throttled,
)
from pacer.pacing.gates import Gate, Lane
from pacer.pacing.policy import Policy

from .steps import running

POLICY = Policy()


def closed(
    gate: Gate, at: float, retry_after: float | None, *, sent_at: float | None = None, jitter: float = 0.5
) -> bool:
    """Feed one 429 to *gate*."""
    return gate.close(
        at=at,
        sent_at=at if sent_at is None else sent_at,
        retry_after=retry_after,
        jitter=jitter,
        policy=POLICY,
    )


def opens_exactly(gate: Gate, at: float) -> bool:
    """Return whether *gate* is shut one tick before *at*, and open on it."""
    return not gate.is_open(now=nextafter(at, -inf)) and gate.is_open(now=at)


@given(st.lists(st.floats(0.5, 1e6), min_size=1))
def test_it_opens_at_the_latest_deadline(waits: list[float]) -> None:
    """In whatever order 429s arrive, the gate opens at the latest deadline: shut before it, open on it."""
    gate = Gate()
    for wait in waits:
        closed(gate, 10.0, wait, sent_at=9.0)

    assert opens_exactly(gate, 10.0 + max(waits))


@pytest.mark.parametrize(
    ("retry_after", "opens"),
    [(1.0, 101.0), (30.0, 130.0), (0.5, 100.5), (7200.0, 7300.0)],
)
def test_a_usable_retry_after_is_taken_to_the_letter(retry_after: float, opens: float) -> None:
    """The deadline is the reply's arrival plus Retry-After, whatever the jitter."""
    for jitter in (0.0, 0.999):
        gate = Gate()
        closed(gate, 100.0, retry_after, jitter=jitter)
        assert opens_exactly(gate, opens)


def test_a_late_429_extends_the_gate_and_is_no_new_burst() -> None:
    """A 429 to a request sent before the first was read moves the deadline and counts as the same burst."""
    gate = Gate()

    assert closed(gate, 10.0, 5.0, sent_at=9.0)
    assert not closed(gate, 11.0, 20.0, sent_at=9.9)

    assert gate.bursts == 1
    assert opens_exactly(gate, 31.0)


def test_a_shorter_late_429_never_brings_the_deadline_forward() -> None:
    """A deadline that was promised stands, whatever a later 429 says."""
    gate = Gate()
    closed(gate, 10.0, 60.0)
    closed(gate, 12.0, 1.0)

    assert opens_exactly(gate, 70.0)


def test_success_of_another_request_does_not_open_it() -> None:
    """Progress ends the back-off's counting, not the deadline."""
    gate = Gate()
    closed(gate, 10.0, 60.0)
    gate.progressed(sent_at=11.0)

    assert opens_exactly(gate, 70.0)
    assert gate.bursts == 0


@pytest.mark.parametrize("retry_after", [None, 0.0])
def test_back_off_grows_to_its_cap_without_a_usable_retry_after(retry_after: float | None) -> None:
    """Absent or zero, burst after burst, the ceiling of the wait doubles and stops at the cap."""
    gate, at, waits = Gate(), 0.0, []
    for _ in range(10):
        closed(gate, at, retry_after, jitter=1.0)
        waits.append(gate.until - at)
        at = gate.until

    assert waits[1:] == pytest.approx([2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0])
    assert 0 < waits[0] <= 1.0


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 40))
def test_jitter_is_full_but_never_a_busy_loop(jitter: float, bursts: int) -> None:
    """Back-off lies anywhere below its ceiling, and never below the shortest wait."""
    gate = Gate(bursts=bursts - 1)
    closed(gate, 0.0, None, jitter=jitter)

    assert POLICY.shortest_wait <= gate.until <= min(POLICY.backoff_most, 2.0 ** (bursts - 1))


def test_a_past_date_is_no_busy_loop() -> None:
    """Retry-After 0, said once, costs a moment; said again and again it backs off."""
    gate = Gate()
    closed(gate, 0.0, 0.0)
    assert 0 < gate.until <= 0.1
    for burst in range(1, 8):
        closed(gate, 100.0 * burst, 0.0, jitter=0.9)

    assert gate.until - 700.0 >= 30.0


def test_a_stall_is_known_by_time_without_progress() -> None:
    """A gate that keeps closing for 900 s without progress is a stall; progress starts that over."""
    gate = Gate()
    for minute in range(15):
        closed(gate, 60.0 * minute, 30.0)
    assert not gate.stalled(now=nextafter(900.0, -inf), after=900.0)
    assert gate.stalled(now=900.0, after=900.0)

    gate.progressed(sent_at=900.0)
    assert not gate.stalled(now=900.0, after=900.0)


# In the controller -----------------------------------------------------------------


def decided(controller: PacingController, now: float) -> object:
    """Return what the controller decides at *now*."""
    return controller.decide(now=now)


def test_a_rate_gate_binds_every_request_to_its_deadline() -> None:
    """After a rate 429 nothing at all is sent one tick before its deadline, and something on it."""
    controller = running()
    assert decided(controller, 0.1) == SubmitWave((0, 1, 2, 3))
    controller.receive(Accepted(0.2, 0.1, 0, children=1))
    controller.receive(Throttled(0.2, 0.1, Submission(1), Lane.RATE, 7.0, 0.5))
    controller.receive(Accepted(0.2, 0.1, 2, children=1))
    controller.receive(Accepted(0.2, 0.1, 3, children=1))

    for now in (0.2, 3.0, nextafter(7.2, -inf)):
        assert decided(controller, now) == WaitUntil(7.2, Bound.GATE)
        assert not controller.may_send(now=now, submission=False)
    assert isinstance(decided(controller, 7.2), SubmitWave | ReadSnapshot | Collect)
    assert controller.may_send(now=7.2, submission=False)


def test_a_queue_gate_binds_submissions_and_leaves_collection_alone() -> None:
    """After a queue 429 captures are still read, and the first thing sent on the deadline is a read."""
    controller = running(requests=3)
    assert decided(controller, 0.1) == SubmitWave((0, 1, 2))
    controller.receive(Accepted(0.2, 0.1, 0, children=1))
    controller.receive(Throttled(0.2, 0.1, Submission(1), Lane.QUEUE, 50.0, 0.5))
    controller.receive(Throttled(0.3, 0.1, Submission(2), Lane.QUEUE, 50.0, 0.5))
    assert controller.may_send(now=20.0, submission=False)
    assert not controller.may_send(now=20.0, submission=True)

    sent = []
    now = 0.3
    while now < 50.3:
        decision = controller.decide(now=now)
        match decision:
            case Collect(reads):
                sent.append((now, "collect"))
                for read in reads:
                    assert read.child is not None
                    controller.receive(CaptureRead(now, now, read.index, read.child, terminal=True))
            case ReadSnapshot():
                controller.receive(SnapshotTaken(now, now, CapacitySnapshot(depth=0, capacity=100)))
            case WaitUntil(at):
                now = at
            case _:
                raise AssertionError(decision)

    assert sent
    assert decided(controller, 50.3) == ReadSnapshot()
    controller.receive(SnapshotTaken(50.4, 50.3, CapacitySnapshot(depth=0, capacity=100)))
    assert isinstance(decided(controller, 50.4), SubmitWave)


def test_a_read_asked_before_the_gate_opened_does_not_count_as_the_one_after_it() -> None:
    """A snapshot that was on its way when the gate closed never stands in for the read after it opens."""
    controller = running(requests=3, capacity=4)
    assert decided(controller, 0.1) == SubmitWave((0, 1))
    overdue = controller.decide(now=0.1)
    assert overdue == WaitUntil(1.1, Bound.ROUND_TRIP)
    assert decided(controller, 1.1) == ReadSnapshot()
    controller.receive(Throttled(1.2, 0.1, Submission(0), Lane.QUEUE, 5.0, 0.5))
    controller.receive(Throttled(1.2, 0.1, Submission(1), Lane.QUEUE, 5.0, 0.5))
    controller.receive(SnapshotTaken(1.3, 1.1, CapacitySnapshot(depth=0, capacity=4)))

    assert decided(controller, nextafter(6.2, -inf)) == WaitUntil(6.2, Bound.GATE)
    assert decided(controller, 6.2) == ReadSnapshot()


@pytest.mark.parametrize("lane", [Lane.SYNC, Lane.QUEUE, Lane.RATE])
def test_a_429_that_makes_no_sense_for_its_call_still_holds_that_call_back(lane: Lane) -> None:
    """Whatever lane a 429 names, the call it refused is not sent again before the deadline."""
    controller = running(requests=1)
    assert decided(controller, 0.1) == SubmitWave((0,))
    controller.receive(Throttled(0.2, 0.1, Submission(0), lane, 5.0, 0.5))

    assert decided(controller, 0.2) == WaitUntil(5.2, Bound.GATE)
    assert decided(controller, nextafter(5.2, -inf)) == WaitUntil(5.2, Bound.GATE)

    reader = PacingController(now=0.0)
    reader.receive(Queued(0.0, (Item(0, 1),), more=False))
    assert decided(reader, 0.0) == ReadSnapshot()
    reader.receive(Throttled(0.1, 0.0, StatusRead(), lane, 5.0, 0.5))
    assert decided(reader, 0.1) == WaitUntil(5.1, Bound.GATE)
    assert decided(reader, 5.1) == ReadSnapshot()


def test_a_job_read_that_was_refused_is_due_again_on_the_deadline() -> None:
    """A rate 429 to a job read loses nothing: the same read goes out when the gate opens."""
    controller = running(requests=1)
    assert decided(controller, 0.1) == SubmitWave((0,))
    controller.receive(Accepted(0.2, 0.1, 0, children=1))
    now = 0.2
    while not isinstance(decision := controller.decide(now=now), Collect):
        if isinstance(decision, WaitUntil):
            now = decision.at
        else:
            controller.receive(SnapshotTaken(now, now, CapacitySnapshot(depth=0, capacity=100, inflight=0)))
    controller.receive(Throttled(now, now, JobRead(0, 0), Lane.RATE, 9.0, 0.5))

    assert decided(controller, now) == WaitUntil(now + 9.0, Bound.GATE)
    assert decided(controller, now + 9.0) == Collect((JobRead(0, 0),))


def test_a_retry_after_on_a_503_closes_the_rate_gate() -> None:
    """A 503 that names a time is obeyed like a rate 429, by every request."""
    controller = running(requests=2)
    assert decided(controller, 0.1) == SubmitWave((0, 1))
    controller.receive(Accepted(0.2, 0.1, 0, children=1))
    controller.receive(Lost(0.2, 0.1, Submission(1), retry_after=20.0, jitter=0.0))

    assert decided(controller, nextafter(20.2, -inf)) == WaitUntil(20.2, Bound.GATE)
    assert isinstance(decided(controller, 20.2), SubmitWave | ReadSnapshot | Collect)


@pytest.mark.parametrize(("retry_after", "stops"), [(900.0, False), (900.5, True), (1e12, True)])
def test_an_enormous_retry_after_stops_the_batch_at_once(retry_after: float, stops: bool) -> None:
    """A deadline beyond --max-retry-after is not slept on: the batch stops, naming the seconds."""
    controller = running()
    assert decided(controller, 0.1) == SubmitWave((0, 1, 2, 3))
    controller.receive(Throttled(0.25, 0.1, Submission(0), Lane.QUEUE, retry_after, 0.5))

    decision = decided(controller, 0.25)

    assert isinstance(decision, Stop) == stops
    if isinstance(decision, Stop):
        assert decision.code == "RETRY_AFTER_TOO_LONG"
        assert f"{retry_after:,.0f} s" in decision.reason


def test_a_gate_without_progress_for_900_seconds_stops_the_batch_as_a_stall() -> None:
    """Queue 429s for 900 s with nothing accepted end in STALLED, not before 900 s and soon after."""
    controller = running(requests=1)
    now, code = 0.1, ""
    while not code:
        match controller.decide(now=now):
            case SubmitWave():
                now += 0.1
                controller.receive(Throttled(now, now - 0.1, Submission(0), Lane.QUEUE, 5.0, 0.5))
            case ReadSnapshot():
                now += 0.1
                controller.receive(SnapshotTaken(now, now - 0.1, CapacitySnapshot(depth=0, capacity=100)))
            case WaitUntil(at):
                assert at < 2000.0
                now = at
            case Stop(code):
                pass
    assert code == "STALLED"
    assert 900.0 <= now <= 920.0


def test_a_resume_honours_remembered_gates_before_its_first_request() -> None:
    """A rate gate from an earlier invocation holds back even the first read, to the tick."""
    controller = PacingController(memory=Memory(gates={Lane.RATE: 40.0}), now=0.0)
    controller.receive(Queued(0.0, (Item(0, 1),), more=False))

    assert decided(controller, 0.0) == WaitUntil(40.0, Bound.GATE)
    assert decided(controller, nextafter(40.0, -inf)) == WaitUntil(40.0, Bound.GATE)
    assert decided(controller, 40.0) == ReadSnapshot()


def test_a_resume_honours_a_remembered_queue_gate() -> None:
    """A queue gate from an earlier invocation lets reads pass; on its deadline a read comes first."""
    controller = PacingController(memory=Memory(gates={Lane.QUEUE: 40.0}), now=0.0)
    controller.receive(Queued(0.0, (Item(0, 1),), more=False))
    now, reads = 0.0, []
    for _ in range(100):
        match controller.decide(now=now):
            case ReadSnapshot():
                reads.append(now)
                controller.receive(SnapshotTaken(now, now, CapacitySnapshot(depth=0, capacity=9)))
            case WaitUntil(at):
                now = at
            case SubmitWave():
                break

    assert now >= 40.0
    assert reads[-1] >= 40.0
