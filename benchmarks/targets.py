"""
Every simulated service against its targets, three seeds each, unit known and learnt: the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pacer.simulation.outcome import Outcome
from pacer.simulation.report import HEADINGS, document, simulate, table


def measure(only: Sequence[str]) -> dict[str, Any]:
    """Run them; the same figures whenever and wherever."""
    runs = []
    for run in simulate(only):
        runs.append(run)
        print(f"{run.scenario}, seed {run.seed}: {run.ratio:.3f} x the clairvoyant", flush=True)
    return document(runs)


def page(found: Mapping[str, Any]) -> str:
    """Return what was *found* as a page in Markdown."""
    return "".join(f"{line}\n" for line in _lines(found))


def summary(found: Mapping[str, Any]) -> str:
    """Return what was *found* as a paragraph."""
    services = len({run["scenario"] for run in found["runs"]})
    return (
        f"{services} services, {len(found['runs'])} runs. Medians of those alone on their key: "
        f"{found['medians']} (runs that lack the unit left out). {len(found['missed'])} of its targets "
        f"missed, {len(found['excused'])} excused by limits of their own; makespan, starvation and share of "
        f"{len(found['unit_unknown'])} runs that left room while the unit was unknown, and named `--unit`, "
        "are not counted."
    )


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield from ("# Simulated services against their targets", "", summary(found), "")
    yield "Command: `python -m benchmarks targets`; for one service: `pacer simulate 16`."
    for title, key in (("Missed", "missed"), ("Excused", "excused"), ("Unit unknown", "unit_unknown")):
        yield from ("", f"## {title}", "")
        yield from [f"- {sentence}" for sentence in found[key]] or ["Nothing."]
    yield from ("", "## Runs", "", *_grid(HEADINGS, table(Outcome(**run) for run in found["runs"])))


def _grid(headings: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
