"""
Gates: the deadlines that close a lane. Retry-After is law.

Rule 1: a gate's deadline is the latest of all that were promised; a late 429
extends it, nothing brings it forward, another request's success least of all.

Rule 2: 429s to requests that were sent before the first of them was read are
one burst. Back-off counts bursts.

Rule 3: without a usable Retry-After the deadline is exponential back-off with
full jitter, capped (AWS Architecture Blog, "Exponential Backoff And Jitter").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pacer.pacing.policy import Policy


class Lane(StrEnum):
    """
    What a 429 closes, by its code (docs: guides/concurrency).
    """

    RATE = "rate"
    """``RATE_LIMIT_EXCEEDED``, any unknown 429, a 503 that names a time: every request."""

    QUEUE = "queue"
    """``QUEUE_CAPACITY_EXCEEDED``: submissions to the async admission queue."""

    SYNC = "sync"
    """``CONCURRENCY_LIMIT_EXCEEDED``: sync captures only."""


@dataclass(slots=True)
class Gate:
    """
    One lane's gate.

    Attributes:
        until: Earliest moment anything may be sent through it.

        closed_at: When the newest burst was first read.

        bursts: Bursts in a row, for back-off; progress starts over.

        since: When it first closed without progress since; None after progress.
    """

    until: float = float("-inf")
    closed_at: float = float("-inf")
    bursts: int = 0
    since: float | None = None

    def close(
        self, *, at: float, sent_at: float, retry_after: float | None, jitter: float, policy: Policy
    ) -> bool:
        """Extend the deadline by one 429; return whether it began a new burst."""
        burst = sent_at > self.closed_at  # what leaves at that very moment was on its way
        if burst:
            self.closed_at = at
            self.bursts += 1
            if self.since is None:
                self.since = at
        backoff = min(policy.backoff_most, policy.backoff_first * 2.0 ** min(self.bursts - 1, 16))
        if retry_after is None:
            wait = max(backoff * jitter, policy.backoff_first / 2)
        elif retry_after < policy.backoff_first / 2:
            # "At once" (0, or a date that has passed) said again and again is a
            # busy loop: from the second burst on it backs off as well.
            wait = max(retry_after, backoff * jitter if self.bursts > 1 else 0.0, policy.shortest_wait)
        else:
            wait = retry_after
        self.until = max(self.until, at + wait)
        return burst

    def progressed(self, *, sent_at: float) -> None:
        """Note that a request sent at *sent_at* passed: bursts before it are history."""
        if sent_at > self.closed_at:
            self.bursts = 0
            self.since = None

    def is_open(self, *, now: float) -> bool:
        """Return whether the lane may be used: true on the deadline, not before."""
        return now >= self.until

    def stalled(self, *, now: float, after: float) -> bool:
        """Return whether it has kept closing for *after* seconds without progress."""
        return self.since is not None and now - self.since >= after
