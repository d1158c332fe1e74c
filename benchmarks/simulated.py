"""
The simulation's document as tables in Markdown.

    pacer simulate --json > benchmarks/results/simulation.json
    python benchmarks/simulated.py benchmarks/results/simulation.json > benchmarks/results/simulation.md

Takes the document of ``pacer simulate --rivals --json`` as well: then every client has its row.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pacer.simulation.outcome import Outcome
from pacer.simulation.report import HEADINGS, table


def lines(document: dict[str, Any]) -> Iterator[str]:
    """Yield the report, a line at a time."""
    runs = [Outcome(**run) for run in document["runs"]]
    services, seeds = len({run.scenario for run in runs}), len({run.seed for run in runs})
    yield f"# {services} simulated services, {seeds} seed(s), pacer {document['pacer']}"
    yield ""
    yield f"Medians of sole tenants: {document['medians'] or 'none'}."
    for title, key in (("Missed", "missed"), ("Excused", "excused"), ("Unit unknown", "unit_unknown")):
        yield from ("", f"## {title}", "")
        yield from [f"- {sentence}" for sentence in document[key]] or ["Nothing."]
    yield from ("", "## Runs", "", *_grid(HEADINGS, list(table(runs))))


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    for line in lines(json.loads(Path(sys.argv[1]).read_text())):
        print(line)
