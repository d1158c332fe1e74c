"""Limits that the user sets: what counts, what still comes in, and how it ends."""

from __future__ import annotations

from math import nextafter

import pytest

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Bound, Collect, Decision, Finished, Stop, SubmitWave, WaitUntil
from pacer.pacing.events import (
    Accepted,
    CaptureRead,
    Item,
    Lost,
    Memory,
    Queued,
    Rejected,
    SnapshotTaken,
    Submission,
    Throttled,
)
from pacer.pacing.gates import Lane
from pacer.pacing.policy import Policy


def begun(policy: Policy, *, requests: int = 0, spent: int = 0) -> PacingController:
    """Return a controller with room for all of four requests of 5 credits, and so much spent before."""
    controller = PacingController(policy, memory=Memory({}, requests=requests, credits=spent), now=0.0)
    items = tuple(Item(n, 1, ("chatgpt",), credits=5) for n in range(4))
    controller.receive(Queued(0.0, items, more=False))
    controller.decide(now=0.0)
    controller.receive(SnapshotTaken(0.1, 0.0, CapacitySnapshot(depth=0, capacity=100)))
    return controller


def sent(decision: Decision) -> tuple[int, ...]:
    """Return the requests that *decision* sends; it must be a wave."""
    assert isinstance(decision, SubmitWave), decision
    return decision.requests


def accept(controller: PacingController, *indexes: int, at: float) -> None:
    """The service takes requests of one capture each."""
    for index in indexes:
        controller.receive(Accepted(at, at - 0.1, index, children=1))


def collected(controller: PacingController, *, at: float) -> Decision:
    """Let every capture end, one read each, and return what is decided when all are in."""
    outstanding = controller.collection.unended
    for _ in range(200):
        decision = controller.decide(now=at)
        if isinstance(decision, Collect):
            for read in decision.reads:
                child = 0 if read.child is None else read.child
                controller.receive(CaptureRead(at, at - 0.1, read.index, child, terminal=True))
        elif isinstance(decision, WaitUntil):
            at = decision.at
        elif isinstance(decision, Stop | Finished):
            assert not controller.collection.unended, f"{outstanding} were out"
            return decision
        else:
            controller.receive(
                SnapshotTaken(at + 0.1, at, CapacitySnapshot(depth=0, capacity=100, inflight=0))
            )
            at += 0.1
    raise AssertionError("it does not end")


@pytest.mark.parametrize(
    ("policy", "code"),
    [(Policy(max_requests=3), "MAX_REQUESTS"), (Policy(max_credits=19), "MAX_CREDITS")],
)
def test_a_limit_ends_the_batch_once_what_is_out_has_come_in(policy: Policy, code: str) -> None:
    """Three of four requests go; the batch stops under the limit's name, their captures all in."""
    controller = begun(policy)
    assert sent(controller.decide(now=1.0)) == (0, 1, 2)
    accept(controller, 0, 1, 2, at=1.1)
    assert controller.collection.unended == 3
    stop = collected(controller, at=60.0)
    assert isinstance(stop, Stop)
    assert (stop.code, stop.drained) == (code, True)


@pytest.mark.parametrize("policy", [Policy(max_requests=4), Policy(max_credits=20)])
def test_a_limit_that_is_just_enough_is_no_limit(policy: Policy) -> None:
    """What the batch needs to the last credit lets it finish."""
    controller = begun(policy)
    accept(controller, *sent(controller.decide(now=1.0)), at=1.1)
    assert collected(controller, at=60.0) == Finished()


@pytest.mark.parametrize("memory", [{"spent": 88}, {"requests": 10}])
def test_earlier_invocations_count(memory: dict[str, int]) -> None:
    """A resume has what is left of the budget, not the whole of it again."""
    controller = begun(Policy(max_credits=100, max_requests=12), **memory)
    assert sent(controller.decide(now=1.0)) == (0, 1)


def test_nothing_overtakes_what_is_too_dear() -> None:
    """A cheap request behind one that exceeds the budget stays behind it."""
    controller = PacingController(Policy(max_credits=10), now=0.0)
    items = (Item(0, 1, credits=6), Item(1, 1, credits=6), Item(2, 1, credits=3))
    controller.receive(Queued(0.0, items, more=True))
    controller.decide(now=0.0)
    controller.receive(SnapshotTaken(0.1, 0.0, CapacitySnapshot(depth=0, capacity=100)))
    assert sent(controller.decide(now=1.0)) == (0,)
    accept(controller, 0, at=1.1)
    assert isinstance(collected(controller, at=60.0), Stop)


def test_what_a_429_refused_is_sent_again_within_the_limit() -> None:
    """Nothing of it was taken, so it has used nothing up: the limit is reached all the same."""
    controller = begun(Policy(max_requests=2))
    assert sent(controller.decide(now=1.0)) == (0, 1)
    accept(controller, 0, at=1.1)
    decision = controller.decide(now=1.1)
    assert isinstance(decision, WaitUntil)
    assert decision.bound is Bound.MAX_REQUESTS
    controller.receive(Throttled(1.2, 1.0, Submission(1), Lane.QUEUE, 2.0, 0.5))
    controller.decide(now=3.2)
    controller.receive(SnapshotTaken(3.3, 3.2, CapacitySnapshot(depth=0, capacity=100)))
    assert sent(controller.decide(now=3.4)) == (1,)
    accept(controller, 1, at=3.5)
    stop = collected(controller, at=60.0)
    assert isinstance(stop, Stop)
    assert stop.code == "MAX_REQUESTS"


