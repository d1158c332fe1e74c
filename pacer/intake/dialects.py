"""
How a table's text is cut into cells, told from its header: the names in it are known.

Nothing is guessed from the rows, where queries hold every character there is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pacer.intake.cells import NAMES

_DELIMITERS = (",", ";", "\t", "|")
_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "|"}
_TOLD = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    The way a table is written.

    Attributes:
        delimiter: Between cells.

        quote: Around cells in which it stands; doubled inside of them.

        spaced: Whether the spaces after a delimiter are not the cell's.
    """

    delimiter: str
    quote: str = '"'
    spaced: bool = False

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Return what cuts *lines* into rows of cells."""
        return csv.reader(lines, strict=True, **self._options())

    @property
    def word(self) -> str:
        """What to call the delimiter."""
        return _WORDS[self.delimiter]

    def known_names(self, header: str) -> int:
        """Return how many known names the cells of *header* are."""
        try:
            cells = next(csv.reader([header], **self._options()), [])
        except csv.Error:
            return 0
        return sum(cell.strip().lower() in NAMES for cell in cells)

    def _options(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter, "quotechar": self.quote, "skipinitialspace": self.spaced}


def told(line: str) -> str | None:
    """Return the delimiter that a spreadsheet's ``sep=;`` line tells, or None if *line* is no such."""
    found = _TOLD.fullmatch(line)
    return found[1] if found else None


def dialect_of(header: str, usual: str, delimiter: str | None = None) -> Dialect:
    """
    Return the dialect in which most names of *header* are known.

    Args:
        usual: The delimiter to take where it does not tell.

        delimiter: The one it is, if that is known.
    """
    delimiters = (delimiter,) if delimiter else (usual, *_DELIMITERS)
    candidates = [
        Dialect(mark, quote, spaced=f"{mark} " in header) for quote in ('"', "'") for mark in delimiters
    ]
    return max(candidates, key=lambda candidate: candidate.known_names(header))  # the first of equals
