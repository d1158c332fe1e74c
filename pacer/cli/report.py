"""
``pacer report``: what happened to a batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pacer.cli.exits import end, write_json
from pacer.cli.options import Json

EPILOG = """
[b]Examples[/b]: the tables; one page with pictures that opens offline; for a program

pacer report captures.pacer.db

pacer report captures.pacer.db --html report.html

pacer report captures.pacer.db --json
"""


def report(
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="The journal of a batch: INPUT.pacer.db by default.")
    ],
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write it with pictures as one HTML page that opens offline; - is standard output.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """
    Say what happened: counts, waves, waits and why, failures, and where the time went.

    Works on unfinished batches, and while a run is writing.
    """

    def body() -> int:
        from pacer.cli.page import PageMaker
        from pacer.cli.reporting import document, show
        from pacer.cli.signals import Signals
        from pacer.journal.sqlite import SqliteJournal
        from pacer.report import read_report

        with Signals() as signals, signals.raising():
            page = None if html is None else PageMaker.prepare(html, as_json=as_json)
            opened = SqliteJournal.open(journal, read_only=True)
            try:
                found = read_report(opened)
                if page is not None:
                    page.make(opened, found, journal)
            finally:
                opened.close()
            if as_json:
                write_json(document(found, journal))
            elif page is not None:
                page.say()
            else:
                show(found)
        return 0

    end(body, as_json=as_json)
