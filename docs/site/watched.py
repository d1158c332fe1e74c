"""
Simulated runs, watched: the service's queue at every moment, and what the client did about it.

Everything is deterministic by seed; time is virtual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pacer.pacing.events import Call, StatusRead, Submission
from pacer.pacing.policy import Policy, UnitChoice
from pacer.sandbox import Answer
from pacer.simulation.network import Client, Network, Turn
from pacer.simulation.paced import Paced
from pacer.simulation.scenario import Scenario

SEED = 1
ENDLESS = 100_000.0
"""Seconds of virtual time after which a run is a mistake."""


@dataclass
class Watched:
    """
    One run. Times in seconds from its start.

    Attributes:
        depth: The queue's true depth, as ``(at, units)``.

        idle: Workers without work, as ``(at, workers)``.

        reads: Snapshots, as ``(asked, arrived, units)``.

        waves: Requests that were sent at once, as ``(at, requests)``.

        refused: 429s, as ``(at, Retry-After)``.

        calls: When each call left.

        drain: What the client took the drain for, as ``(at, units a second)``.
    """

    depth: list[tuple[float, int]] = field(default_factory=list)
    idle: list[tuple[float, int]] = field(default_factory=list)
    reads: list[tuple[float, float, int]] = field(default_factory=list)
    waves: list[tuple[float, int]] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    drain: list[tuple[float, float]] = field(default_factory=list)
    seconds: float = 0.0
    idle_share: float = 0.0


class Watch:
    """A client that passes everything on to another one, and looks at the service every *step* seconds."""

    def __init__(self, network: Network, client: Client, *, step: float) -> None:
        self._network = network
        self._client = client
        self._step = step
        self._looks_at = 0.0
        self._turn: Turn | None = None
        self.seen = Watched()

    def act(self, *, now: float) -> Turn:
        """Look if it is time; let the client act unless only we wanted to be woken."""
        while self._looks_at <= now:
            self._look(now)
            self._looks_at += self._step
        if self._turn is None or now >= self._turn.wake_at:
            turn = self._client.act(now=now)
            self._note(turn, now)
        else:
            turn = Turn((), self._turn.wake_at)
        self._turn = turn
        return Turn(turn.calls, min(turn.wake_at, self._looks_at), turn.done)

    def answered(self, call: Call, answer: Answer, *, sent_at: float, now: float) -> None:
        """Note it and pass it on."""
        if answer.status == 429:
            self.seen.refused.append((now, float(answer.headers.get("Retry-After", "0"))))
        elif isinstance(call, StatusRead) and isinstance(answer.body, dict):
            self.seen.reads.append((sent_at, now, answer.body["admissionQueue"]["depth"]))
        self._client.answered(call, answer, sent_at=sent_at, now=now)
        if isinstance(self._client, Paced) and (rate := self._client.controller.statistics().drain):
            self.seen.drain.append((now, rate))
        self._turn = None

    def _look(self, now: float) -> None:
        service = self._network.service
        service.advance(now=now)
        self.seen.depth.append((now, service.queue.depth))
        self.seen.idle.append((now, service.settings.workers - service.queue.running))

    def _note(self, turn: Turn, now: float) -> None:
        submitted = sum(isinstance(call, Submission) for call in turn.calls)
        self.seen.calls += [now] * len(turn.calls)
        if submitted:
            self.seen.waves.append((now, submitted))
            service = self._network.service
            self.seen.depth.append((now, service.queue.depth))


def watch(
    scenario: Scenario, make: Callable[[Scenario, int], Client] | None = None, *, step: float = 0.1
) -> Watched:
    """
    Let a client work through *scenario*.

    Args:
        make: Makes the client; pacer's own without it, which is told the unit of depth.
    """
    network = Network(scenario, seed=SEED)
    client = make(scenario, SEED) if make else Paced(scenario, Policy(unit=UnitChoice(scenario.unit)))
    watcher = Watch(network, client, step=step)
    seen = watcher.seen
    seen.seconds = network.run(watcher, limit=ENDLESS)
    network.finish()
    seen.seconds = max(seen.seconds, network.now)
    observed = network.observed
    submitting = observed.last_admission - observed.first_admission
    idle = observed.idle_after - observed.idle_before
    seen.idle_share = idle / (scenario.workers * submitting)
    return seen
