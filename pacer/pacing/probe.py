"""
Finding out what depth counts by trying: once, and only because the user allowed it.

Where the safe charge is so high that the queue is empty at every reading, depth
can give no evidence (``pacing.cost``), and the service may starve by a factor of
up to ``1 + S x R``. A probe charges requests as if depth counted parents, but lets
a wave be only twice as large as the largest that was accepted whole. If a queue's
worth of parents is accepted so, that is the unit. The first refusal ends probing
for good; it costs what was in flight, and one gate.
"""

from __future__ import annotations

STARVED = 6
"""Censored readings in a row before a probe begins."""


class Probe:
    """
    One probing phase.

    Attributes:
        spent: It has been used, in this invocation or an earlier one.

        limit: Requests a wave may have; None while there is no probe.
    """

    def __init__(self, *, allowed: bool) -> None:
        self.spent = not allowed
        self.begun = False
        self.limit: float | None = None

    def snapshot(self, *, censored: int, wave: int, capacity: int, known: bool) -> bool:
        """
        Take a reading; return whether it proves that depth counts parents.

        Args:
            censored: Readings at depth 0 in a row, this one included.

            wave: Requests accepted since the last reading, none refused.

            capacity: Of the queue.

            known: The unit is known: there is nothing to find out.
        """
        if self.spent:
            return False
        if known:
            self.limit = None
            return False
        if self.limit is None:
            if censored >= STARVED and wave:
                self.begun = True
                self.limit = 2.0 * wave
            return False
        if wave >= capacity:
            self.end()
            return True
        if wave >= self.limit:
            self.limit = min(2.0 * self.limit, float(capacity))
        return False

    def end(self) -> None:
        """Stop probing for good."""
        self.spent = True
        self.limit = None
