"""
pacer and the rivals as policies, in virtual time: a dozen telling scenarios of ``pacer simulate --rivals``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pacer.simulation.report import simulate

SCENARIOS = ("02", "06", "08", "15", "16", "19", "22", "23", "26", "27", "31", "34")
"""By number: plain, fan-out, small queues, far away, windows, changes, tenants."""

SEED = 1

KEPT = (
    "scenario",
    "client",
    "error",
    "makespan",
    "ratio",
    "queue_429",
    "rate_429",
    "inside_gate",
    "inflicted",
)


def measure(only: Sequence[str]) -> dict[str, Any]:
    """Run them; the same figures whenever and wherever."""
    runs = []
    for run in simulate(only or SCENARIOS, seeds=(SEED,), clients=("auto",), rivals=True):
        known = run.as_json()
        runs.append({name: known[name] for name in KEPT})
        print(
            f"{run.scenario}: {run.client}: {run.ratio:.3f} x the ideal, {run.queue_429} queue 429s",
            flush=True,
        )
    return {"seed": SEED, "runs": runs}
