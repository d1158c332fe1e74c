"""
Virtual time: calls travel half a round trip to the service's model, and their answers half a round trip back.

Nothing here knows pacing. A :class:`Client` is told of answers and says what to send and when to be woken;
pacer's controller is one, each rival another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Protocol

from pacer.pacing.events import Call, JobRead, Submission
from pacer.sandbox import SANDBOX_KEY, Answer, Service
from pacer.sandbox import Call as HttpCall
from pacer.simulation.scenario import Scenario

INFINITY = float("inf")

STUCK = 1_000
"""Turns of a client at one moment of virtual time that prove a busy loop."""


class SimulationError(Exception):
    """The client hangs, loops, or runs for longer than anything sensible could."""


@dataclass(slots=True)
class Turn:
    """
    What a client wants now.

    Attributes:
        calls: Leave at once.

        wake_at: When to ask again if no answer comes before.

        done: The batch is over.
    """

    calls: Sequence[Call] = ()
    wake_at: float = INFINITY
    done: bool = False


class Client(Protocol):
    """Whoever submits the batch."""

    def act(self, *, now: float) -> Turn:
        """Say what to send, and when to be woken."""
        ...

    def answered(self, call: Call, answer: Answer, *, sent_at: float, now: float) -> None:
        """Take an answer."""
        ...


@dataclass(slots=True)
class Observed:
    """
    What only the network sees.

    Attributes:
        first_admission, last_admission: When the first and the last request of the batch was admitted.

        idle_before, idle_after: The workers' idle seconds at these moments.

        inside_gate: Calls that left after a 429 was read and before its deadline.

        wasted: Job reads that found no capture ended.

        accepted: Requests of the batch that were admitted.
    """

    first_admission: float = INFINITY
    last_admission: float = 0.0
    idle_before: float = 0.0
    idle_after: float = 0.0
    inside_gate: int = 0
    wasted: int = 0
    accepted: int = 0
    rate_bursts: int = 0
    queue_bursts: int = 0
    gates: dict[str, float] = field(default_factory=dict)
    burst_read: dict[str, float] = field(default_factory=dict)


class Network:
    """
    One run of one client against one service.

    Attributes:
        ids: Of each accepted request: the parent's id, then its children's.
    """

    def __init__(self, scenario: Scenario, *, seed: int) -> None:
        self.scenario = scenario
        self.service = Service(scenario.service_settings(), seed=seed, faults=scenario.faults, log_limit=0)
        self.now = 0.0
        self.observed = Observed()
        self.ids: dict[int, tuple[str, ...]] = {}
        self._chance = Random(f"{seed}:network")
        self._heap: list[tuple[float, int, bool, Call, float, Answer | None]] = []
        self._count = 0

    def run(self, client: Client, *, limit: float) -> float:
        """
        Let *client* work until it is done, and return when that was.

        Raises:
            SimulationError: It waits for nothing, loops on the spot, or is not done by *limit* seconds.
        """
        self.service.advance(now=0.0)
        turns = 0
        turn = client.act(now=0.0)
        while not turn.done:
            for call in turn.calls:
                self._send(call)
            at = min(turn.wake_at, self._heap[0][0] if self._heap else INFINITY)
            if at == INFINITY:
                raise SimulationError(f"{self.scenario.name}: it waits for ever at {self.now:.3f} s")
            if at > limit:
                raise SimulationError(f"{self.scenario.name}: not done after {limit:,.0f} s")
            turns = turns + 1 if at <= self.now else 0
            if turns > STUCK:
                raise SimulationError(f"{self.scenario.name}: it turns on the spot at {self.now:.6f} s")
            self.now = max(at, self.now)
            if self._heap and self._heap[0][0] <= at and not self._deliver(client):
                turn = Turn(wake_at=turn.wake_at)
                continue
            turn = client.act(now=self.now)
        return self.now

    def finish(self) -> None:
        """Let the batch's captures end, and time stand at the moment at which the last is known to have."""
        jobs = [job for job in self.service.model.jobs.values() if job.active]
        for job in jobs:
            while job.active and (at := self.service.next_event_at()) is not None:
                self.now = max(self.now, at)
                self.service.advance(now=self.now)
        self.now += self.scenario.rtt / 2

    def _send(self, call: Call) -> None:
        gates = self.observed.gates
        if self.now < gates.get("rate", 0.0) or (
            isinstance(call, Submission) and self.now < gates.get("queue", 0.0)
        ):
            self.observed.inside_gate += 1
        self._push(self.now + self._half_trip(), False, call, self.now, None)

    def _half_trip(self) -> float:
        scenario = self.scenario
        if not scenario.jitter:
            return scenario.rtt / 2
        return scenario.rtt / 2 * (1 + self._chance.expovariate(1 / scenario.jitter))

    def _push(self, at: float, back: bool, call: Call, sent_at: float, answer: Answer | None) -> None:
        self._count += 1
        heappush(self._heap, (at, self._count, back, call, sent_at, answer))

    def _deliver(self, client: Client) -> bool:
        """Move the next letter on; return whether it was an answer for the client."""
        at, _, back, call, sent_at, answer = heappop(self._heap)
        if not back:
            self._push(at + self._half_trip(), True, call, sent_at, self._serve(call))
            return False
        assert answer is not None
        if answer.status == 429:
            self._note_gate(answer, sent_at)
        client.answered(call, answer, sent_at=sent_at, now=at)
        return True

    def _serve(self, call: Call) -> Answer:
        service, now = self.service, self.now
        match call:
            case Submission(index=index):
                answer = service.submit(self.scenario.search(index), now=now)
                if answer.status == 202:
                    self._admitted(index, answer)
                return answer
            case JobRead(index=index, child=child):
                answer = service.job(self.ids[index][0 if child is None else child + 1], now=now)
                self.observed.wasted += answer.status == 200 and _in_vain(answer)
                return answer
            case _:
                if not self.scenario.faults:
                    return service.status(now=now)
                headers = {"Authorization": f"Bearer {SANDBOX_KEY}"}
                return service.handle(HttpCall("GET", "/v1/async/status", headers=headers), now=now)

    def _admitted(self, index: int, answer: Answer) -> None:
        assert isinstance(answer.body, dict)
        self.ids[index] = (answer.body["jobId"], *answer.body["children"])
        observed, queue = self.observed, self.service.queue
        if observed.accepted == 0:
            observed.first_admission, observed.idle_before = self.now, queue.idle_worker_seconds
        observed.accepted += 1
        observed.last_admission, observed.idle_after = self.now, queue.idle_worker_seconds

    def _note_gate(self, answer: Answer, sent_at: float) -> None:
        observed = self.observed
        lane = "queue" if answer.code.startswith("QUEUE") else "rate"
        if sent_at > observed.burst_read.get(lane, -INFINITY):
            observed.burst_read[lane] = self.now
            if lane == "queue":
                observed.queue_bursts += 1
            else:
                observed.rate_bursts += 1
        until = self.now + float(answer.headers.get("Retry-After", "0"))
        observed.gates[lane] = max(until, observed.gates.get(lane, 0.0))


def _in_vain(answer: Answer) -> bool:
    body = answer.body
    assert isinstance(body, dict)
    captures = body.get("children", [body["job"]])
    return all(capture["status"] in ("queued", "processing") for capture in captures)
