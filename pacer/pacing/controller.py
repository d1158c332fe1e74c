"""
The pacing controller: events in, decisions out.

Rule 1: nothing here awaits, reads a clock, draws a number or logs. Each event
says when it happened; ``decide`` is told what time it is.

Rule 2: a decision is a commitment. What ``decide`` hands out is in flight until
an event ends it.

Rule 3: the order in which ``decide`` looks at things *is* the policy:

1. what must end by name, whether a limit of the user's is met, and whether the batch must stop;
2. gates of the rate lane, outages, the window: they bind every request;
3. collection that has waited too long;
4. submission, as far as headroom, window and connections reach;
5. a read, if one is due;
6. collection with what the window has left;
7. waiting, until a named moment and for a named reason.
"""

from __future__ import annotations

from pacer.pacing.decisions import (
    Bound,
    Collect,
    Decision,
    Finished,
    GiveUp,
    ReadSnapshot,
    SubmitWave,
    WaitUntil,
)
from pacer.pacing.events import Event, Memory, SyncCapture
from pacer.pacing.gates import Lane
from pacer.pacing.health import Kind
from pacer.pacing.policy import Policy, UnitChoice
from pacer.pacing.receiving import receive
from pacer.pacing.schedule import read_at, wanted_by_submissions
from pacer.pacing.state import State
from pacer.pacing.statistics import Statistics, statistics
from pacer.pacing.sync import SyncLane
from pacer.pacing.waiting import idle, wait

__all__ = ["PacingController", "Statistics"]

INFINITY = float("inf")

