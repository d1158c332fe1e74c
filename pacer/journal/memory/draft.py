"""
The transitions once more, in plain Python: what one write would change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pacer.journal.codec import pack
from pacer.journal.entries import (
    Accepted,
    Appended,
    CaptureEnded,
    Closed,
    Entry,
    GateMoved,
    Learnt,
    Noted,
    Rejected,
    Returned,
    Sent,
)
from pacer.journal.memory.records import Records, well_formed
from pacer.journal.records import Origin, Record


@dataclass(frozen=True, slots=True)
class Request:
    """Where one request stands."""

    record: Record
    state: str = "pending"
    sent_at: float | None = None
    first_sent_at: float | None = None
    job: str | None = None
    accepted_at: float = 0.0
    children: tuple[str, ...] = ()
    ended: frozenset[str] = frozenset()

    @property
    def shown(self) -> Record | Origin:
        """What users see of it: whose id and index stand in the results."""
        return self.record.origin or self.record

    @property
    def expected(self) -> int:
        """Captures to expect; see :class:`~pacer.journal.views.Counts`."""
        if self.state == "rejected":
            return 0
        if self.children:
            return len(self.children)
        return len(self.ended) if self.state == "done" else self.record.fan_out


@dataclass(frozen=True, slots=True)
class Line:
    """A result line as it is kept: JSON packed, so that no caller can change it later."""

    index: int
    child: str | None
    surface: str | None
    region: str | None
    status: str
    envelope: bytes | None
    error: bytes | None


class Draft:
    """
    What a write would change; thrown away if one of its entries is refused.
    """

    def __init__(self, requests: Mapping[int, Request], records: Records | None) -> None:
        self._committed = requests
        self._records = records
        self._appended: list[Record] = []
        self.requests: dict[int, Request] = {}
        self.lines: list[Line] = []
        self.gates: dict[str, float] = {}
        self.learnt: dict[str, bytes] = {}
        self.notes: list[tuple[float, str, bytes]] = []

    def apply(self, entry: Entry) -> None:
        """Apply one entry, or raise ``ValueError``."""
        match entry:
            case GateMoved():
                well_formed(entry.lane)
                self.gates[entry.lane] = entry.until
            case Learnt():
                well_formed(entry.name)
                self.learnt[entry.name] = pack(entry.value)
            case Noted():
                well_formed(entry.kind)
                self.notes.append((entry.at, entry.kind, pack(dict(entry.data))))
            case Appended(record=record):
                self._append(record)
            case _:
                request = self.requests.get(entry.index) or self._committed.get(entry.index)
                if request is None:
                    raise ValueError(f"there is no request {entry.index} in the journal")
                self.requests[entry.index] = self._moved(request, entry)

    def take_back(self) -> None:
        """Forget the records that were appended; nothing else has left the draft."""
        for record in self._appended:
            assert self._records is not None
            self._records.remove(record)

    def _append(self, record: Record) -> None:
        if self._records is None:
            raise ValueError("there is no batch to append to")
        duplicate = self._records.add(record)
        if duplicate is not None:
            raise ValueError(
                f"request {record.index} repeats the {duplicate.field} of line {duplicate.first_line}"
            )
        self._appended.append(record)
        self.requests[record.index] = Request(record)

    def _moved(
        self, old: Request, entry: Sent | Returned | Accepted | Rejected | CaptureEnded | Closed
    ) -> Request:
        match entry, old.state:
            case Sent(at=at), "pending" | "sent":
                first = at if old.first_sent_at is None else old.first_sent_at
                return replace(old, state="sent", sent_at=at, first_sent_at=first)
            case Returned(), "sent":
                doubt = None if old.first_sent_at == old.sent_at else old.first_sent_at
                return replace(old, state="pending", sent_at=None, first_sent_at=doubt)
            case Rejected(), "sent":
                return self._rejected(old, entry)
            case Accepted(), "sent":
                return _accepted(old, entry)
            case Accepted(), "accepted" | "done" if entry.job == old.job:
                return _relisted(old, tuple(dict.fromkeys(entry.children)))
            case CaptureEnded(child=child), "accepted" | "done" if child in old.ended:
                well_formed(entry.child, entry.surface, entry.region, entry.status)
                return old
            case CaptureEnded(child=child), "accepted" if not old.children or child in old.children:
                return self._capture_ended(old, entry)
            case Closed(), "accepted" if old.ended and not old.children:
                return replace(old, state="done")
            case _:
                raise ValueError(f"request {entry.index} is {old.state} and cannot take {entry}")

    def _rejected(self, old: Request, entry: Rejected) -> Request:
        well_formed(entry.status)
        self.lines.append(Line(entry.index, None, None, None, entry.status, None, pack(dict(entry.error))))
        return replace(old, state="rejected", sent_at=None, first_sent_at=None)

    def _capture_ended(self, old: Request, entry: CaptureEnded) -> Request:
        well_formed(entry.child, entry.surface, entry.region, entry.status)
        envelope = None if entry.envelope is None else pack(entry.envelope)
        error = None if entry.error is None else pack(dict(entry.error))
        self.lines.append(
            Line(entry.index, entry.child, entry.surface, entry.region, entry.status, envelope, error)
        )
        return _settled(replace(old, ended=old.ended | {entry.child}))


def _accepted(old: Request, entry: Accepted) -> Request:
    well_formed(entry.job)
    return replace(
        old,
        state="accepted",
        sent_at=None,
        first_sent_at=None,
        job=entry.job,
        accepted_at=entry.at,
        children=tuple(dict.fromkeys(entry.children)),
    )


def _relisted(old: Request, children: tuple[str, ...]) -> Request:
    """Return *old* with *children*, if they were unknown and are wanted."""
    if old.state == "done" or old.children or not children:
        return old
    if not old.ended.issubset(children):
        raise ValueError(f"request {old.record.index} has ended children that are not among {children}")
    return _settled(replace(old, children=children))


def _settled(request: Request) -> Request:
    """Return *request* as done if the last of its known children has ended."""
    done = bool(request.children) and len(request.ended) == len(request.children)
    return replace(request, state="done") if done else request
