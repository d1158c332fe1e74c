"""
Reading a journal for a report. It may be of any batch: finished, unfinished, being run right now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pacer.errors import JournalError
from pacer.instrumentation import happening
from pacer.journal.entries import Noted
from pacer.journal.protocol import Journal
from pacer.journal.records import Batch
from pacer.journal.views import Counts

UNTOLD = "untold"
"""What the time of an invocation is booked on that never said where it went: it runs still, or was killed."""

PAGE = 500
"""Result rows read at once: each may hold an Envelope of some hundred KiB."""


@dataclass(slots=True)
class Invocation:
    """
    One process's work on the batch, by its notes. Moments are wall time.

    Attributes:
        last_at: Of its last note.

        outcome: ``finished|stopped|interrupted``; ``running``, or cut off, where it
            never said.

        seconds: How long it took; until its last note, where it never said.

        waves, requests, captures: What it submitted, what was sent again included.

        snapshots, snapshots_failed: Status reads.

        waits: How often it waited half a second or longer, by bound.

        throttled: 429s by code.

        rejected: Requests rejected, by code.

        outage_seconds: Time in which the service did not answer.

        account: Seconds by bound; empty where it never said.

        statistics: What the core knew at its end; None where it never said.
    """

    started_at: float
    last_at: float
    outcome: str = "running"
    code: str = ""
    reason: str = ""
    seconds: float = 0.0
    waves: int = 0
    requests: int = 0
    captures: int = 0
    snapshots: int = 0
    snapshots_failed: int = 0
    waits: dict[str, int] = field(default_factory=dict)
    throttled: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    outage_seconds: float = 0.0
    account: dict[str, float] = field(default_factory=dict)
    statistics: Mapping[str, Any] | None = None

    @property
    def booked(self) -> dict[str, float]:
        """Seconds by bound, all of them: :data:`UNTOLD` where it never said."""
        return self.account or ({UNTOLD: self.seconds} if self.seconds else {})

    def take(self, note: Noted) -> None:
        """Take in one of its notes."""
        self.last_at = note.at
        self.seconds = note.at - self.started_at
        facts = note.data
        match note.kind:
            case happening.WAVE_SENT:
                self.waves = facts["number"]
                self.requests += facts["requests"]
                self.captures += facts["captures"]
            case happening.SNAPSHOT_READ:
                self.snapshots += 1
            case happening.SNAPSHOT_FAILED:
                self.snapshots_failed += 1
            case happening.WAIT_BEGAN:
                _add_one(self.waits, facts["bound"])
            case happening.THROTTLED:
                _add_one(self.throttled, facts["code"])
            case happening.REQUEST_REJECTED:
                _add_one(self.rejected, facts["code"])
            case happening.OUTAGE_ENDED:
                self.outage_seconds += facts["seconds"]
            case happening.RUN_ENDED:
                self.outcome, self.code, self.reason = facts["outcome"], facts["code"], facts["reason"]
                self.seconds = facts["seconds"]
                self.statistics = facts["statistics"]
                self.account = dict(facts["statistics"]["account"])


@dataclass(frozen=True, slots=True)
class Report:
    """
    What happened to a batch.

    Attributes:
        failures: Captures and requests that ended otherwise than completed, by
            code; ``surface_absent`` and the like are completed.

        invocations: Oldest first.
    """

    batch: Batch
    counts: Counts
    failures: Mapping[str, int]
    invocations: tuple[Invocation, ...]

    @property
    def finished(self) -> bool:
        """Whether every request has its end."""
        return not (self.counts.pending or self.counts.sent or self.counts.accepted)


def all_booked(invocations: Iterable[Invocation]) -> dict[str, float]:
    """Return the seconds of *invocations* by bound, the most first; they add up to the time they took."""
    booked: Counter[str] = Counter()
    for invocation in invocations:
        booked.update(invocation.booked)
    return dict(booked.most_common())


def read_invocations(journal: Journal) -> tuple[Invocation, ...]:
    """Return who has worked on the batch of *journal*, oldest first."""
    return tuple(_invocations(journal.notes()))


def read_report(journal: Journal) -> Report:
    """
    Read *journal*; nothing is changed.

    Errors:
        JournalError: There is no batch in it, or it is damaged.
    """
    batch = journal.batch()
    if batch is None:
        raise JournalError("There is no batch in this journal yet. Wait until its input has been taken in.")
    counts = journal.counts()
    clean = not counts.rejected and sum(counts.ended.values()) == counts.ended.get("completed", 0)
    failures = {} if clean else _failures(journal)
    return Report(batch, counts, failures, read_invocations(journal))


def _add_one(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def _failures(journal: Journal) -> dict[str, int]:
    failures: Counter[str] = Counter()
    rows = journal.rows(after=0, limit=PAGE)
    while rows:
        for row in rows:
            if row.status != "completed":
                error = row.error or {}
                failures[str(error.get("code") or row.status.upper())] += 1
        rows = journal.rows(after=rows[-1].seq, limit=PAGE)
    return dict(failures.most_common())


def _invocations(notes: Iterable[Noted]) -> Iterator[Invocation]:
    current: Invocation | None = None
    for note in notes:
        if note.kind == happening.RUN_STARTED:
            if current is not None:
                yield _cut_off(current)
            current = Invocation(note.at, note.at)
        elif current is not None:
            current.take(note)
    if current is not None:
        yield current


def _cut_off(invocation: Invocation) -> Invocation:
    """Say of an invocation that another followed: without a word of its end, it was killed."""
    if invocation.outcome == "running":
        invocation.outcome = "cut off"
    return invocation
