"""
CSV (RFC 4180): a header, and a record a row. Lists are joined by ``;``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from pacer.intake.lines import TOO_LONG, Item, Readable, lines
from pacer.wire.problems import Refusal, escaped, not_utf8, shown, unknown_field
from pacer.wire.requests import CaptureRequest, read_mapping

COLUMNS = ("id", "query", "surfaces", "regions", "priority")
"""The columns of a table of requests; query and surfaces are required."""

_NAMES = (*COLUMNS, "prompt")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")


def csv_table(stream: Readable) -> Iterator[Item]:
    """Yield the record of each row of the table in *stream*; rows of empty cells are passed over."""
    text = _TextLines(stream)
    rows = _rows(text)
    line, header = next(rows, (1, None))
    if header is None:
        return
    if isinstance(header, Refusal):
        yield line, header
        return
    columns = [name.strip() for name in header]
    if faults := _header_faults(columns):
        yield line, Refusal(len(faults), lambda: faults)
        return
    for line, cells in rows:
        yield line, cells if isinstance(cells, Refusal) else _request(columns, cells)


class _TextLines:
    """
    The lines of a table as text, each with its line feed.

    Attributes:
        number: Lines handed out so far.

        refused: Why the last lines cannot be read, or None.
    """

    def __init__(self, stream: Readable) -> None:
        self._lines = lines(stream)
        self.number = 0
        self.refused: str | None = None

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            yield self._decoded(line) + "\n"

    def _decoded(self, line: bytes | None) -> str:
        if line is None:
            self.refused = TOO_LONG
            return ""
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            self.refused = not_utf8(error)
            return line.decode(errors="replace")  # its quotes still say where the row ends


def _rows(text: _TextLines) -> Iterator[tuple[int, list[str] | Refusal]]:
    """Yield each row that is not empty with its first line, or why it cannot be read."""
    reader = csv.reader(text, strict=True)
    while True:
        text.refused = None
        first = text.number + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            spans_lines = text.number > first
            hint = "; is a closing quote missing?" if spans_lines else ""
            yield first, Refusal.because(f"not CSV: {error}{hint}")
            if spans_lines:
                return  # where the next row begins is anyone's guess
            continue
        if cells is None:
            return
        if text.refused:
            yield first, Refusal.because(text.refused)
        elif any(cells):
            yield first, cells


def _header_faults(columns: Sequence[str]) -> list[tuple[str, str]]:
    """Return what is wrong with the header, by column."""
    if len(columns) == 1 and (other := re.search(r"[;\t|]", columns[0])):
        return [("", f"columns are separated by commas, not by {shown(other[0])}")]
    faults = []
    for number, name in enumerate(columns, 1):
        if not name:
            faults.append(("", f"column {number} has no name"))
        elif name not in _NAMES:
            faults.append((escaped(name), unknown_field(name, COLUMNS, "column")))
        elif name in columns[: number - 1]:
            faults.append((name, "there are two columns of this name"))
        elif name in ("query", "prompt") and {"query", "prompt"} & set(columns[: number - 1]):
            faults.append((name, unknown_field(name, _NAMES)))
    if "query" not in columns and "prompt" not in columns:
        faults.append(("query", "no such column in the header"))
    if "surfaces" not in columns:
        faults.append(("surfaces", "no such column in the header"))
    return faults


def _request(columns: Sequence[str], cells: Sequence[str]) -> CaptureRequest | Refusal:
    """Return the request of a row; an empty cell says nothing."""
    if len(cells) > len(columns):
        reason = f"{len(cells)} cells under {len(columns)} columns; a cell with a comma in it needs quotes"
        return Refusal.because(reason)
    named = zip(columns, cells, strict=False)
    return read_mapping({column: _READ.get(column, str)(cell) for column, cell in named if cell})


def _list(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";")]


def _number(cell: str) -> int | str:
    return int(cell) if _WHOLE_NUMBER.fullmatch(cell.strip()) else cell


_READ: Mapping[str, Callable[[str], object]] = {"surfaces": _list, "regions": _list, "priority": _number}
