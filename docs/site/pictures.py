"""
Draws the pictures of ``how-pacing-works.md`` from simulated runs.

    python docs/site/pictures.py [FOLDER]

The real controller works through a service of the sandbox in virtual time, so every run of this
command draws the same curves. On a dark page they are inverted by its style sheet.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from watched import watch

from pacer.pacing.events import Call, StatusRead
from pacer.sandbox import Answer, Change
from pacer.simulation.rivals.waves import FullDrain, Waves
from pacer.simulation.scenario import Scenario

FOLDER = Path(__file__).parents[1] / "pictures"

USUAL = Scenario(name="usual", requests=2400, capacity=200, workers=100)
FAR = Scenario(
    name="far",
    requests=1500,
    capacity=60,
    workers=200,
    rtt=0.8,
    schedule=(Change(60, "drain", 0.1), Change(150, "drain", 1.0)),
)
WINDOW = Scenario(
    name="window",
    requests=2000,
    capacity=200,
    workers=300,
    settings={"rate_limit": 600, "rate_headers": "on_429", "rate_phase": 25.0},
)
RATE_WINDOW = 60.0

SHOWN = 300.0
"""Seconds of the first picture; the rest of its runs goes on like this."""

TEXT, GRID, OURS, LOST, ACCENT = "#3c4043", "#c4c8ce", "#00796b", "#c62828", "#a15c00"


def columns(points: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return the abscissas and the ordinates of *points*."""
    along, up = zip(*points, strict=True)
    return list(along), list(up)


class Barrier(FullDrain):
    """A wave, and the next one when all of its captures have ended: ``await asyncio.gather(...)``."""

    def answered(self, call: Call, answer: Answer, *, sent_at: float, now: float) -> None:
        """Take what runs for what waits."""
        if isinstance(call, StatusRead) and isinstance(answer.body, dict):
            answer.body["admissionQueue"]["depth"] = answer.body["inflight"]["total"]
        super().answered(call, answer, sent_at=sent_at, now=now)


class EveryMinute(Waves):
    """A wave a minute, whatever happens."""

    pause = 60.0


def refill(figure: Figure) -> None:
    """The queue's depth under three ways to refill it."""
    ways = (("pacer", None), ("the next wave when all has ended", Barrier), ("a wave a minute", EveryMinute))
    rows: Any = figure.subplots(3, 1, sharex=True, sharey=True)
    for axes, (name, make) in zip(rows, ways, strict=True):
        seen = watch(USUAL, make, step=1.0)
        at, depth = columns((at, depth) for at, depth in seen.depth if at <= SHOWN)
        axes.fill_between(at, depth, color=OURS, alpha=0.35, linewidth=0)
        axes.plot(at, depth, color=OURS, linewidth=1.0)
        idle_at, idle = columns((at, idle) for at, idle in seen.idle if at <= SHOWN)
        axes.fill_between(
            idle_at, [-2 * each for each in idle], color=LOST, alpha=0.6, linewidth=0, step="post"
        )
        axes.set_title(
            f"{name}: {seen.seconds:.0f} s, workers idle {100 * seen.idle_share:.0f} %, "
            f"{len(seen.reads)} reads, {len(seen.refused)} 429s",
            loc="left",
        )
        axes.set_xlim(0, SHOWN)
        axes.set_ylim(-210, 220)
        axes.set_yticks([-200, 0, 200], ["100 idle", "0", "200"])
    rows[1].set_ylabel("depth above, idle workers below")
    rows[2].set_xlabel("seconds")


def reorder(figure: Figure) -> None:
    """A minute of the same run: the queue, the reads, the waves."""
    axes = figure.subplots()
    seen = watch(USUAL, step=0.02)
    begin, end = 48.0, 108.0
    within = [(at - begin, depth) for at, depth in seen.depth if begin <= at <= end]
    axes.plot(*columns(within), color=OURS, linewidth=1.6, label="depth")
    asked = [(arrived - begin, depth) for _, arrived, depth in seen.reads if begin <= arrived <= end]
    axes.scatter(*columns(asked), color=ACCENT, zorder=3, s=28, label="a snapshot is read")
    for (_, at, depth), (_, following, _) in pairwise(seen.reads):
        if begin <= at <= end:
            wave = sum(requests for sent, requests in seen.waves if at <= sent < following)
            arrow = {"arrowstyle": "->", "color": ACCENT, "linewidth": 1.2}
            left = at - begin + 0.4
            axes.annotate("", xy=(left, depth + wave), xytext=(left, depth), arrowprops=arrow)
            axes.text(left - 0.4, 170, f"wave of {wave}", color=ACCENT, ha="right")
    axes.axhline(USUAL.capacity, color=GRID, linestyle="--")
    axes.text(0.4, USUAL.capacity + 4, "capacity", color=TEXT)
    axes.set_ylim(0, 225)
    axes.set_xlim(0, end - begin)
    axes.set_xlabel("seconds")
    axes.set_ylabel("units in the queue")
    axes.legend(loc="lower left", frameon=False)


