"""The sync lane: when a capture may leave that somebody waits for."""

from __future__ import annotations

from math import inf, nextafter

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.events import Lost, SnapshotTaken, SyncAnswered, SyncCapture, Throttled
from pacer.pacing.gates import Lane
from pacer.pacing.policy import Policy


def controller_with(*, limit: int, running: int) -> PacingController:
    """Return a controller that has read of a lane of *limit* slots, *running* of them taken."""
    controller = PacingController(Policy(), now=0.0)
    controller.want_snapshot(now=0.0)
    controller.decide(now=0.0)
    snapshot = CapacitySnapshot(depth=0, capacity=10, sync_limit=limit, sync_running=running)
    controller.receive(SnapshotTaken(0.1, 0.0, snapshot))
    return controller


def test_as_many_leave_as_the_limit_has_room_for() -> None:
    """Others' captures take slots too; each of ours that is answered frees one."""
    controller = controller_with(limit=5, running=2)
    for _ in range(3):
        assert controller.capture_at(now=1.0) == 1.0
        controller.capturing(SyncCapture(), now=1.0)
    assert controller.capture_at(now=1.0) == inf
    controller.receive(SyncAnswered(9.0, 1.0))
    assert controller.capture_at(now=9.0) == 9.0


def test_the_first_call_of_all_goes_alone() -> None:
    """A refused key costs one request."""
    controller = PacingController(Policy(), now=0.0)
    assert controller.capture_at(now=0.0) == 0.0
    controller.capturing(SyncCapture(), now=0.0)
    assert controller.capture_at(now=0.0) == inf


def test_its_gate_opens_exactly_when_promised_and_stops_no_batch() -> None:
    """However long its Retry-After is: whoever waits for one capture decides on patience."""
    controller = controller_with(limit=5, running=0)
    controller.capturing(SyncCapture(), now=1.0)
    controller.receive(Throttled(2.0, 1.0, SyncCapture(), Lane.SYNC, 100_000.0, 0.5))
    assert controller.capture_at(now=nextafter(100_002.0, 0.0)) == 100_002.0
    assert controller.capture_at(now=100_002.0) == 100_002.0
    assert controller.gates[Lane.QUEUE].is_open(now=2.0)
    assert controller.gates[Lane.RATE].is_open(now=2.0)


def test_a_slow_surface_is_no_outage() -> None:
    """Time-outs of sync captures say nothing about whether the service is there."""
    controller = controller_with(limit=5, running=0)
    for at in (10.0, 20.0, 30.0, 40.0):
        controller.capturing(SyncCapture(), now=at)
        controller.receive(Lost(at + 9.0, at, SyncCapture(), None, 0.5, answered=False))
    assert not controller.health.outage
    assert controller.capture_at(now=50.0) == 50.0
