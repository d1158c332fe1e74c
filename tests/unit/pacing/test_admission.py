"""Requests with a history: oversized, poisoned, in doubt, conflicting, set aside."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import inf, nextafter

import pytest

from pacer.pacing.backlog import Backlog
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Decision, Finished, GiveUp, ReadSnapshot, Stop, SubmitWave, WaitUntil
from pacer.pacing.events import (
    Accepted,
    Call,
    Conflicted,
    Item,
    Lost,
    Queued,
    SetAside,
    SnapshotTaken,
    StatusRead,
    Submission,
    Throttled,
    Withdrawn,
)
from pacer.pacing.gates import Lane
from pacer.pacing.policy import Policy, UnitChoice

from .service import Service
from .steps import running
from .world import Fault, World

POLICY = Policy()


# The backlog ---------------------------------------------------------------------


def test_first_in_first_out() -> None:
    """Requests come out in the order in which they went in; one put back is next."""
    backlog = Backlog()
    backlog.extend((Item(0, 1), Item(1, 1)))
    backlog.extend((Item(2, 1),))
    first = backlog.pop(now=0.0)
    backlog.put_back(first)

    assert [backlog.pop(now=0.0).index for _ in range(3)] == [0, 1, 2]
    assert backlog.head(now=0.0) is None


@pytest.mark.parametrize(
    ("refusals", "jitter", "pause"),
    [(1, 0.0, 0.5), (1, 0.999, 0.9995), (3, 0.0, 2.0), (8, 0.0, 60.0), (30, 0.0, 60.0)],
)
def test_a_resend_waits_for_its_back_off(refusals: int, jitter: float, pause: float) -> None:
    """A request in doubt goes ahead of the others at its due time, and not one tick before."""
    backlog = Backlog()
    backlog.extend((Item(1, 1),))
    record = backlog.trouble(Item(0, 1), at=100.0, accepted=0)
    record.refusals = refusals
    backlog.retry(record, at=100.0, jitter=jitter, policy=POLICY)

    due = backlog.next_retry()
    assert due == pytest.approx(100.0 + pause)
    early, on_time = backlog.head(now=nextafter(due, -inf)), backlog.head(now=due)
    assert early is not None
    assert early.index == 1
    assert on_time is not None
    assert on_time.index == 0


# Oversized -------------------------------------------------------------------------


def oversized_world(**service: object) -> World:
    """Return a world with one request of nine children for a queue of five, between small ones."""
    made = Service(unit="children", capacity=5, workers=2, latency=4.0, **service)  # type: ignore[arg-type]  # names vary
    items = [Item(n, 9 if n == 4 else 1) for n in range(9)]
    return World(made, items, Policy(unit=UnitChoice.CHILDREN))


def test_an_oversized_request_goes_alone_at_depth_0() -> None:
    """A request larger than the queue waits for an empty one, goes alone, and the batch ends complete."""
    world = oversized_world()

    assert world.drive() == Finished()

    world.check_complete()
    assert world.throttled == Counter()
    sent_at = next(at for at, call in world.sent if call == Submission(4))
    assert [call for at, call in world.sent if at == sent_at and isinstance(call, Submission)] == [
        Submission(4)
    ]


def test_an_oversized_request_is_too_large_after_three_refusals_by_an_empty_queue() -> None:
    """Refused three times at depth 0 it ends as TOO_LARGE, by name, and the rest go on."""
    world = oversized_world(takes_oversized=False)

    assert world.drive() == Finished()

    world.check_complete()
    assert world.outcome[4] == "TOO_LARGE"
    assert world.throttled["queue"] == 3
    assert Counter(world.outcome.values()) == {"accepted": 8, "TOO_LARGE": 1}


def play(
    controller: PacingController, until: float, reply: dict[type, object], *, now: float = 0.0
) -> list[tuple[float, Decision]]:
    """Answer decisions with fixed replies, a tenth of a second later; return what was decided."""
    decided: list[tuple[float, Decision]] = []
    while now < until:
        decision = controller.decide(now=now)
        decided.append((now, decision))
        match decision:
            case WaitUntil(at):
                assert at > now
                now = min(at, until)
            case ReadSnapshot():
                now += 0.1
                snapshot = reply[StatusRead]
                assert isinstance(snapshot, CapacitySnapshot)
                controller.receive(SnapshotTaken(now, now - 0.1, snapshot))
            case SubmitWave(requests):
                now += 0.1
                lane = reply[Submission]
                assert isinstance(lane, Lane)
                for index in requests:
                    controller.receive(Throttled(now, now - 0.1, Submission(index), lane, 2.0, 0.5))
            case GiveUp():
                pass
            case _:
                break
    return decided


def oversized_alone(
    depth: int, capacity: int, lane: Lane, until: float = 400.0
) -> list[tuple[float, Decision]]:
    """Return what becomes of a request of nine children, always refused."""
    controller = PacingController(Policy(unit=UnitChoice.CHILDREN), now=0.0)
    controller.receive(Queued(0.0, (Item(0, 9),), more=False))
    snapshot = CapacitySnapshot(depth=depth, capacity=capacity)
    return play(controller, until, {StatusRead: snapshot, Submission: lane})


def test_where_depth_never_falls_to_0_it_goes_after_a_minute() -> None:
    """With others keeping depth at 2 of 5, it is tried at the lowest depth seen after 60 s, not before."""
    waves = [at for at, decision in oversized_alone(2, 5, Lane.QUEUE) if isinstance(decision, SubmitWave)]

    assert 60.0 <= waves[0] <= 100.0
    assert all(later - earlier >= 60.0 for earlier, later in pairwise(waves))


def test_it_is_never_sent_into_a_full_queue() -> None:
    """A queue that stays full has no lowest depth worth trying."""
    assert not [d for _, d in oversized_alone(5, 5, Lane.QUEUE) if isinstance(d, SubmitWave)]


@pytest.mark.parametrize(
    ("depth", "capacity", "lane"), [(0, 0, Lane.QUEUE), (2, 5, Lane.QUEUE), (0, 5, Lane.RATE)]
)
def test_only_a_queue_that_is_empty_and_not_closed_proves_it_too_large(
    depth: int, capacity: int, lane: Lane
) -> None:
    """Refusals by capacity 0, at a depth above 0, or by the rate limit say nothing of its size."""
    decided = oversized_alone(depth, capacity, lane, until=850.0)

    assert capacity == 0 or [d for _, d in decided if isinstance(d, SubmitWave)]
    assert not [d for _, d in decided if isinstance(d, GiveUp)]


def test_refusals_of_a_request_that_would_fit_never_make_it_too_large() -> None:
    """Whatever margin refusals have led to, a request that the queue can hold is not TOO_LARGE."""
    controller = PacingController(Policy(unit=UnitChoice.CHILDREN), now=0.0)
    controller.receive(Queued(0.0, (Item(0, 2),), more=False))
    empty = CapacitySnapshot(depth=0, capacity=100)

    decided = play(controller, 890.0, {StatusRead: empty, Submission: Lane.QUEUE})

    assert len([d for _, d in decided if isinstance(d, SubmitWave)]) > 3
    assert not [d for _, d in decided if isinstance(d, GiveUp)]


# In doubt -----------------------------------------------------------------------------


def poisoned(index: int) -> World:
    """Return a world in which one request never gets an answer."""
    service = Service(unit="both", capacity=4, workers=1, latency=4.0)
    world = World(service, [Item(n, 1) for n in range(400)], seed=3)
    world.fault = lambda call, now: Fault("lost") if call == Submission(index) else None
    return world


def test_a_poisoned_request_ends_by_name_while_the_others_pass() -> None:
    """Refused ten times over ten minutes while others pass, it ends; the others never waited for it."""
    world = poisoned(5)

    assert world.drive() == Finished()

    world.check_complete()
    assert world.outcome.pop(5) == "REFUSED_REPEATEDLY"
    assert set(world.outcome.values()) == {"accepted"}
    tries = [at for at, call in world.sent if call == Submission(5)]
    assert len(tries) >= 10
    assert tries[-1] - tries[0] >= 600.0
    assert world.now == pytest.approx(399 * 4.0, rel=0.03)  # one worker, never idle


def test_when_nothing_else_passes_no_request_is_blamed() -> None:
    """In an outage of half an hour nobody is given up: all are accepted after it."""
    world = World(Service(unit="both", capacity=50, workers=9, latency=2.0), [Item(n, 1) for n in range(30)])
    world.fault = lambda call, now: Fault("lost") if 0.2 < now < 1800.0 else None

    assert world.drive() == Finished()

    world.check_complete()
    assert set(world.outcome.values()) == {"accepted"}


# 409 and 403 --------------------------------------------------------------------------


def test_a_409_to_a_first_send_is_final() -> None:
    """Nobody but us can have used the key before: the request ends as IDEMPOTENCY_CONFLICT, unsent again."""
    controller = running(requests=1)
    assert controller.decide(now=0.1) == SubmitWave((0,))
    controller.receive(Conflicted(0.2, 0, jitter=0.5))

    decision = controller.decide(now=0.2)
    assert isinstance(decision, GiveUp)
    assert (decision.index, decision.child, decision.code) == (0, None, "IDEMPOTENCY_CONFLICT")
    assert controller.decide(now=0.2) == Finished()


@pytest.mark.parametrize("in_doubt_from", ["this invocation", "an earlier one"])
def test_a_409_to_a_resend_in_doubt_is_tried_again_then_unknown(in_doubt_from: str) -> None:
    """A resend may have met its own original: five 409s, each after a longer pause, then OUTCOME_UNKNOWN."""
    controller = PacingController(now=0.0)
    resumed = in_doubt_from == "an earlier one"
    controller.receive(Queued(0.0, (Item(0, 1, in_doubt=resumed),), more=False))
    now, sent = 0.0, []
    ended: GiveUp | None = None
    while ended is None:
        match controller.decide(now=now):
            case ReadSnapshot():
                controller.receive(SnapshotTaken(now, now, CapacitySnapshot(depth=0, capacity=100)))
            case SubmitWave():
                sent.append(now)
                if len(sent) == 1 and not resumed:
                    controller.receive(Lost(now, now, Submission(0), None, 0.5))
                else:
                    controller.receive(Conflicted(now, 0, jitter=0.5))
            case WaitUntil(at):
                now = at
            case GiveUp() as decision:
                ended = decision

    assert ended.code == "OUTCOME_UNKNOWN"
    assert len(sent) == (5 if resumed else 6)
    pauses = [later - earlier for earlier, later in pairwise(sent)]
    assert pauses == sorted(pauses)


def test_three_403_pages_in_a_row_stop_the_batch() -> None:
    """One edge page sets a request aside, three with nothing accepted between stop the batch."""
    controller = running(requests=4)
    assert controller.decide(now=0.1) == SubmitWave((0, 1, 2, 3))
    controller.receive(SetAside(0.2, 0, 0.5))
    controller.receive(SetAside(0.2, 1, 0.5))
    controller.receive(Accepted(0.2, 0.1, 2, children=1))
    controller.receive(SetAside(0.2, 3, 0.5))
    assert not isinstance(controller.decide(now=0.2), Stop)

    now, set_aside = 0.2, 1
    while set_aside < 3:
        match controller.decide(now=now):
            case SubmitWave(requests):
                for index in requests:
                    set_aside += 1
                    controller.receive(SetAside(now, index, 0.5))
            case ReadSnapshot():
                controller.receive(SnapshotTaken(now, now, CapacitySnapshot(depth=0, capacity=100)))
            case WaitUntil(at):
                now = at
    decision = controller.decide(now=now)
    assert isinstance(decision, Stop)
    assert decision.code == "FORBIDDEN"


def test_what_was_withdrawn_goes_next_and_holds_no_room() -> None:
    """A submission that never left is at the head of the line again, in no doubt."""
    controller = running(requests=1, capacity=2)
    assert controller.decide(now=0.1) == SubmitWave((0,))
    controller.receive(Withdrawn(0.1, 0))

    assert controller.decide(now=0.1) == SubmitWave((0,))
    controller.receive(Conflicted(0.2, 0, 0.5))
    decision = controller.decide(now=0.2)
    assert isinstance(decision, GiveUp)
    assert decision.code == "IDEMPOTENCY_CONFLICT"


# Without snapshots ----------------------------------------------------------------------


def status(kind: str, until: float = inf) -> object:
    """Return a fault for status reads."""

    def fault(call: Call, now: float) -> Fault | None:
        return Fault(kind) if isinstance(call, StatusRead) and now < until else None

    return fault


@pytest.mark.parametrize(("kind", "reads"), [("missing", 1), ("null", 5), ("unreadable", 5)])
def test_reactive_pacing_takes_over_where_there_is_no_usable_snapshot(kind: str, reads: int) -> None:
    """A missing endpoint at once, null capacities or failed reads after five in a row: submissions go on."""
    world = World(Service(unit="both", capacity=6, workers=3, latency=3.0), [Item(n, 1) for n in range(40)])
    world.fault = status(kind)  # type: ignore[assignment]  # a closure for the callable field

    assert world.drive() == Finished()

    world.check_complete()
    first = next(n for n, (_, call) in enumerate(world.sent) if isinstance(call, Submission))
    assert first == reads
    assert world.controller.statistics().reactive
    asked = [at for at, call in world.sent if isinstance(call, StatusRead)][reads:]
    assert all(later - earlier >= 60.0 for earlier, later in pairwise(asked))


@pytest.mark.parametrize("kind", ["missing", "null", "lost"])
def test_a_status_endpoint_that_comes_back_is_used_again(kind: str) -> None:
    """One read a minute finds it out, and reactive pacing ends."""
    world = World(Service(unit="both", capacity=6, workers=1, latency=3.0), [Item(n, 1) for n in range(90)])
    world.fault = status(kind, until=100.0)  # type: ignore[assignment]  # a closure for the callable field

    assert world.drive(horizon=99.0) is None
    assert world.controller.statistics().reactive
    assert world.drive(horizon=200.0) is None
    assert not world.controller.statistics().reactive
    refused = world.throttled["queue"]
    assert world.drive() == Finished()
    world.check_complete()
    assert world.throttled["queue"] == refused


def test_reactive_pacing_halves_on_a_429_and_grows_by_one_a_round() -> None:
    """Submissions in flight grow by one for each round accepted, and a queue 429 halves them once."""
    controller = PacingController(now=0.0)
    controller.receive(Queued(0.0, tuple(Item(n, 1) for n in range(900)), more=False))
    controller.admission.reactive = True
    limits = []
    for _ in range(10):
        limits.append(int(controller.admission.limit))
        wave = controller.admission.take(now=0.0, slots=inf)
        assert len(wave) == limits[-1]
        for index in wave:
            controller.admission.on_accepted(Accepted(0.0, 0.0, index, children=1))
    assert limits[0] == 16
    assert 16 + 8 <= limits[-1] <= 16 + 9

    before = controller.admission.limit
    first, second, *_ = controller.admission.take(now=0.0, slots=inf)
    for index, burst in ((first, True), (second, False)):
        event = Throttled(1.0, 0.5, Submission(index), Lane.QUEUE, 2.0, 0.5)
        controller.admission.on_throttled(event, index=index, queue=True, burst=burst, alone=True)
    assert controller.admission.limit == before / 2
