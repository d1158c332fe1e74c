"""
CSV in any of its dialects: a header, and a record a row. Lists are joined by ``;``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, repeat

from pacer.intake.cells import as_list, columns_of
from pacer.intake.dialects import Dialect, dialect_of, told
from pacer.intake.lines import LONGEST, TOO_LONG, Item, Readable, lines
from pacer.intake.unpacking import AsUtf8
from pacer.wire.problems import Refusal, not_utf8
from pacer.wire.requests import CaptureRequest, read_mapping

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")


def csv_table(stream: Readable) -> Iterator[Item]:
    """Yield the record of each row of the table in *stream*; rows of empty cells are passed over."""
    return _table(stream, ",")


def tsv_table(stream: Readable) -> Iterator[Item]:
    """Do the same for a table whose cells are usually separated by tabs."""
    return _table(stream, "\t")


def _table(stream: Readable, usual: str) -> Iterator[Item]:
    text = _TextLines(AsUtf8(stream))
    if delimiter := told(text.peek()):
        next(text)
    dialect = dialect_of(text.peek(), usual, delimiter)
    rows = _rows(text, dialect)
    line, header = next(rows, (1, None))
    if header is None:
        return
    if isinstance(header, Refusal):
        yield line, header
        return
    columns = columns_of(header)
    if isinstance(columns, Refusal):
        yield line, columns
        return
    again = _plain(header)
    for line, cells in rows:
        if isinstance(cells, Refusal):
            yield line, cells
        elif _plain(cells[:1]) == again[:1] and _plain(cells) == again:
            yield line, Refusal.because("the header once more: a table has one; remove this line")
        else:
            yield line, _request(columns, cells, dialect)


def _plain(cells: Sequence[str]) -> list[str]:
    return [cell.strip().lower() for cell in cells]


class _RowTooLong(Exception):
    """A row goes on for longer than any record may."""


class _TextLines:
    """
    The lines of a table as text, each with its line feed.

    Attributes:
        number: Lines handed out so far.

        refused: Why the last lines cannot be read, or None.
    """

    def __init__(self, stream: Readable) -> None:
        self._lines: Iterator[bytes | None] = lines(stream)
        self._row_bytes = 0
        self.number = 0
        self.refused: str | None = None

    def peek(self) -> str:
        """Return the next line that is not blank, without going past it; empty at the end."""
        for blank, line in enumerate(self._lines):
            if line is None or line.strip():
                self._lines = chain(repeat(b"", blank), [line], self._lines)
                return (line or b"").decode(errors="replace")
        return ""

    def begin_row(self) -> int:
        """Begin a row and return its first line's number."""
        self.refused = None
        self._row_bytes = 0
        return self.number + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self._row_bytes += len(line or b"") + 1
        if self._row_bytes > LONGEST:
            raise _RowTooLong
        return self._decoded(line) + "\n"

    def _decoded(self, line: bytes | None) -> str:
        if line is None:
            self.refused = TOO_LONG
            return ""
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            self.refused = not_utf8(error)
            return line.decode(errors="replace")  # its quotes still say where the row ends


def _rows(text: _TextLines, dialect: Dialect) -> Iterator[tuple[int, list[str] | Refusal]]:
    """Yield each row that is not empty with its first line, or why it cannot be read."""
    reader = dialect.reader(text)
    while True:
        first = text.begin_row()
        try:
            cells = next(reader, None)
        except _RowTooLong:
            yield first, Refusal.because(f"{TOO_LONG}, or a quote that is never closed")
            return
        except csv.Error as error:
            spans_lines = text.number > first
            hint = "; is a closing quote missing?" if spans_lines else ""
            what = str(error).replace("\t", "\\t")  # it quotes the delimiter
            yield first, Refusal.because(f"not CSV: {what}{hint}")
            if spans_lines:
                return  # where the next row begins is anyone's guess
            continue
        if cells is None:
            return
        if text.refused:
            yield first, Refusal.because(text.refused)
        elif any(cells):
            yield first, cells


def _request(columns: Sequence[str], cells: Sequence[str], dialect: Dialect) -> CaptureRequest | Refusal:
    """Return the request of a row; an empty cell, or one that is not there, says nothing."""
    if len(cells) > len(columns):
        counted = f"{len(cells)} cells under {len(columns)} columns"
        return Refusal.because(f"{counted}; a cell with a {dialect.word} in it needs quotes")
    named = zip(columns, cells, strict=False)
    return read_mapping({column: _READ.get(column, str)(cell) for column, cell in named if cell})


def _number(cell: str) -> int | str:
    return int(cell) if _WHOLE_NUMBER.fullmatch(cell.strip()) else cell


_READ: Mapping[str, Callable[[str], object]] = {"surfaces": as_list, "regions": as_list, "priority": _number}
