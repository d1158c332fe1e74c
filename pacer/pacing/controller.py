"""
The pacing controller: events in, decisions out.

Rule 1: nothing here awaits, reads a clock, draws a number or logs. Each event
says when it happened; ``decide`` is told what time it is.

Rule 2: a decision is a commitment. What ``decide`` hands out is in flight until
an event ends it.

Rule 3: the order in which ``decide`` looks at things *is* the policy:

1. what must end by name, and whether the batch must stop;
2. gates of the rate lane, outages, the window: they bind every request;
3. collection that has waited too long;
4. submission, as far as headroom, window and connections reach;
5. a read, if one is due;
6. collection with what the window has left;
7. waiting, until a named moment and for a named reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from pacer.pacing.account import Account
from pacer.pacing.admission import Admission
from pacer.pacing.collection import Collection
from pacer.pacing.cost import Unit
from pacer.pacing.decisions import (
    Bound,
    Collect,
    Decision,
    Finished,
    GiveUp,
    ReadSnapshot,
    Stop,
    SubmitWave,
    WaitUntil,
)
from pacer.pacing.events import (
    Accepted,
    Adopted,
    Call,
    CaptureRead,
    Conflicted,
    Event,
    JobMissing,
    JobRead,
    Lost,
    Memory,
    ParentRead,
    Queued,
    Rejected,
    SetAside,
    SnapshotTaken,
    StatusMissing,
    StatusRead,
    Submission,
    Throttled,
    WindowTold,
    Withdrawn,
)
from pacer.pacing.gates import Gate, Lane
from pacer.pacing.health import Health, Kind
from pacer.pacing.policy import Policy, UnitChoice
from pacer.pacing.reading import Reading
from pacer.pacing.window import Window

INFINITY = float("inf")

STARVED_BY_UNIT = 6
"""Censored readings in a row, unit unknown, from which the unit may be what starves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """
    What happened so far in this invocation. Times in seconds.

    Attributes:
        account: Seconds by :class:`Bound` value; they add up to the run.
    """

    accepted: int
    replayed: int
    in_flight: int
    waves: int
    reads: int
    throttled: dict[str, int]
    bursts: int
    wasted: int
    unended: int
    rtt: float
    drain: float | None
    unit: str
    unit_known: bool
    starved_by_unit: bool
    window_limit: int | None
    window_length: float | None
    others: bool
    reactive: bool
    account: dict[str, float]


