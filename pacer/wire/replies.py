"""
What a reply means, once it has been read: typed outcomes, never exceptions.

Every reply of the service, whatever its bytes, becomes one of these. The three
calls share their unhappy outcomes; each has its own happy ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeAlias, TypeVar

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.gates import Lane


@dataclass(frozen=True, slots=True)
class WindowReading:
    """
    The request-rate window as the ``X-RateLimit-*`` headers tell it.

    Attributes:
        limit: Requests allowed in the window, or None.

        remaining: Requests left in it, or None.

        resets_in: Seconds from the reply until it resets, by the reply's own
            ``Date`` where there is one (never by our clock alone); None if the
            header is missing or makes no sense. ``Reset`` is whole epoch
            seconds, so the truth may be up to a second away.
    """

    limit: int | None
    remaining: int | None
    resets_in: float | None


@dataclass(frozen=True, slots=True)
class Throttled:
    """
    A 429: refused before any work was done. Nothing was admitted.

    Attributes:
        lane: What its code closes.

        code: The service's code, or ``HTTP_429`` where it sent none.

        retry_after: Seconds from the reply, as the service asked for; None if
            absent or nonsense. 0 is passed on as 0.0, enormous as it is.
    """

    lane: Lane
    code: str
    retry_after: float | None


class Verdict(Enum):
    """How far a refusal reaches."""

    REQUEST = "request"
    """This request is rejected; the rest go on."""

    CONFLICT = "conflict"
    """409 ``IDEMPOTENCY_CONFLICT``."""

    ASIDE = "aside"
    """A 403 page from an edge: set this request aside, go on."""

    BATCH = "batch"
    """401, 402, credits, a redirect, a wrong address...: the batch stops."""

    MISSING = "missing"
    """Status: 404, 405 or 501, no such endpoint. Jobs: 404 or 410, no such job (any more)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The service (or something before it) said no, and meant it.

    Attributes:
        verdict: How far the refusal reaches.

        status: The HTTP status; 0 where none came (``TLS_CERTIFICATE``, ``UNUSABLE_ID``).

        code: The service's code, or ``HTTP_<status>``.

        message: A sentence for people, control characters removed.

        details: The ``details`` list of a ``VALIDATION_FAILED``.
    """

    verdict: Verdict
    status: int
    code: str
    message: str
    details: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Unclear:
    """
    No usable answer: a lost reply, 408, 5xx, or a 2xx that cannot be read.

    For a submission this means *in doubt*.

    Attributes:
        reason: What happened, in a few words (``connection reset``, ``HTTP 502``,
            ``200 with an unusable body: admissionQueue.depth: missing``).

        status: The HTTP status, if one came.

        retry_after: Seconds a 5xx asked us to stay away; None otherwise.

        sent: False only where it is certain that the request never left (name
            resolution or connection failed).
    """

    reason: str
    status: int | None = None
    retry_after: float | None = None
    sent: bool = True


@dataclass(frozen=True, slots=True)
class Admitted:
    """
    202 (or a replay of one): the service has the request.

    Attributes:
        job: The parent's id.

        children: Opaque child ids, at least one unless the service listed none.

        replayed: ``Idempotent-Replayed: true``.

        captures: Those of the children that have ended already, where a 200
            brought Envelopes although async was asked for; empty otherwise.
    """

    job: str
    children: tuple[str, ...]
    replayed: bool = False
    captures: tuple[Capture, ...] = ()


@dataclass(frozen=True, slots=True)
class Capture:
    """
    One child as ``GET /v1/jobs/:child`` gave it.

    Attributes:
        child: Its id: the one that was asked for, however the Envelope spells it.

        status: The service's word in lower case, ``queued`` and unknown ones included.

        terminal: It has ended: ``completed|partial|failed|canceled|expired``.

        surface, region: As the Envelope names them; None if it does not.

        error: ``{"code", "message"}`` of one that ended otherwise than completed, where the service gave it.

        envelope: The whole body, as it came; always fit to be written as JSON.

        sojourn: Seconds from request to completion by the service's own
            timestamps; None where it gave none.
    """

    child: str
    status: str
    terminal: bool
    surface: str | None
    region: str | None
    error: Mapping[str, Any] | None
    envelope: Mapping[str, Any]
    sojourn: float | None = None


@dataclass(frozen=True, slots=True)
class ChildState:
    """One child as the parent's summary lists it."""

    child: str
    surface: str | None
    region: str | None
    status: str
    terminal: bool


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent's summary, ``GET /v1/jobs/:id``."""

    job: str
    status: str
    terminal: bool
    children: tuple[ChildState, ...]


Unhappy: TypeAlias = Throttled | Refused | Unclear
SubmitOutcome: TypeAlias = Admitted | Unhappy
StatusOutcome: TypeAlias = CapacitySnapshot | Unhappy
JobOutcome: TypeAlias = Parent | Capture | Unhappy

OutcomeT_co = TypeVar("OutcomeT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Reply(Generic[OutcomeT_co]):
    """
    An outcome and what came with it.

    Attributes:
        outcome: What the reply means.

        window: The rate window, if any of its headers came.

        date: When it was made by the service's own clock, seconds since the epoch;
            None if it did not say.
    """

    outcome: OutcomeT_co
    window: WindowReading | None = None
    date: float | None = None
