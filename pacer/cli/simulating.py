"""
Simulated runs as a table, or as the document of :func:`pacer.simulation.report.document`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from pacer.cli.exits import Exit, write_json
from pacer.cli.signals import Signals
from pacer.errors import UsageError
from pacer.simulation.report import HEADINGS, chosen, document, findings, simulate, table
from pacer.simulation.scenario import Scenario

WIDEST = 200
"""Columns of the table where there is no terminal whose width it must fit."""


def listing(words: Sequence[str], *, as_json: bool) -> int:
    """Name the scenarios that *words* choose."""
    names = [scenario.name for scenario in _chosen(words)]
    if as_json:
        write_json(names)
    else:
        Console(highlight=False).print("\n".join(names), markup=False)
    return Exit.OK


def simulated(words: Sequence[str], *, seeds: int, rivals: bool, processes: int | None, as_json: bool) -> int:
    """Run what *words* choose; return 1 if pacer missed a target."""
    _chosen(words)
    with Signals() as signals, signals.raising():
        runs = list(simulate(words, seeds=range(1, seeds + 1), rivals=rivals, processes=processes))
    found = findings(runs)
    if as_json:
        # Hundreds of runs: a figure a line tells them apart, and room is dear.
        write_json(document(runs), indent=0)
        return Exit.INCOMPLETE if found.missed else Exit.OK
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDEST)
    grid = Table(*HEADINGS, box=None, pad_edge=False)
    for row in table(runs):
        grid.add_row(*row)
    console.print(grid)
    for title, sentences in (
        ("Missed", found.missed),
        ("Excused", found.excused),
        ("Unit unknown", found.unit),
        ("Medians", (found.medians,) if found.medians else ()),
    ):
        for sentence in sentences:
            console.print(f"{title}: {sentence}", markup=False)
    return Exit.INCOMPLETE if found.missed else Exit.OK


def _chosen(words: Sequence[str]) -> tuple[Scenario, ...]:
    try:
        return chosen(words)
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None
