"""
The admission lane: which requests go out now, and what came of them.

A wave is the longest prefix of the backlog whose cost fits the headroom and
whose count fits the window and the connections. First in, first out.
"""

from __future__ import annotations

from collections import deque

from pacer.pacing.backlog import Backlog, Trouble
from pacer.pacing.capacity import CapacitySnapshot, Ledger
from pacer.pacing.cost import CostModel, Unit
from pacer.pacing.decisions import Bound, GiveUp
from pacer.pacing.events import Accepted, Conflicted, Item, Lost, SetAside, Throttled
from pacer.pacing.limits import Limits
from pacer.pacing.policy import Policy
from pacer.pacing.probe import Probe

AHEAD_OF_DRAIN = 4.0
GENTLE_LEAST = 4.0
"""Beside others a wave goes out at so many times the drain, but with no fewer in flight than the second:
what is in flight is what meeting their wave costs."""

FILL_WITHIN = 1.0
"""Seconds in which a wave should be sent; the submissions in flight grow until it is."""


class Admission:
    """
    Backlog, ledger and cost, kept together.

    Attributes:
        reactive: There is no usable snapshot; a window of submissions in flight
            that grows by one a round and is halved by a 429 stands in for it.

        accepted: Requests accepted in this invocation.

        limit: Submissions in flight allowed now.

        all_reserved: The user keeps the whole queue free: nothing can ever be sent.
    """

    def __init__(self, policy: Policy, *, now: float = 0.0) -> None:
        self._policy = policy
        self.backlog = Backlog()
        self.limits = Limits(policy, now=now)
        self.ledger = Ledger()
        self.costs = CostModel(policy.unit)
        self.probe = Probe(allowed=policy.probe and not self.costs.pinned)
        self.in_flight: dict[int, Item] = {}
        self.sent_at: dict[int, float] = {}
        self.accepted = 0
        self.accepted_at = 0.0
        self.replayed = 0
        self.limit = float(min(policy.initial_concurrency, policy.concurrency))
        self.reactive = False
        self.give_ups: deque[GiveUp] = deque()
        self._canary = False
        self._gentle: float | None = None
        self._accepted_in_wave = 0
        self._wave = 0  # requests accepted between the last two snapshots
        self._oversized_alone: dict[int, bool] = {}  # index -> it was sent at depth 0
        self._refused_alone: dict[int, int] = {}
        self._oversized_since: float | None = None
        self._lowest_depth = 0
        self.shut_since = 0.0  # when a capacity of 0 was first read
        self._asides = 0
        self._mean_cost = 1.0
        # Of the last snapshot, and what follows from it: asked for with every request.
        self._depth = 0
        self._capacity: int | None = None
        self._asked_reserve = float(policy.reserve)  # units the user wants kept free
        self.all_reserved = False

    # What may go ------------------------------------------------------------------

    @property
    def reserve(self) -> float:
        """Units kept free for others and for our own uncertainty."""
        margin = self.costs.margin
        return self._asked_reserve + (min(margin, (self._capacity or 0) / 2) if margin else 0.0)

    @property
    def headroom(self) -> float:
        """Units that may be submitted on the last snapshot's word."""
        return self.ledger.headroom(self.costs.unit, reserve=self.reserve)

    @property
    def mean_cost(self) -> float:
        """Cost of a typical request of late."""
        return self._mean_cost

    def take(self, *, now: float, slots: float) -> tuple[int, ...]:
        """Hand out the next part of the wave; what it returns counts as in flight."""
        slots = min(slots, self.free_connections)
        wave: list[int] = []
        while len(wave) < slots:
            item = self.backlog.head(now=now)
            if item is None or self.limit_on(item) is not None or not self.fits(item, now=now):
                break
            self.backlog.pop(now=now)
            if item.index not in self.backlog.doubtful:
                self.limits.charge(item)
            self._oversized_alone.pop(item.index, None)
            if self.probe.limit is None and self.is_oversized(item):
                self._oversized_alone[item.index] = self._depth == 0 and not self.reactive
            self.in_flight[item.index] = item
            self.sent_at[item.index] = now
            self.ledger.sent(item.fan_out)
            wave.append(item.index)
        return tuple(wave)

    def limit_on(self, item: Item) -> Bound | None:
        """Return the user's limit that keeps *item* from being sent; none binds what is in doubt."""
        return None if item.index in self.backlog.doubtful else self.limits.binding(item)

    @property
    def free_connections(self) -> float:
        """How many more submissions may be in flight."""
        limit = self.limit
        if self._gentle is not None and not self.reactive:
            limit = min(limit, max(GENTLE_LEAST, self._gentle / max(self.mean_cost, 1.0)))
        if self._canary and not self.reactive:
            # Others take what was free: find out with one, then a few.
            share = self.headroom / (4 * max(self.mean_cost, 1.0))
            limit = min(limit, 1 + self._accepted_in_wave, max(1.0, share))
        return max(0.0, int(limit) - len(self.in_flight))

    def fits(self, item: Item, *, now: float) -> bool:
        """Return whether *item* may be sent on what is known now."""
        if self.reactive:
            return True
        if self.probe.limit is not None:
            sent = self._accepted_in_wave + len(self.in_flight)
            return sent < self.probe.limit and self.fits_as(item, Unit.PARENTS)
        if self.all_reserved:
            return False
        if self.is_oversized(item):
            return self._may_go_alone(now)
        return self.costs.cost(item.fan_out) <= self.headroom

    def is_oversized(self, item: Item) -> bool:
        """Return whether *item* can never fit: it costs more than all of the queue that is ours."""
        if self._capacity is None:
            return False
        return self.costs.cost(item.fan_out) > self._capacity - self._asked_reserve

    def fits_at(self, item: Item) -> float:
        """Return the depth at which *item* will fit."""
        return max(0.0, (self._capacity or 0) - self.reserve - self.costs.cost(item.fan_out))

    def fits_without_reserve(self, item: Item) -> bool:
        """Return whether only what the user keeps free for others holds *item* back."""
        room = self.ledger.headroom(self.costs.unit, reserve=self.reserve - self._asked_reserve)
        return self._asked_reserve > 0 and self.costs.cost(item.fan_out) <= room

    def fits_without_margin(self, item: Item) -> bool:
        """Return whether *item* is held back only since others took room that a snapshot had shown."""
        room = self.ledger.headroom(self.costs.unit, reserve=self._asked_reserve)
        return self.costs.margin > 0 and self.costs.cost(item.fan_out) <= room

    def fits_as(self, item: Item, unit: Unit) -> bool:
        """Return whether *item* would fit if depth counted *unit*."""
        return unit.cost(item.fan_out) <= self.ledger.headroom(unit, reserve=self.reserve)

    def _may_go_alone(self, now: float) -> bool:
        """At depth 0 with nothing unseen, or at the lowest depth seen once patience is over."""
        if self.in_flight or self.ledger.unseen(self.costs.unit) > 0 or self.ledger.snapshot is None:
            return False
        if self._depth == 0 and self._capacity:
            return True
        since = self._oversized_since
        patient = since is not None and now - since >= self._policy.oversized_patience
        return patient and self._depth <= self._lowest_depth and self._depth < (self._capacity or 0)

    # What happened ------------------------------------------------------------------

    def beside(self, *, rate: float, rtt: float, crowded: bool) -> None:
        """Others are on the key; *rate* units leave a second. *crowded*: they compete for the room."""
        self._canary = crowded
        self._gentle = AHEAD_OF_DRAIN * rate * rtt

    def by_itself(self) -> None:
        """Nobody else has been noticed of late."""
        self._canary, self._gentle = False, None

    def snapshot(self, snapshot: CapacitySnapshot, *, at: float, asked_at: float) -> None:
        """Take a new reading."""
        if self._capacity != 0:
            self.shut_since = at
        self.ledger.read(snapshot, asked_at=asked_at)
        self._depth, self._capacity = snapshot.depth, snapshot.capacity
        capacity = snapshot.capacity or 0
        self._asked_reserve = max(float(self._policy.reserve), self._policy.reserve_share * capacity)
        self.all_reserved = capacity > 0 and self._asked_reserve >= capacity
        self._wave = self._accepted_in_wave
        self._accepted_in_wave = 0
        self.costs.accepted_wave()
        head = self.backlog.head(now=at)
        if head is None or not self.is_oversized(head):
            self._oversized_since = None
        elif self._oversized_since is None:
            self._oversized_since, self._lowest_depth = at, snapshot.depth
        elif at - self._oversized_since < self._policy.oversized_patience:
            self._lowest_depth = min(self._lowest_depth, snapshot.depth)

    def try_unit(self, *, censored: int) -> bool:
        """Let an allowed probe take the last snapshot; return whether the unit changed."""
        capacity = self._capacity
        if not capacity or not self.probe.snapshot(
            censored=censored, wave=self._wave, capacity=capacity, known=self.costs.known
        ):
            return False
        self.costs.recall(Unit.PARENTS.name)
        return True

    def on_accepted(self, event: Accepted) -> Item:
        """The request is the service's now."""
        item = self._landed(event.index)
        self.ledger.admitted(item.fan_out, at=event.at)
        if item.index in self.backlog.doubtful:
            self.costs.disturbed()  # nobody knows when it was admitted
        self.costs.admitted(item.fan_out)
        self._mean_cost += 0.1 * (self.costs.cost(item.fan_out) - self._mean_cost)
        self.backlog.ended(item.index)
        self._refused_alone.pop(item.index, None)
        self._oversized_alone.pop(item.index, None)
        self._oversized_since = None
        self._asides = 0
        self.accepted += 1
        self.accepted_at = event.at
        self.replayed += event.replayed
        self._accepted_in_wave += 1
        if self.reactive:
            self.limit = min(self.limit + 1.0 / max(self.limit, 1.0), float(self._policy.concurrency))
        elif self.limit < self._policy.initial_concurrency:
            self.limit = min(2 * self.limit, float(self._policy.initial_concurrency))
        return item

    def on_throttled(self, event: Throttled, *, index: int, queue: bool, burst: bool, alone: bool) -> bool:
        """
        A 429: nothing was admitted; return whether the unit changed.

        *queue*: the queue is what refused. *alone*: nobody else is known on the key.
        """
        item = self._not_taken(index)
        if self.reactive and queue and burst:
            self.limit = max(1.0, self.limit / 2)
        at_depth_0 = self._oversized_alone.get(index)
        if at_depth_0 is not None and queue:
            self._refuse_oversized(item, counts=at_depth_0 and self._exceeds_capacity(item))
            return False
        self.backlog.put_back(item)
        if queue and self.probe.limit is not None:
            self.probe.end()
            return False
        if not (queue and burst) or self.reactive:
            return False
        return self.costs.refused(alone=alone, cost=self.costs.cost(item.fan_out))

    def on_rejected(self, index: int) -> None:
        """The request has ended as an error."""
        self._not_taken(index)
        self.limits.requests += index not in self.backlog.doubtful  # it was sent, though it costs nothing
        self.backlog.ended(index)
        self._asides = 0

    def on_dropped(self, index: int) -> None:
        """Nobody wants it any more, and no copy of it can be with the service."""
        if index in self.in_flight:
            self._not_taken(index)
            self.backlog.ended(index)
        elif any(given_up.index == index for given_up in self.give_ups):
            self.give_ups = deque(given_up for given_up in self.give_ups if given_up.index != index)
        else:
            self.backlog.drop(index)

    def on_withdrawn(self, index: int) -> None:
        """It never left."""
        self.backlog.put_back(self._not_taken(index))

    def on_lost(self, event: Lost, *, index: int) -> None:
        """No usable answer: the request is in doubt and will be sent again."""
        item = self._landed(index)
        self.ledger.admitted(item.fan_out, at=event.at)  # for all we know
        record = self.backlog.trouble(item, at=event.at, accepted=self.accepted)
        record.refusals += 1
        self.backlog.doubtful.add(item.index)
        self.costs.disturbed()
        self._again(record, at=event.at, jitter=event.jitter)

    def on_conflict(self, event: Conflicted) -> None:
        """409: final for a first send; a resend may have met its own original."""
        item = self._not_taken(event.index)
        if item.index not in self.backlog.doubtful:
            self._give_up(
                item,
                "IDEMPOTENCY_CONFLICT",
                "the service knows another body under this request's idempotency key; give it a new one",
            )
            return
        record = self.backlog.trouble(item, at=event.at, accepted=self.accepted)
        record.conflicts += 1
        if record.conflicts >= self._policy.conflicts:
            self._give_up(
                item,
                "OUTCOME_UNKNOWN",
                "its reply was lost and every resend met a 409; the service may hold its captures",
            )
            return
        self._again(record, at=event.at, jitter=event.jitter)

    def on_aside(self, event: SetAside) -> bool:
        """A 403 page; return whether so many came in a row that the batch must stop."""
        item = self._not_taken(event.index)
        record = self.backlog.trouble(item, at=event.at, accepted=self.accepted)
        record.refusals += 1
        self._asides += 1
        self._again(record, at=event.at, jitter=event.jitter)
        return self._asides >= self._policy.set_asides

    def start_alone(self) -> None:
        """One request goes first, then a ramp: after an outage, or a 429 that told nothing."""
        self.limit = 1.0

    def grow(self, *, rtt: float) -> None:
        """One more at a time with each acceptance, while filling the queue would take long as things are."""
        if self.reactive or self.limit >= self._policy.concurrency:
            return
        if self.headroom / max(self.mean_cost, 1.0) * rtt > FILL_WITHIN * self.limit:
            self.limit = min(self.limit + 1.0, float(self._policy.concurrency))

    def starved(self, *, rate: float | None, rtt: float) -> None:
        """The queue ran empty: more connections, if those are what was short."""
        needed = 0.0 if rate is None else 2.0 * rate / max(self.mean_cost, 1.0) * rtt
        self.limit = min(max(2 * self.limit, needed), float(self._policy.concurrency))

    # ----------------------------------------------------------------------------------

    def _landed(self, index: int) -> Item:
        del self.sent_at[index]
        return self.in_flight.pop(index)

    def _not_taken(self, index: int) -> Item:
        """The service took nothing of it: neither room nor the user's limits are used."""
        item = self._landed(index)
        self.ledger.refused(item.fan_out)
        if index not in self.backlog.doubtful:
            self.limits.take_back(item)
        return item

    def _exceeds_capacity(self, item: Item) -> bool:
        """Return whether *item* costs more than the queue holds; one that holds 0 proves nothing."""
        return 0 < (self._capacity or 0) < self.costs.cost(item.fan_out)

    def _refuse_oversized(self, item: Item, *, counts: bool) -> None:
        refusals = self._refused_alone.get(item.index, 0) + counts
        self._refused_alone[item.index] = refusals
        self._oversized_since = None  # be patient again: the same depth would refuse it again
        if refusals >= self._policy.oversized_refusals:
            self._give_up(
                item,
                "TOO_LARGE",
                f"{item.fan_out} captures were refused {refusals} times by an empty queue of "
                f"{self._capacity}; split its surfaces or regions over several requests",
            )
        else:
            self.backlog.put_back(item)

    def _again(self, record: Trouble, *, at: float, jitter: float) -> None:
        """Queue it once more, unless it has been refused long enough while others passed."""
        tried = record.refusals >= self._policy.refusals
        if (
            tried
            and at - record.first_at >= self._policy.refused_for
            and self.accepted > record.accepted_then
        ):
            self._give_up(
                record.item,
                "REFUSED_REPEATEDLY",
                f"sent {record.refusals} times over {at - record.first_at:,.0f} s without an answer while "
                "others passed; the service may hold its captures",
            )
        else:
            self.backlog.retry(record, at=at, jitter=jitter, policy=self._policy)

    def _give_up(self, item: Item, code: str, reason: str) -> None:
        self.limits.requests += item.index not in self.backlog.doubtful  # it ends as one that was sent
        self.backlog.ended(item.index)
        self._refused_alone.pop(item.index, None)
        self.give_ups.append(GiveUp(item.index, None, code, reason))
