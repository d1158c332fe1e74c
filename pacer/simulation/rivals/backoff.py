"""
No snapshot: a fixed concurrency, a fixed rate, or one that feels its way by 429s.
"""

from __future__ import annotations

from pacer.simulation.rivals.base import INFINITY, Rival
from pacer.simulation.scenario import Scenario

FIRST, MOST = 1.0, 60.0
"""Seconds: the first back-off and the longest."""


class FixedConcurrency(Rival):
    """Sixteen workers; each repeats its request after exponential back-off with full jitter."""

    workers = 16

    def __init__(self, scenario: Scenario, seed: int) -> None:
        super().__init__(scenario, seed)

    def may_send(self, *, now: float) -> bool:
        """While a worker is free; one that sleeps on its request is not."""
        if self._due(now):
            return True
        return self.in_flight + len(self._retries) < self.workers

    def refused(self, index: int, seconds: float, *, now: float) -> float:
        """Back off, Retry-After or not."""
        pause = min(MOST, FIRST * 2.0 ** min(self.tries[index] - 1, 10))
        return now + pause * self.chance.random()


class PoliteConcurrency(FixedConcurrency):
    """The same, but a worker sleeps as long as Retry-After says, and up to a second more."""

    def refused(self, index: int, seconds: float, *, now: float) -> float:
        """Wait for what was said, with some jitter."""
        return now + seconds + self.chance.random()


class FixedRate(Rival):
    """
    A leaky bucket.

    Args:
        rate: Requests a second.
    """

    def __init__(self, scenario: Scenario, seed: int, *, rate: float) -> None:
        super().__init__(scenario, seed)
        self._gap = 1.0 / rate
        self._next = 0.0

    def may_send(self, *, now: float) -> bool:
        """One a gap."""
        return now >= self._next

    def sent(self, index: int, *, now: float) -> None:
        """The next may leave a gap later."""
        self._next = max(now, self._next) + self._gap

    def next_at(self, *, now: float) -> float:
        """When the next may leave."""
        return self._next if self._next > now else INFINITY


class AdditiveIncrease(Rival):
    """
    A window of submissions in flight: one more a round, half on a 429 (TCP's rule).

    It sends nothing before a Retry-After is over.
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        super().__init__(scenario, seed)
        self._window = 1.0
        self._cut_at = -INFINITY
        self._closed_until = 0.0

    def may_send(self, *, now: float) -> bool:
        """While the window has room, outside of a gate."""
        return now >= self._closed_until and self.in_flight < int(self._window)

    def next_at(self, *, now: float) -> float:
        """When the gate opens."""
        return self._closed_until if self._closed_until > now else INFINITY

    def accepted(self, *, now: float) -> None:
        """Grow."""
        self._window += 1.0 / self._window

    def refused(self, index: int, seconds: float, *, now: float) -> float:
        """Halve, once a round trip."""
        if now - self._cut_at > self.scenario.rtt:
            self._window, self._cut_at = max(1.0, self._window / 2), now
        self._closed_until = max(self._closed_until, now + seconds)
        return now + seconds
