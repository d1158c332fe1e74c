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
from typing import Protocol

from pacer.journal.entries import Entry, Noted
from pacer.journal.records import Batch, Duplicate, Json, Record
from pacer.journal.views import (
    Bought,
    Counts,
    Fallen,
    OutstandingJob,
    PendingRequest,
    Projection,
    ResultRow,
    Standing,
)


class IntakeWriter(Protocol):
    """The journal while one batch is being taken in; one transaction."""

    def add(self, records: Sequence[Record]) -> list[Duplicate]:
        """Take *records*; return those that repeat an id or a key (not taken)."""
        ...

    def commit(self, batch: Batch) -> None:
        """Make the batch exist. Without it, leaving the context takes all of it back."""
        ...


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
