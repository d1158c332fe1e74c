"""
Drain: how fast cost leaves the queue, and when to look again.

Depth is an inventory. Drain is the demand on it, a wave is the replenishment,
one round trip plus the wave's own sending is the lead time; the next read is due
when depth is predicted to fall to the reorder point.

A reading of depth 0 is *censored*: it gives only a lower bound on drain, and an
estimator that takes it for the truth sleeps while the service starves, and never
finds out. So a censored reading doubles the estimate. What carries the rule is
its bounds more than its estimator (docs/pacing-limits.md): never extrapolate
further than observed, and never wait longer than ``Policy.longest_wait``.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

from pacer.pacing.policy import Policy

BLOCKS = 4
"""Blocks whose fastest is believed: drain jumps up at once, forgets slowly."""

HISTORY = 64
"""Blocks remembered for the best drain, which bounds the wait after a collapse."""

BLOCK_DEPARTURES = 4
"""Requests that must have left for a block to be exact: fewer say nothing (pitfall 4)."""


FEW = 5
"""Departures below which their moment cannot be predicted at all: look early."""


GROWTH = 2.0
"""Factor by which a censored reading raises the estimate."""

GROWTH_TO_EMPTY = 1.1
"""The same where the queue was meant to run empty: half of such readings come late by design."""


RAN_DRY = 3
"""Censored readings in a row after which nothing seen before bounds the next wait."""

OF_A_GAP = 0.4
"""Share of the mean gap between departures that is waited at most where the queue holds so little that
no block is ever exact: a lull is chance there, and believed it would starve the service."""

TOP_UP = 0.02
"""Share of the queue that may be missing where depth includes what runs. Half of it is what the
workers idle, its inverse the reads for each filling: neither can be had for less of the other."""


class Drain:
    """
    The estimate of drain, in units a second, from successive readings.

    Attributes:
        rate: Units a second; None before anything was learnt.

        censored: Censored readings in a row.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self.censored = 0
        self.first_at: float | None = None
        self.last_at = 0.0
        self.depth = 0.0
        self._anchor_at = 0.0
        self._anchor_depth = 0.0
        self._admitted = 0.0  # since the anchor
        self._began_at = 0.0  # the first reading; unlike first_at it stays when the queue runs dry
        self._started = False  # a block was exact
        self._ran_out = 0.0  # what left until readings of 0, since it began
        self._admitted_since_read = 0.0
        self._provisional = False
        self._blocks: deque[float] = deque(maxlen=BLOCKS)
        self._best: deque[float] = deque(maxlen=HISTORY)

    def admitted(self, cost: float) -> None:
        """Count cost that the service accepted since the last reading."""
        self._admitted += cost
        self._admitted_since_read += cost

    def forget(self) -> None:
        """Start over: what was learnt is in another unit, or from before an outage."""
        self.rate = None
        self.censored = 0
        self.first_at = None
        self._provisional = self._started = False
        self._blocks.clear()
        self._best.clear()

    def read(self, *, at: float, depth: float, capacity: float, cost: float, to_empty: bool = False) -> bool:
        """
        Learn from a reading taken at *at* (the middle of its round trip).

        Args:
            depth: Units in the queue.

            capacity: Units it holds.

            cost: Of a typical request.

            to_empty: The queue was meant to run empty, because the next request fits no sooner.

        Returns:
            Whether more was in the queue than we can account for: others are
            on the key.
        """
        others = False
        if self.first_at is None:
            self.first_at = self._began_at = at
            self._ran_out = 0.0
            self._anchor(at, depth)
        else:
            elapsed = max(at - self._anchor_at, 1e-6)
            drained = self._anchor_depth + self._admitted - depth
            if drained < -cost:
                others = True
                self._anchor(at, depth)
            elif depth < 1:
                if self._anchor_depth + self._admitted > 0:  # else there was nothing to drain
                    self._ran_out += drained
                    self._censor(drained / elapsed, growth=GROWTH_TO_EMPTY if to_empty else GROWTH)
                self._anchor(at, depth)
            elif drained >= max(1.0, min(BLOCK_DEPARTURES * cost, capacity / 4)):
                self._block(drained / elapsed)
                self._anchor(at, depth)
            elif self.rate is not None:
                self.rate = min(self.rate, (drained + 2 * cost) / elapsed)
        self.censored = self.censored + 1 if depth < 1 else 0
        if self.censored >= RAN_DRY:
            self.first_at = at  # idle workers will swallow part of the next wave at once
        self.last_at = at
        self.depth = depth
        self._admitted_since_read = 0.0
        return others

    def next_read(
        self,
        *,
        policy: Policy,
        cost: float,
        capacity: float,
        fits_at: float,
        lead: float,
        full_drain: bool,
        top_up: bool,
    ) -> float:
        """
        Return when to ask for the next reading.

        That is when depth is predicted to fall to the reorder point, *lead* seconds ahead; but not
        before the next request can fit, which is at a depth of *fits_at*. With *top_up* every unit
        that is missing may be an idle worker: look as soon as a few are.
        """
        assert self.first_at is not None
        depth = self.depth + self._admitted_since_read
        wait = longest = min(policy.longest_wait, self.last_at - self.first_at)
        best = self.best_rate
        if best and not full_drain:
            longest = min(longest, 0.9 * max(capacity, depth) / best)
        if self.rate:
            share = 1.0 if full_drain else TOP_UP if top_up else reorder_share(depth / max(cost, 1e-9))
            drop = depth - fits_at
            to_fit = (drop if drop >= FEW else drop / 2) / self._mean_rate(self.rate)
            wait = max(share * depth / self.rate - lead, to_fit)
            if not self._started and self._ran_out:
                wait = min(wait, max(drop, 1.0) * OF_A_GAP * (self.last_at - self._began_at) / self._ran_out)
        return self.last_at + min(wait, longest)

    def _mean_rate(self, rate: float) -> float:
        """Return the mean of the last blocks: the fastest of them would look too early."""
        return rate if self._provisional or not self._blocks else sum(self._blocks) / len(self._blocks)

    def empties_at(self) -> float:
        """Return when what is known to be queued will have left, by the estimate."""
        if not self.rate:
            return self.last_at
        return self.last_at + (self.depth + self._admitted_since_read) / self.rate

    def empties_soonest(self) -> float:
        """Return the same by the best drain of late: a lull is no reason to oversleep the end."""
        rate = max(self.rate or 0.0, self.best_rate or 0.0)
        return self.last_at if not rate else self.last_at + (self.depth + self._admitted_since_read) / rate

    @property
    def best_rate(self) -> float | None:
        """The 80th percentile of the exact blocks of late."""
        if not self._best:
            return None
        return sorted(self._best)[int(0.8 * (len(self._best) - 1))]

    def _anchor(self, at: float, depth: float) -> None:
        self._anchor_at, self._anchor_depth, self._admitted = at, depth, 0.0

    def _block(self, rate: float) -> None:
        if self._provisional:
            self._blocks.clear()
            self._provisional = False
        self._blocks.append(rate)
        self.rate = max(self._blocks)
        if self._started:
            self._best.append(rate)
        else:
            self._started = self._provisional = True  # idle workers swallowed part of it (pitfall 3)

    def _censor(self, rate: float, *, growth: float) -> None:
        """A lower bound only: believe more than we believed."""
        self.rate = max(growth * (self.rate or 0.0), rate)
        self._provisional = True


def reorder_share(requests: float) -> float:
    """
    Return how much of a queue of *requests* may drain before the next read.

    Sampling noise of drain goes with the square root of what leaves, so only a
    deep queue can safely be read late.
    """
    if requests <= 0:
        return 0.5
    return min(max(1.0 - 2.0 / sqrt(requests), 0.5), 0.9)