def test_what_is_in_doubt_is_sent_again_and_counts_once() -> None:
    """It may be paid for already: only a resend can tell, and it is the same purchase."""
    controller = begun(Policy(max_requests=2))
    assert sent(controller.decide(now=1.0)) == (0, 1)
    accept(controller, 0, at=1.1)
    controller.receive(Lost(1.2, 1.0, Submission(1), None, 0.5, answered=True))
    controller.decide(now=1.3)
    controller.receive(SnapshotTaken(1.4, 1.3, CapacitySnapshot(depth=0, capacity=100)))
    decision = controller.decide(now=1.4)
    assert isinstance(decision, WaitUntil)
    assert decision.bound is Bound.MAX_REQUESTS
    now = decision.at
    while not isinstance(decision := controller.decide(now=now), SubmitWave):
        if isinstance(decision, WaitUntil):
            now = decision.at
        else:
            controller.receive(SnapshotTaken(now, now, CapacitySnapshot(depth=0, capacity=100)))
    assert sent(decision) == (1,)
    accept(controller, 1, at=now + 0.1)
    stop = collected(controller, at=60.0)
    assert isinstance(stop, Stop)
    assert stop.code == "MAX_REQUESTS"


def test_a_rejected_request_costs_no_credits() -> None:
    """Its credits buy the next one; as a request that was sent it counts."""
    controller = begun(Policy(max_credits=10, max_requests=3))
    assert sent(controller.decide(now=1.0)) == (0, 1)
    accept(controller, 0, at=1.1)
    controller.receive(Rejected(1.1, 1))
    assert sent(controller.decide(now=1.2)) == (2,)
    accept(controller, 2, at=1.3)
    assert (controller.admission.limits.requests, controller.admission.limits.credits) == (3, 10)


def test_a_deadline_ends_submitting_to_the_tick() -> None:
    """A moment before it a wave goes out, at it none; what is out is collected, then the batch stops."""
    for now, goes in ((nextafter(50.0, 0.0), True), (50.0, False)):
        controller = begun(Policy(deadline=50.0))
        controller.receive(SnapshotTaken(now, now, CapacitySnapshot(depth=0, capacity=100)))
        decision = controller.decide(now=now)
        assert isinstance(decision, SubmitWave) is goes
        assert isinstance(decision, Stop) is not goes  # nothing was out


def test_a_deadline_is_no_reason_to_stop_where_nothing_is_left() -> None:
    """All was sent in time: its captures are collected, and the batch has finished."""
    controller = begun(Policy(deadline=50.0))
    accept(controller, *sent(controller.decide(now=1.0)), at=1.1)
    assert collected(controller, at=60.0) == Finished()


def test_waits_end_at_the_deadline_and_what_follows_is_booked_on_it() -> None:
    """A queue that is full wakes nobody later than the deadline; the rest of the time has its name."""
    controller = PacingController(Policy(deadline=5.0), now=0.0)
    controller.receive(Queued(0.0, tuple(Item(n, 1) for n in range(4)), more=False))
    controller.decide(now=0.0)
    controller.receive(SnapshotTaken(0.1, 0.0, CapacitySnapshot(depth=8, capacity=10, inflight=8)))
    assert sent(controller.decide(now=0.1)) == (0,)
    accept(controller, 0, at=0.2)
    now = 0.2
    while not isinstance(decision := controller.decide(now=now), WaitUntil) or now < 5.0:
        if isinstance(decision, WaitUntil):
            assert decision.at <= 5.0
            now = decision.at
        elif isinstance(decision, Collect):
            for read in decision.reads:
                controller.receive(CaptureRead(now, now, read.index, read.child or 0, terminal=False))
        else:
            controller.receive(SnapshotTaken(now, now, CapacitySnapshot(depth=10, capacity=10, inflight=9)))
    assert decision.bound is Bound.DEADLINE
    assert isinstance(collected(controller, at=60.0), Stop)
    assert controller.statistics().account["deadline"] > 0.0


def test_requests_that_come_later_are_left_too() -> None:
    """Once a limit is met, what a service's callers bring stays in the journal."""
    controller = begun(Policy(max_requests=4))
    accept(controller, *sent(controller.decide(now=1.0)), at=1.1)
    assert collected(controller, at=60.0) == Finished()
    controller.receive(Queued(70.0, (Item(4, 1), Item(5, 1)), more=False))
    stop = controller.decide(now=70.0)
    assert isinstance(stop, Stop)
    controller.receive(Queued(71.0, (Item(6, 1),), more=True))
    assert isinstance(controller.decide(now=71.0), Stop)
