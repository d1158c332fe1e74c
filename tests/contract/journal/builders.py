"""
Batches in few words, and what can be seen of a journal from outside.
"""

from __future__ import annotations

from typing import Any

from pacer.journal.entries import Accepted, CaptureEnded, Entry, Sent
from pacer.journal.protocol import Journal
from pacer.journal.records import Batch, Record

BATCH = Batch(
    token="t" * 22,
    source="captures.jsonl",
    input_sha256="ab" * 32,
    base_url="https://api.example.test",
    created_at=1_780_000_000.25,
    name="nightly",
)


def record(index: int, *, fan_out: int = 1, **changes: Any) -> Record:
    """Return a record whose every field tells which one it is."""
    values: dict[str, Any] = {
        "index": index,
        "id": f"id-{index}",
        "key": f"key-{index}",
        "body": b'{"query":"%d"}' % index,
        "fan_out": fan_out,
        "surfaces": ("chatgpt", "gemini"),
        "line": index + 1,
    }
    return Record(**values | changes)


def take_in(journal: Journal, *records: Record) -> None:
    """Commit a batch of *records*."""
    with journal.intake() as writer:
        assert writer.add(records) == []
        writer.commit(BATCH)


def ended(index: int, child: str, *, status: str = "completed", **changes: Any) -> CaptureEnded:
    """Return the end of a capture, with an Envelope that names it."""
    values: dict[str, Any] = {
        "at": 30.0,
        "surface": "chatgpt",
        "region": "US",
        "envelope": {"job": {"id": child}},
        "error": None,
    }
    return CaptureEnded(index=index, child=child, status=status, **values | changes)


def admitted(index: int, *children: str) -> list[Entry]:
    """Return what brings a pending request to accepted."""
    return [Sent(index, 10.0), Accepted(index, 20.0, f"job-{index}", children)]


def everything(journal: Journal) -> dict[str, Any]:
    """Return all that can be read."""
    return {
        "batch": journal.batch(),
        "counts": journal.counts(),
        "pending": journal.pending(after=-1, limit=1000),
        "in_doubt": journal.in_doubt(after=-1, limit=1000),
        "outstanding": journal.outstanding(after=-1, limit=1000),
        "gates": journal.gates(),
        "learnt": journal.learnt(),
        "notes": list(journal.notes()),
        "rows": journal.rows(after=0, limit=1000),
        "rows_by_request": journal.rows_by_request(after=-1, limit=1000),
        "rows_of": journal.rows_of([3, 0, 0, 77]),
        "found": journal.find(["id-0", "id-4", "nobody"], ["key-0", "key-3"]),
        "bought": sorted(journal.bought(), key=lambda part: part.surfaces),
        "fallen": journal.fallen(after=-1, limit=1000),
        "projections": journal.projections(),
    }
