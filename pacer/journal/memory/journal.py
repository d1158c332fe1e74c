"""
:class:`MemoryJournal`: the journal without a file.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

from pacer.errors import JournalError
from pacer.journal.codec import code_of, unpack
from pacer.journal.entries import Entry, Noted
from pacer.journal.memory.draft import Draft, Line, Request
from pacer.journal.memory.records import Records
from pacer.journal.records import Batch, Duplicate, Json, Record
from pacer.journal.views import (
    Bought,
    Counts,
    End,
    Fallen,
    OutstandingJob,
    PendingRequest,
    Projection,
    ResultRow,
    Standing,
)


class MemoryJournal:
    """
    A :class:`~pacer.journal.protocol.Journal` that lives as long as the object.

    :meth:`close` keeps what it holds, as a file would: a test hands the same
    object to the next invocation.
    """

    def __init__(self) -> None:
        self._batch: Batch | None = None
        self._records = Records()
        self._requests: dict[int, Request] = {}
        self._order: list[int] = []
        self._lines: list[Line] = []
        self._lines_of: dict[int, list[int]] = {}
        self._states: Counter[str] = Counter()
        self._expected = 0
        self._ended: Counter[str] = Counter()
        self._gates: dict[str, float] = {}
        self._learnt: dict[str, bytes] = {}
        self._notes: list[tuple[float, str, bytes]] = []
        self._projections: dict[str, Projection] = {}

    def batch(self) -> Batch | None:
        """Return the batch, or None before a first intake was committed."""
        return self._batch

    @contextmanager
    def intake(self) -> Iterator[MemoryIntake]:
        """Open the one transaction that takes a batch in."""
        if self._batch is not None:
            raise JournalError("This journal holds a batch already; a journal takes in one only.")
        yield MemoryIntake(self)

    def take(self, batch: Batch, records: Records) -> None:
        """Make *batch* exist; called by the intake when it commits."""
        self._batch = batch
        self._records = records
        for record in records.by_index.values():
            self._join(Request(record))

    def _join(self, request: Request) -> None:
        self._requests[request.record.index] = request
        insort(self._order, request.record.index)
        self._states[request.state] += 1
        self._expected += request.expected

    def write(self, entries: Sequence[Entry]) -> None:
        """Apply *entries* in order, all or none."""
        draft = Draft(self._requests, None if self._batch is None else self._records)
        try:
            for entry in entries:
                draft.apply(entry)
        except BaseException:
            draft.take_back()
            raise
        for index, new in draft.requests.items():
            old = self._requests.get(index)
            if old is None:
                self._join(new)
                continue
            self._states[old.state] -= 1
            self._states[new.state] += 1
            self._expected += new.expected - old.expected
            self._requests[index] = new
        for line in draft.lines:
            self._lines_of.setdefault(line.index, []).append(len(self._lines))
            self._lines.append(line)
        self._ended.update(line.status for line in draft.lines if line.child is not None)
        self._gates |= draft.gates
        self._learnt |= draft.learnt
        self._notes += draft.notes

    def counts(self) -> Counts:
        """Return where the batch stands, from running sums."""
        return Counts(
            requests=len(self._requests),
            pending=self._states["pending"],
            sent=self._states["sent"],
            accepted=self._states["accepted"],
            done=self._states["done"],
            rejected=self._states["rejected"],
            captures=self._expected,
            ended=dict(self._ended),
        )

    def pending(self, *, after: int, limit: int) -> list[PendingRequest]:
        """Return requests in *pending* with an index beyond *after*, in order."""
        return [_unsettled(request) for request in self._in("pending", after, limit)]

    def in_doubt(self, *, after: int, limit: int) -> list[PendingRequest]:
        """Return requests in *sent* with an index beyond *after*, in order."""
        return [_unsettled(request) for request in self._in("sent", after, limit)]

    def outstanding(self, *, after: int, limit: int) -> list[OutstandingJob]:
        """Return requests in *accepted* with an index beyond *after*, in order."""
        return [
            OutstandingJob(
                request.record.index,
                request.shown.id,
                request.job or "",
                request.accepted_at,
                request.record.fan_out,
                request.record.surfaces,
                request.children,
                request.ended,
            )
            for request in self._in("accepted", after, limit)
        ]

    def find(self, ids: Sequence[str], keys: Sequence[str]) -> list[Standing]:
        """Return the requests that have one of these ids or idempotency keys, by index."""
        found = (self._requests[index] for index in self._records.find(ids, keys))
        return [Standing(request.record, request.state, request.job, request.children) for request in found]

    def bought(self) -> list[Bought]:
        """Return all that was sent, but for what was rejected; reads every request."""
        captures: Counter[tuple[str, ...]] = Counter()
        for index, request in self._requests.items():
            statuses = {self._lines[number].status for number in self._lines_of.get(index, ())}
            if request.state != "pending" and not (request.state == "rejected" and "rejected" in statuses):
                captures[request.record.surfaces] += request.record.fan_out
        return [Bought(surfaces, number) for surfaces, number in captures.items()]

    def fallen(self, *, after: int, limit: int) -> list[Fallen]:
        """Return requests with an index beyond *after* that have a result other than completed, in order."""
        found: list[Fallen] = []
        for index in islice(self._order, bisect_right(self._order, after), None):
            ends = tuple(_end(self._lines[number]) for number in self._lines_of.get(index, ()))
            if len(found) < limit and any(end.status != "completed" for end in ends):
                found.append(Fallen(self._requests[index].record, ends))
        return found

    def gates(self) -> Mapping[str, float]:
        """Return every gate's last deadline by lane, opened ones included."""
        return dict(self._gates)

    def learnt(self) -> Mapping[str, Json]:
        """Return all that was learnt, by name."""
        return {name: unpack(value) for name, value in self._learnt.items()}

    def notes(self) -> Iterator[Noted]:
        """Yield all notes in the order they were written."""
        for at, kind, data in self._notes:
            yield Noted(at, kind, unpack(data))

    def rows(self, *, after: int, limit: int) -> list[ResultRow]:
        """Return result rows with a seq beyond *after*, in order."""
        lines = islice(self._lines, after, after + limit)
        return [self._row(seq, line) for seq, line in enumerate(lines, start=after + 1)]

    def rows_of(self, indexes: Sequence[int]) -> list[ResultRow]:
        """Return all result rows of these requests, in order of their seq."""
        numbers = sorted(number for index in set(indexes) for number in self._lines_of.get(index, ()))
        return [self._row(number + 1, self._lines[number]) for number in numbers]

    def rows_by_request(self, *, after: int, limit: int) -> tuple[list[ResultRow], int]:
        """Return all result rows of the next *limit* requests that have any, in the order of the input."""
        beyond = islice(self._order, bisect_right(self._order, after), None)
        indexes = list(islice((index for index in beyond if index in self._lines_of), limit))
        return [row for index in indexes for row in self._listed(index)], indexes[-1] if indexes else after

    def projections(self) -> Mapping[str, Projection]:
        """Return how far each results file has been written, by path."""
        return dict(self._projections)

    def project(self, projection: Projection) -> None:
        """Record how far a results file has been written and synced; replaces its last record."""
        self._projections[projection.path] = projection

    def close(self) -> None:
        """Do nothing: there is no file and no lock."""

    def _in(self, state: str, after: int, limit: int) -> Iterator[Request]:
        beyond = islice(self._order, bisect_right(self._order, after), None)
        return islice((r for r in map(self._requests.__getitem__, beyond) if r.state == state), limit)

    def _listed(self, index: int) -> list[ResultRow]:
        """Return the rows of one request, the children that were listed first and in their order."""
        rows = self.rows_of([index])
        children = self._requests[index].children
        by_child = {row.child: row for row in rows}
        listed = [by_child[child] for child in children if child in by_child]
        return listed + [row for row in rows if row.child not in children]

    def _row(self, seq: int, line: Line) -> ResultRow:
        request = self._requests[line.index]
        return ResultRow(
            seq,
            request.shown.id,
            request.shown.index,
            request.job,
            line.child,
            line.surface,
            line.region,
            line.status,
            None if line.envelope is None else unpack(line.envelope),
            None if line.error is None else unpack(line.error),
        )


class MemoryIntake:
    """
    Collects records until its journal takes them all.
    """

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal
        self._records = Records()

    def add(self, records: Sequence[Record]) -> list[Duplicate]:
        """Take *records*; return those that repeat an id or a key (not taken)."""
        return [duplicate for record in records if (duplicate := self._records.add(record)) is not None]

    def commit(self, batch: Batch) -> None:
        """Make the batch exist."""
        self._journal.take(batch, self._records)


def _end(line: Line) -> End:
    code = code_of(None if line.error is None else unpack(line.error))
    return End(line.child, line.surface, line.region, line.status, code)


def _unsettled(request: Request) -> PendingRequest:
    record = request.record
    return PendingRequest(
        record.index,
        request.shown.id,
        record.key,
        record.body,
        record.fan_out,
        record.surfaces,
        request.sent_at,
        request.first_sent_at,
    )