READS_SHARE = 8
"""Captures waiting to be read for each read in flight beyond the initial ones: eight round trips' work."""


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
        self._state = state = State(self.policy, now=now)
        self.started_at = now
        self.admission = state.admission
        self.reading = state.reading
        self.collection = state.collection
        self.window = state.window
        self.health = state.health
        self.gates = state.gates
        self.account = state.account
        if memory is not None:
            state.recall(memory, now=now)

    def receive(self, event: Event) -> None:
        """Take note of what happened. Amortised O(1)."""
        receive(self._state, event)

    def stop(self, code: str, reason: str) -> None:
        """Make the next decision a :class:`Stop`; the first reason stands."""
        self._state.stop(code, reason)

    # The sync lane ------------------------------------------------------------------------

    def capture_at(self, *, now: float) -> float:
        """Return from when a sync capture may leave; infinity where only a reply can tell."""
        state = self._state
        if state.stopped is not None or self.health.outage:
            return INFINITY
        gate = max(self.gates[Lane.RATE].until, self.gates[Lane.SYNC].until)
        if gate > now:
            return gate
        first = not self.health.ever_answered and state.calls_in_flight + state.sync.running
        if first or not state.sync.has_room:
            return INFINITY
        return now if self.window.room(now=now) >= 1 else self.window.opens_at(now=now)

    def exceeds_limits(self, capture: SyncCapture) -> bool:
        """Return whether a limit of the user's keeps *capture* from being sent."""
        return self.admission.backlog.closed or self.admission.limits.binding(capture) is not None

    def capturing(self, capture: SyncCapture, *, now: float) -> None:
        """Take note that a sync capture leaves now."""
        self._state.sync.running += 1
        self.admission.limits.charge(capture)
        self.window.sent(at=now)

    @property
    def sync(self) -> SyncLane:
        """The sync lane, as far as it is known."""
        return self._state.sync

    def want_snapshot(self, *, now: float) -> None:
        """Read the snapshot next, whether or not pacing has a use for it."""
        self._state.begins(at=now)
        self._state.read_wanted = True

    # Decisions --------------------------------------------------------------------------

    def decide(self, *, now: float) -> Decision:
        """Return what to do next; call again at once unless it says to wait or to end."""
        decision = self._decide(now)
        match decision:
            case WaitUntil(at=at, bound=bound):
                self.account.now_bound_by(bound, now=now, until=at)
            case _:
                self.account.now_bound_by(Bound.PACER, now=now)
        if isinstance(decision, SubmitWave | ReadSnapshot | Collect):
            self._state.calls(at=now)
        return decision

    def _decide(self, now: float) -> Decision:
        given_up = self._given_up()
        if given_up is not None:
            return given_up
        self._state.heed_limits(now=now)
        if self._state.stopped is None and not self._state.idle:
            self._check_limits(now)
        if self._state.stopped is not None:
            return self._state.stopped
        backlog = self.admission.backlog
        calls = self._state.calls_in_flight
        if self._state.idle and not backlog.more and not self._state.read_wanted:
            left = self._state.left_by_limit
            return Finished() if left is None else self.admission.limits.stop(left)
        rate = self.gates[Lane.RATE]
        if not rate.is_open(now=now):
            return self._wait(rate.until, Bound.GATE)
        if self.health.outage:
            return self._probe(now)
        if self._state.alone and calls:
            # A refused key must cost one request, and so must a window that is not known.
            return self._wait(INFINITY, Bound.ROUND_TRIP)
        room = self.window.room(now=now)
        if room < 1:
            return self._window_shut(now)
        return (
            self._collect(now, room, overdue=True)
            or self._submit(now, room)
            or self._read(now)
            or self._collect(now, room, overdue=False)
            or idle(self._state, now=now)
        )

    def _given_up(self) -> GiveUp | None:
        if self.admission.give_ups:
            return self.admission.give_ups.popleft()
        if self.collection.give_ups:
            return self.collection.give_ups.popleft()
        return None

    def _check_limits(self, now: float) -> None:
        # By the very sums that `wait` waits for: a difference may be rounded to less.
        policy, health = self.policy, self.health
        if not health.ever_answered and now >= self._state.unanswered_since + policy.unreachable_after:
            self.stop("UNREACHABLE", f"no reply for {policy.unreachable_after:,.0f} s; check the address")
        elif health.out_since is not None and now >= health.out_since + policy.outage_most:
            self.stop("OUTAGE", f"no answer for {policy.outage_most:,.0f} s; run again later")
        elif health.outage:
            pass  # which is why there is no progress
        elif now >= self._state.progress_at + policy.no_progress_after and len(self.admission.backlog):
            self.stop(
                "NO_PROGRESS",
                f"nothing was accepted or ended for {policy.no_progress_after:,.0f} s; run again later",
            )

    def _window_shut(self, now: float) -> Decision:
        """
        Wait for the window to open.

        Where the service has told that it opens only beyond ``--max-retry-after``, what would be sent now
        would meet a 429 that asks for as much patience: stop. Where that is only computed, ask: one call
        goes alone, and is let through or told the truth.
        """
        window, most = self.window, self.policy.max_retry_after
        opens_at = window.opens_at(now=now)
        if INFINITY > opens_at > now + most:
            if not window.opening_told:
                window.forget_length()
                self._state.alone = True
                return self._decide(now)
            self.stop(
                "RETRY_AFTER_TOO_LONG",
                f"the request-rate window opens only in {opens_at - now:,.0f} s, more than --max-retry-after "
                f"{most:,.0f} allows; run again after that",
            )
        return self._state.stopped or self._wait(opens_at, Bound.WINDOW)

    def _wait(self, at: float, bound: Bound) -> WaitUntil:
        return wait(self._state, at, bound)

    def _probe(self, now: float) -> Decision:
        """
        One call at a time, and the cheapest first: a read tells as much as a submission.

        Where reads keep failing it may be the status endpoint alone that is broken:
        then every other probe is what the reads were for.
        """
        since = self.health.service.since
        assert since is not None
        probe_at = self.health.service.probe_at
        if now < probe_at:
            return self._wait(probe_at, Bound.OUTAGE)
        if self._state.calls_in_flight:
            return self._wait(INFINITY, Bound.OUTAGE)
        state = self._state
        state.probed_by_read = not (
            state.status_missing or (self.admission.reactive and state.probed_by_read)
        )
        if state.probed_by_read:
            return self._ask(now)
        if len(self.admission.backlog) and self.gates[Lane.QUEUE].is_open(now=now):
            wave = self.admission.take(now=now, slots=1)
            if wave:
                return self._send(wave, now)
        reads = self.collection.due(now=now, limit=1)
        if reads:
            self.window.sent(at=now)
            return Collect(reads)
        # What is due and yet may not go (a gate, a full connection) comes by the last of these.
        times = (self.admission.backlog.next_retry(), self.collection.next_at(), now + 1.0)
        return self._wait(min(at for at in times if at > now), Bound.OUTAGE)

    def _submit(self, now: float, room: float) -> SubmitWave | None:
        admission = self.admission
        if not len(admission.backlog) or not self.gates[Lane.QUEUE].is_open(now=now):
            return None
        if self.reading.needed and not admission.reactive:
            return None
        if not self.health.allows(Kind.SUBMIT, now=now, in_flight=len(admission.in_flight)):
            return None
        slots = room
        if self.health.kinds[Kind.SUBMIT].since is not None or self._state.alone:
            slots = 1
        wave = admission.take(now=now, slots=slots)
        return self._send(wave, now) if wave else None

    def _send(self, wave: tuple[int, ...], now: float) -> SubmitWave:
        self.window.sent(at=now, requests=len(wave))
        if not self._state.wave_open:
            self._state.wave_open = True
            self._state.waves += 1
        return SubmitWave(wave)

    def _ask(self, now: float) -> ReadSnapshot:
        own = self.collection.unended + self.collection.abandoned
        own += sum(item.fan_out for item in self.admission.in_flight.values())
        self._state.read_wanted = False
        self.reading.asked(at=now, own=own)
        self.window.sent(at=now)
        return ReadSnapshot()

    def _read(self, now: float) -> ReadSnapshot | None:
        if self.reading.in_flight or now < read_at(self._state, now=now):
            return None
        return self._ask(now)

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
            spare = room - wanted_by_submissions(self._state, now=now) if room != INFINITY else room
        spare = min(spare, self._reads_at_once - collection.in_flight)
        if self.health.kinds[Kind.JOB].since is not None or self._state.alone:
            spare = min(spare, 1)
        if spare < 1:
            return None
        reads = collection.due(now=now, limit=int(spare))
        self.window.sent(at=now, requests=len(reads))
        return Collect(reads) if reads else None

    @property
    def _reads_at_once(self) -> float:
        """
        Job reads that may be in flight.

        As few as may cost little when they discover a window, more when many captures
        wait; all that are allowed once the window is known, which then bounds them.
        """
        policy = self.policy
        if self.window.limit is not None:
            return policy.concurrency
        waiting = self.collection.probably_ended / READS_SHARE
        return min(max(waiting, policy.initial_concurrency), policy.concurrency)

    # What is known --------------------------------------------------------------------------

    def may_send(self, *, now: float, submission: bool) -> bool:
        """Return whether a call that was decided may still leave: no gate has closed since."""
        if self._state.stopped is not None or not self.gates[Lane.RATE].is_open(now=now):
            return False
        return not submission or self.gates[Lane.QUEUE].is_open(now=now)

    def learnt(self) -> dict[str, object]:
        """Return what a later invocation should know: ``unit``, ``window``, ``probed``."""
        known: dict[str, object] = {}
        costs, window = self.admission.costs, self.window
        if costs.known and self.policy.unit is UnitChoice.AUTO:
            known["unit"] = costs.unit.name
        if self.admission.probe.begun:
            known["probed"] = True
        if window.limit is not None and window.length is not None and window.resets_at is not None:
            known["window"] = {
                "limit": window.limit,
                "length": window.length,
                "resets_at": window.resets_at,
                "told": float(window.opening_told),
            }
        return known

    def statistics(self) -> Statistics:
        """Return what happened so far."""
        return statistics(self._state)
