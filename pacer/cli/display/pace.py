"""
How fast a run goes, and how long it has to go.
"""

from __future__ import annotations

from collections import deque

from pacer.cli.display.protocol import Look
from pacer.pacing.cost import Unit

MEMORY = 30.0
"""Seconds over which the rate is taken, or two looks if they are further apart."""

ENOUGH = 3.0
"""Seconds of looking before there is a rate."""


class Pace:
    """The rate at which captures end, from looks at the run."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, look: Look, *, now: float) -> None:
        """Take in the totals at *now*, in seconds on any steady clock; those of a run that has begun."""
        if look.statistics is None:
            return  # what earlier invocations collected is not known yet: it is no work of this one
        self._seen.append((now, look.progress.captures_ended))
        while len(self._seen) > 2 and now - self._seen[1][0] >= MEMORY:
            self._seen.popleft()

    @property
    def per_second(self) -> float | None:
        """Return captures a second of late; None while that cannot be said."""
        if len(self._seen) < 2:
            return None
        (began, before), (now, ended) = self._seen[0], self._seen[-1]
        return (ended - before) / (now - began) if now - began >= ENOUGH else None

    def to_go(self, look: Look) -> float | None:
        """Return the seconds to the end, by the rate of late; before there is one, by the queue's drain."""
        progress = look.progress
        left = progress.captures - progress.captures_ended
        rate = self.per_second or _drain(look)
        return left / rate if rate and left > 0 else None


def _drain(look: Look) -> float | None:
    """Return the drain in captures a second: the core has it in the queue's own unit."""
    statistics, progress = look.statistics, look.progress
    if statistics is None or not statistics.drain or not progress.captures:
        return None
    cost = Unit[statistics.unit.upper()].cost(progress.captures, progress.requests)
    return statistics.drain * progress.captures / cost if cost else None
