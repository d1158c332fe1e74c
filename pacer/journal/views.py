"""
What can be read back: where requests stand, how captures ended, how far the results are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pacer.journal.records import Json, Record


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """
    A request that has not been accepted or rejected yet.

    Attributes:
        id: The user's name for it; where it has an origin, its origin's. So below.

        sent_at: When it was last sent, if it is in *sent*, else None.

        first_sent_at: The earliest send whose outcome nobody knows, or None.
            How long it has been in doubt counts from here.
    """

    index: int
    id: str
    key: str
    body: bytes
    fan_out: int
    surfaces: tuple[str, ...]
    sent_at: float | None
    first_sent_at: float | None


@dataclass(frozen=True, slots=True)
class OutstandingJob:
    """
    An accepted request some of whose captures have not ended.

    Attributes:
        children: All its child ids, or none as long as they are unknown.

        ended: Those that have ended already.
    """

    index: int
    id: str
    job: str
    accepted_at: float
    fan_out: int
    surfaces: tuple[str, ...]
    children: tuple[str, ...]
    ended: frozenset[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Where one request stands.

    Attributes:
        state: ``pending|sent|accepted|done|rejected``.

        job: The service's id of it, once it was accepted.

        children: All its child ids, or none as long as they are unknown.
    """

    record: Record
    state: str
    job: str | None
    children: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """
    Where the batch stands. ``requests`` is the sum of the five states; all but
    the pending ones were sent at least once.

    Attributes:
        captures: Expected captures: the children of accepted and done requests
            as the service listed them (of a closed one, those that ended), the
            documented fan-out of the others, none for the rejected.

        ended: Captures that have ended, by status; lines for rejected requests
            are not among them.
    """

    requests: int
    pending: int
    sent: int
    accepted: int
    done: int
    rejected: int
    captures: int
    ended: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ResultRow:
    """
    One line of the results file, in the order in which captures ended.

    Attributes:
        seq: Its place in that order, from 1, without gaps.
    """

    seq: int
    request: str
    index: int
    job: str | None
    child: str | None
    surface: str | None
    region: str | None
    status: str
    envelope: Json | None
    error: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True)
class Bought:
    """
    Requests of the same surfaces that were sent, put together.

    Attributes:
        captures: Documented ones, as many of each surface.
    """

    surfaces: tuple[str, ...]
    captures: int


@dataclass(frozen=True, slots=True)
class End:
    """
    How one capture ended, or (*child* None) a request as a whole; see :class:`ResultRow`.

    Attributes:
        code: Of its error; empty if there is none.
    """

    child: str | None
    surface: str | None
    region: str | None
    status: str
    code: str


@dataclass(frozen=True, slots=True)
class Fallen:
    """
    A request that did not bring all of its captures.

    Attributes:
        ends: Of all its captures, completed ones included.
    """

    record: Record
    ends: tuple[End, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """
    How far one results file has been written, as of the last commit.

    Attributes:
        path: Absolute path of the file; ``-`` for standard output.

        seq: The last row in it; 0 for none.

        offset: Its length in bytes.

        crc: CRC-32 of those bytes, so that a changed file is noticed.
    """

    path: str
    seq: int = 0
    offset: int = 0
    crc: int = 0