class PacingController:
    """
    Decides for one invocation of one batch.

    Args:
        policy: The knobs.

        memory: What an earlier invocation left behind.

        now: When this invocation begins.
    """

    def __init__(self, policy: Policy | None = None, *, memory: Memory | None = None, now: float) -> None:
        self.policy = policy or Policy()
        self.started_at = now
        self.admission = Admission(self.policy)
        self.reading = Reading(self.policy)
        self.collection = Collection(self.policy)
        self.window = Window()
        self.health = Health(self.policy)
        self.gates = {lane: Gate() for lane in Lane}
        self.account = Account()
        self.waves = 0
        self.bursts = 0
        self.throttled: dict[str, int] = {}
        self._stop: Stop | None = None
        self._progress_at = now
        self._status_missing = False
        self._wave_open = False
        self._starved_by_unit = False
        if memory is not None:
            self._recall(memory, now)

    def _recall(self, memory: Memory, now: float) -> None:
        for lane, until in memory.gates.items():
            self.gates[lane].until = until
        if memory.unit is not None:
            self.admission.costs.recall(memory.unit)
        if memory.window:
            window = memory.window
            self.window.recall(
                limit=int(window["limit"]), length=window["length"], resets_at=window["resets_at"], now=now
            )

    # Events ---------------------------------------------------------------------------

    def receive(self, event: Event) -> None:
        """Take note of what happened. Amortised O(1)."""
        match event:
            case Accepted():
                self._accepted(event)
            case CaptureRead(at=at, asked_at=sent_at, index=index, child=child):
                self._answered(JobRead(index, child), at=at, sent_at=sent_at)
                before = self.collection.unended
                self.collection.read(event)
                if self.collection.unended < before:
                    self._progress_at = at
            case ParentRead(at=at, asked_at=sent_at, index=index):
                self._answered(JobRead(index, None), at=at, sent_at=sent_at)
                self.collection.parent(event)
            case SnapshotTaken():
                self._snapshot(event)
            case WindowTold(at=at, limit=limit, remaining=remaining, resets_in=resets_in):
                self.window.told(at=at, limit=limit, remaining=remaining, resets_in=resets_in)
            case Queued(items=items, more=more):
                self.admission.backlog.extend(items)
                self.admission.backlog.more = more
            case Throttled():
                self._throttled(event)
            case Lost():
                self._lost(event)
            case Rejected(at=at, index=index):
                self._answered(Submission(index), at=at)
                self.admission.on_rejected(index)
                self._progress_at = at
            case Withdrawn(index=index):
                self.window.answered(at=event.at, passed=False)
                self.admission.on_withdrawn(index)
            case Conflicted(at=at, index=index):
                self._answered(Submission(index), at=at)
                self.admission.on_conflict(event)
            case SetAside(at=at, index=index):
                self._answered(Submission(index), at=at)
                if self.admission.on_aside(event):
                    self.stop(
                        "FORBIDDEN",
                        f"{self.policy.set_asides} requests in a row met a 403 page that is not the "
                        "service's own: something in between refuses us",
                    )
            case Adopted():
                self.collection.accepted(
                    event.index,
                    at=event.accepted_at,
                    children=event.children,
                    expected=event.children or 1,
                    surfaces=event.surfaces,
                    ended=event.ended,
                )
            case StatusMissing(at=at):
                self._answered(StatusRead(), at=at)
                self.reading.failed(at=at)
                self._status_missing = True
                self._go_reactive()
            case JobMissing(at=at, call=call):
                self._answered(call, at=at)
                self.collection.missing(event)

    def stop(self, code: str, reason: str) -> None:
        """Make the next decision a :class:`Stop`; the first reason stands."""
        if self._stop is None:
            self._stop = Stop(code, reason)

    def _accepted(self, event: Accepted) -> None:
        self._answered(Submission(event.index), at=event.at, sent_at=event.sent_at)
        self.gates[Lane.QUEUE].progressed(sent_at=event.sent_at)
        item = self.admission.on_accepted(event)
        children = event.children or item.fan_out
        self.reading.admitted(cost=self.admission.costs.cost(item.fan_out), children=children)
        self._progress_at = event.at
        if self.policy.collect and not event.ended:
            self.collection.accepted(
                event.index,
                at=event.at,
                children=event.children,
                expected=item.fan_out,
                surfaces=item.surfaces,
            )

    def _answered(self, call: Call, *, at: float, sent_at: float | None = None) -> None:
        """A call was answered by the service and let through its rate limit."""
        self.window.answered(at=at)
        if sent_at is not None:
            self.reading.timed(sent_at=sent_at, at=at)
            self.gates[Lane.RATE].progressed(sent_at=sent_at)
        if self.health.answered(call):
            self._after_outage()

    def _snapshot(self, event: SnapshotTaken) -> None:
        self._answered(StatusRead(), at=event.at, sent_at=event.asked_at)
        snapshot, reading, admission = event.snapshot, self.reading, self.admission
        self._status_missing = False
        others = reading.others(now=event.at)
        self.collection.snapshot(
            at=event.at,
            asked_at=event.asked_at,
            inflight=snapshot.inflight,
            by_surface=snapshot.by_surface,
            crowded=others,
        )
        if snapshot.capacity is None:
            reading.failed(at=event.at)
            if reading.failures >= self.policy.bad_snapshots:
                self._go_reactive()
            return
        admission.reactive = False
        admission.snapshot(
            snapshot, at=event.at, asked_at=event.asked_at, crowded=reading.crowded(now=event.at)
        )
        undisturbed = admission.ledger.undisturbed and not others
        reading.taken(
            snapshot,
            at=event.at,
            cost=admission.mean_cost,
            room=admission.headroom,
            tally=self.policy.collect,
        )
        if admission.costs.snapshot(
            depth=snapshot.depth, inflight=snapshot.inflight, undisturbed=undisturbed
        ):
            reading.drain.forget()
        if reading.drain.censored:
            admission.starved(rate=reading.drain.rate, rtt=reading.rtt)
        self._wave_open = False

    def _throttled(self, event: Throttled) -> None:
        self.throttled[event.lane.value] = self.throttled.get(event.lane.value, 0) + 1
        self.window.answered(at=event.at, passed=event.lane is not Lane.RATE)
        self.reading.timed(sent_at=event.sent_at, at=event.at)
        self.health.answered(event.call)
        gate = self.gates[event.lane]
        burst = gate.close(
            at=event.at,
            sent_at=event.sent_at,
            retry_after=event.retry_after,
            jitter=event.jitter,
            policy=self.policy,
        )
        self.bursts += burst
        if event.lane is Lane.RATE and burst:
            self.window.refused(at=event.at, limit=event.limit, resets_in=event.resets_in)
            if self.window.limit is None:
                self.admission.start_alone()
        match event.call:
            case Submission(index=index):
                queue = event.lane is Lane.QUEUE
                if queue:
                    self.reading.needed = True
                alone = queue and not self.reading.others(now=event.at)
                if self.admission.on_throttled(event, index=index, burst=burst and queue, alone=alone):
                    self.reading.drain.forget()
            case StatusRead():
                self.reading.in_flight = False
            case JobRead():
                self.collection.throttled(event.call)
        self._check_gate(event.lane, gate, now=event.at)

    def _check_gate(self, lane: Lane, gate: Gate, *, now: float) -> None:
        if gate.until - now > self.policy.max_retry_after:
            self.stop(
                "RETRY_AFTER_TOO_LONG",
                f"the service asked to be left alone for {gate.until - now:,.0f} s ({lane.value}), more than "
                f"--max-retry-after {self.policy.max_retry_after:,.0f} allows; run again after that",
            )
        elif gate.stalled(now=now, after=self.policy.stall_after):
            self.stop(
                "STALLED",
                f"429s for {self.policy.stall_after:,.0f} s without progress ({lane.value}); something "
                "else may be using the key; run again later",
            )

    def _lost(self, event: Lost) -> None:
        self.window.answered(at=event.at)
        if event.retry_after is not None:
            gate = self.gates[Lane.RATE]
            gate.close(
                at=event.at,
                sent_at=event.sent_at,
                retry_after=event.retry_after,
                jitter=event.jitter,
                policy=self.policy,
            )
            self._check_gate(Lane.RATE, gate, now=event.at)
        if event.answered:
            self.health.answered(event.call)
        else:
            self.health.failed(event.call, at=event.at, sent_at=event.sent_at, jitter=event.jitter)
        match event.call:
            case Submission(index=index):
                self.admission.on_lost(event, index=index)
            case StatusRead():
                self.reading.failed(at=event.at)
                if self.reading.failures >= self.policy.bad_snapshots and not self.health.outage:
                    self._go_reactive()
            case JobRead():
                self.collection.lost(event.call, at=event.at, jitter=event.jitter)

    def _go_reactive(self) -> None:
        if not self.admission.reactive:
            self.admission.reactive = True
            self.admission.start_alone()

    def _after_outage(self) -> None:
        """Nothing from before can be trusted: read first, and start with one."""
        self.reading.needed = True
        self.reading.drain.forget()
        self.admission.start_alone()

    # Decisions --------------------------------------------------------------------------

    def decide(self, *, now: float) -> Decision:
        """Return what to do next; call again at once unless it says to wait or to end."""
        decision = self._decide(now)
        if isinstance(decision, WaitUntil):
            self.account.now_bound_by(decision.bound, now=now)
        else:
            self.account.settle(now=now)
        return decision

    def _decide(self, now: float) -> Decision:
        given_up = self._given_up()
        if given_up is not None:
            return given_up
        if self._stop is None:
            self._check_limits(now)
        if self._stop is not None:
            return self._stop
        backlog = self.admission.backlog
        calls = self._calls_in_flight
        if not calls and not len(backlog) and not backlog.more and not self.collection.unended:
            return Finished()
        rate = self.gates[Lane.RATE]
        if not rate.is_open(now=now):
            return self._wait(rate.until, Bound.GATE)
        if self.health.outage:
            return self._probe(now)
        if not self.health.ever_answered and calls:
            # The first call goes alone: a refused key must cost one request.
            return self._wait(INFINITY, Bound.ROUND_TRIP)
        room = self.window.room(now=now)
        if room < 1:
            return self._wait(self.window.opens_at(now=now), Bound.WINDOW)
        return (
            self._collect(now, room, overdue=True)
            or self._submit(now, room)
            or self._read(now)
            or self._collect(now, room, overdue=False)
            or self._idle(now)
        )

    def _given_up(self) -> GiveUp | None:
        if self.admission.give_ups:
            return self.admission.give_ups.pop(0)
        if self.collection.give_ups:
            return self.collection.give_ups.popleft()
        return None

    def _check_limits(self, now: float) -> None:
        policy, health = self.policy, self.health
        if not health.ever_answered and now - self.started_at >= policy.unreachable_after:
            self.stop("UNREACHABLE", f"no reply for {policy.unreachable_after:,.0f} s; check the address")
        elif health.service.since is not None and now - health.service.since >= policy.outage_most:
            self.stop("OUTAGE", f"no answer for {policy.outage_most:,.0f} s; run again later")
        elif now - self._progress_at >= policy.no_progress_after and len(self.admission.backlog):
            self.stop(
                "NO_PROGRESS",
                f"nothing was accepted or ended for {policy.no_progress_after:,.0f} s; run again later",
            )

    @property
    def _calls_in_flight(self) -> int:
        return len(self.admission.in_flight) + self.collection.in_flight + self.reading.in_flight

    def _probe(self, now: float) -> Decision:
        """One call at a time, and the cheapest first: a read tells as much as a submission."""
        since = self.health.service.since
        assert since is not None
        probe_at = self.health.service.probe_at
        if now < probe_at:
            return self._wait(probe_at, Bound.OUTAGE)
        if self._calls_in_flight:
            return self._wait(INFINITY, Bound.OUTAGE)
        if not self._status_missing:
            return self._ask(now)
        if len(self.admission.backlog):
            wave = self.admission.take(now=now, slots=1)
            if wave:
                return self._send(wave, now)
        reads = self.collection.due(now=now, limit=1)
        if reads:
            self.window.sent(at=now)
            return Collect(reads)
        return self._wait(
            min(self.admission.backlog.next_retry(), self.collection.next_at(), now + 1.0), Bound.OUTAGE
        )

    def _submit(self, now: float, room: float) -> SubmitWave | None:
        admission = self.admission
        if not len(admission.backlog) or not self.gates[Lane.QUEUE].is_open(now=now):
            return None
        if self.reading.needed and not admission.reactive:
            return None
        if not self.health.allows(Kind.SUBMIT, now=now, in_flight=len(admission.in_flight)):
            return None
        slots = room
        if self.health.kinds[Kind.SUBMIT].since is not None or not self.health.ever_answered:
            slots = 1
        wave = admission.take(now=now, slots=slots)
        return self._send(wave, now) if wave else None

    def _send(self, wave: tuple[int, ...], now: float) -> SubmitWave:
        for _ in wave:
            self.window.sent(at=now)
        if not self._wave_open:
            self._wave_open = True
            self.waves += 1
        return SubmitWave(wave)

    def _ask(self, now: float) -> ReadSnapshot:
        own = self.collection.unended + sum(i.fan_out for i in self.admission.in_flight.values())
        self.reading.asked(at=now, own=own)
        self.window.sent(at=now)
        return ReadSnapshot()

    def _read(self, now: float) -> ReadSnapshot | None:
        if self.reading.in_flight or now < self._read_at(now):
            return None
        return self._ask(now)

    def _read_at(self, now: float) -> float:
        """Return when the next status read is due; infinity while nothing asks for one."""
        reading, admission = self.reading, self.admission
        breaker = self.health.kinds[Kind.STATUS]
        if breaker.since is not None and now < breaker.probe_at:
            return breaker.probe_at
        if admission.reactive or self._status_missing:
            return reading.replied_at + self.policy.reactive_reread
        if reading.asked_at == -INFINITY:
            return now
        head = admission.backlog.head(now=now)
        if head is not None:
            gate = self.gates[Lane.QUEUE]
            if not gate.is_open(now=now):
                return max(gate.until, reading.soonest())
            if not reading.needed and admission.fits(head, now=now):
                return INFINITY  # the last snapshot still has room for it
            if admission.in_flight and not self._overdue(now):
                return INFINITY  # their replies come first: only a later read can count them
            return reading.due_at(now=now, cost=admission.mean_cost, oversized=admission.is_oversized(head))
        return self._watch_at(now)

    def _overdue(self, now: float) -> bool:
        """Return whether the oldest submission in flight has taken unusually long."""
        oldest = next(iter(self.admission.sent_at.values()))
        return now - oldest > max(4 * self.reading.rtt, 1.0)

    def _watch_at(self, now: float) -> float:
        """When to look whether the last captures have ended: nothing is left to submit."""
        collection, reading = self.collection, self.reading
        if not collection.unended or self._status_missing:
            return INFINITY
        if collection.ready(now=now) or collection.in_flight:
            return INFINITY  # there is still something to read on the last snapshot's word
        elapsed = now - self.started_at
        pause = max(self.policy.tail_first, self.policy.tail_share * elapsed, 2 * reading.rtt)
        queued = reading.drain.empties_at() - reading.replied_at
        pause = max(pause, 0.7 * queued)
        return max(reading.replied_at + min(pause, self.policy.longest_wait), reading.soonest())

    def _collect(self, now: float, room: float, *, overdue: bool) -> Collect | None:
        collection = self.collection
        if not collection.unended or not collection.ready(now=now):
            return None
        if not self.health.allows(Kind.JOB, now=now, in_flight=collection.in_flight):
            return None
        if overdue:
            many = collection.probably_ended > self.policy.uncollected_most
            if not many and now - collection.oldest_at() < self.policy.uncollected_age:
                return None
            spare = room
        else:
            spare = room - self._wanted_by_submissions(now) if room != INFINITY else room
        spare = min(spare, self.policy.concurrency - collection.in_flight)
        if self.health.kinds[Kind.JOB].since is not None:
            spare = min(spare, 1)
        if spare < 1:
            return None
        reads = collection.due(now=now, limit=int(spare))
        for _ in reads:
            self.window.sent(at=now)
        return Collect(reads) if reads else None

    def _wanted_by_submissions(self, now: float) -> float:
        """Return how much of the window the backlog and the next read could use."""
        admission = self.admission
        if admission.backlog.head(now=now) is None:
            return 0.0
        if not self.gates[Lane.QUEUE].is_open(now=now):
            return 1.0
        could = admission.headroom / max(admission.mean_cost, 1.0)
        return 1.0 + max(0.0, min(float(len(admission.backlog)), could))

    # Waiting ------------------------------------------------------------------------------

    def _wait(self, at: float, bound: Bound) -> WaitUntil:
        """Wait, but not past the moment at which a limit stops the batch."""
        if not self.health.ever_answered:
            at = min(at, self.started_at + self.policy.unreachable_after)
        if self.health.service.since is not None:
            at = min(at, self.health.service.since + self.policy.outage_most)
        if len(self.admission.backlog):
            at = min(at, self._progress_at + self.policy.no_progress_after)
        return WaitUntil(at, bound)

    def _idle(self, now: float) -> WaitUntil:
        """Name what holds us, and until when."""
        admission = self.admission
        wake = min(
            self._read_at(now) if not self.reading.in_flight else INFINITY,
            self.collection.next_at() if self.collection.in_flight < self.policy.concurrency else INFINITY,
            admission.backlog.next_retry() if admission.backlog.next_retry() > now else INFINITY,
        )
        for kind in (Kind.SUBMIT, Kind.JOB):
            breaker = self.health.kinds[kind]
            if breaker.since is not None and breaker.probe_at > now:
                wake = min(wake, breaker.probe_at)
        head = admission.backlog.head(now=now)
        if head is None:
            if self._calls_in_flight and wake == INFINITY:
                return self._wait(wake, Bound.ROUND_TRIP)
            bound = Bound.CAPTURES if self.collection.unended else Bound.RETRY
            return self._wait(max(wake, now), bound)
        gate = self.gates[Lane.QUEUE]
        if not gate.is_open(now=now):
            return self._wait(min(max(gate.until, now), max(wake, now)), Bound.GATE)
        return self._wait(max(wake, now), self._bound(now))

    def _bound(self, now: float) -> Bound:
        """Return what keeps the head of the backlog from going out now."""
        admission, reading = self.admission, self.reading
        head = admission.backlog.head(now=now)
        assert head is not None
        if self.health.kinds[Kind.SUBMIT].since is not None:
            return Bound.OUTAGE
        if not reading.needed and admission.fits(head, now=now):
            full = len(admission.in_flight) >= self.policy.concurrency
            return Bound.CONCURRENCY if full else Bound.ROUND_TRIP
        if admission.ledger.snapshot is None or admission.reactive:
            return Bound.ROUND_TRIP
        drain = reading.drain
        if not drain.censored and drain.empties_at() > now:
            if admission.fits_without_reserve(head):
                return Bound.RESERVE
            return Bound.TENANTS if reading.crowded(now=now) else Bound.DRAIN
        costs = admission.costs
        if not costs.known and drain.censored >= STARVED_BY_UNIT and admission.fits_as(head, Unit.PARENTS):
            self._starved_by_unit = True
            return Bound.UNIT
        return Bound.TENANTS if reading.crowded(now=now) else Bound.ROUND_TRIP

    # What is known --------------------------------------------------------------------------

    def may_send(self, *, now: float, submission: bool) -> bool:
        """Return whether a call that was decided may still leave: no gate has closed since."""
        if self._stop is not None or not self.gates[Lane.RATE].is_open(now=now):
            return False
        return not submission or self.gates[Lane.QUEUE].is_open(now=now)

    def learnt(self) -> dict[str, object]:
        """Return what a later invocation should know: ``unit`` and ``window``."""
        known: dict[str, object] = {}
        costs, window = self.admission.costs, self.window
        if costs.known and self.policy.unit is UnitChoice.AUTO:
            known["unit"] = costs.unit.name
        if window.limit is not None and window.length is not None and window.resets_at is not None:
            known["window"] = {
                "limit": window.limit,
                "length": window.length,
                "resets_at": window.resets_at,
            }
        return known

    def statistics(self) -> Statistics:
        """Return what happened so far."""
        admission, reading = self.admission, self.reading
        return Statistics(
            accepted=admission.accepted,
            replayed=admission.replayed,
            in_flight=len(admission.in_flight),
            waves=self.waves,
            reads=reading.count,
            throttled=dict(self.throttled),
            bursts=self.bursts,
            wasted=self.collection.wasted,
            unended=self.collection.unended,
            rtt=reading.rtt,
            drain=reading.drain.rate,
            unit=admission.costs.unit.name.lower(),
            unit_known=admission.costs.known,
            starved_by_unit=self._starved_by_unit,
            window_limit=self.window.limit,
            window_length=self.window.length,
            others=reading.others(now=reading.replied_at),
            reactive=admission.reactive,
            account={bound.value: seconds for bound, seconds in self.account.seconds.items()},
        )
