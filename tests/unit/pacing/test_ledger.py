"""Room: what a snapshot says, less what it cannot have counted."""

from __future__ import annotations

import pytest

from pacer.pacing.capacity import CapacitySnapshot, Ledger
from pacer.pacing.controller import PacingController
from pacer.pacing.cost import Unit
from pacer.pacing.decisions import Bound, ReadSnapshot, SubmitWave, WaitUntil
from pacer.pacing.events import Accepted, Item, Lost, Queued, SnapshotTaken, Submission, Throttled
from pacer.pacing.gates import Lane
from pacer.pacing.policy import Policy, UnitChoice

TWENTY = CapacitySnapshot(depth=4, capacity=20)


def test_without_a_snapshot_there_is_no_room() -> None:
    """Nothing is assumed of a queue that was never read, nor of one without a capacity."""
    ledger = Ledger()
    assert ledger.headroom(Unit.BOTH, reserve=0) == 0
    ledger.read(CapacitySnapshot(depth=0, capacity=None), asked_at=1.0)
    assert ledger.headroom(Unit.BOTH, reserve=0) == 0


@pytest.mark.parametrize(
    ("unit", "headroom"), [(Unit.PARENTS, 16 - 2), (Unit.CHILDREN, 16 - 5), (Unit.BOTH, 16 - 7)]
)
def test_headroom_is_capacity_less_depth_less_unseen(unit: Unit, headroom: int) -> None:
    """Two requests of five children between them take 2, 5 or 7 units until a read counts them."""
    ledger = Ledger()
    ledger.read(TWENTY, asked_at=0.0)
    ledger.sent(2)
    ledger.sent(3)
    ledger.admitted(3, at=1.0)

    assert ledger.headroom(unit, reserve=0) == headroom
    assert ledger.headroom(unit, reserve=3) == headroom - 3


@pytest.mark.parametrize(("asked_at", "unseen"), [(0.999, 4), (1.0, 0), (1.5, 0)])
def test_a_read_counts_what_was_answered_before_it_was_asked_for(asked_at: float, unseen: int) -> None:
    """A reply that came by the moment of asking is inside the snapshot; one tick later it is not."""
    ledger = Ledger()
    ledger.sent(3)
    ledger.admitted(3, at=1.0)
    ledger.read(TWENTY, asked_at=asked_at)

    assert ledger.unseen(Unit.BOTH) == unseen


def test_what_is_in_flight_is_unseen_whatever_is_read() -> None:
    """Only a reply, then a later read, makes a submission seen."""
    ledger = Ledger()
    ledger.sent(3)
    ledger.read(TWENTY, asked_at=100.0)
    assert ledger.unseen(Unit.BOTH) == 4
    assert not ledger.undisturbed

    ledger.admitted(3, at=101.0)
    assert ledger.unseen(Unit.BOTH) == 4
    ledger.read(TWENTY, asked_at=101.0)
    assert ledger.unseen(Unit.BOTH) == 0
    assert ledger.undisturbed


def test_what_was_refused_takes_no_room() -> None:
    """A refusal gives the room back at once."""
    ledger = Ledger()
    ledger.read(TWENTY, asked_at=0.0)
    ledger.sent(5)
    ledger.refused(5)

    assert ledger.headroom(Unit.BOTH, reserve=0) == 16
    assert ledger.undisturbed


# In the controller ---------------------------------------------------------------


def started(
    fan_outs: list[int], snapshot: CapacitySnapshot, policy: Policy | None = None
) -> PacingController:
    """Return a controller that has just read *snapshot*."""
    controller = PacingController(policy, now=0.0)
    items = tuple(Item(n, fan_out) for n, fan_out in enumerate(fan_outs))
    controller.receive(Queued(0.0, items, more=False))
    assert controller.decide(now=0.0) == ReadSnapshot()
    controller.receive(SnapshotTaken(0.1, 0.0, snapshot))
    return controller


