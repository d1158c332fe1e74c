"""
Taking note of what happened: each event changes what is known, in amortised O(1).
"""

from __future__ import annotations

from pacer.pacing.events import (
    Accepted,
    Adopted,
    CaptureRead,
    Conflicted,
    Dropped,
    Event,
    JobMissing,
    JobRead,
    Lost,
    ParentRead,
    Queued,
    Rejected,
    SetAside,
    SnapshotTaken,
    StatusMissing,
    StatusRead,
    Submission,
    SyncAnswered,
    SyncCapture,
    Throttled,
    Unasked,
    WindowTold,
    Withdrawn,
)
from pacer.pacing.gates import Lane
from pacer.pacing.health import Kind, kind_of
from pacer.pacing.state import State


def receive(state: State, event: Event) -> None:
    """Take note of what happened. Amortised O(1)."""
    match event:
        case Accepted():
            _accepted(state, event)
        case CaptureRead(at=at, asked_at=sent_at):
            _answered(state, Kind.JOB, at=at, sent_at=sent_at)
            before = state.collection.unended
            state.collection.read(event)
            if state.collection.unended < before:
                state.progress_at = at
        case ParentRead(at=at, asked_at=sent_at, index=index):
            _answered(state, Kind.JOB, at=at, sent_at=sent_at)
            state.collection.parent(event)
        case SnapshotTaken():
            _snapshot(state, event)
        case WindowTold(at=at, sent_at=sent_at, limit=limit, remaining=remaining, resets_in=resets_in):
            state.window.told(at=at, sent_at=sent_at, limit=limit, remaining=remaining, resets_in=resets_in)
        case Queued(at=at, items=items, more=more):
            state.begins(at=at)
            state.admission.backlog.extend(items, more=more)
        case Throttled():
            _throttled(state, event)
        case Lost():
            _lost(state, event)
        case Rejected(at=at, index=index):
            _answered(state, Kind.SUBMIT, at=at)
            state.admission.on_rejected(index)
            state.progress_at = at
        case Withdrawn(index=index):
            state.window.answered(at=event.at, passed=False)
            state.admission.on_withdrawn(index)
        case Dropped(at=at, index=index):
            if index in state.admission.in_flight:
                state.window.answered(at=at, passed=False)
            state.admission.on_dropped(index)
        case Unasked(call=call):
            state.window.answered(at=event.at, passed=False)
            match call:
                case JobRead():
                    state.collection.throttled(call)
                case StatusRead():
                    state.reading.in_flight = False
                    state.read_wanted = True
                case SyncCapture():
                    _not_captured(state, call)
        case SyncAnswered(at=at, sent_at=sent_at):
            _answered(state, Kind.SUBMIT, at=at)  # it takes a capture's time: no round trip to learn from
            state.gates[Lane.RATE].progressed(sent_at=sent_at)
            state.gates[Lane.SYNC].progressed(sent_at=sent_at)
            state.sync.running -= 1
        case Conflicted(at=at, index=index):
            _answered(state, Kind.SUBMIT, at=at)
            state.admission.on_conflict(event)
        case SetAside(at=at, index=index):
            _answered(state, Kind.SUBMIT, at=at)
            if state.admission.on_aside(event):
                state.stop(
                    "FORBIDDEN",
                    f"{state.policy.set_asides} requests in a row met a 403 page that is not the "
                    "service's own: something in between refuses us",
                )
        case Adopted():
            state.collection.accepted(
                event.index,
                at=event.accepted_at,
                children=event.children,
                expected=event.children or 1,
                surfaces=event.surfaces,
                ended=event.ended,
            )
        case StatusMissing(at=at):
            _answered(state, Kind.STATUS, at=at)
            state.reading.failed(at=at)
            state.status_missing = True
            state.go_reactive()
        case JobMissing(at=at):
            _answered(state, Kind.JOB, at=at)
            state.collection.missing(event)


def _accepted(state: State, event: Accepted) -> None:
    _answered(state, Kind.SUBMIT, at=event.at, sent_at=event.sent_at)
    state.gates[Lane.QUEUE].progressed(sent_at=event.sent_at)
    item = state.admission.on_accepted(event)
    state.admission.grow(rtt=state.reading.rtt)
    children = event.children or item.fan_out
    state.reading.admitted(cost=state.admission.costs.cost(item.fan_out), children=children)
    state.progress_at = event.at
    if state.policy.collect and (not event.children or len(event.ended) < event.children):
        state.collection.accepted(
            event.index,
            at=event.at,
            children=event.children,
            expected=item.fan_out,
            surfaces=item.surfaces,
            ended=event.ended,
        )


def _answered(state: State, kind: Kind, *, at: float, sent_at: float | None = None) -> None:
    """A call was answered by the service and let through its rate limit."""
    state.window.answered(at=at)
    state.alone = False
    if sent_at is not None:
        state.reading.timed(sent_at=sent_at, at=at)
        state.gates[Lane.RATE].progressed(sent_at=sent_at)
    _alive(state, kind)


