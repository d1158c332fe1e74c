"""
Envelopes and parents' summaries, read with tolerance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pacer.wire.bodies import Envelope, JobHead, JobId, ParentSummary, Unusable, complaint
from pacer.wire.replies import Capture, ChildState, Parent
from pacer.wire.text import printable

TERMINAL = frozenset({"completed", "partial", "failed", "canceled", "expired"})
"""The states in which a job has ended (docs: guides/asynchronous). Any other word is taken for not yet."""

_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,63}")
_JOB_ID: TypeAdapter[str] = TypeAdapter(JobId)


def capture(envelope: Any, *, asked: str) -> Capture:
    """
    Return the child that *envelope* describes.

    Args:
        envelope: A parsed body.

        asked: The id that was asked for; empty if it can only come from the Envelope.

    Errors:
        Unusable: no status, or no id either way.
    """
    try:
        read = Envelope.model_validate(envelope)
        child = asked or _JOB_ID.validate_python(read.job.id)
    except ValidationError as error:
        where = "job.id: " if error.title != Envelope.__name__ else ""
        raise Unusable(f"{where}{complaint(error)}") from None
    status = state(read.job.status)
    return Capture(
        child=child,
        status=status,
        terminal=status in TERMINAL,
        surface=word(read.job.surface),
        region=region(read.job.region),
        error=_failure(read, status) if status in TERMINAL and status != "completed" else None,
        envelope=envelope,
        sojourn=_sojourn(read.job),
    )


def parent(summary: Any, *, asked: str) -> Parent:
    """
    Return the parent that *summary* describes.

    Args:
        summary: A parsed body.

        asked: The id that was asked for; empty if it can only come from the body.

    Errors:
        Unusable: no status, or a child without an id.
    """
    try:
        read = ParentSummary.model_validate(summary)
    except ValidationError as error:
        raise Unusable(complaint(error)) from None
    status = state(read.job.status)
    children = tuple(
        ChildState(child.id, word(child.surface), region(child.region), now, now in TERMINAL)
        for child in read.children
        for now in (state(child.status),)
    )
    return Parent(asked or word(read.job.id) or "", status, status in TERMINAL, children)


def state(value: Any) -> str:
    """Return a status in the spelling of the documentation; ``unknown`` where there is none."""
    name = value.strip().lower() if isinstance(value, str) else ""
    return "canceled" if name == "cancelled" else printable(name, 64) or "unknown"


def word(value: Any) -> str | None:
    """Return *value* if it is a string, fit to be shown; None otherwise."""
    return printable(value, 500) if isinstance(value, str) else None


def region(value: Any) -> str | None:
    """Return a region's name, given as a string or as the object that was sent."""
    return word(value.get("country") if isinstance(value, Mapping) else value)


def _sojourn(job: JobHead) -> float | None:
    """Return the seconds between the service's two timestamps (ISO 8601); None without both."""
    if not isinstance(job.requestedAt, str) or not isinstance(job.completedAt, str):
        return None
    try:
        requested, completed = map(datetime.fromisoformat, (job.requestedAt, job.completedAt))
        seconds = (completed - requested).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no dates, or only one with an offset
        return None
    return max(0.0, seconds)


def _failure(read: Envelope, status: str) -> Mapping[str, Any] | None:
    """Why a capture failed, wherever the Envelope says so; None if it does not."""
    for candidate in _candidates(read.job, read.error):
        told = _told(candidate, f"CAPTURE_{status.upper()}")
        if told is not None:
            return told
    return None


def _candidates(job: JobHead, error: Any) -> list[Any]:
    """
    Where a failure's cause may stand, the likeliest place first.

    The documentation shows no failed Envelope (API.md 7): errors elsewhere are
    objects with a code, and warnings are a list of strings or objects.
    """
    warnings = job.warnings if isinstance(job.warnings, list) else [job.warnings]
    return [job.error, error, *warnings]


def _told(candidate: Any, code: str) -> dict[str, str] | None:
    """An error as ``{"code", "message"}``; *code* stands in where there is only a sentence."""
    if isinstance(candidate, str):
        given, message = "", printable(candidate, 1000)
    elif isinstance(candidate, Mapping):
        given = word(candidate.get("code")) or word(candidate.get("type")) or ""
        message = word(candidate.get("message")) or given
    else:
        return None
    if not message:
        return None
    return {"code": given or (message if _CODE.fullmatch(message) else code), "message": message}
