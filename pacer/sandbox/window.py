"""
The request-rate window: so many requests a span, aligned to the wall clock or sliding.
"""

from collections import deque
from math import floor

from pacer.sandbox.settings import Settings

__all__ = ["RateWindow"]


class RateWindow:
    """
    Counts what was let in. A refused request costs nothing, so hammering does not prolong the wait.
    """

    def __init__(self, settings: Settings, limit: int) -> None:
        self.limit = limit
        self._span = settings.rate_window
        self._sliding = settings.rate_kind == "sliding"
        # The first boundary at or after now = 0, so that boundaries are exact in terms of `now`.
        self._phase = (settings.rate_phase - settings.epoch) % settings.rate_window
        self._index = 0
        self._used = 0
        self._times: deque[float] = deque()

    def admit(self, now: float) -> bool:
        """
        Let one more request in, if the window has room for it.
        """
        if self.remaining(now) <= 0:
            return False
        if self._sliding:
            self._times.append(now)
        else:
            self._used += 1
        return True

    def remaining(self, now: float) -> int:
        """
        Requests that would still be let in now.
        """
        if self._sliding:
            while self._times and self._times[0] + self._span <= now:
                self._times.popleft()
            return self.limit - len(self._times)
        index = floor((now - self._phase) / self._span)
        if index != self._index:
            self._index, self._used = index, 0
        return self.limit - self._used

    def resets_at(self, now: float) -> float:
        """
        When the aligned window ends, or when the sliding one next has one more request to give.
        """
        if self._sliding:
            return self._times[0] + self._span if self._times else now
        return self._phase + (floor((now - self._phase) / self._span) + 1) * self._span
