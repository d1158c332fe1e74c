"""
From a reply to what the core must hear and what the journal must keep.

One function a call: each takes what the service (or the network) made of it and
ends that call with exactly one event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pacer.journal.entries import Accepted as AcceptedEntry
from pacer.journal.entries import CaptureEnded, Entry, Returned
from pacer.journal.entries import Rejected as RejectedEntry
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.events import (
    Accepted,
    Call,
    CaptureRead,
    Conflicted,
    Event,
    JobMissing,
    JobRead,
    Lost,
    ParentRead,
    Rejected,
    SetAside,
    SnapshotTaken,
    StatusMissing,
    StatusRead,
    Submission,
    SyncAnswered,
    SyncCapture,
    Throttled,
    Withdrawn,
)
from pacer.wire.replies import (
    Admitted,
    Capture,
    JobOutcome,
    Parent,
    Refused,
    StatusOutcome,
    SubmitOutcome,
    Unclear,
    Verdict,
    WindowReading,
)
from pacer.wire.replies import Throttled as ThrottledReply


@dataclass(frozen=True, slots=True)
class Timing:
    """
    When a call left and came back.

    Attributes:
        sent_at, at: On the invocation's clock.

        wall: When it came back, as wall time.
    """

    sent_at: float
    at: float
    wall: float


@dataclass(frozen=True, slots=True)
class Verdicts:
    """
    What one reply comes to.

    Attributes:
        event: What ends the call.

        entries: What the journal keeps of it.

        stop: Code and reason, where it ends the batch.
    """

    event: Event
    entries: tuple[Entry, ...] = ()
    stop: tuple[str, str] | None = None


@dataclass(slots=True)
class KnownJob:
    """
    An accepted request whose captures are being collected.

    Attributes:
        id: The user's name for the request.

        children: Their ids by position; empty while the service has listed none.

        left: Captures that have not ended.
    """

    id: str
    job: str
    children: tuple[str, ...]
    left: int


def submitted(
    outcome: SubmitOutcome,
    index: int,
    timing: Timing,
    *,
    window: WindowReading | None,
    in_doubt: bool,
    jitter: Callable[[], float],
) -> Verdicts:
    """
    Read the reply to a submission.

    *in_doubt*: an earlier copy may have been admitted, so that a refusal of this
    one does not make it pending again.
    """
    if isinstance(outcome, Admitted):
        children, ended = len(outcome.children), ended_with(outcome)
        event = Accepted(timing.at, timing.sent_at, index, children, outcome.replayed, ended)
        return Verdicts(event, _admitted(outcome, index, timing))
    back: tuple[Entry, ...] = () if in_doubt else (Returned(index),)
    match outcome:
        case ThrottledReply():
            return Verdicts(_throttled(outcome, Submission(index), timing, window, jitter()), back)
        case Unclear(sent=sent):
            # What never left is not in doubt: a crash now may send it again unasked.
            return Verdicts(_lost(outcome, Submission(index), timing, jitter()), () if sent else back)
        case Refused(verdict=Verdict.CONFLICT):
            return Verdicts(Conflicted(timing.at, index, jitter()), back)
        case Refused(verdict=Verdict.ASIDE):
            return Verdicts(SetAside(timing.at, index, jitter()), back)
        case Refused(verdict=Verdict.REQUEST):
            entry = RejectedEntry(index, timing.wall, error_of(outcome))
            return Verdicts(Rejected(timing.at, index), (entry,))
        case Refused():
            return Verdicts(Withdrawn(timing.at, index), back, (outcome.code, outcome.message))


def sync_captured(
    outcome: SubmitOutcome,
    index: int,
    timing: Timing,
    call: SyncCapture,
    *,
    window: WindowReading | None,
    jitter: Callable[[], float],
) -> Verdicts:
    """Read the reply to a sync capture."""
    answered = SyncAnswered(timing.at, timing.sent_at)
    match outcome:
        case Admitted():
            return Verdicts(answered, _admitted(outcome, index, timing))
        case ThrottledReply():
            event = _throttled(outcome, call, timing, window, jitter())
            return Verdicts(event, (Returned(index),))
        case Unclear():
            return Verdicts(_lost(outcome, call, timing, jitter()))
        case Refused(verdict=Verdict.REQUEST | Verdict.CONFLICT):
            return Verdicts(answered, (RejectedEntry(index, timing.wall, error_of(outcome)),))
        case Refused(verdict=Verdict.ASIDE):
            return Verdicts(answered, (Returned(index),))
        case Refused():
            return Verdicts(answered, (Returned(index),), (outcome.code, outcome.message))


def status_read(
    outcome: StatusOutcome, timing: Timing, *, window: WindowReading | None, jitter: Callable[[], float]
) -> Verdicts:
    """Read the reply to a status read."""
    match outcome:
        case CapacitySnapshot():
            return Verdicts(SnapshotTaken(timing.at, timing.sent_at, outcome))
        case ThrottledReply():
            return Verdicts(_throttled(outcome, StatusRead(), timing, window, jitter()))
        case Refused(verdict=Verdict.MISSING):
            return Verdicts(StatusMissing(timing.at))
        case Refused(verdict=Verdict.BATCH):
            return Verdicts(_refused(StatusRead(), timing, jitter()), stop=(outcome.code, outcome.message))
        case Unclear():
            return Verdicts(_lost(outcome, StatusRead(), timing, jitter()))
        case Refused():
            return Verdicts(_refused(StatusRead(), timing, jitter()))


def job_read(
    outcome: JobOutcome,
    read: JobRead,
    known: KnownJob,
    timing: Timing,
    *,
    window: WindowReading | None,
    jitter: Callable[[], float],
) -> Verdicts:
    """Read the reply to a job read; *known* takes on children it did not know."""
    match outcome:
        case Capture() if read.child is not None:
            child = known.children[read.child]
            event = CaptureRead(
                timing.at,
                timing.sent_at,
                read.index,
                read.child,
                outcome.terminal,
                outcome.surface,
                outcome.sojourn,
            )
            if not outcome.terminal:
                return Verdicts(event)
            return Verdicts(event, (_ended(read.index, child, outcome, timing.wall),))
        case Parent() if read.child is None:
            return _parent_read(outcome, read, known, timing)
        case ThrottledReply():
            return Verdicts(_throttled(outcome, read, timing, window, jitter()))
        case Refused(verdict=Verdict.MISSING):
            return Verdicts(JobMissing(timing.at, read))
        case Refused(verdict=Verdict.BATCH):
            return Verdicts(_refused(read, timing, jitter()), stop=(outcome.code, outcome.message))
        case Unclear():
            return Verdicts(_lost(outcome, read, timing, jitter()))
        case _:
            # A parent where a child was asked for, a 4xx without a known meaning.
            return Verdicts(_refused(read, timing, jitter()))


def _parent_read(outcome: Parent, read: JobRead, known: KnownJob, timing: Timing) -> Verdicts:
    entries: tuple[Entry, ...] = ()
    if not known.children and outcome.children:
        known.children = tuple(state.child for state in outcome.children)
        known.left = len(known.children)
        entries = (AcceptedEntry(read.index, timing.wall, known.job, known.children),)
    positions = {child: position for position, child in enumerate(known.children)}
    ended = frozenset(
        positions[state.child] for state in outcome.children if state.terminal and state.child in positions
    )
    event = ParentRead(timing.at, timing.sent_at, read.index, len(known.children), ended)
    return Verdicts(event, entries)


def _admitted(outcome: Admitted, index: int, timing: Timing) -> tuple[Entry, ...]:
    accepted = AcceptedEntry(index, timing.wall, outcome.job, outcome.children, outcome.replayed)
    return accepted, *(_ended(index, each.child, each, timing.wall) for each in outcome.captures)


def ended_with(outcome: Admitted) -> frozenset[int]:
    """Return the positions of the children whose captures came with their admission."""
    if not outcome.captures:
        return frozenset()
    captured = {capture.child for capture in outcome.captures}
    return frozenset(n for n, child in enumerate(outcome.children) if child in captured)


def error_of(outcome: Refused) -> Mapping[str, Any]:
    """Return a refusal as the result line has it."""
    error: dict[str, Any] = {"code": outcome.code, "message": outcome.message, "status": outcome.status}
    if outcome.details:
        error["details"] = [dict(detail) for detail in outcome.details]
    return error


def _ended(index: int, child: str, capture: Capture, wall: float) -> CaptureEnded:
    return CaptureEnded(
        index,
        child,
        wall,
        capture.surface,
        capture.region,
        capture.status,
        capture.envelope,
        capture.error,
    )


def _throttled(
    outcome: ThrottledReply,
    call: Call,
    timing: Timing,
    window: WindowReading | None,
    jitter: float,
) -> Throttled:
    return Throttled(
        timing.at,
        timing.sent_at,
        call,
        outcome.lane,
        outcome.retry_after,
        jitter,
        limit=None if window is None else window.limit,
        resets_in=None if window is None else window.resets_in,
    )


def _lost(outcome: Unclear, call: Call, timing: Timing, jitter: float) -> Lost:
    answered = outcome.status is not None and outcome.status < 500
    return Lost(timing.at, timing.sent_at, call, outcome.retry_after, jitter, answered=answered)


def _refused(call: StatusRead | JobRead, timing: Timing, jitter: float) -> Lost:
    return Lost(timing.at, timing.sent_at, call, None, jitter, answered=True)
