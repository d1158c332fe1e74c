"""
The adaptive mode of the AWS SDKs: a token bucket whose rate follows a cubic curve between 429s.

Written from the rule's description (botocore's ``retries/adaptive``): beta 0.7, scale 0.4, the rate never
above twice what was measured, exponential back-off with full jitter up to 20 s.
"""

from __future__ import annotations

from pacer.simulation.rivals.base import INFINITY, Rival
from pacer.simulation.scenario import Scenario

BETA, SCALE = 0.7, 0.4
LEAST_RATE = 0.5
SMOOTHING = 0.8
BUCKET = 0.5
"""Seconds over which the rate is measured."""

LONGEST = 20.0


class AwsAdaptive(Rival):
    """Unlimited until the first 429, then a token bucket."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        super().__init__(scenario, seed)
        self._limited = False
        self._rate = LEAST_RATE
        self._tokens, self._filled_at = 0.0, 0.0
        self._most, self._time_window, self._throttled_at = 0.0, 0.0, 0.0
        self._measured, self._count, self._bucket = 0.0, 0, 0.0

    def may_send(self, *, now: float) -> bool:
        """Sixteen connections, and a token if limited; a worker sleeps on a refused request."""
        if self.in_flight + len(self._retries) >= 16 and not self._due(now):
            return False
        if not self._limited:
            return True
        self._fill(now)
        return self._tokens >= 1.0 - 1e-9

    def sent(self, index: int, *, now: float) -> None:
        """Spend a token."""
        if self._limited:
            self._tokens -= 1.0

    def next_at(self, *, now: float) -> float:
        """When there is a token."""
        if not self._limited or self._tokens >= 1.0 - 1e-9:
            return INFINITY
        return now + max((1.0 - self._tokens) / self._rate, 1e-6)

    def accepted(self, *, now: float) -> None:
        """Climb the cubic."""
        self._measure(now)
        if self._limited:
            elapsed = now - self._throttled_at
            calculated = SCALE * (elapsed - self._time_window) ** 3 + self._most
            self._update(calculated, now)

    def refused(self, index: int, seconds: float, *, now: float) -> float:
        """Cut the rate, and back off."""
        self._measure(now)
        rate = min(self._measured, self._rate) if self._limited else self._measured
        self._most = rate
        self._time_window = (self._most * (1 - BETA) / SCALE) ** (1 / 3)
        self._throttled_at = now
        self._limited = True
        self._update(rate * BETA, now)
        return now + self.chance.random() * min(LONGEST, 2.0 ** min(self.tries[index] - 1, 10))

    def _update(self, calculated: float, now: float) -> None:
        self._fill(now)
        self._rate = max(LEAST_RATE, min(calculated, 2 * self._measured))
        self._tokens = min(self._tokens, max(self._rate, 1.0))

    def _fill(self, now: float) -> None:
        self._tokens = min(max(self._rate, 1.0), self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now

    def _measure(self, now: float) -> None:
        self._count += 1
        bucket = now // BUCKET * BUCKET
        if bucket > self._bucket:
            rate = self._count / (bucket - self._bucket)
            self._measured = rate * SMOOTHING + self._measured * (1 - SMOOTHING)
            self._count, self._bucket = 0, bucket
