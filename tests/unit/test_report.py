"""
What a journal tells of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacer.errors import JournalError
from pacer.instrumentation import happening
from pacer.journal.entries import Accepted, CaptureEnded, Noted, Rejected, Sent
from pacer.journal.records import Batch, Record
from pacer.journal.sqlite import SqliteJournal
from pacer.report import UNTOLD, all_booked, read_report

BATCH = Batch(token="t", source="b.jsonl", input_sha256="", base_url="https://x", created_at=1.0)
ACCOUNT = {"drain": 7.0, "gate": 3.0}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Return a journal with a batch of three requests."""
    opened = SqliteJournal.open(tmp_path / "b.pacer.db", create=True)
    with opened.intake() as writer:
        writer.add([Record(n, f"q{n}", f"k{n}", b"{}", 1, ("claude",), n + 1) for n in range(3)])
        writer.commit(BATCH)
    yield opened
    opened.close()


def note(at: float, kind: str, **facts: object) -> Noted:
    """Return a note."""
    return Noted(at, kind, facts)


def test_an_unfinished_batch(journal: SqliteJournal) -> None:
    """A batch that nobody has worked on has no invocations and no failures, and is unfinished."""
    report = read_report(journal)
    assert report.batch == BATCH
    assert report.invocations == ()
    assert report.failures == {}
    assert not report.finished


def test_no_batch(tmp_path: Path) -> None:
    """A journal without a batch is refused with a sentence."""
    empty = SqliteJournal.open(tmp_path / "e.db", create=True)
    with pytest.raises(JournalError, match="no batch"):
        read_report(empty)
    empty.close()


def test_failures_by_code(journal: SqliteJournal) -> None:
    """What did not complete is counted by its code, rejected requests included, or else by its state."""
    journal.write(
        [
            *(Sent(n, 2.0) for n in range(3)),
            Rejected(0, 3.0, {"code": "VALIDATION_FAILED", "message": "no"}),
            Accepted(1, 3.0, "j1", ("j1.a", "j1.b", "j1.c")),
            CaptureEnded(1, "j1.a", 4.0, "claude", "US", "failed", None, {"code": "SURFACE_TIMEOUT"}),
            CaptureEnded(1, "j1.b", 4.0, "claude", "US", "expired", None, None),
            CaptureEnded(1, "j1.c", 4.0, "claude", "US", "completed", {}, None),
            Accepted(2, 3.0, "j2", ("j2.a",)),
            CaptureEnded(2, "j2.a", 4.0, "claude", "US", "completed", {}, None),
        ]
    )
    report = read_report(journal)
    assert report.failures == {"VALIDATION_FAILED": 1, "SURFACE_TIMEOUT": 1, "EXPIRED": 1}
    assert report.finished


def test_invocations(journal: SqliteJournal) -> None:
    """Each invocation is told by its own notes; one that never said how it ended was cut off."""
    journal.write(
        [
            note(9.0, "something.older"),
            note(10.0, happening.RUN_STARTED),
            note(11.0, happening.SNAPSHOT_READ),
            note(12.0, happening.WAVE_SENT, number=1, requests=2, captures=3, continued=False),
            note(12.5, happening.WAVE_SENT, number=1, requests=0, captures=2, continued=True),
            note(13.0, happening.THROTTLED, code="QUEUE_CAPACITY_EXCEEDED"),
            note(20.0, happening.RUN_STARTED),
            note(21.0, happening.WAIT_BEGAN, bound="gate"),
            note(22.0, happening.WAVE_SENT, number=1, requests=1, captures=1, continued=False),
            note(
                30.0,
                happening.RUN_ENDED,
                outcome="finished",
                code="",
                reason="",
                seconds=10.0,
                statistics={"account": ACCOUNT},
            ),
        ]
    )
    first, second = read_report(journal).invocations
    assert (first.outcome, first.seconds, first.account) == ("cut off", 3.0, {})
    assert (first.waves, first.requests, first.captures, first.snapshots) == (1, 2, 5, 1)
    assert first.throttled == {"QUEUE_CAPACITY_EXCEEDED": 1}
    assert (second.outcome, second.seconds, second.account) == ("finished", 10.0, ACCOUNT)
    assert second.waits == {"gate": 1}


def test_the_time_of_all_invocations_adds_up(journal: SqliteJournal) -> None:
    """What one that was killed never said stands under a name of its own."""
    ended = {"outcome": "stopped", "code": "", "reason": "", "seconds": 10.0}
    statistics = {"account": {"drain": 8.0, "pacer": 2.0}}
    journal.write(
        [
            note(10.0, happening.RUN_STARTED),
            note(13.0, happening.SNAPSHOT_READ),
            note(20.0, happening.RUN_STARTED),
            note(30.0, happening.RUN_ENDED, **ended, statistics=statistics),
            note(40.0, happening.RUN_STARTED),
            note(50.0, happening.RUN_ENDED, **ended, statistics=statistics),
        ]
    )
    invocations = read_report(journal).invocations
    assert all_booked(invocations) == {"drain": 16.0, "pacer": 4.0, UNTOLD: 3.0}
    assert sum(all_booked(invocations).values()) == sum(invocation.seconds for invocation in invocations)


def test_the_last_invocation_may_be_running(journal: SqliteJournal) -> None:
    """Of the last invocation nobody can say that it was cut off: it may be at work."""
    journal.write([note(10.0, happening.RUN_STARTED), note(12.0, happening.SNAPSHOT_READ)])
    [only] = read_report(journal).invocations
    assert (only.outcome, only.seconds) == ("running", 2.0)
