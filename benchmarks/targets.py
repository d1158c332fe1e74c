"""
Every simulated service against its targets, three seeds each, unit known and learnt: the whole table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pacer.simulation.report import document, simulate


def measure(only: Sequence[str]) -> dict[str, Any]:
    """Run them; the same figures whenever and wherever."""
    runs = []
    for run in simulate(only):
        runs.append(run)
        print(f"{run.scenario}, seed {run.seed}: {run.ratio:.3f} x the clairvoyant", flush=True)
    return document(runs)


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
