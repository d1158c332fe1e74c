"""
One record into the table of what never changes again.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache

from pacer.journal.codec import to_text
from pacer.journal.records import Duplicate, Record
from pacer.journal.sqlite.statements import SQL


def freeze(cursor: sqlite3.Cursor, record: Record) -> Duplicate | None:
    """
    Take *record*, or return what it repeats.

    Raises:
        ValueError: its index is there, with another id and key.
    """
    try:
        cursor.execute(SQL["add_request"], row_of(record))
    except sqlite3.IntegrityError:
        return _duplicate(cursor, record)
    if (origin := origin_of(record)) is not None:
        cursor.execute(SQL["add_origin"], origin)
    return None


def row_of(record: Record) -> tuple[int, str, str, bytes, int, str, int]:
    """Return *record* as ``add_request`` takes it."""
    surfaces = _surfaces_text(record.surfaces)
    return record.index, record.id, record.key, record.body, record.fan_out, surfaces, record.line


def origin_of(record: Record) -> tuple[int, str, int] | None:
    """Return whose results its are, as ``add_origin`` takes it."""
    return None if record.origin is None else (record.index, record.origin.id, record.origin.index)


@lru_cache(maxsize=1024)
def _surfaces_text(surfaces: tuple[str, ...]) -> str:
    """A batch has few combinations of surfaces, and many requests of each."""
    return to_text(surfaces)


def _duplicate(cursor: sqlite3.Cursor, record: Record) -> Duplicate:
    unique = (("line_of_id", record.id, "id"), ("line_of_key", record.key, "idempotencyKey"))
    for statement, value, field in unique:
        row = cursor.execute(SQL[statement], (value,)).fetchone()
        if row is not None:
            return Duplicate(record, field, row[0])
    raise ValueError(f"there is a request {record.index} already")
