"""
When the next status read is due, and why it is not due before.
"""

from __future__ import annotations

from pacer.pacing.gates import Lane
from pacer.pacing.health import Kind
from pacer.pacing.state import State

INFINITY = float("inf")

MORE_THAN_SEEN = 1.5
"""What is kept of the window for submissions, over what drain as seen would take: a window that
binds hides the true drain."""


def read_at(state: State, *, now: float) -> float:
    """Return when the next status read is due; infinity while nothing asks for one."""
    reading, admission = state.reading, state.admission
    breaker = state.health.kinds[Kind.STATUS]
    if breaker.since is not None and now < breaker.probe_at:
        return breaker.probe_at
    if state.read_wanted:
        return now
    if admission.reactive or state.status_missing:
        return reading.replied_at + state.policy.reactive_reread
    if reading.asked_at == -INFINITY:
        return now
    head = admission.backlog.head(now=now)
    if head is None:
        return _watch_at(state, now)
    gate = state.gates[Lane.QUEUE]
    if not gate.is_open(now=now):
        return max(gate.until, reading.soonest())
    if admission.limit_on(head) is not None:
        return INFINITY  # nothing new is sent, unless a reply to what is in flight makes room
    if not reading.needed and admission.fits(head, now=now):
        return INFINITY  # the last snapshot still has room for it
    if admission.in_flight and now < _overdue_at(state):
        return _overdue_at(state)  # their replies come first: only a later read can count them
    snapshot = admission.ledger.snapshot
    if snapshot is not None and not snapshot.capacity:
        return reading.replied_at + _pause(state, since=admission.shut_since)
    if snapshot is not None and not snapshot.depth and admission.in_flight and not reading.needed:
        # The queue is empty: only replies that do not come can make room, or a larger capacity.
        return reading.replied_at + _pause(state, since=_overdue_at(state))
    return reading.due_at(
        now=now,
        cost=admission.mean_cost,
        fits_at=admission.fits_at(head),
        dear=state.window.room(now=now) < wanted_by_submissions(state, now=now),
        top_up=admission.costs.includes_running,
    )


def wanted_by_submissions(state: State, *, now: float) -> float:
    """Return how much of the window the backlog and its reads could use before it resets."""
    admission = state.admission
    if admission.backlog.head(now=now) is None:
        return 0.0
    if not state.gates[Lane.QUEUE].is_open(now=now):
        return 1.0
    drain, resets_at = state.reading.drain, state.window.resets_at
    could = INFINITY  # an empty queue takes whatever comes
    if not drain.censored and drain.rate and resets_at is not None:
        rate = MORE_THAN_SEEN * max(drain.rate, drain.best_rate or 0.0)
        could = max(0.0, admission.headroom) + rate * max(0.0, resets_at - now)
        could /= max(admission.mean_cost, 1.0)
    if not admission.backlog.more:
        could = min(could, float(len(admission.backlog)))
    return 1.0 + could * (1.0 + state.reading.per_submission)


def _overdue_at(state: State) -> float:
    """Return when the oldest submission in flight will have taken unusually long."""
    oldest = next(iter(state.admission.sent_at.values()))
    return oldest + max(4 * state.reading.rtt, 1.0)


def _pause(state: State, *, since: float) -> float:
    """Return the time between reads that will hardly bring room: a tenth of how long there has been none."""
    return min(max(0.1 * (state.reading.replied_at - since), 1.0), state.policy.longest_wait)


def _watch_at(state: State, now: float) -> float:
    """When to look whether the last captures have ended: nothing is left to submit."""
    collection, reading = state.collection, state.reading
    if not collection.unended or state.status_missing:
        return INFINITY
    if collection.ready(now=now) or collection.in_flight:
        return INFINITY  # there is still something to read on the last snapshot's word
    elapsed = now - state.started_at
    policy, tail = state.policy, now - state.admission.accepted_at
    grown = policy.tail_growth * tail * min(max(reading.own_inflight, 1), 3)
    pause = max(policy.tail_first, policy.tail_share * elapsed, grown, 2 * reading.rtt)
    queued = reading.drain.empties_soonest() - reading.replied_at
    pause = max(pause, 0.9 * queued, reading.third_ends_in)
    return max(reading.replied_at + min(pause, state.policy.longest_wait), reading.soonest())
