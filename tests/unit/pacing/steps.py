"""
First steps that many tests of the controller share.
"""

from __future__ import annotations

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import ReadSnapshot
from pacer.pacing.events import Item, Queued, SnapshotTaken
from pacer.pacing.policy import Policy


def running(*, requests: int = 4, capacity: int = 100, policy: Policy | None = None) -> PacingController:
    """Return a controller that has read a snapshot at 0.0 to 0.1 and may submit."""
    controller = PacingController(policy, now=0.0)
    controller.receive(Queued(0.0, tuple(Item(n, 1) for n in range(requests)), more=False))
    assert controller.decide(now=0.0) == ReadSnapshot()
    controller.receive(SnapshotTaken(0.1, 0.0, CapacitySnapshot(depth=0, capacity=capacity)))
    return controller
