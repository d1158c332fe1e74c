"""
Results in other formats than result lines: CSV and Parquet, of flat rows.

*CSV* is RFC 4180 in UTF-8 with line feeds: lists joined by spaces (no URL has
one), moments as ISO 8601 in UTC, carriage returns in a cell as line feeds, other
control characters replaced by U+FFFD. *A cell that a spreadsheet would run* as a formula gets an
apostrophe before it, which spreadsheets take for "this is text": the answers
are written by strangers. So that it can be undone, a cell that begins with an
apostrophe gets one as well: take one away from every cell that has one.

*Parquet* has typed columns, in row groups that fit into memory.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from pacer.extras import from_extra
from pacer.journal.protocol import Journal
from pacer.journal.views import ResultRow
from pacer.results.flat import COLUMNS, Kind, Value, flattened
from pacer.results.lines import render

GROUP_ROWS = 10_000
GROUP_CHARACTERS = 16 << 20
"""A row group of Parquet is closed at whichever comes first: some 60 MB of memory at most."""

_RUN = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that some spreadsheet takes for a formula (OWASP, "CSV injection")."""

_LINE_END = re.compile("\r\n?")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Bytes(Protocol):
    """What is asked of the place that bytes go to."""

    def write(self, data: bytes, /) -> object: ...


class Writer(Protocol):
    """
    Writes result rows to where it was made for.
    """

    def write(self, rows: Sequence[ResultRow]) -> None:
        """Write *rows*, or keep them for the next call."""
        ...

    def finish(self) -> None:
        """Write what is left."""
        ...

    def abandon(self) -> None:
        """Write nothing more: what was written will not be kept."""
        ...


class JsonLines:
    """
    Result lines, as in the results file.
    """

    def __init__(self, sink: Bytes) -> None:
        self._sink = sink

    def write(self, rows: Sequence[ResultRow]) -> None:
        """Write a line for each of *rows*."""
        self._sink.write(b"".join(map(render, rows)))

    def finish(self) -> None:
        """Do nothing: every line was written."""

    def abandon(self) -> None:
        """Do nothing."""


class Csv:
    """
    A header, and flat rows.

    Args:
        exact: Leave cells as they are that a spreadsheet would run.
    """

    def __init__(self, sink: Bytes, journal: Journal, *, exact: bool) -> None:
        self._sink = sink
        self._journal = journal
        self._exact = exact
        self._print([[column.name for column in COLUMNS]])

    def write(self, rows: Sequence[ResultRow]) -> None:
        """Write each of *rows*."""
        self._print([[self._cell(value) for value in values] for values in flattened(rows, self._journal)])

    def finish(self) -> None:
        """Do nothing: every row was written."""

    def abandon(self) -> None:
        """Do nothing."""

    def _print(self, table: Sequence[Sequence[str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(table)
        self._sink.write(text.getvalue().encode())

    def _cell(self, value: Value) -> str:
        match value:
            case None:
                return ""
            case bool():
                return "true" if value else "false"
            case datetime():
                return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            case float():
                return f"{value:g}" if value.is_integer() else repr(value)
            case list():
                value = " ".join(re.sub(r"\s", "%20", item) for item in value)
            case int():
                return str(value)
        text = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _LINE_END.sub("\n", value))
        return text if self._exact or not text.startswith((*_RUN, "'")) else f"'{text}"


class Parquet:
    """
    Typed columns.

    Errors:
        UsageError: pyarrow is not installed.
    """

    def __init__(self, sink: Bytes, journal: Journal) -> None:
        self._pyarrow: Any = from_extra("parquet", "pyarrow", needed_for="Parquet")
        parquet = from_extra("parquet", "pyarrow.parquet", needed_for="Parquet")
        self._journal = journal
        self._schema = self._pyarrow.schema([(column.name, self._type(column.kind)) for column in COLUMNS])
        self._valve = _Valve(sink)
        self._writer = parquet.ParquetWriter(self._valve, self._schema)
        self._group: list[list[Value]] = []
        self._characters = 0

    def write(self, rows: Sequence[ResultRow]) -> None:
        """Take *rows*, and write a row group if there are enough."""
        for values in flattened(rows, self._journal):
            self._group.append(values)
            self._characters += sum(len(value) for value in values if isinstance(value, str))
            if len(self._group) >= GROUP_ROWS or self._characters >= GROUP_CHARACTERS:
                self._write_group()

    def finish(self) -> None:
        """Write the last row group, and what makes it a Parquet file."""
        if self._group:
            self._write_group()
        self._writer.close()

    def abandon(self) -> None:
        """Close pyarrow's writer, which would otherwise write when it is forgotten."""
        self._valve.shut = True
        self._writer.close()

    def _write_group(self) -> None:
        columns = zip(*self._group, strict=True)
        arrays = [
            self._pyarrow.array(values, field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(self._pyarrow.Table.from_arrays(arrays, schema=self._schema))
        self._group = []
        self._characters = 0

    def _type(self, kind: Kind) -> Any:
        pyarrow = self._pyarrow
        match kind:
            case Kind.TEXT:
                return pyarrow.string()
            case Kind.TEXTS:
                return pyarrow.list_(pyarrow.string())
            case Kind.INTEGER:
                return pyarrow.int64()
            case Kind.NUMBER:
                return pyarrow.float64()
            case Kind.FLAG:
                return pyarrow.bool_()
            case Kind.MOMENT:
                return pyarrow.timestamp("ms", tz="UTC")


class _Valve(io.RawIOBase):
    """
    What pyarrow writes to.

    Attributes:
        shut: Whether bytes go nowhere.
    """

    def __init__(self, sink: Bytes) -> None:
        super().__init__()
        self._sink = sink
        self.shut = False

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any, /) -> int:
        """Pass *data* on."""
        if not self.shut:
            self._sink.write(bytes(data))
        return len(data)
