"""
The plots: SVG, readable on light and on dark, the same bytes for the same results.

Backgrounds are transparent and all lines and letters of a middle grey; the colours are told apart by
colour-blind eyes (Okabe and Ito).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

GREY = "#7d8590"
PACER, OTHERS, THIRD = "#d55e00", "#3b8ac4", "#009e73"
MARKS = "osD^vPX"
STYLE = {
    "svg.hashsalt": "pacer",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "axes.grid": True,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


@contextmanager
def _figure(path: Path, width: float, height: float, columns: int = 1) -> Iterator[Any]:
    """Draw on the axes that this yields; saved to *path* at the end."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.patch.set_alpha(0.0)
        axes = figure.subplots(1, columns, squeeze=False)[0]
        for each in axes:
            each.patch.set_alpha(0.0)
        yield axes if columns > 1 else axes[0]
        figure.savefig(path, format="svg", metadata={"Date": None}, transparent=True)


def makespans(
    path: Path, clients: Sequence[str], columns: Sequence[str], ratios: Mapping[tuple[str, str], float | None]
) -> None:
    """Draw each client's makespans over the ideal: a mark a service, hollow at the edge if it did not end."""
    most = max((ratio for ratio in ratios.values() if ratio is not None), default=2.0)
    edge = most * 1.12
    with _figure(path, 8.5, 0.42 * len(clients) + 1.7) as axes:
        for place, column in enumerate(columns):
            for row, client in enumerate(clients):
                ratio = ratios.get((client, column))
                colour = PACER if client == "pacer" else OTHERS
                axes.plot(
                    edge if ratio is None else ratio,
                    row + 0.07 * (place - (len(columns) - 1) / 2),
                    MARKS[place % len(MARKS)],
                    color=colour,
                    fillstyle="none" if ratio is None else "full",
                    markersize=6,
                    alpha=0.85,
                    linestyle="none",
                )
            axes.plot([], [], MARKS[place % len(MARKS)], color=GREY, label=column)
        axes.set_yticks(range(len(clients)), clients)
        axes.invert_yaxis()
        axes.axvline(1.0, color=GREY, linewidth=1)
        axes.set_xlabel("makespan, times the ideal (hollow: not done at the cut-off, or not complete)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(len(columns), 7), fontsize=9)


def refusals(path: Path, clients: Sequence[str], refused: Sequence[int], inside: Sequence[int]) -> None:
    """Draw how many 429s each client met in all, and how many calls it sent inside a gate."""
    with _figure(path, 8.5, 0.42 * len(clients) + 1.3) as axes:
        rows = range(len(clients))
        axes.barh([row - 0.19 for row in rows], refused, 0.36, color=OTHERS, label="429s")
        axes.barh(
            [row + 0.19 for row in rows],
            inside,
            0.36,
            color=THIRD,
            label="calls sent though Retry-After forbade them",
        )
        most = max([*refused, *inside, 1])
        for row, pair in enumerate(zip(refused, inside, strict=True)):
            for shift, number in zip((-0.19, 0.19), pair, strict=True):
                axes.text(number + most / 100, row + shift, f"{number:,}", va="center", fontsize=8)
        axes.set_yticks(rows, clients)
        axes.invert_yaxis()
        axes.set_xlim(0, most * 1.1)
        axes.grid(visible=False, axis="y")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)


def growth(
    path: Path,
    peaks: Mapping[str, Sequence[tuple[int, float]]],
    decisions: Sequence[tuple[int, float]],
) -> None:
    """Draw memory by length of the list, and the time of a decision by backlog."""
    with _figure(path, 9.5, 3.8, columns=2) as (memory, deciding):
        for client, points in sorted(peaks.items(), key=lambda item: item[0] == "pacer"):
            ours = client == "pacer"
            sizes, megabytes = zip(*points, strict=True)
            memory.plot(
                sizes, megabytes, "o-", color=PACER if ours else OTHERS, alpha=1.0 if ours else 0.7,
                linewidth=2 if ours else 1, markersize=4, zorder=3 if ours else 2,
            )  # fmt: skip
        memory.plot([], [], "o-", color=PACER, label="pacer")
        memory.plot([], [], "o-", color=OTHERS, alpha=0.7, label="the others, a line each")
        memory.set_xscale("log")
        memory.set_ylim(bottom=0)
        memory.set_xlabel("requests in the list")
        memory.set_ylabel("largest resident set, MB")
        memory.legend(fontsize=9)
        backlogs, microseconds = zip(*decisions, strict=True)
        deciding.plot(backlogs, microseconds, "o-", color=PACER)
        deciding.set_xscale("log")
        deciding.set_ylim(0, 2 * max(microseconds))
        deciding.set_xlabel("requests in the backlog")
        deciding.set_ylabel("microseconds a decision")
