"""
``pacer report --html``: from a journal to the page in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pacer.cli.page.file import check_target, write_page
from pacer.cli.page.rendering import check_extra, render
from pacer.cli.paths import STDOUT
from pacer.cli.tables import show_rows
from pacer.errors import UsageError
from pacer.journal.protocol import Journal
from pacer.report import Report, read_captures, read_timeline


@dataclass(frozen=True, slots=True)
class PageMaker:
    """
    A page that can be made: its libraries are here, and its place is free.

    Attributes:
        target: Its file; None is standard output.
    """

    target: Path | None

    @classmethod
    def prepare(cls, html: str, *, as_json: bool) -> PageMaker:
        """
        Look at what can be known before a journal is read, which may take minutes.

        Args:
            html: What ``--html`` was given.

            as_json: Standard output is taken by a document.

        Errors:
            UsageError: The page cannot be made, or not there.
        """
        check_extra()
        if html == STDOUT:
            if as_json:
                raise UsageError(
                    "--json and --html - would both write to standard output; name a file with --html."
                )
            return cls(None)
        target = Path(html)
        check_target(target)
        return cls(target)

    def make(self, journal: Journal, report: Report, name: Path) -> None:
        """Make the page of *journal*, whose file is *name*, and put it in its place."""
        write_page(render(report, read_timeline(journal.notes()), read_captures(journal), name), self.target)

    def say(self) -> None:
        """Say where it is."""
        if self.target is not None:
            show_rows([("Page", f"{self.target} ({self.target.stat().st_size / 1e6:.1f} MB)")])
