"""
One function an entry: checks that the request stands where it must, and moves it.

The statements carry the rule in their WHERE clause (see ``queries.sql``); one
that changes no row was a transition that does not exist.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NoReturn

from pacer.journal.codec import pack, to_text
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
from pacer.journal.sqlite.freezing import freeze
from pacer.journal.sqlite.statements import SQL

STATES = ("pending", "sent", "accepted", "done", "rejected")
"""What the numbers in ``progress.state`` mean."""

ACCEPTED, DONE = 2, 3


def apply(cursor: sqlite3.Cursor, entries: Iterable[Entry]) -> None:
    """
    Apply *entries* in order, inside the transaction that is open.

    Raises:
        ValueError: there is no such transition. The caller rolls back.
    """
    for (kind, _), alike in groupby(entries, key=_alike):
        together = _TOGETHER.get(kind)
        if together is not None:
            together(cursor, list(alike))
            continue
        for entry in alike:
            _APPLY[kind](cursor, entry)


def _alike(entry: Entry) -> tuple[type, float | None]:
    """Return what entries share that are applied together; the intents of one wave have one moment."""
    return type(entry), entry.at if isinstance(entry, Sent) else None


def _sent_together(cursor: sqlite3.Cursor, wave: Sequence[Sent]) -> None:
    """Mark a whole wave by one statement; if one of it cannot be sent, find out which."""
    indexes, at = [entry.index for entry in wave], wave[0].at
    if cursor.execute(SQL["mark_all_sent"], (to_text(indexes), at)).rowcount == len(set(indexes)):
        return
    for index in indexes:
        if cursor.execute(SQL["mark_sent"], (index, at)).rowcount != 1:
            _refuse(cursor, index, "be sent")


def _appended(cursor: sqlite3.Cursor, entry: Appended) -> None:
    if cursor.execute(SQL["batch"]).fetchone() is None:
        raise ValueError("there is no batch to append to")
    record = entry.record
    duplicate = freeze(cursor, record)
    if duplicate is not None:
        raise ValueError(
            f"request {record.index} repeats the {duplicate.field} of line {duplicate.first_line}"
        )
    cursor.execute(SQL["append_progress"], (record.index, record.fan_out))
    cursor.execute(SQL["append_totals"], (record.fan_out,))


def _returned(cursor: sqlite3.Cursor, entry: Returned) -> None:
    if cursor.execute(SQL["mark_returned"], (entry.index,)).rowcount != 1:
        _refuse(cursor, entry.index, "be returned")


def _accepted_together(cursor: sqlite3.Cursor, accepted: Sequence[Accepted]) -> None:
    """Mark them all in one go; if one of them is not plainly accepted, look at each."""
    if cursor.executemany(SQL["mark_accepted"], map(_acceptance, accepted)).rowcount == len(accepted):
        return
    for entry in accepted:
        _accepted(cursor, entry)


def _acceptance(entry: Accepted) -> tuple[int, float, str, str, bool, int]:
    """Return *entry* as ``mark_accepted`` takes it."""
    unique = list(dict.fromkeys(entry.children))
    return entry.index, entry.at, entry.job, to_text(unique), entry.replayed, len(unique)


def _accepted(cursor: sqlite3.Cursor, entry: Accepted) -> None:
    if cursor.execute(SQL["mark_accepted"], _acceptance(entry)).rowcount == 1:
        return
    unique = list(dict.fromkeys(entry.children))
    state, job, known = _standing(cursor, entry.index)
    if state not in (ACCEPTED, DONE) or job != entry.job:
        _refuse(cursor, entry.index, f"be accepted as {entry.job}")
    if state == ACCEPTED and unique and known == "[]":
        _learn_children(cursor, entry.index, unique)


def _learn_children(cursor: sqlite3.Cursor, index: int, children: list[str]) -> None:
    ended = {child for _, child in cursor.execute(SQL["ended_children"], (to_text([index]),))}
    if not ended.issubset(children):
        _refuse(cursor, index, f"have children without {', '.join(sorted(ended.difference(children)))}")
    cursor.execute(SQL["learn_children"], (index, to_text(children), len(children)))
    cursor.execute(SQL["mark_done"], (index,))


def _rejected(cursor: sqlite3.Cursor, entry: Rejected) -> None:
    if cursor.execute(SQL["mark_rejected"], (entry.index,)).rowcount != 1:
        _refuse(cursor, entry.index, "be rejected")
    cursor.execute(SQL["add_rejection"], (entry.index, entry.at, entry.status, to_text(entry.error)))


def _capture_ended(cursor: sqlite3.Cursor, entry: CaptureEnded) -> None:
    state, _, known = _standing(cursor, entry.index)
    children = json.loads(known) if known else []
    is_new = state == ACCEPTED and (not children or entry.child in children)
    if not is_new:
        if cursor.execute(SQL["has_ended"], (entry.index, entry.child)).fetchone() is None:
            _refuse(cursor, entry.index, f"have its child {entry.child} end")
        return
    values = (
        entry.index,
        entry.child,
        entry.at,
        entry.surface,
        entry.region,
        entry.status,
        None if entry.envelope is None else pack(entry.envelope),
        None if entry.error is None else to_text(entry.error),
    )
    cursor.execute(SQL["add_capture"], values)
    cursor.execute(SQL["mark_done"], (entry.index,))


def _closed(cursor: sqlite3.Cursor, entry: Closed) -> None:
    if cursor.execute(SQL["mark_closed"], (entry.index,)).rowcount != 1:
        _refuse(cursor, entry.index, "be closed (its children are known, or none has ended)")


def _gate_moved(cursor: sqlite3.Cursor, entry: GateMoved) -> None:
    cursor.execute(SQL["move_gate"], (entry.lane, entry.until))


def _learnt(cursor: sqlite3.Cursor, entry: Learnt) -> None:
    cursor.execute(SQL["learn"], (entry.name, to_text(entry.value)))


def _noted(cursor: sqlite3.Cursor, entry: Noted) -> None:
    cursor.execute(SQL["add_note"], (entry.at, entry.kind, to_text(entry.data)))


def _standing(cursor: sqlite3.Cursor, index: int) -> tuple[int, str | None, str | None]:
    row: tuple[int, str | None, str | None] | None = cursor.execute(SQL["standing"], (index,)).fetchone()
    if row is None:
        raise ValueError(f"there is no request {index} in the journal")
    return row


def _refuse(cursor: sqlite3.Cursor, index: int, what: str) -> NoReturn:
    state = _standing(cursor, index)[0]
    raise ValueError(f"request {index} is {STATES[state]} and cannot {what}")


_TOGETHER: Mapping[type, Callable[[sqlite3.Cursor, Sequence[Any]], None]] = {
    Sent: _sent_together,
    Accepted: _accepted_together,
}
"""Many in one go: a wave is sent at one moment, and its replies come together."""

_APPLY: Mapping[type, Callable[[sqlite3.Cursor, Any], None]] = {
    Appended: _appended,
    Returned: _returned,
    Rejected: _rejected,
    CaptureEnded: _capture_ended,
    Closed: _closed,
    GateMoved: _gate_moved,
    Learnt: _learnt,
    Noted: _noted,
}
