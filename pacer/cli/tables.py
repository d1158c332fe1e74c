"""
Words and their values: a grid on a terminal, one line each elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pacer.wire.text import printable

LONGEST_VALUE = 2_000
"""Characters of one value."""


def show_rows(rows: Sequence[tuple[str, str]], *, head: Text | None = None, stderr: bool = False) -> None:
    """Show *rows* on standard output or standard error, without anything that a terminal would obey."""
    clean = [(word, printable(value, LONGEST_VALUE)) for word, value in rows]
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        lines = [] if head is None else [head.plain]
        lines += [f"{word}: {value}" if word else f"  {value}" for word, value in clean]
        _write("\n".join(lines) + "\n", stderr=stderr)
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for word, value in clean:
        grid.add_row(word, Text(value))
    if head is not None:
        console.print(head)
    console.print(grid)


def _write(text: str, *, stderr: bool) -> None:
    if not stderr:
        sys.stdout.write(text)
        return
    with suppress(OSError):
        sys.stderr.write(text)
