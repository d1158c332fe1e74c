"""
The documentation's three steps, taken literally: read the snapshot, submit ``capacity - depth``,
let it drain.

What depth counts, which the documentation leaves open, they are told. A wave leaves at once, over as many
connections as it takes.
"""

from __future__ import annotations

from pacer.simulation.rivals.base import INFINITY, Rival
from pacer.simulation.scenario import Scenario

SLEEP = 5.0
"""Seconds between waves: what a person writes who was told to let some children drain."""

POLL = 1.0
"""Seconds between readings."""


class Waves(Rival):
    """A wave for each reading; the next reading some seconds after the wave's last answer."""

    pause = SLEEP

    def __init__(self, scenario: Scenario, seed: int) -> None:
        super().__init__(scenario, seed)
        self._room = 0
        self._empty = False
        self._reading = False
        self._read_at = 0.0

    def may_send(self, *, now: float) -> bool:
        """While the wave lasts. A request larger than the queue goes alone."""
        head = self.head(now=now)
        if head is None or self._room <= 0:
            return False
        return self._cost(head) <= self._room or self._empty

    def sent(self, index: int, *, now: float) -> None:
        """Count it against the room."""
        self._room -= self._cost(index)
        self._empty = False

    def wants_reading(self, *, now: float) -> bool:
        """Once the wave is out and its time is over."""
        if self._reading or self.in_flight or now < self._read_at:
            return False
        self._reading = True
        return True

    def read(self, depth: int, capacity: int, *, now: float) -> None:
        """Open the next wave."""
        self._reading = False
        self._room = self.wave(depth, capacity)
        self._empty = depth == 0
        self._read_at = now + self.pause

    def unread(self, seconds: float, *, now: float) -> None:
        """The whole client waits."""
        self._reading = False
        self._read_at = now + max(seconds, self.pause)

    def wave(self, depth: int, capacity: int) -> int:
        """Return the size of the wave."""
        return capacity - depth

    def refused(self, index: int, seconds: float, *, now: float) -> float:
        """The whole client waits."""
        self._room = 0
        self._read_at = max(self._read_at, now + seconds)
        return now + seconds

    def next_at(self, *, now: float) -> float:
        """When the next reading is due."""
        return self._read_at if self._read_at > now and not self._reading else INFINITY

    def _cost(self, index: int) -> int:
        return self.scenario.cost(self.scenario.fan_outs[index])


class FixedSleep(Waves):
    """The steps with a fixed sleep between them."""


class FullDrain(Waves):
    """A wave only into an empty queue, looked at every second."""

    pause = POLL

    def wave(self, depth: int, capacity: int) -> int:
        """Wait for the queue to empty."""
        return 0 if depth else capacity


class PollEverySecond(Waves):
    """Fill up what is free, every second."""

    pause = POLL