def censored(figure: Figure) -> None:
    """What the client takes the drain for while the service slows down and comes back."""
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    seen = watch(FAR)
    mean = FAR.workers / FAR.latency.mean
    changes = [(0.0, mean), *((c.at, mean * c.value) for c in FAR.schedule), (180.0, mean)]
    axes.step(*columns(changes), where="post", color=GRID, linewidth=4, label="what the workers can do")
    at, rate = columns(seen.drain)
    axes.plot(at, rate, color=OURS, linewidth=1.4, label="the estimate")
    axes.set_ylabel("drain, units a second")
    axes.set_ylim(0, 60)
    axes.legend(loc="upper center", frameon=False)
    at, depth = columns(seen.depth)
    below.plot(at, depth, color=OURS, linewidth=1.0)
    empty = [(arrived, 0) for _, arrived, depth in seen.reads if depth == 0 and 1 < arrived < 180]
    some = [(arrived, depth) for _, arrived, depth in seen.reads if depth > 0 and arrived < 180]
    below.scatter(*columns(some), s=9, color=ACCENT, zorder=3, label="read")
    if empty:
        below.scatter(
            *columns(empty), s=42, marker="x", color=LOST, zorder=4, clip_on=False,
            label="read as 0: censored",
        )  # fmt: skip
    below.set_ylabel("units in the queue")
    below.set_xlabel("seconds")
    below.set_xlim(0, 180)
    below.set_ylim(0, 66)
    below.legend(loc="lower center", frameon=False, ncols=2)


def window(figure: Figure) -> None:
    """The calls of each request-rate window: one discovery, then never beyond."""
    axes = figure.subplots()
    seen = watch(WINDOW)
    limit, phase = WINDOW.rate_limit or 0, WINDOW.settings["rate_phase"]
    points: list[tuple[float, float]] = []
    used, opened = 0, -1.0
    for at in seen.calls:
        number = (at - phase) // RATE_WINDOW
        if number != opened:
            points.append((at, float("nan")))
            used, opened = 0, number
        used += 1
        points.append((at, used))
    axes.step(*columns(points), where="post", color=OURS, linewidth=1.6, label="calls in it")
    axes.axhline(limit, color=GRID, linestyle="--")
    axes.text(seen.seconds, limit + 12, f"{limit} a window", color=TEXT, ha="right")
    at, seconds = seen.refused[0]
    axes.axvspan(at, at + seconds, color=LOST, alpha=0.2, linewidth=0)
    burst = f"{len(seen.refused)} 429s in one burst,\nthen silence until Retry-After"
    axes.annotate(
        burst, (at + seconds / 2, 130), (50, 100), color=LOST,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        arrowprops={"arrowstyle": "-", "color": LOST},
    )  # fmt: skip
    start = phase
    while start < seen.seconds:
        axes.axvline(start, color=GRID, linewidth=0.8)
        start += RATE_WINDOW
    axes.set_ylim(0, 690)
    axes.set_xlim(0, seen.seconds)
    axes.set_xlabel("seconds; a line where a window begins")
    axes.set_ylabel("calls in this window")


PICTURES: dict[str, tuple[Callable[[Figure], None], float]] = {
    "refill": (refill, 5.6),
    "reorder-point": (reorder, 3.4),
    "censored": (censored, 4.6),
    "window": (window, 3.2),
}
"""By file name: what draws it, and its height in inches."""


STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "pacer", "font.family": "sans-serif", "font.size": 10,
    "text.color": TEXT, "axes.labelcolor": TEXT, "axes.edgecolor": GRID, "axes.titlesize": 10,
    "axes.spines.top": False, "axes.spines.right": False, "xtick.color": TEXT, "ytick.color": TEXT,
}  # fmt: skip
"""Text stays text, and every run writes the same bytes."""


def draw(folder: Path) -> None:
    """Write every picture to *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (drawn_by, height) in PICTURES.items():
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=(6.6, height), layout="constrained")
            drawn_by(figure)
            metadata = {"Date": None, "Creator": None, "Title": (drawn_by.__doc__ or "").strip()}
            figure.savefig(folder / f"{name}.svg", metadata=metadata)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
