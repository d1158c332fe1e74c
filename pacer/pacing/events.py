"""
What happened, as the shell tells the core.

Every event has its own ``at``, in seconds on the invocation's clock. A call
that a decision asked for is ended by exactly one event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.gates import Lane

# The calls a decision can ask for -------------------------------------------


@dataclass(frozen=True, slots=True)
class Submission:
    """``POST /v1/search`` of the request with this index."""

    index: int


@dataclass(frozen=True, slots=True)
class StatusRead:
    """``GET /v1/async/status``."""


@dataclass(frozen=True, slots=True)
class JobRead:
    """
    ``GET /v1/jobs/:id``.

    Attributes:
        index: The request.

        child: Position of the child among the request's children; None reads
            the parent.
    """

    index: int
    child: int | None


@dataclass(frozen=True, slots=True)
class SyncCapture:
    """
    ``POST /v1/search?mode=sync``: sent for a caller that waits, in a lane of its own.

    Attributes:
        credits: The most it can cost.
    """

    credits: int = 0


Call: TypeAlias = Submission | StatusRead | JobRead | SyncCapture

# What the shell feeds in -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """
    One request of the backlog, as far as pacing cares.

    Attributes:
        index: Its number in the batch.

        fan_out: Children it will have.

        surfaces: Its surfaces.

        in_doubt: An earlier invocation sent it and saw no reply.

        credits: The most it can cost.
    """

    index: int
    fan_out: int
    surfaces: tuple[str, ...] = ()
    in_doubt: bool = False
    credits: int = 0


@dataclass(frozen=True, slots=True)
class Queued:
    """
    Requests joined the backlog the core knows of.

    Attributes:
        more: Others wait behind these; the core is not told of all at once.
    """

    at: float
    items: tuple[Item, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Adopted:
    """
    A request accepted in an earlier invocation has captures still to collect.

    Attributes:
        accepted_at: On this invocation's clock; may be negative.

        children: How many it has; 0 if the service never said.

        ended: Positions of those that have ended already.
    """

    at: float
    index: int
    accepted_at: float
    children: int
    surfaces: tuple[str, ...]
    ended: frozenset[int]


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    The service has admitted a request, or replayed its admission.

    Attributes:
        children: How many children it listed; 0 if none.

        ended: Positions of the children whose captures the reply brought with it (a 200 with Envelopes).
    """

    at: float
    sent_at: float
    index: int
    children: int
    replayed: bool = False
    ended: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Rejected:
    """The service refused a request for good; the rest go on."""

    at: float
    index: int


@dataclass(frozen=True, slots=True)
class Conflicted:
    """409: another body is known under this request's key. *jitter* is in [0, 1)."""

    at: float
    index: int
    jitter: float


@dataclass(frozen=True, slots=True)
class SetAside:
    """Something before the service (an edge) refused this request with a page."""

    at: float
    index: int
    jitter: float


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A submission that was decided never left: a gate closed meanwhile, or we stop."""

    at: float
    index: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A request leaves the backlog, or was about to leave for the service: its caller gave it up."""

    at: float
    index: int


@dataclass(frozen=True, slots=True)
class Unasked:
    """A call that was decided never left, as with :class:`Withdrawn`."""

    at: float
    call: StatusRead | JobRead | SyncCapture


@dataclass(frozen=True, slots=True)
class SyncAnswered:
    """A sync capture was let through and answered, whatever came of it."""

    at: float
    sent_at: float


@dataclass(frozen=True, slots=True)
class Throttled:
    """
    A 429.

    Attributes:
        call: What was refused. Nothing of it was done.

        retry_after: Seconds from the reply; None if absent or nonsense.

        jitter: In [0, 1), drawn by the shell.

        limit, resets_in: The rate window's, as :class:`WindowTold` has them.
    """

    at: float
    sent_at: float
    call: Call
    lane: Lane
    retry_after: float | None
    jitter: float
    limit: int | None = None
    resets_in: float | None = None

    @property
    def closes(self) -> Lane:
        """
        Return the lane that it closes.

        One that makes no sense for its call still gates it, or it would be sent again
        at once: a submission refused by the sync budget waits with the submissions, a
        read refused by anything but the rate waits with everything.
        """
        if isinstance(self.call, Submission):
            return Lane.QUEUE if self.lane is Lane.SYNC else self.lane
        if isinstance(self.call, SyncCapture):
            return Lane.SYNC if self.lane is Lane.QUEUE else self.lane
        return Lane.RATE


@dataclass(frozen=True, slots=True)
class Lost:
    """
    No usable answer: cut, timed out, 5xx, unreadable. A submission is in doubt.

    Attributes:
        retry_after: Seconds a 503 asked us to stay away; None otherwise.

        jitter: In [0, 1), drawn by the shell.

        answered: The host did answer (an unreadable 2xx): no sign of an outage.
    """

    at: float
    sent_at: float
    call: Call
    retry_after: float | None
    jitter: float
    answered: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """A status read came back."""

    at: float
    asked_at: float
    snapshot: CapacitySnapshot


@dataclass(frozen=True, slots=True)
class StatusMissing:
    """The service has no status endpoint (404, 405, 501)."""

    at: float


@dataclass(frozen=True, slots=True)
class WindowTold:
    """
    Request-rate headers on a reply that is not a 429; given after the event of the reply itself.

    Attributes:
        limit, remaining: Requests; None if not said.

        resets_in: Seconds from *at*, up to a second too long; None if not said.
    """

    at: float
    sent_at: float
    limit: int | None
    remaining: int | None
    resets_in: float | None


@dataclass(frozen=True, slots=True)
class ParentRead:
    """
    A parent's summary came back.

    Attributes:
        children: How many it lists.

        ended: Positions of those that are terminal.
    """

    at: float
    asked_at: float
    index: int
    children: int
    ended: frozenset[int]


@dataclass(frozen=True, slots=True)
class CaptureRead:
    """
    A child came back.

    Attributes:
        terminal: It has ended, and its Envelope has been kept.

        surface: As the Envelope names it.

        sojourn: Seconds from request to completion by the service's own
            timestamps; None if it gave none.
    """

    at: float
    asked_at: float
    index: int
    child: int
    terminal: bool
    surface: str | None = None
    sojourn: float | None = None


@dataclass(frozen=True, slots=True)
class JobMissing:
    """404 for a job we were given the id of."""

    at: float
    call: JobRead


Event: TypeAlias = (
    Queued
    | Adopted
    | Accepted
    | Rejected
    | Conflicted
    | SetAside
    | Withdrawn
    | Dropped
    | Unasked
    | SyncAnswered
    | Throttled
    | Lost
    | SnapshotTaken
    | StatusMissing
    | WindowTold
    | ParentRead
    | CaptureRead
    | JobMissing
)

# What outlives an invocation --------------------------------------------------


@dataclass(frozen=True, slots=True)
class Memory:
    """
    What an earlier invocation left for this one, on this invocation's clock.

    Attributes:
        gates: Deadlines by lane.

        unit: The unit that was learnt, if any.

        window: What was learnt of the rate window: ``limit``, ``length``
            (seconds), ``resets_at``, and ``told``: 1 if the service has said the latter; empty if nothing.

        probed: The one probing phase that ``Policy.probe`` allows was used.

        requests, credits: What was sent, and the most it can cost: see ``Policy.max_credits``.
    """

    gates: Mapping[Lane, float]
    unit: str | None = None
    window: Mapping[str, float] | None = None
    probed: bool = False
    requests: int = 0
    credits: int = 0
