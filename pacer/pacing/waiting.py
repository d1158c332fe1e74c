"""
Waiting: until when, and for what. Every wait has a name.
"""

from __future__ import annotations

from pacer.pacing.cost import Unit
from pacer.pacing.decisions import Bound, WaitUntil
from pacer.pacing.events import Item
from pacer.pacing.gates import Lane
from pacer.pacing.health import Kind
from pacer.pacing.schedule import read_at
from pacer.pacing.state import State

INFINITY = float("inf")

STARVED_BY_UNIT = 6
"""Censored readings in a row, unit unknown, from which the unit may be what starves."""


def wait(state: State, at: float, bound: Bound) -> WaitUntil:
    """Wait, but not past the moment at which a limit stops the batch."""
    policy, health = state.policy, state.health
    if not health.ever_answered:
        at = min(at, state.unanswered_since + policy.unreachable_after)
    if health.out_since is not None:
        at = min(at, health.out_since + policy.outage_most)
    if len(state.admission.backlog) and not health.outage:
        at = min(at, state.progress_at + policy.no_progress_after)
    if not state.admission.backlog.closed:
        at = min(at, state.admission.limits.deadline)
    return WaitUntil(at, bound)


def idle(state: State, *, now: float) -> WaitUntil:
    """Nothing can be done now: name what holds us, and until when."""
    backlog = state.admission.backlog
    wake = max(now, min(_times(state, now)))
    head = backlog.head(now=now)
    if head is None:
        if state.calls_in_flight and wake == INFINITY:
            return wait(state, wake, Bound.ROUND_TRIP)
        outstanding = Bound.CAPTURES if state.collection.unended else Bound.RETRY
        return wait(state, wake, state.left_by_limit or outstanding)
    gate = state.gates[Lane.QUEUE]
    if not gate.is_open(now=now):
        return wait(state, min(gate.until, wake), Bound.GATE)
    return wait(state, wake, _bound(state, head, now))


def _times(state: State, now: float) -> list[float]:
    """Everything that will be due by time alone."""
    times = [INFINITY, _collection_at(state, now)]
    if not state.reading.in_flight:
        times.append(read_at(state, now=now))
    if state.admission.backlog.next_retry() > now:
        times.append(state.admission.backlog.next_retry())
    for kind in (Kind.SUBMIT, Kind.JOB):
        breaker = state.health.kinds[kind]
        if breaker.since is not None and breaker.probe_at > now:
            times.append(breaker.probe_at)
    return times


def _collection_at(state: State, now: float) -> float:
    """When a job read will be due, or be let through; infinity if only a reply can tell."""
    collection = state.collection
    if not collection.ready(now=now):
        return collection.next_at()
    # Due now and yet not sent: the connections or an outage hold it, which end with a
    # reply or a probe; or what is left of the window is kept for submissions.
    resets_at = state.window.resets_at
    return INFINITY if resets_at is None or resets_at <= now else resets_at


def _bound(state: State, head: Item, now: float) -> Bound:
    """Return what keeps the head of the backlog from going out now."""
    admission, reading = state.admission, state.reading
    if (limit := admission.limit_on(head)) is not None:
        return limit
    if state.health.kinds[Kind.SUBMIT].since is not None:
        return Bound.OUTAGE
    if not reading.needed and admission.fits(head, now=now):
        full = len(admission.in_flight) >= state.policy.concurrency
        return Bound.CONCURRENCY if full else Bound.ROUND_TRIP
    if admission.ledger.snapshot is None or admission.reactive:
        return Bound.ROUND_TRIP
    drain, costs = reading.drain, admission.costs
    if not admission.ledger.snapshot.capacity:
        return Bound.DRAIN  # the queue is shut
    lost = drain.censored >= STARVED_BY_UNIT or reading.crowded(now=now)  # where others take what we leave
    if not costs.known and lost and admission.fits_as(head, Unit.PARENTS):
        state.starved_by_unit = True
        return Bound.UNIT
    busy = drain.empties_at() > now
    if admission.fits_without_reserve(head) and (costs.includes_running or not busy):
        return Bound.RESERVE  # a fuller queue would keep the service busier
    if reading.crowded(now=now):
        return Bound.TENANTS
    if busy:
        return Bound.DRAIN
    awaited = admission.in_flight or reading.in_flight
    return Bound.TENANTS if not awaited and admission.fits_without_margin(head) else Bound.ROUND_TRIP