@pytest.mark.parametrize(
    ("unit", "fan_outs", "wave"),
    [
        (UnitChoice.AUTO, [3] * 9, (0, 1, 2, 3)),  # 16 of room, 4 each
        (UnitChoice.CHILDREN, [3] * 9, (0, 1, 2, 3, 4)),
        (UnitChoice.PARENTS, [3] * 9, tuple(range(9))),
        (UnitChoice.BOTH, [7, 8, 1], (0,)),  # first in, first out: the 1 does not overtake
        (UnitChoice.BOTH, [7, 7, 1], (0, 1)),
    ],
)
def test_a_wave_is_the_longest_prefix_that_fits(
    unit: UnitChoice, fan_outs: list[int], wave: tuple[int, ...]
) -> None:
    """Requests go first in, first out, as far as the headroom reaches in the unit charged."""
    controller = started(fan_outs, TWENTY, Policy(unit=unit))

    assert controller.decide(now=0.1) == SubmitWave(wave)
    assert not isinstance(controller.decide(now=0.1), SubmitWave)


@pytest.mark.parametrize(
    ("policy", "wave"),
    [(Policy(reserve=10), (0, 1, 2)), (Policy(reserve_share=0.5), (0, 1, 2)), (Policy(reserve=16), None)],
)
def test_the_reserve_is_kept_free_and_named(policy: Policy, wave: tuple[int, ...] | None) -> None:
    """A reserve of 10 of 20 leaves 6 of 16 units: three requests, and the wait says RESERVE."""
    controller = started([1] * 9, TWENTY, policy)

    decision = controller.decide(now=0.1)

    assert decision == SubmitWave(wave) if wave else isinstance(decision, WaitUntil)


@pytest.mark.parametrize(("reserve", "bound"), [(0, Bound.TENANTS), (1, Bound.RESERVE)])
def test_a_wait_after_a_refusal_is_told_as_the_reserve_only_where_there_is_one(
    reserve: int, bound: Bound
) -> None:
    """Refused though there was room, pacer keeps clear of others: no reserve, and no reply is awaited."""
    one_left = CapacitySnapshot(depth=19 - reserve, capacity=20)
    controller = started([1] * 9, one_left, Policy(unit=UnitChoice.PARENTS, reserve=reserve))
    assert controller.decide(now=0.1) == SubmitWave((0,))
    controller.receive(Throttled(0.2, 0.1, Submission(0), Lane.QUEUE, 2.0, jitter=0.5))

    assert controller.decide(now=2.5) == ReadSnapshot()
    controller.receive(SnapshotTaken(2.6, 2.5, one_left))
    decision = controller.decide(now=2.6)

    assert isinstance(decision, WaitUntil)
    assert decision.bound is bound


def test_a_lost_submission_keeps_its_room_until_a_read_after_the_loss() -> None:
    """A submission whose reply was lost may have been admitted: its room is not given away."""
    controller = started([9, 9], CapacitySnapshot(depth=0, capacity=10), Policy(unit=UnitChoice.BOTH))
    assert controller.decide(now=0.1) == SubmitWave((0,))
    controller.receive(Lost(0.2, 0.1, Submission(0), None, jitter=0.0))

    assert controller.decide(now=0.2) in (ReadSnapshot(), WaitUntil(0.3, Bound.ROUND_TRIP))


def test_concurrency_bounds_a_wave() -> None:
    """No more than sixteen submissions are in flight at first, however much room there is."""
    controller = started([1] * 40, CapacitySnapshot(depth=0, capacity=5_000))

    assert controller.decide(now=0.1) == SubmitWave(tuple(range(16)))
    assert isinstance(controller.decide(now=0.1), WaitUntil)
    controller.receive(Accepted(0.2, 0.1, 0, children=1))
    assert controller.decide(now=0.2) in (SubmitWave((16,)), SubmitWave((16, 17)))  # a ramp at most
