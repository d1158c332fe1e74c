"""
``pacer report``: what happened to a batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pacer.cli.exits import end, write_json
from pacer.cli.options import Json


def report(
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="The journal of a batch: INPUT.pacer.db by default.")
    ],
    as_json: Json = False,
) -> None:
    """
    Say what happened: counts, waves, waits and why, failures, and where the time went.

    Works on unfinished batches, and while a run is writing.
    """

    def body() -> int:
        from pacer.cli.reporting import document, show
        from pacer.cli.signals import Signals
        from pacer.journal.sqlite import SqliteJournal
        from pacer.report import read_report

        with Signals() as signals, signals.raising():
            opened = SqliteJournal.open(journal, read_only=True)
            try:
                found = read_report(opened)
            finally:
                opened.close()
            if as_json:
                write_json(document(found, journal))
            else:
                show(found)
        return 0

    end(body, as_json=as_json)
