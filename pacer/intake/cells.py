"""
What tables of requests have in common, whatever file they are in: columns by name, and lists in a cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from pacer.wire.problems import Refusal, escaped, unknown_field

COLUMNS = ("id", "query", "surfaces", "regions", "priority")
"""The columns of a table of requests; query and surfaces are required."""

NAMES = (*COLUMNS, "prompt")

_BETWEEN = re.compile("[;,|]")


def columns_of(header: Sequence[str], names: Sequence[str] = NAMES) -> list[str] | Refusal:
    """Return the columns by their *names*, whatever their case in *header*, or what is wrong with them."""
    known = {name.lower(): name for name in names}
    columns = [known.get(name.strip().lower(), name.strip()) for name in header]
    faults = _faults(columns, names)
    return Refusal(len(faults), lambda: faults) if faults else columns


def _faults(columns: Sequence[str], names: Sequence[str]) -> list[tuple[str, str]]:
    if not set(columns) & set(names):
        return [("", f"no column has a known name; known are {', '.join(COLUMNS)}")]
    faults = []
    for number, name in enumerate(columns, 1):
        if not name:
            faults.append(("", f"column {number} has no name"))
        elif name not in names:
            faults.append((escaped(name), unknown_field(name, COLUMNS, "column")))
        elif name in columns[: number - 1]:
            faults.append((name, "there are two columns of this name"))
        elif name in ("query", "prompt") and {"query", "prompt"} & set(columns[: number - 1]):
            faults.append((name, unknown_field(name, NAMES)))
    if "query" not in columns and "prompt" not in columns:
        faults.append(("query", "no such column in the header"))
    if "surfaces" not in columns:
        faults.append(("surfaces", "no such column in the header"))
    return faults


def as_list(cell: str) -> object:
    """
    Return the list in *cell*: joined by ``;`` (a comma or ``|`` will do), or a JSON array.

    No surface and no country has such a character in its name. What looks like
    an array and is none is returned as it is: it will be refused as no list.
    """
    if cell.lstrip().startswith("["):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return [part.strip() for part in _BETWEEN.split(cell)]
