"""
Group commit: many entries, one transaction, off the event loop.

Intents must be durable before a request leaves, so whoever sends waits for
:meth:`JournalWriter.commit`. Outcomes are handed over with
:meth:`JournalWriter.add` and are durable within :data:`OUTCOMES_WITHIN`. While one
transaction is being written the next one fills: a busy run commits rarely.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio

from pacer.errors import JournalLost, PacerError
from pacer.journal.entries import CaptureEnded, Entry, Rejected
from pacer.journal.protocol import Journal
from pacer.runner.bell import Bell

ResultT = TypeVar("ResultT")

OUTCOMES_WITHIN = 0.1
"""Seconds within which an outcome is on its way to the disk (the promise is 0.2)."""

RESULTS_WITHIN = 0.5
"""Seconds within which an ended capture is in the results file: one fsync each time."""

MOST_UNWRITTEN = 4_000
"""Entries waiting for the disk beyond which nothing more is read from the service."""


class BlockingRunner(Protocol):
    """Runs a function that may block on the disk, and returns its result."""

    async def __call__(self, function: Callable[[], ResultT], /) -> ResultT:
        """Run *function* off the loop, or inline in seeded tests."""
        ...


class Projector(Protocol):
    """What brings the results file up to the journal; see ``pacer.results``."""

    def flush(self) -> object:
        """Append the rows that were committed since."""
        ...


class JournalWriter:
    """
    The only one who writes the journal during a run.

    Attributes:
        failure: What ended writing for good; nothing more may be sent then.
    """

    def __init__(self, journal: Journal, results: Projector | None, run_blocking: BlockingRunner) -> None:
        self._journal = journal
        self._results = results
        self._run_blocking = run_blocking
        self._entries: list[Entry] = []
        self._due = Bell()
        self._alarm: asyncio.TimerHandle | None = None
        self._written = asyncio.Event()  # of the transaction that is filling
        self._projected_at = -math.inf
        self._unprojected = False
        self._closing = False
        self._ended = False
        self._broken = False
        self.failure: PacerError | None = None

    def add(self, *entries: Entry, urgent: bool = False) -> None:
        """Hand over outcomes; they are written soon, *urgent* ones at once."""
        self._entries.extend(entries)
        if urgent:
            self._due.ring()
        elif entries and self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(OUTCOMES_WITHIN, self._due.ring)

    async def commit(self, *entries: Entry) -> None:
        """
        Return once *entries*, and all handed over before, are durable.

        Errors:
            PacerError: They are not; see :attr:`failure`.
        """
        self._entries.extend(entries)
        if not self._ended:
            self._due.ring()
            await self._written.wait()
        if self.failure is not None:
            raise self.failure
        if self._broken or (self._ended and self._entries):
            raise JournalLost("The run has ended; nothing more is written to the journal.")

    @property
    def full(self) -> bool:
        """Whether the disk is behind."""
        return len(self._entries) > MOST_UNWRITTEN

    async def run(self) -> None:
        """Write until :meth:`close`; returns early when writing has failed."""
        try:
            await self._write_all()
        finally:
            self._ended = True
            self._written.set()  # whoever has asked since must not wait for ever

    async def _write_all(self) -> None:
        while not (self._closing and not self._entries and not self._unprojected):
            if not self._closing:
                await self._due.heard(within=RESULTS_WITHIN if self._unprojected else math.inf)
            await self._write()
            if self.failure is not None:
                return

    def close(self) -> None:
        """Let :meth:`run` end once all is written and projected."""
        self._closing = True
        self._due.ring()

    async def _write(self) -> None:
        self._due.silence()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        entries, self._entries = self._entries, []
        written, self._written = self._written, asyncio.Event()
        if self._results is not None and not self._unprojected:
            self._unprojected = any(isinstance(entry, CaptureEnded | Rejected) for entry in entries)
        project = self._results if self._unprojected and self._projection_due() else None

        def write() -> None:
            if entries:
                self._journal.write(entries)
            if project is not None:
                project.flush()

        try:
            await self._run_blocking(write)
        except PacerError as error:
            self.failure = error
            self._closing = True
        except BaseException:
            self._broken = True  # a defect, or cancelled: nobody may take what was handed over for durable
            raise
        else:
            if project is not None:
                self._unprojected = False
                self._projected_at = anyio.current_time()
        finally:
            written.set()

    def _projection_due(self) -> bool:
        return self._closing or anyio.current_time() - self._projected_at >= RESULTS_WITHIN