def _alive(state: State, kind: Kind) -> None:
    """The host answered, whatever it said."""
    if state.health.answered(kind):
        state.after_outage()


def _snapshot(state: State, event: SnapshotTaken) -> None:
    _answered(state, Kind.STATUS, at=event.at, sent_at=event.asked_at)
    snapshot, reading, admission = event.snapshot, state.reading, state.admission
    state.status_missing = False
    state.sync.snapshot(limit=snapshot.sync_limit, running=snapshot.sync_running)
    others = reading.others(now=event.at)
    state.collection.snapshot(
        at=event.at,
        asked_at=event.asked_at,
        inflight=snapshot.inflight,
        by_surface=snapshot.by_surface,
        shared=reading.met_others,
        last=admission.backlog.head(now=event.at) is None,
    )
    if snapshot.capacity is None:
        reading.failed(at=event.at)
        if reading.failures >= state.policy.bad_snapshots:
            state.go_reactive()
        return
    admission.reactive = False
    admission.snapshot(snapshot, at=event.at, asked_at=event.asked_at)
    if others:
        crowded = reading.crowded(now=event.at)
        admission.beside(rate=reading.drain.rate or 0.0, rtt=reading.rtt, crowded=crowded)
    else:
        admission.by_itself()
    if admission.all_reserved and not admission.accepted:
        state.stop(
            "ALL_RESERVED",
            f"--reserve keeps all {snapshot.capacity:,} places of the queue free; ask for fewer",
        )
    if others:
        admission.costs.disturbed()
    undisturbed = admission.ledger.undisturbed and not others and not admission.backlog.doubtful
    reading.taken(
        snapshot,
        at=event.at,
        cost=admission.mean_cost,
        room=admission.headroom,
        tally=state.policy.collect,
    )
    if event.asked_at < state.gates[Lane.QUEUE].until:
        reading.needed = True  # only a read asked for after the gate has opened counts
    if admission.costs.snapshot(depth=snapshot.depth, inflight=snapshot.inflight, undisturbed=undisturbed):
        reading.drain.forget()
    if admission.try_unit(censored=reading.drain.censored):
        reading.drain.forget()
    if reading.drain.censored and admission.accepted:
        admission.starved(rate=reading.drain.rate, rtt=reading.rtt)
    state.wave_open = False


def _throttled(state: State, event: Throttled) -> None:
    state.throttled[event.lane.value] = state.throttled.get(event.lane.value, 0) + 1
    state.window.answered(at=event.at, passed=event.lane is not Lane.RATE)
    state.reading.timed(sent_at=event.sent_at, at=event.at)
    _alive(state, kind_of(event.call))
    if event.lane is not Lane.RATE:
        state.alone = False  # the rate limit has let it through
    lane = event.closes
    gate = state.gates[lane]
    burst = gate.close(
        at=event.at,
        sent_at=event.sent_at,
        retry_after=event.retry_after,
        jitter=event.jitter,
        policy=state.policy,
    )
    state.bursts += burst
    if event.lane is Lane.RATE and burst:
        state.window.refused(at=event.at, limit=event.limit, resets_in=event.resets_in)
        if state.window.limit is None:
            state.alone = True
            state.admission.start_alone()
    match event.call:
        case Submission(index=index):
            queue = event.lane is Lane.QUEUE
            if lane is Lane.QUEUE:
                state.reading.needed = True
            alone = queue and not state.reading.others(now=event.at)
            if state.admission.on_throttled(event, index=index, queue=queue, burst=burst, alone=alone):
                state.reading.drain.forget()
        case StatusRead():
            state.reading.in_flight = False
        case JobRead():
            state.collection.throttled(event.call)
        case SyncCapture():
            _not_captured(state, event.call)
    state.check_gate(lane, now=event.at)


def _not_captured(state: State, call: SyncCapture) -> None:
    """A sync capture was not let through, or never left."""
    state.sync.running -= 1
    state.admission.limits.take_back(call)


def _lost(state: State, event: Lost) -> None:
    state.window.answered(at=event.at)
    if event.retry_after is not None:
        gate = state.gates[Lane.RATE]
        gate.close(
            at=event.at,
            sent_at=event.sent_at,
            retry_after=event.retry_after,
            jitter=event.jitter,
            policy=state.policy,
        )
        state.check_gate(Lane.RATE, now=event.at)
    if event.answered:
        _alive(state, kind_of(event.call))
    elif not isinstance(event.call, SyncCapture):  # a slow surface (504) says nothing about the service
        state.health.failed(event.call, at=event.at, sent_at=event.sent_at, jitter=event.jitter)
    match event.call:
        case Submission(index=index):
            state.admission.on_lost(event, index=index)
        case StatusRead():
            state.reading.failed(at=event.at)
            if state.reading.failures >= state.policy.bad_snapshots:
                state.go_reactive()
        case JobRead():
            state.collection.lost(event.call, at=event.at, jitter=event.jitter)
        case SyncCapture():
            state.sync.running -= 1
