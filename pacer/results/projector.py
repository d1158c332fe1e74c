"""
:class:`ResultsFile`: brings the results up to the journal.

The order is what makes each line stand there once: a row is durable in the
journal first, then it is appended and synced, then its end is recorded in the
journal. What a crash left beyond the record is ours and is cut off; what is
missing is written again.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from pacer.journal.protocol import Journal
from pacer.journal.views import Projection
from pacer.results.lines import render
from pacer.results.sinks import STDOUT, FileSink, Sink, StandardOutput

ROWS_AT_ONCE = 128
"""Rows held in memory at a time: with Envelopes of 5 kB less than 1 MB of lines."""

BYTES_PER_SYNC = 64 * 2**20
"""When much is written (a lost file of a finished batch), progress is kept this often."""


class ResultsFile:
    """
    The results of one journal, in a file or on standard output.

    Not safe against overlapping calls; call it where the journal is called.

    *On standard output* (``-``) lines follow the last that was recorded as
    printed, so that the outputs of successive invocations, put together, hold
    every capture. After a kill the last few can be printed a second time: a
    pipe cannot be cut back.

    Args:
        path: Where to write, or ``-``.

        journal: The open journal whose rows are written.
    """

    def __init__(self, path: Path | str, journal: Journal) -> None:
        self._journal = journal
        self._sink: Sink = StandardOutput() if str(path) == STDOUT else FileSink(Path(path))
        self._at = self._recorded = Projection(path=self._sink.key)

    def open(self) -> Path | None:
        """
        Make the file agree with what the journal recorded of it.

        A missing file is made again, mode 0600; one that is longer is cut back;
        one that is shorter or was changed is moved aside. Lines that are missing
        then are written by the next :meth:`flush`.

        Returns:
            The new name of a file that was moved aside, or None.

        Raises:
            UsageError: there is a file that is not empty and not this
                journal's; or it cannot be written.
        """
        self._at, moved_to = self._sink.open(self._journal.projections())
        self._record()
        return moved_to

    def flush(self) -> int:
        """
        Append all rows that have been committed since, durably.

        Returns:
            How many lines were written.

        Raises:
            OutputLost: the disk is full, or the reader has gone. A later call,
                or the next invocation, writes what is missing.
        """
        self._at = self._recorded
        self._sink.cut_to(self._at.offset)
        before = self._at.seq
        while self._append():
            if self._at.offset - self._recorded.offset >= BYTES_PER_SYNC:
                self._record()
        if self._at.seq > self._recorded.seq:
            self._record()
        return self._at.seq - before

    def close(self) -> None:
        """Close the file; standard output stays open. A second call does nothing."""
        self._sink.close()

    def _append(self) -> bool:
        """Append a bounded number of rows; return whether there were any."""
        rows = self._journal.rows(after=self._at.seq, limit=ROWS_AT_ONCE)
        if not rows:
            return False
        data = b"".join(map(render, rows))
        self._sink.append(data)
        self._at = Projection(
            path=self._at.path,
            seq=rows[-1].seq,
            offset=self._at.offset + len(data),
            crc=zlib.crc32(data, self._at.crc),
        )
        return True

    def _record(self) -> None:
        self._sink.sync()
        self._journal.project(self._at)
        self._recorded = self._at
