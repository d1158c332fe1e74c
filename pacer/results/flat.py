"""
Results as flat rows, for tables: what most people look for, an Envelope's sections picked apart.

What the service left out, sent as null or sent as something else than it
documents is empty here; the result line has it as it came. Text that UTF-8
cannot carry (half a character) is replaced by U+FFFD.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeAlias

from pacer.journal.protocol import Journal
from pacer.journal.records import Json
from pacer.journal.views import ResultRow

Value: TypeAlias = str | int | float | bool | datetime | list[str] | None

_LONE = re.compile("[\ud800-\udfff]")


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    TEXTS = "texts"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column.

    Attributes:
        kind: What each of its values is, if it is not None.

        of: Returns a row's value.
    """

    name: str
    kind: Kind
    of: Callable[[ResultRow], Value]


def _at(value: Json, *path: str) -> Json:
    """Return what stands in *value* at *path*, or None where there is no such."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _as_text(value: Json) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _LONE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text


def _as_number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _as_moment(value: Json) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _texts(value: Json, key: str) -> list[str] | None:
    """Return the strings of a list, or what its objects have under *key*."""
    if not isinstance(value, list):
        return None
    found = [item if isinstance(item, str) else _at(item, key) for item in value]
    return [text for item in found if (text := _as_text(item)) is not None]


def _text(*path: str) -> Callable[[ResultRow], Value]:
    return lambda row: _as_text(_at(row.envelope, *path))


def _moment(*path: str) -> Callable[[ResultRow], Value]:
    return lambda row: _as_moment(_at(row.envelope, *path))


def _source_count(row: ResultRow) -> int | None:
    sources = _at(row.envelope, "evidence", "sources")
    return len(sources) if isinstance(sources, list) else None


def _surface_present(row: ResultRow) -> bool | None:
    present = _at(row.envelope, "provenance", "surfacePresent")
    return present if isinstance(present, bool) else None


COLUMNS = (
    Column("request", Kind.TEXT, lambda row: _as_text(row.request)),
    Column("index", Kind.INTEGER, lambda row: row.index),
    Column("job", Kind.TEXT, lambda row: _as_text(row.job)),
    Column("child", Kind.TEXT, lambda row: _as_text(row.child)),
    Column("surface", Kind.TEXT, lambda row: _as_text(row.surface)),
    Column("region", Kind.TEXT, lambda row: _as_text(row.region)),
    Column("status", Kind.TEXT, lambda row: _as_text(row.status)),
    Column("error_code", Kind.TEXT, lambda row: _as_text(_at(row.error, "code"))),
    Column("error_message", Kind.TEXT, lambda row: _as_text(_at(row.error, "message"))),
    Column("query", Kind.TEXT, _text("job", "query")),
    Column("surface_present", Kind.FLAG, _surface_present),
    Column("answer_text", Kind.TEXT, _text("answer", "text")),
    Column("answer_markdown", Kind.TEXT, _text("answer", "markdown")),
    Column("source_count", Kind.INTEGER, _source_count),
    Column("source_urls", Kind.TEXTS, lambda row: _texts(_at(row.envelope, "evidence", "sources"), "url")),
    Column("model_provider", Kind.TEXT, _text("provenance", "model", "providerId")),
    Column("model", Kind.TEXT, _text("provenance", "model", "observedLabel")),
    Column("method", Kind.TEXT, _text("job", "method")),
    Column("warnings", Kind.TEXTS, lambda row: _texts(_at(row.envelope, "job", "warnings"), "code")),
    Column("credits", Kind.NUMBER, lambda row: _as_number(_at(row.envelope, "job", "credits"))),
    Column("requested_at", Kind.MOMENT, _moment("job", "requestedAt")),
    Column("completed_at", Kind.MOMENT, _moment("job", "completedAt")),
)
"""The columns, in order. Added to at the end, never changed: tables out there rely on them."""

_QUERY = next(number for number, column in enumerate(COLUMNS) if column.name == "query")


def flattened(rows: Sequence[ResultRow], journal: Journal) -> list[list[Value]]:
    """
    Return the values of *rows*, column by column.

    A query that no Envelope tells is the one that was sent, from *journal*.
    """
    tables = [[column.of(row) for column in COLUMNS] for row in rows]
    untold = {
        row.index: row.request for row, values in zip(rows, tables, strict=True) if values[_QUERY] is None
    }
    if untold:
        found = journal.find(list(untold.values()), [])
        queries = {standing.record.index: _query_in(standing.record.body) for standing in found}
        for row, values in zip(rows, tables, strict=True):
            if row.index in untold:
                values[_QUERY] = queries.get(row.index)
    return tables


def _query_in(body: bytes) -> str | None:
    try:
        sent: Any = json.loads(body)
    except ValueError:
        return None
    return _as_text(_at(sent, "query"))
