"""
Where the time went: every second of a run under the bound that held it.
"""

from __future__ import annotations

from pacer.pacing.decisions import Bound

INFINITY = float("inf")


class Account:
    """
    Seconds by bound. They add up to the run.

    Args:
        now: When the run begins; until the first decision it is pacer that takes its time.
    """

    def __init__(self, *, now: float) -> None:
        self.seconds: dict[Bound, float] = {}
        self._since = now
        self._bound = Bound.PACER
        self._until = INFINITY

    def now_bound_by(self, bound: Bound, *, now: float, until: float = INFINITY) -> None:
        """
        Close the time since the last call, and open the next under *bound*.

        *until*: when the wait is over; what passes after it is pacer's, which wakes up late.
        """
        self.settle(now=now)
        self._bound = bound
        self._until = max(until, self._since)

    def settle(self, *, now: float) -> None:
        """Book the time until *now* on the bound in force."""
        self._book(self._bound, min(now, self._until))
        self._book(Bound.PACER, now)

    def _book(self, bound: Bound, until: float) -> None:
        if until > self._since:
            self.seconds[bound] = self.seconds.get(bound, 0.0) + until - self._since
            self._since = until
