"""
Which results each plot shows.
"""

from __future__ import annotations

from benchmarks import plots
from benchmarks.keeping import RESULTS, kept
from benchmarks.rivals import PACER, RIVALS
from benchmarks.scenarios import MATCHES


def draw() -> None:
    """Draw all plots anew."""
    rivals, cost = kept("rivals"), kept("cost")
    runs = rivals["matches"]
    clients = [name for name in RIVALS if any(run["client"] == name for run in runs)]
    ratios = {(run["client"], run["match"]): run["ratio"] if run["ended"] else None for run in runs}
    plots.makespans(RESULTS / "makespans.svg", clients, list(MATCHES), ratios)
    plots.refusals(
        RESULTS / "refusals.svg",
        clients,
        [sum(run["refused"] for run in runs if run["client"] == name) for name in clients],
        [sum(run["inside_gate"] for run in runs if run["client"] == name) for name in clients],
    )
    peaks: dict[str, list[tuple[int, float]]] = {}
    for found in rivals["memory"]:
        if found["peak"] is not None:
            peaks.setdefault(found["client"], []).append((found["requests"], found["peak"] / 1e6))
    if PACER in peaks:
        longest = max(size for size, _ in peaks[PACER])
        peaks[PACER] += [
            (found["requests"], found["bytes"] / 1e6)
            for found in cost["memory"]["peaks"]
            if found["requests"] > longest
        ]
    decisions = [(found["backlog"], found["us"]) for found in cost["deciding"]["decisions"]]
    plots.growth(RESULTS / "growth.svg", peaks, decisions)
