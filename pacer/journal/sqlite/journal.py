"""
:class:`SqliteJournal`: the journal in one file, for one process at a time.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from pacer.errors import JournalError
from pacer.journal.codec import code_of, to_text, unpack
from pacer.journal.entries import Entry, Noted
from pacer.journal.records import Batch, Json, Origin, Record
from pacer.journal.sqlite import failures
from pacer.journal.sqlite.intake import SqliteIntake
from pacer.journal.sqlite.lock import Lock
from pacer.journal.sqlite.opening import open_read_only, open_writable, remove
from pacer.journal.sqlite.statements import SQL
from pacer.journal.sqlite.transitions import STATES, apply
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

NOTES_AT_ONCE = 1000
"""Notes read by one statement: a cursor left open over a write would hold the log back."""


class SqliteJournal:
    """
    A :class:`~pacer.journal.protocol.Journal` in an SQLite file.

    Made by :meth:`open`. Safe to call from several threads as long as the
    calls do not overlap.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: Lock | None, *, needs_batch: bool
    ) -> None:
        self._path = path
        self._connection = connection
        self._lock = lock
        self._needs_batch = needs_batch
        self._closed = False

    @classmethod
    def open(cls, path: Path | str, *, create: bool = False, read_only: bool = False) -> SqliteJournal:
        """
        Open the journal at *path*.

        Args:
            create: Make one where there is none, mode 0600. If there is no
                batch in it when it is closed the file is removed again.

            read_only: For a report: without the lock, also while a run is
                writing and on a read-only file system.

        Raises:
            JournalLocked: another process works on it.
            JournalError: missing, foreign, newer, damaged, unwritable.
        """
        path = Path(path)
        if read_only:
            with failures.opening(path):
                return cls(path, open_read_only(path), None, needs_batch=False)
        with failures.opening(path):
            # Not path.resolve(): on a loop of links that raises RuntimeError.
            lock = Lock.acquire(Path(os.path.realpath(path)))
            try:
                connection = open_writable(path, create=create)
            except BaseException:
                lock.release()
                raise
            return cls(path, connection, lock, needs_batch=create)

    def batch(self) -> Batch | None:
        """Return the batch, or None before a first intake was committed."""
        names = ("token", "source", "input_sha256", "base_url", "created_at", "name")
        with failures.reading(self._path):
            row = self._connection.execute(SQL["batch"]).fetchone()
        return Batch(**dict(zip(names, row, strict=True))) if row else None

    @contextmanager
    def intake(self) -> Iterator[SqliteIntake]:
        """Open the one transaction that takes a batch in."""
        if self.batch() is not None:
            raise JournalError(
                f"The journal {self._path} holds a batch already; a journal takes in one only."
            )
        with failures.using(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield SqliteIntake(self._connection, self._path)
        finally:
            with failures.using(self._path):
                self._roll_back()

    def write(self, entries: Sequence[Entry]) -> None:
        """Apply *entries* in order, in one transaction, durably."""
        with failures.using(self._path):
            cursor = self._connection.execute("BEGIN IMMEDIATE")
            try:
                apply(cursor, entries)
                cursor.execute("COMMIT")
            finally:
                self._roll_back()

    def counts(self) -> Counts:
        """Return where the batch stands, from running sums."""
        with failures.reading(self._path):
            totals = self._connection.execute(SQL["totals"]).fetchall()
            requests = {STATES[state]: count for state, count, _ in totals}
            return Counts(
                requests=sum(requests.values()),
                captures=sum(captures for state, _, captures in totals if STATES[state] != "rejected"),
                ended=dict(self._connection.execute(SQL["ended"]).fetchall()),
                **requests,
            )

    def pending(self, *, after: int, limit: int) -> list[PendingRequest]:
        """Return requests in *pending* with an index beyond *after*, in order."""
        return self._unsettled("pending", after, limit)

    def in_doubt(self, *, after: int, limit: int) -> list[PendingRequest]:
        """Return requests in *sent* with an index beyond *after*, in order."""
        return self._unsettled("in_doubt", after, limit)

    def _unsettled(self, statement: str, after: int, limit: int) -> list[PendingRequest]:
        with failures.reading(self._path):
            rows = self._connection.execute(SQL[statement], (after, limit)).fetchall()
            return [
                PendingRequest(
                    index, id_, key, body, fan_out, tuple(json.loads(surfaces)), sent_at, first_sent_at
                )
                for index, id_, key, body, fan_out, surfaces, sent_at, first_sent_at in rows
            ]

    def outstanding(self, *, after: int, limit: int) -> list[OutstandingJob]:
        """Return requests in *accepted* with an index beyond *after*, in order."""
        with failures.reading(self._path):
            rows = self._connection.execute(SQL["outstanding"], (after, limit)).fetchall()
            ended: dict[int, set[str]] = {row[0]: set() for row in rows}
            for index, child in self._connection.execute(SQL["ended_children"], (to_text(list(ended)),)):
                ended[index].add(child)
            return [
                OutstandingJob(
                    index,
                    id_,
                    job,
                    accepted_at,
                    fan_out,
                    tuple(json.loads(surfaces)),
                    tuple(json.loads(children)),
                    frozenset(ended[index]),
                )
                for index, id_, job, accepted_at, fan_out, surfaces, children in rows
            ]

    def find(self, ids: Sequence[str], keys: Sequence[str]) -> list[Standing]:
        """Return the requests that have one of these ids or idempotency keys, by index."""
        wanted = [("find_by_id", id_) for id_ in ids] + [("find_by_key", key) for key in keys]
        with failures.reading(self._path):
            rows = [self._connection.execute(SQL[by], (value,)).fetchone() for by, value in wanted]
            found = {row[0]: _standing(row) for row in rows if row is not None}
        return [found[index] for index in sorted(found)]

    def bought(self) -> list[Bought]:
        """Return all that was sent, but for what was rejected; reads every request."""
        with failures.reading(self._path):
            rows = self._connection.execute(SQL["bought"]).fetchall()
        return [Bought(tuple(json.loads(surfaces)), captures) for surfaces, captures in rows]

    def fallen(self, *, after: int, limit: int) -> list[Fallen]:
        """Return requests with an index beyond *after* that have a result other than completed, in order."""
        with failures.reading(self._path):
            rows = self._connection.execute(SQL["fallen"], (after, limit)).fetchall()
            ends: dict[int, list[End]] = {row[0]: [] for row in rows}
            for row in self._connection.execute(SQL["ends"], (to_text(list(ends)),)):
                index, child, surface, region, status, error = row
                code = code_of(None if error is None else json.loads(error))
                ends[index].append(End(child, surface, region, status, code))
        return [Fallen(_record(row), tuple(ends[row[0]])) for row in rows]

    def gates(self) -> Mapping[str, float]:
        """Return every gate's last deadline by lane, opened ones included."""
        with failures.reading(self._path):
            return dict(self._connection.execute(SQL["gates"]).fetchall())

    def learnt(self) -> Mapping[str, Json]:
        """Return all that was learnt, by name."""
        with failures.reading(self._path):
            return {name: json.loads(value) for name, value in self._connection.execute(SQL["learnt"])}

    def notes(self) -> Iterator[Noted]:
        """Yield all notes in the order they were written."""
        after = 0
        while True:
            with failures.reading(self._path):
                rows = self._connection.execute(SQL["notes"], (after, NOTES_AT_ONCE)).fetchall()
                notes = [Noted(at, kind, json.loads(data)) for _, at, kind, data in rows]
            if not rows:
                return
            yield from notes
            after = rows[-1][0]

    def rows(self, *, after: int, limit: int) -> list[ResultRow]:
        """Return result rows with a seq beyond *after*, in order."""
        with failures.reading(self._path):
            return [_result(row) for row in self._connection.execute(SQL["rows"], (after, limit))]

    def rows_of(self, indexes: Sequence[int]) -> list[ResultRow]:
        """Return all result rows of these requests, in order of their seq."""
        with failures.reading(self._path):
            return [
                _result(row) for row in self._connection.execute(SQL["rows_of"], (to_text(list(indexes)),))
            ]

    def rows_by_request(self, *, after: int, limit: int) -> tuple[list[ResultRow], int]:
        """Return all result rows of the next *limit* requests that have any, in the order of the input."""
        with failures.reading(self._path):
            found = self._connection.execute(SQL["rows_by_request"], (after, limit)).fetchall()
            by_request = groupby(found, key=lambda row: row[-1])
            rows = [_result(row[:-2]) for _, of_one in by_request for row in _as_listed(list(of_one))]
            return rows, found[-1][-1] if found else after

    def projections(self) -> Mapping[str, Projection]:
        """Return how far each results file has been written, by path."""
        with failures.reading(self._path):
            return {
                path: Projection(path=path, seq=seq, offset=offset, crc=crc)
                for path, seq, offset, crc in self._connection.execute(SQL["projections"])
            }

    def project(self, projection: Projection) -> None:
        """Record how far a results file has been written and synced; replaces its last record."""
        values = (projection.path, projection.seq, projection.offset, projection.crc)
        with failures.using(self._path):
            self._connection.execute(SQL["project"], values)

    def close(self) -> None:
        """Release the lock and the files. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            superfluous = self._needs_batch and self.batch() is None
            self._connection.close()
            if superfluous:
                remove(self._path)
        finally:
            self._connection.close()
            if self._lock is not None:
                self._lock.release()

    def _roll_back(self) -> None:
        """Take back what was not committed. SQLite may have done so itself, on a full disk for one."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _as_listed(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return one request's rows as its children were listed; those that were not stay as they ended."""
    children = json.loads(rows[0][-2] or "[]")
    place = {child: number for number, child in enumerate(children)}
    return sorted(rows, key=lambda row: place.get(row[4], len(place)))


def _standing(row: tuple[Any, ...]) -> Standing:
    *record, state, job, children = row
    return Standing(_record(record), STATES[state], job, tuple(json.loads(children or "[]")))


def _record(row: Sequence[Any]) -> Record:
    index, id_, key, body, fan_out, surfaces, line, origin_id, origin_index = row
    origin = None if origin_id is None else Origin(origin_id, origin_index)
    return Record(index, id_, key, body, fan_out, tuple(json.loads(surfaces)), line, origin)


def _result(row: tuple[Any, ...]) -> ResultRow:
    seq, request, index, job, child, surface, region, status, envelope, error = row
    return ResultRow(
        seq,
        request,
        index,
        job,
        child,
        surface,
        region,
        status,
        None if envelope is None else unpack(envelope),
        None if error is None else json.loads(error),
    )
