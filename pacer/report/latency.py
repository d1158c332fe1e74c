"""
How long captures took, by the service's own two moments in each Envelope.

Both moments are the service's, so no clock of ours and no delay until we read
the capture is in them: from ``job.requestedAt`` to ``job.completedAt``, the time
in the queue included.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from math import ceil, exp, log
from typing import Any

STEP = log(1.02)
"""Durations within 2 % of each other are counted as one."""

SHORTEST = 0.001
"""Seconds; the service tells milliseconds."""

LONGEST = 366 * 86_400.0
"""Seconds; what is longer is a broken clock, not a capture."""


class Durations:
    """
    Any number of durations in bounded memory; quantiles are exact to 1 %.

    Attributes:
        number: How many there are.
    """

    def __init__(self) -> None:
        self.number = 0
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Add one."""
        self._counts[round(log(max(seconds, SHORTEST)) / STEP)] += 1
        self.number += 1

    def quantile(self, share: float) -> float:
        """Return the duration that *share* of them do not exceed; 0 if there are none."""
        wanted = max(ceil(share * self.number), 1)
        for step, count in sorted(self._counts.items()):
            wanted -= count
            if wanted <= 0:
                return exp(step * STEP)
        return 0.0


def capture_seconds(envelope: Any) -> float | None:
    """Return how long the service says the capture took; None where it does not say."""
    job = envelope.get("job") if isinstance(envelope, dict) else None
    if not isinstance(job, dict):
        return None
    began, ended = _moment(job.get("requestedAt")), _moment(job.get("completedAt"))
    if began is None or ended is None:
        return None
    seconds = (ended - began).total_seconds()
    return seconds if 0 <= seconds <= LONGEST else None


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
