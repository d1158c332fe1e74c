"""
The journal as everything above it sees it: records in, records out.

A request moves one way only::

    pending --Sent--> sent --Accepted--> accepted --(last child ended)--> done
       ^               |  `--Rejected--> rejected      `----Closed-------^
       `---Returned----'

    sent --Sent--> sent              sent again, because it was in doubt
    accepted --Accepted--> accepted  the same job, now with its children: they were not listed before
    accepted --CaptureEnded--> accepted, or done when the last listed child has ended

*sent* is written before the request leaves; after a crash it means *in doubt*:
the service may or may not have admitted it, and only a resend of the same bytes
under the same idempotency key can tell. :class:`Returned` undoes it where the
service said plainly that nothing was admitted (a 429), or where the request
never left.

What repeats a thing already known changes nothing and is no error: an Accepted
that names the job the request has (accepted or done), a CaptureEnded for a
child that has ended. Every other entry that the table does not have raises
``ValueError``, and so does a text (an id, a status, not JSON) that is not
well-formed Unicode. The whole write it is part of is then taken back.

Every method is synchronous and may block on the disk; the shell decides on
which thread to call it. Calls never overlap. All moments are wall time, seconds
since the epoch, because they outlive the process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

Json: TypeAlias = Any
"""Whatever ``json.loads`` can return."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """
    What the journal knows of its batch as a whole; fixed at intake.

    Attributes:
        token: 22 characters of [A-Za-z0-9_-], random per batch; the stem of
            the keys that pacer makes.

        source: The input's name as the user gave it.

        input_sha256: Hex digest of the input's bytes; empty for a library call.

        base_url: Where it is sent. A journal never changes its service.

        created_at: When intake was committed.

        name: The user's ``--batch`` name, if keys were derived from one.
    """

    token: str
    source: str
    input_sha256: str
    base_url: str
    created_at: float
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Whose results a request's are, where that is another: a retry spreads what is left of one
    record over requests of its own.

    Attributes:
        id, index: The record's name and number; they stand in all that users see.
    """

    id: str
    index: int


@dataclass(slots=True)
class Record:
    """
    One request as intake hands it over. Bytes and key never change again.

    Not frozen only because half a million of them are built at once, and a
    frozen dataclass takes more than twice as long to build.

    Attributes:
        index: 0-based number of the record in the input.

        id: The user's name for it, unique in the batch.

        key: Its idempotency key, unique in the batch.

        body: The exact bytes that are POSTed, key included.

        fan_out: Children it will have: surfaces x regions.

        surfaces: Its surfaces, in order.

        line: Where it stood in the input, 1-based.

        origin: None where the request is the record itself.
    """

    index: int
    id: str
    key: str
    body: bytes
    fan_out: int
    surfaces: tuple[str, ...]
    line: int
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """
    A record that intake could not take: its id or key stands there already.

    Attributes:
        record: The record that was refused.

        field: ``id`` or ``idempotencyKey``.

        first_line: Line of the record that has it.
    """

    record: Record
    field: str
    first_line: int


class IntakeWriter(Protocol):
    """The journal while one batch is being taken in; one transaction."""

    def add(self, records: Sequence[Record]) -> list[Duplicate]:
        """Take *records*; return those that repeat an id or a key (not taken)."""
        ...

    def commit(self, batch: Batch) -> None:
        """Make the batch exist. Without it, leaving the context takes all of it back."""
        ...


# What the shell writes -----------------------------------------------------


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


# What the shell reads ------------------------------------------------------


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


class Journal(Protocol):
    """
    Everything that must survive a crash. See the module for the rules.

    Errors:
        JournalError: at opening: locked, foreign, newer, damaged, unwritable.
        JournalLost: later: the disk is full or failing.
    """

    def batch(self) -> Batch | None:
        """Return the batch, or None before a first intake was committed."""
        ...

    def intake(self) -> AbstractContextManager[IntakeWriter]:
        """
        Open the one transaction that takes a batch in.

        Raises:
            JournalError: there is a batch already.
        """
        ...

    def write(self, entries: Sequence[Entry]) -> None:
        """
        Apply *entries* in order, in one transaction, durably.

        Raises:
            ValueError: a transition that the module's table does not have;
                nothing is changed.
        """
        ...

    def counts(self) -> Counts:
        """Return where the batch stands."""
        ...

    def pending(self, *, after: int, limit: int) -> list[PendingRequest]:
        """Return requests in *pending* with an index beyond *after*, in order."""
        ...

    def in_doubt(self, *, after: int, limit: int) -> list[PendingRequest]:
        """Return requests in *sent* with an index beyond *after*, in order."""
        ...

    def outstanding(self, *, after: int, limit: int) -> list[OutstandingJob]:
        """Return requests in *accepted* with an index beyond *after*, in order."""
        ...

    def find(self, ids: Sequence[str], keys: Sequence[str]) -> list[Standing]:
        """Return the requests that have one of these ids or idempotency keys, by index."""
        ...

    def bought(self) -> list[Bought]:
        """Return all that was sent, but for what was rejected; reads every request."""
        ...

    def fallen(self, *, after: int, limit: int) -> list[Fallen]:
        """Return requests with an index beyond *after* that have a result other than completed, in order."""
        ...

    def gates(self) -> Mapping[str, float]:
        """Return every gate's last deadline by lane, opened ones included."""
        ...

    def learnt(self) -> Mapping[str, Json]:
        """Return all that was learnt, by name."""
        ...

    def notes(self) -> Iterator[Noted]:
        """Yield all notes in the order they were written."""
        ...

    def rows(self, *, after: int, limit: int) -> list[ResultRow]:
        """Return result rows with a seq beyond *after*, in order."""
        ...

    def rows_of(self, indexes: Sequence[int]) -> list[ResultRow]:
        """Return all result rows of these requests, in order of their seq."""
        ...

    def rows_by_request(self, *, after: int, limit: int) -> tuple[list[ResultRow], int]:
        """
        Return all result rows of the next *limit* requests that have any, in the order of the input.

        They are those beyond *after*; the last of them comes with the rows, to go on
        after it. (A row's own index is that of its request's origin.) A request's rows
        come as the service listed its children; where it listed none, as they ended.
        """
        ...

    def projections(self) -> Mapping[str, Projection]:
        """Return how far each results file has been written, by path."""
        ...

    def project(self, projection: Projection) -> None:
        """Record how far a results file has been written and synced; replaces its last record."""
        ...

    def close(self) -> None:
        """Release the lock and the files. A second call does nothing."""
        ...
