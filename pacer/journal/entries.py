"""
What the shell writes while it works, one entry for each thing that happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pacer.journal.records import Json, Record


@dataclass(frozen=True, slots=True)
class Appended:
    """(none) -> pending. A request that joins a batch which exists: a service's, one at a time."""

    record: Record


@dataclass(frozen=True, slots=True)
class Sent:
    """pending -> sent. The request is about to leave (again, if it was in doubt)."""

    index: int
    at: float


@dataclass(frozen=True, slots=True)
class Returned:
    """
    sent -> pending. The service took nothing (429), or the request never left.

    It takes back the last send. An earlier one that was in doubt remains so:
    see ``first_sent_at`` in :class:`PendingRequest`.
    """

    index: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    sent -> accepted. The service has it, under *job*.

    Where the service listed no children the request has its documented fan-out
    of unknown ones. When they become known, write it again with the same job
    and all of them, those that have ended included.

    Attributes:
        children: Opaque child ids, as the service listed them; repeats are
            dropped. Once known they never change.

        replayed: The reply was a replay of an earlier admission.
    """

    index: int
    at: float
    job: str
    children: tuple[str, ...]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """
    sent -> rejected. It ends as one line in the results, without any capture.

    Attributes:
        error: ``code``, ``message``...

        status: ``rejected``, or ``unknown`` where nobody can tell any more
            whether the service has it.
    """

    index: int
    at: float
    error: Mapping[str, Json]
    status: str = "rejected"


@dataclass(frozen=True, slots=True)
class CaptureEnded:
    """
    A capture has reached its end and belongs into the results, once.

    Written twice for one child, the first stands. When the last child of an
    accepted request has ended the request becomes done; children are counted
    against the ids in its :class:`Accepted`.

    Attributes:
        child: The child's id: one of those listed, any where none were.

        status: ``completed|partial|failed|canceled|expired|unknown``.

        envelope: The service's Envelope, or None.

        error: ``code``, ``message``..., or None.
    """

    index: int
    child: str
    at: float
    surface: str | None
    region: str | None
    status: str
    envelope: Json | None
    error: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True)
class Closed:
    """
    accepted -> done, for a request whose children never became known.

    Refused where they are known, since each of them ends by its own
    CaptureEnded, and where nothing has ended yet: a request must not vanish
    from the results.
    """

    index: int
    at: float


@dataclass(frozen=True, slots=True)
class GateMoved:
    """A gate's deadline, as wall time; it replaces the lane's earlier one."""

    lane: str
    until: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """
    Something worth knowing in the next invocation, under a name of the core's
    (``unit``, ``window``). Replaces what stood there.
    """

    name: str
    value: Json


@dataclass(frozen=True, slots=True)
class Noted:
    """
    Something that happened, for ``pacer report``: a wave, a wait, a reading.

    Attributes:
        kind: One of a fixed set of words; see ``instrumentation``.

        data: JSON object with its particulars.
    """

    at: float
    kind: str
    data: Mapping[str, Json] = field(default_factory=dict)


Entry: TypeAlias = (
    Appended | Sent | Returned | Accepted | Rejected | CaptureEnded | Closed | GateMoved | Learnt | Noted
)
