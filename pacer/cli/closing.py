"""
The closing table of a run, on standard error.
"""

from __future__ import annotations

from rich.text import Text

from pacer.cli.exits import Exit
from pacer.cli.summary import Summary, closing_rows
from pacer.cli.tables import show_rows


def show_closing(summary: Summary) -> None:
    """Show what the run came to."""
    good = summary.exit_code == Exit.OK
    style = "bold green" if good else "bold yellow"
    show_rows(closing_rows(summary), head=Text(_head(summary, good=good), style=style), stderr=True)


def _head(summary: Summary, *, good: bool) -> str:
    if not good:
        return _HEADS[summary.kind]
    return "Done: every capture completed." if summary.collect else "Done: every request was accepted."


_HEADS = {
    "finished": "Ended, but not everything was completed.",
    "reported": "Ended, but not everything was completed.",
    "stopped": "Stopped early.",
    "interrupted": "Interrupted.",
}
