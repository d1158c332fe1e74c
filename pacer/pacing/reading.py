"""
When to read the snapshot again, and what it tells of others.
"""

from __future__ import annotations

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.drain import Drain
from pacer.pacing.policy import Policy

OTHERS_REMEMBERED = 120.0
"""Seconds for which others count as present after they were last noticed."""

QUEUE_IS_OURS = 0.7
"""Own share of what is in flight from which a full queue is not contention (pitfall 16)."""

MANY = 4
"""Captures in flight from which they cannot all end at once."""


class Reading:
    """
    The schedule of status reads.

    Attributes:
        needed: A read must come before the next submission, whatever the estimate.

        in_flight: A read is under way.

        failures: Failed reads in a row.

        count: Reads asked for.

        inflight: Captures in flight, as the last reading had it.

        third_ends_in: Seconds in which a third of them will end at the pace of late; 0 if unknown or few.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.drain = Drain()
        self.needed = True
        self.in_flight = False
        self.asked_at = float("-inf")
        self.replied_at = float("-inf")
        self.failures = 0
        self.count = 0
        self.rtt = 0.0
        self._own_at_ask = 0
        self._others_at = float("-inf")
        self._own_share = 1.0
        self._tau = policy.contention_first
        self.inflight = 0
        self._inflight_at = 0.0
        self.third_ends_in = 0.0
        self._admitted_since = False
        self._submissions = 0
        self._capacity = 1.0

    @property
    def per_submission(self) -> float:
        """Status reads for each submission so far: what reading adds to the use of the window."""
        return self.count / max(self._submissions, 1)

    def timed(self, *, sent_at: float, at: float) -> None:
        """Learn the round trip from any call: smoothed as TCP does (RFC 6298)."""
        sample = at - sent_at
        self.rtt = sample if self.rtt == 0.0 else self.rtt + (sample - self.rtt) / 8

    def asked(self, *, at: float, own: int) -> None:
        """A read leaves now; *own* are our captures that may be in flight."""
        self.in_flight = True
        self.asked_at = at
        self.count += 1
        self._own_at_ask = own

    def admitted(self, *, cost: float, children: int) -> None:
        """A request was accepted."""
        self.drain.admitted(cost)
        self._admitted_since = True
        self._submissions += 1
        self._own_at_ask += children

    def failed(self, *, at: float) -> None:
        """A read brought nothing usable."""
        self.in_flight = False
        self.failures += 1
        self.replied_at = at

    def taken(self, snapshot: CapacitySnapshot, *, at: float, cost: float, room: float, tally: bool) -> None:
        """
        Learn from a reading.

        Args:
            cost: Of a typical request, in units.

            room: Headroom it leaves, in units.

            tally: Our own captures in flight are known, so that more must be others'.
        """
        assert snapshot.capacity is not None
        self.in_flight = False
        self.failures = 0
        self.needed = False
        self._capacity = max(float(snapshot.capacity), 1.0)
        middle = (self.asked_at + at) / 2
        others = self.drain.read(
            at=middle,
            depth=snapshot.depth,
            capacity=snapshot.capacity,
            cost=cost,
            to_empty=cost > snapshot.capacity,
        )
        self._follow(snapshot.inflight, middle)
        if tally and snapshot.inflight:
            self._own_share = min(1.0, self._own_at_ask / snapshot.inflight)
            others = others or snapshot.inflight > self._own_at_ask
        if others:
            self._others_at = at
        if self.crowded(now=at):
            self._adapt(room)
        self.replied_at = at
        self._admitted_since = False

    def _follow(self, inflight: int | None, at: float) -> None:
        """See how many captures ended since the last reading, where nothing was admitted."""
        if inflight is None:
            return
        ended, elapsed = self.inflight - inflight, at - self._inflight_at
        self.third_ends_in = 0.0
        if ended > 0 and not self._admitted_since and inflight >= MANY:
            self.third_ends_in = inflight / 3 * elapsed / ended
        self.inflight, self._inflight_at = inflight, at

    def _adapt(self, room: float) -> None:
        """Steer the time between reads by how much room the last one found."""
        if room <= 0:
            self._tau /= 2
        elif room < self._capacity / 4:
            self._tau *= 1.1
        elif room > self._capacity / 2:
            self._tau /= 1.2
        least = max(2 * self.rtt, self._policy.contention_least)
        self._tau = min(max(self._tau, least), self._policy.contention_most)

    def others(self, *, now: float) -> bool:
        """Return whether other clients were noticed on the key of late."""
        return now - self._others_at <= OTHERS_REMEMBERED

    @property
    def met_others(self) -> bool:
        """Whether other clients were noticed at any time: they may be there again, unnoticed."""
        return self._others_at != float("-inf")

    @property
    def own_inflight(self) -> int:
        """Captures of ours in flight, as the last reading had it; 0 where some may be others'."""
        return 0 if self.met_others else self.inflight

    def crowded(self, *, now: float) -> bool:
        """Return whether others hold so much that the freed room is gone when predicted."""
        return self.others(now=now) and self._own_share < QUEUE_IS_OURS

    def due_at(
        self, *, now: float, cost: float, fits_at: float, dear: bool = False, top_up: bool = False
    ) -> float:
        """
        Return when the next read is due, for a backlog whose head does not fit.

        Args:
            cost: Of a typical request, in units.

            fits_at: The depth at which the head will fit.

            dear: The request-rate window holds less than the queue could take, so that a read
                costs a submission: it comes when the whole queue can be filled on its word.

            top_up: Depth includes what runs.
        """
        if self.needed or self.drain.first_at is None:
            return self.soonest()
        full_drain = dear or self._policy.full_drain
        due = self.drain.next_read(
            policy=self._policy,
            cost=cost,
            capacity=self._capacity,
            fits_at=fits_at,
            lead=0.0 if full_drain else self._policy.lead * self.rtt,
            full_drain=full_drain,
            top_up=top_up,
        )
        if self.crowded(now=now):
            due = min(due, self.drain.last_at + self._tau)
        return max(due, self.soonest())

    def soonest(self) -> float:
        """Return the earliest moment a further read makes sense."""
        if self._admitted_since and self.failures == 0:
            return self.replied_at
        pause = min(max(self.rtt, self._policy.shortest_wait), self._policy.longest_wait)
        if self.failures:
            pause = max(pause, min(2.0 ** min(self.failures - 1, 5), self._policy.longest_wait))
        return self.replied_at + pause
