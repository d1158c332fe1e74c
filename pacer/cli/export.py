"""
``pacer export``: its options.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from pacer.cli.exits import end

EPILOG = """
[b]Examples[/b]: in the order of the input; a table for a spreadsheet; for pandas, DuckDB or Spark; in a pipe

pacer export captures.pacer.db --ordered --out ordered.jsonl

pacer export captures.pacer.db --out captures.csv

pacer export captures.pacer.db --out captures.parquet

pacer export captures.pacer.db | jq -r '[.request, .status] | @tsv'
"""


class Format(Enum):
    """What is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def export(
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="The journal of a batch: INPUT.pacer.db by default.")
    ],
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE", help="Where to; with .gz at its end, compressed."),
    ] = "-",
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="Result lines, or flat rows. [dim]Default: by FILE's suffix, else jsonl.[/dim]",
        ),
    ] = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="In the order of the input, instead of as captures ended.")
    ] = False,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="CSV: no apostrophe before cells that a spreadsheet would run as a formula."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """
    Write the results of a batch once more: as lines, as CSV or as Parquet.

    Works on unfinished batches, and while a run is writing: what has ended is
    there. FILE appears when it is whole.
    """

    def body() -> int:
        from pacer.cli.exporting import Export, carry_out

        return carry_out(Export(journal, out, form, ordered=ordered, exact=exact, force=force, quiet=quiet))

    end(body)
