"""
What to do next, and what decided it.

A decision is a commitment: the calls it hands out count as in flight from that
moment until an event ends each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from pacer.pacing.events import JobRead


class Bound(StrEnum):
    """
    What kept the pacer from doing more at that moment.
    """

    DRAIN = "drain"
    """The queue is as full as it may be: the service itself sets the pace."""

    CAPTURES = "captures"
    """All is submitted; the last captures are still running."""

    WINDOW = "window"
    """The request-rate window is used up."""

    GATE = "gate"
    """A Retry-After."""

    RESERVE = "reserve"
    """What the user keeps free for others."""

    CONCURRENCY = "concurrency"
    """As many submissions in flight as are allowed."""

    UNIT = "unit"
    """The unit of depth is not known and the safe charge leaves the queue empty."""

    TENANTS = "tenants"
    """Other clients of the key hold the queue."""

    OUTAGE = "outage"
    """The service does not answer."""

    RETRY = "retry"
    """Only requests are left that must wait before they are sent again."""

    MAX_CREDITS = "max_credits"
    """The user's limit on credits is met; what is out is collected."""

    MAX_REQUESTS = "max_requests"
    """The user's limit on requests is met; what is out is collected."""

    DEADLINE = "deadline"
    """The user's time to submit is over; what is out is collected."""

    ROUND_TRIP = "round_trip"
    """Waiting for answers to what was just sent: the network."""

    IDLE = "idle"
    """There is nothing to do: a service whose callers have nothing to ask."""

    PACER = "pacer"
    """pacer itself: its start, its disk, its work between two decisions, and waking up late."""


@dataclass(frozen=True, slots=True)
class SubmitWave:
    """Send these requests now; they fit the headroom and the window."""

    requests: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadSnapshot:
    """Read ``GET /v1/async/status`` now."""


@dataclass(frozen=True, slots=True)
class Collect:
    """Read these jobs now."""

    reads: tuple[JobRead, ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """
    End a request, or one capture of it, by name.

    Attributes:
        child: Position of the capture; None ends the request as rejected.

        code: A fixed word for the results, e.g. ``TOO_LARGE``.

        reason: A sentence for people.
    """

    index: int
    child: int | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """
    Do nothing before *at*, unless something happens first.

    Attributes:
        at: On the invocation's clock; infinity waits for the calls in flight.

        bound: Why.
    """

    at: float
    bound: Bound


@dataclass(frozen=True, slots=True)
class Finished:
    """Every request has ended and every capture has been read."""


@dataclass(frozen=True, slots=True)
class Stop:
    """
    Stop early; the batch can be resumed. *code* is a fixed word, *reason* a sentence.

    Attributes:
        drained: A limit of the user's was met, and what was out has been collected first. If
            the shell brings more of that, the core goes on.
    """

    code: str
    reason: str
    drained: bool = False


Decision: TypeAlias = SubmitWave | ReadSnapshot | Collect | GiveUp | WaitUntil | Finished | Stop
