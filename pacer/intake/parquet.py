"""
Parquet: a record a row, some hundred rows in memory at a time.

Columns are those of a table, and all other fields of a request besides; lists
are lists, or text as in a table; regions may be structs. Null, NaN (which some
programs write for null) and empty text say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO
from uuid import UUID

from pacer.extras import from_extra
from pacer.intake.cells import NAMES, as_list, columns_of
from pacer.intake.lines import Item
from pacer.wire.problems import Refusal, not_utf8
from pacer.wire.requests import CaptureRequest, read_mapping
from pacer.wire.text import printable

ROWS = 500
"""Rows read at once: of usual requests 100 kB."""

BUFFER = 1 << 18
"""Bytes of a column read at once, instead of all that a row group has of it."""

_NAMES = (*NAMES, "method", "webhook", "idempotencyKey", "idempotency_key")
_PANDAS_INDEX = re.compile(r"__index_level_[0-9]+__")
_FAILURES = (OSError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, NotImplementedError)
"""What pyarrow raises for bytes that are no Parquet, or of a kind that it cannot read."""


class _Broken(Exception):
    """From here on the file cannot be read."""


def parquet_table(file: BinaryIO, name: str) -> Iterator[Item]:
    """
    Yield the record of each row of *file* with its 1-based number; 0 is the file as a whole.

    Errors:
        UsageError: pyarrow is not installed.
    """
    arrow = from_extra("parquet", "pyarrow", needed_for=f"{name}: Parquet")
    parquet = from_extra("parquet", "pyarrow.parquet", needed_for=f"{name}: Parquet")
    row = 0
    try:
        with _reading(arrow, "not Parquet"):
            opened = parquet.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False)
            header = [column for column in opened.schema_arrow.names if not _PANDAS_INDEX.fullmatch(column)]
        columns = columns_of(header, _NAMES)
        if isinstance(columns, Refusal):
            yield 0, columns
            return
        with _reading(arrow, "not Parquet"):
            batches = opened.iter_batches(ROWS, columns=header, use_threads=False)
        while True:
            with _reading(arrow, "cannot be read from here on"):
                batch = next(batches, None)
                if batch is None:
                    return
                cells = [_values(batch.column(number)) for number in range(len(header))]
            for values in zip(*cells, strict=True):
                row += 1
                yield row, _request(columns, values)
    except _Broken as broken:
        yield row + 1 if row else 0, Refusal.because(str(broken))


@contextmanager
def _reading(arrow: Any, what: str) -> Iterator[None]:
    try:
        yield
    except (*_FAILURES, arrow.ArrowException) as error:
        raise _Broken(f"{what}: {printable(str(error), 200)}") from error


def _values(column: Any) -> list[object]:
    """Return the values of *column*; in place of text that is none, why."""
    try:
        values: list[object] = column.to_pylist()
    except UnicodeDecodeError:  # Parquet does not check what it calls text
        return [_value(cell) for cell in column]
    return values


def _value(cell: Any) -> object:
    try:
        return cell.as_py()
    except UnicodeDecodeError as error:
        return Refusal.because(not_utf8(error))


def _request(columns: list[str], values: tuple[object, ...]) -> CaptureRequest | Refusal:
    record: dict[str, object] = {}
    for column, value in zip(columns, values, strict=True):
        try:
            plain = _plain(value)
        except UnicodeDecodeError as error:
            return Refusal.because(not_utf8(error), column)
        if isinstance(plain, Refusal):
            return Refusal.because(plain.faults()[0][1], column)
        if plain is not None and plain != "":
            record[column] = _READ[column](plain) if column in _READ else plain
    return read_mapping(record)


def _plain(value: object) -> object:
    """Return *value* as JSON would have it; None for what says nothing."""
    match value:
        case str():
            return value
        case float() if value != value:
            return None
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)  # whole numbers with gaps between them are floats to pandas
        case bytes():
            return value.decode()
        case UUID():
            return str(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): plain for key, item in value.items() if (plain := _plain(item)) is not None}
    return value


def _listed(value: object) -> object:
    return as_list(value) if isinstance(value, str) else value


_READ: Mapping[str, Callable[[object], object]] = {"surfaces": _listed, "regions": _listed}
