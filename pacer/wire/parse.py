"""
Replies to the three calls, read: any status, any headers, any bytes.

Nothing here raises. What cannot be understood is an :class:`~.replies.Unclear`
that names what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from pacer.pacing.capacity import CapacitySnapshot
from pacer.wire import captures
from pacer.wire.admissions import admission
from pacer.wire.bodies import Snapshot, Unusable, complaint, read_json
from pacer.wire.headers import Headers, date, replayed, window
from pacer.wire.refusals import Endpoint, unhappy
from pacer.wire.replies import (
    JobOutcome,
    Reply,
    StatusOutcome,
    SubmitOutcome,
    Unclear,
)


def parse_submit(status: int, headers: Headers, body: bytes, *, now: float) -> Reply[SubmitOutcome]:
    """
    Read the reply to ``POST /v1/search``.

    Args:
        status: The HTTP status.

        headers: The reply's headers; a mapping that ignores case.

        body: The whole body, decompressed.

        now: Wall time at which it was read, seconds since the epoch.
    """
    outcome: SubmitOutcome
    if 200 <= status < 300:
        try:
            outcome = admission(body, replayed=replayed(headers))
        except Unusable as fault:
            outcome = _unusable(status, fault)
    else:
        outcome = unhappy(Endpoint.SUBMIT, status, headers, body, now=now)
    return Reply(outcome, window(headers, now=now), date(headers))


def parse_status(status: int, headers: Headers, body: bytes, *, now: float) -> Reply[StatusOutcome]:
    """
    Read the reply to ``GET /v1/async/status``.

    A reading whose depth is missing, null or negative is no reading. What is
    wrong in the parts that pacing can do without is taken for absent.

    Args: as for :func:`parse_submit`.
    """
    outcome: StatusOutcome
    if 200 <= status < 300:
        try:
            outcome = _snapshot(body)
        except Unusable as fault:
            outcome = _unusable(status, fault)
    else:
        outcome = unhappy(Endpoint.STATUS, status, headers, body, now=now)
    return Reply(outcome, window(headers, now=now), date(headers))


def parse_job(
    status: int, headers: Headers, body: bytes, *, now: float, asked: str = ""
) -> Reply[JobOutcome]:
    """
    Read the reply to ``GET /v1/jobs/:id``.

    A body with a list of children is a parent's summary, any other an Envelope.

    Args:
        status, headers, body, now: As for :func:`parse_submit`.

        asked: The id in the request. The documentation spells child ids in two
            ways, so the outcome carries this one and not the body's.
    """
    outcome: JobOutcome
    if 200 <= status < 300:
        try:
            value = read_json(body)
            listed = isinstance(value, Mapping) and isinstance(value.get("children"), list)
            outcome = (captures.parent if listed else captures.capture)(value, asked=asked)
        except Unusable as fault:
            outcome = _unusable(status, fault)
    else:
        outcome = unhappy(Endpoint.JOB, status, headers, body, now=now)
    return Reply(outcome, window(headers, now=now), date(headers))


def _unusable(status: int, fault: Unusable) -> Unclear:
    return Unclear(f"{status} with an unusable body: {fault}", status)


def _snapshot(body: bytes) -> CapacitySnapshot:
    try:
        read = Snapshot.model_validate(read_json(body))
    except ValidationError as error:
        raise Unusable(complaint(error)) from None
    sync, inflight = read.sync_concurrency, read.inflight
    return CapacitySnapshot(
        depth=read.admission_queue.depth,
        capacity=read.admission_queue.capacity,
        sync_limit=sync.limit if sync else None,
        sync_running=sync.running if sync else None,
        inflight=inflight.total if inflight else None,
        by_surface=inflight.by_surface if inflight else None,
    )
