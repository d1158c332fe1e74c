"""
A backlog with retries, and what every rival does with an answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from random import Random

from pacer.pacing.events import Call, StatusRead, Submission
from pacer.sandbox import Answer
from pacer.simulation.network import Turn
from pacer.simulation.scenario import Scenario

INFINITY = float("inf")


class Rival:
    """
    Submits the batch by its own rule; a 429 is met by each request alone, after Retry-After.

    Attributes:
        in_flight: Submissions without an answer.

        unaccepted: Requests that the service has not accepted yet.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.chance = Random(f"{seed}:rival")
        self.backlog = deque(range(scenario.requests))
        self.unaccepted = scenario.requests
        self.in_flight = 0
        self.tries: dict[int, int] = {}
        self._retries: list[tuple[float, int]] = []

    # What a rule decides ------------------------------------------------------

    def may_send(self, *, now: float) -> bool:
        """Return whether one more request may leave now."""
        raise NotImplementedError

    def wants_reading(self, *, now: float) -> bool:
        """Return whether to read the snapshot now."""
        return False

    def next_at(self, *, now: float) -> float:
        """Return when the rule changes its mind by time alone."""
        return INFINITY

    def read(self, depth: int, capacity: int, *, now: float) -> None:
        """Take a snapshot."""

    def unread(self, seconds: float, *, now: float) -> None:
        """A status read met a 429 with that Retry-After."""

    def accepted(self, *, now: float) -> None:
        """A request was accepted."""

    def refused(self, index: int, seconds: float, *, now: float) -> float:
        """Return when to send a request again that met a 429 with that Retry-After."""
        return now + seconds

    def sent(self, index: int, *, now: float) -> None:
        """A request leaves."""

    # What all of them do --------------------------------------------------------

    def act(self, *, now: float) -> Turn:
        """Send what the rule allows."""
        if not self.unaccepted:
            return Turn(done=True)
        calls: list[Call] = []
        while self.head(now=now) is not None and self.may_send(now=now):
            index = heappop(self._retries)[1] if self._due(now) else self.backlog.popleft()
            self.in_flight += 1
            self.tries[index] = self.tries.get(index, 0) + 1
            self.sent(index, now=now)
            calls.append(Submission(index))
        if self.wants_reading(now=now):
            calls.append(StatusRead())
        return Turn(calls, self._wake_at(now, calls))

    def answered(self, call: Call, answer: Answer, *, sent_at: float, now: float) -> None:
        """Take an answer."""
        seconds = float(answer.headers.get("Retry-After", "1"))
        if isinstance(call, StatusRead):
            if isinstance(answer.body, dict) and answer.status == 200:
                queue = answer.body["admissionQueue"]
                self.read(queue["depth"], queue["capacity"], now=now)
            else:
                self.unread(seconds, now=now)
        elif isinstance(call, Submission):
            self.in_flight -= 1
            if answer.status == 202:
                self.unaccepted -= 1
                self.accepted(now=now)
            else:
                heappush(self._retries, (self.refused(call.index, seconds, now=now), call.index))

    def head(self, *, now: float) -> int | None:
        """Return the request that is next: one whose wait is over before a new one; None if there is none."""
        if self._due(now):
            return self._retries[0][1]
        return self.backlog[0] if self.backlog else None

    def _due(self, now: float) -> bool:
        return bool(self._retries) and self._retries[0][0] <= now

    def _wake_at(self, now: float, calls: Sequence[Call]) -> float:
        at = self.next_at(now=now)
        if self._retries and self._retries[0][0] > now:
            at = min(at, self._retries[0][0])
        return at
