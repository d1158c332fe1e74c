"""
pacer's controller as a client of the simulated network: what the runner does, without a socket.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Collect, Finished, GiveUp, ReadSnapshot, Stop, SubmitWave, WaitUntil
from pacer.pacing.events import (
    Accepted,
    Call,
    CaptureRead,
    Event,
    Item,
    JobMissing,
    JobRead,
    ParentRead,
    Queued,
    SnapshotTaken,
    StatusRead,
    Submission,
    Throttled,
    WindowTold,
)
from pacer.pacing.gates import Lane
from pacer.pacing.policy import Policy
from pacer.sandbox import Answer
from pacer.simulation.network import SimulationError, Turn
from pacer.simulation.scenario import Scenario, shape

LANES = {
    "QUEUE_CAPACITY_EXCEEDED": Lane.QUEUE,
    "CONCURRENCY_LIMIT_EXCEEDED": Lane.SYNC,
}
ACTIVE = frozenset({"queued", "processing"})

SPINS = 10_000
"""Decisions in a row without a wait that prove a loop: more than any wave has parts."""


class Paced:
    """The controller, fed with answers and obeyed."""

    def __init__(self, scenario: Scenario, policy: Policy) -> None:
        self.controller = PacingController(policy, now=0.0)
        self.given_up: list[GiveUp] = []
        items = tuple(
            Item(index, fan_out, shape(fan_out, index)[0]) for index, fan_out in enumerate(scenario.fan_outs)
        )
        self.controller.receive(Queued(0.0, items, more=False))

    def act(self, *, now: float) -> Turn:
        """Ask the controller until it wants to wait."""
        calls: list[Call] = []
        for _ in range(SPINS):
            match self.controller.decide(now=now):
                case SubmitWave(requests=requests):
                    calls.extend(Submission(index) for index in requests)
                case ReadSnapshot():
                    calls.append(StatusRead())
                case Collect(reads=reads):
                    calls.extend(reads)
                case GiveUp() as give_up:
                    self.given_up.append(give_up)
                case WaitUntil(at=at):
                    return Turn(calls, at)
                case Finished():
                    return Turn(calls, done=True)
                case Stop(code=code, reason=reason):
                    raise SimulationError(f"stopped at {now:.3f} s: {code}: {reason}")
        raise SimulationError(f"it decides without end at {now:.3f} s")

    def answered(self, call: Call, answer: Answer, *, sent_at: float, now: float) -> None:
        """Turn an answer into events."""
        if answer.status == 429:
            self.controller.receive(_throttled(call, answer, sent_at, now))
            return
        self.controller.receive(_event(call, answer, sent_at, now))
        if "X-RateLimit-Limit" in answer.headers:
            limit, remaining, resets_in = _window(answer.headers)
            self.controller.receive(WindowTold(now, sent_at, limit, remaining, resets_in))


def _event(call: Call, answer: Answer, sent_at: float, now: float) -> Event:
    body: Any = answer.body
    match call:
        case Submission(index=index):
            if answer.status != 202:
                raise SimulationError(f"a submission met {answer.status}")
            return Accepted(now, sent_at, index, len(body["children"]))
        case JobRead(index=index, child=None):
            if answer.status == 404:
                return JobMissing(now, call)
            ended = frozenset(n for n, c in enumerate(body["children"]) if c["status"] not in ACTIVE)
            return ParentRead(now, sent_at, index, len(body["children"]), ended)
        case JobRead(index=index, child=int(child)):
            if answer.status == 404:
                return JobMissing(now, call)
            job = body["job"]
            terminal = job["status"] not in ACTIVE
            sojourn = _seconds(job["requestedAt"], job["completedAt"]) if terminal else None
            return CaptureRead(now, sent_at, index, child, terminal, job["surface"], sojourn)
        case _:
            return SnapshotTaken(now, sent_at, _snapshot(body))


def _snapshot(body: Any) -> CapacitySnapshot:
    queue, sync, inflight = body["admissionQueue"], body["syncConcurrency"], body["inflight"]
    return CapacitySnapshot(
        depth=queue["depth"],
        capacity=queue["capacity"],
        sync_limit=sync["limit"],
        sync_running=sync["running"],
        inflight=inflight["total"],
        by_surface=inflight["bySurface"],
    )


def _throttled(call: Call, answer: Answer, sent_at: float, now: float) -> Throttled:
    limit, _, resets_in = _window(answer.headers)
    value = answer.headers.get("Retry-After")
    return Throttled(
        at=now,
        sent_at=sent_at,
        call=call,
        lane=LANES.get(answer.code, Lane.RATE),
        retry_after=None if value is None else float(value),
        jitter=0.5,
        limit=limit,
        resets_in=resets_in,
    )


def _window(headers: dict[str, str]) -> tuple[int | None, int | None, float | None]:
    if "X-RateLimit-Limit" not in headers:
        return None, None, None
    resets_in = max(0.0, float(headers["X-RateLimit-Reset"]) - _date(headers["Date"]))
    return int(headers["X-RateLimit-Limit"]), int(headers["X-RateLimit-Remaining"]), resets_in


@lru_cache(maxsize=64)
def _date(text: str) -> float:
    return parsedate_to_datetime(text).timestamp()


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
