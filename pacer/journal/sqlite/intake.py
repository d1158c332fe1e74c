"""
Taking a batch in: one transaction, one pass, memory that does not grow.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from pacer.journal.records import Batch, Duplicate, Record
from pacer.journal.sqlite.failures import using
from pacer.journal.sqlite.freezing import freeze, origin_of, row_of
from pacer.journal.sqlite.statements import SQL


class SqliteIntake:
    """
    Writes records into the transaction that its journal has opened.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def add(self, records: Sequence[Record]) -> list[Duplicate]:
        """Take *records*; return those that repeat an id or a key (not taken)."""
        with using(self._path):
            self._connection.execute("SAVEPOINT chunk")
            try:
                self._connection.executemany(SQL["add_request"], map(row_of, records))
                self._connection.executemany(SQL["add_origin"], filter(None, map(origin_of, records)))
                duplicates = []
            except sqlite3.IntegrityError:
                self._connection.execute("ROLLBACK TO chunk")
                cursor = self._connection.cursor()
                found = (freeze(cursor, record) for record in records)
                duplicates = [duplicate for duplicate in found if duplicate is not None]
            self._connection.execute("RELEASE chunk")
            return duplicates

    def commit(self, batch: Batch) -> None:
        """Make the batch exist."""
        values = (batch.token, batch.source, batch.input_sha256, batch.base_url, batch.created_at, batch.name)
        with using(self._path):
            self._connection.execute(SQL["begin_progress"])
            self._connection.execute(SQL["begin_totals"])
            self._connection.execute(SQL["commit_batch"], values)
            self._connection.execute("COMMIT")
            # The log holds the whole batch a second time; the file has it now.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
