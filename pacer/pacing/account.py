"""
Where the time went: every second of a run under the bound that held it.
"""

from __future__ import annotations

from pacer.pacing.decisions import Bound


class Account:
    """
    Seconds by bound. They add up to the run.
    """

    def __init__(self) -> None:
        self.seconds: dict[Bound, float] = {}
        self._since: float | None = None
        self._bound = Bound.ROUND_TRIP

    def now_bound_by(self, bound: Bound, *, now: float) -> None:
        """Close the time since the last call, and open the next under *bound*."""
        self.settle(now=now)
        self._bound = bound

    def settle(self, *, now: float) -> None:
        """Book the time until *now* on the bound in force."""
        if self._since is not None and now > self._since:
            self.seconds[self._bound] = self.seconds.get(self._bound, 0.0) + now - self._since
        self._since = now if self._since is None else max(now, self._since)
