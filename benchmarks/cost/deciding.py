"""
``decide()`` as the backlog grows: the core must not look at what it does not send.

The core is given the whole backlog at once (a run gives it a window of it) and paces a service of 200 places.
"""

from __future__ import annotations

import gc
import time
from statistics import median
from typing import Any

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import ReadSnapshot, SubmitWave, WaitUntil
from pacer.pacing.events import Accepted, Item, Queued, SnapshotTaken
from pacer.pacing.policy import Policy

BACKLOGS = (1_000, 10_000, 100_000, 1_000_000)
DECISIONS = 4_000
ROUNDS = 3
CAPACITY = 200
TRIP = 0.08


def one(backlog: int, decisions: int) -> float:
    """Return the microseconds of a decision and of what it leads to, on average, with that backlog."""
    controller = PacingController(Policy(collect=False), now=0.0)
    surfaces = ("chatgpt",)
    items = tuple(Item(index, 1, surfaces, in_doubt=False) for index in range(backlog))
    controller.receive(Queued(0.0, items, more=False))
    now, made, depth = 0.0, 0, 0
    gc.collect()
    began = time.process_time()
    while made < decisions:
        decision = controller.decide(now=now)
        made += 1
        match decision:
            case SubmitWave(requests=requests):
                for index in requests:
                    controller.receive(Accepted(now + TRIP, now, index, 1))
                depth += len(requests)
                now += TRIP
                if len(controller.admission.backlog) < backlog / 2:
                    controller.receive(
                        Queued(now, tuple(Item(i, 1, surfaces, in_doubt=False) for i in requests), more=False)
                    )
            case ReadSnapshot():
                depth //= 2
                snapshot = CapacitySnapshot(depth=depth, capacity=CAPACITY)
                controller.receive(SnapshotTaken(now + TRIP, now, snapshot))
                now += TRIP
            case WaitUntil(at=at):
                now = max(now + 1e-3, min(at, now + 30.0))
            case other:
                raise RuntimeError(f"the core has come to {other}")
    return 1e6 * (time.process_time() - began) / made


def measure(backlogs: tuple[int, ...] = BACKLOGS, decisions: int = DECISIONS) -> dict[str, Any]:
    """Return microseconds by backlog, the least of some rounds, and the longest over the shortest backlog."""
    found = {backlog: min(one(backlog, decisions) for _ in range(ROUNDS)) for backlog in backlogs}
    return {
        "decisions": [{"backlog": backlog, "us": us} for backlog, us in found.items()],
        "growth": found[max(backlogs)] / found[min(backlogs)],
        "median_us": median(found.values()),
    }
