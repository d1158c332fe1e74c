"""
What every reply that is not a success means, and how far it reaches.

Decided by the status first, because an edge may have answered in the service's
place; the service's own error object, ``{"error": {"code", "message"}}``,
refines it. One rule beyond the documentation: a code that speaks of credits or
payment stops the batch on any 4xx, a 429 included (``insufficient_quota`` is
one elsewhere), because waiting does not help there. The three documented 429
codes are never read that way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from pacer.pacing.gates import Lane
from pacer.wire.bodies import Unusable, read_json
from pacer.wire.headers import Headers, retry_after
from pacer.wire.replies import Refused, Throttled, Unclear, Unhappy, Verdict
from pacer.wire.text import printable

LANES = {
    "RATE_LIMIT_EXCEEDED": Lane.RATE,
    "QUEUE_CAPACITY_EXCEEDED": Lane.QUEUE,
    "CONCURRENCY_LIMIT_EXCEEDED": Lane.SYNC,
}
"""What each documented 429 closes (docs: guides/concurrency); any other 429 closes the rate lane."""

MONEY = ("CREDIT", "BALANCE", "QUOTA", "PAYMENT")
"""A code with one of these in it says that the account is empty; the documentation names no such code."""


class Endpoint(Enum):
    """Which of the three calls is answered."""

    SUBMIT = "submit"
    STATUS = "status"
    JOB = "job"


_MISSING = {
    Endpoint.SUBMIT: frozenset[int](),
    Endpoint.STATUS: frozenset({404, 405, 501}),
    Endpoint.JOB: frozenset({404, 410}),
}


@dataclass(frozen=True, slots=True)
class ServiceError:
    """The service's error object. ``code`` is empty where it sent none."""

    code: str
    message: str
    details: tuple[Mapping[str, str], ...]


def unhappy(endpoint: Endpoint, status: int, headers: Headers, body: bytes, *, now: float) -> Unhappy:
    """
    Return what a reply with a status other than 2xx means.

    Args:
        endpoint: The call that was answered.

        status: The HTTP status.

        headers: The reply's headers.

        body: The reply's body, whatever it is.

        now: Wall time, seconds since the epoch.
    """
    error = _service_error(body)
    code = (error.code if error else "") or f"HTTP_{status}"
    if status == 429 and not _about_money(code):
        return Throttled(LANES.get(code.upper(), Lane.RATE), code, retry_after(headers, now=now))
    if (300 <= status < 500 and status not in (408, 425)) or status in _MISSING[endpoint]:
        return Refused(
            _verdict(endpoint, status, error),
            status,
            code,
            (error.message if error else "") or _sentence(endpoint, status, headers),
            error.details if error else (),
        )
    return Unclear(
        f"HTTP {status} {error.code}" if error and error.code else f"HTTP {status}",
        status,
        retry_after(headers, now=now) if 500 <= status < 600 else None,
    )


def _verdict(endpoint: Endpoint, status: int, error: ServiceError | None) -> Verdict:
    if status < 400 or status in (401, 402) or (error and _about_money(error.code)):
        return Verdict.BATCH
    if status == 403:
        return Verdict.BATCH if error else Verdict.ASIDE
    if status in _MISSING[endpoint]:
        return Verdict.MISSING
    if endpoint is not Endpoint.SUBMIT:
        return Verdict.REQUEST
    if status == 409:
        return Verdict.CONFLICT
    # Without the service's own error object a 4xx to a submission says that this is not the service.
    return Verdict.REQUEST if error and status not in (404, 405) else Verdict.BATCH


def _about_money(code: str) -> bool:
    name = code.upper()
    return name not in LANES and any(word in name for word in MONEY)


def _sentence(endpoint: Endpoint, status: int, headers: Headers) -> str:
    """What to tell a person where the service itself said nothing."""
    if status < 400:
        return f"HTTP {status}: redirected{_target(headers)}, which is never followed; check the base URL"
    if endpoint is Endpoint.SUBMIT and status in (404, 405):
        return f"HTTP {status} from the submit endpoint; check the base URL"
    return f"HTTP {status} without the service's error object"


def _target(headers: Headers) -> str:
    """Where a redirect leads, as scheme and host only: the rest may hold anything."""
    try:
        target = urlsplit(headers.get("Location", ""))
        host = target.hostname
    except ValueError:
        return ""
    return f" to {printable(f'{target.scheme}://{host}', 120)}" if host else ""


def _service_error(body: bytes) -> ServiceError | None:
    """The error object of API.md 6; None if *body* is anything else."""
    try:
        value = read_json(body)
    except Unusable:
        return None
    error = value.get("error") if isinstance(value, Mapping) else None
    if not isinstance(error, Mapping):
        return None
    code, message = _text(error.get("code"), 64), _text(error.get("message"), 300)
    return ServiceError(code, message, _details(error.get("details"))) if code or message else None


def _details(value: Any) -> tuple[Mapping[str, str], ...]:
    """The first 20 of ``details``: ``{path, message}`` objects, or bare sentences."""
    if not isinstance(value, list):
        return ()
    return tuple(detail for entry in value[:20] if (detail := _detail(entry)))


def _detail(entry: Any) -> dict[str, str]:
    if not isinstance(entry, Mapping):
        return {"message": _text(entry, 300)} if isinstance(entry, str) else {}
    path = entry.get("path")
    where = ".".join(map(str, path)) if isinstance(path, list) else path
    pairs = {"path": _text(where, 100), "message": _text(entry.get("message"), 300)}
    return {name: text for name, text in pairs.items() if text}


def _text(value: Any, limit: int) -> str:
    return printable(value, limit) if isinstance(value, str) else ""
