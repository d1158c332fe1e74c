"""
``python -m benchmarks [PART]... [--only WORD]...``: measure, keep, render.

Parts: ``rivals``, ``cost``, ``simulation``, ``targets`` measure, and keep what they find in
``benchmarks/results``; ``render`` makes ``benchmarks/README.md``, its plots and the block in the project's
README of them;
``all`` (the default) does all of that. ``--only`` takes the rivals' matches or clients, the parts of the
cost, or the simulation's scenarios that have the word in their names; such a partial run is shown, not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks import arena, simulating, targets
from benchmarks.cost import deciding, intake, memory, start_up, submissions
from benchmarks.keeping import keep
from benchmarks.rivals import RIVALS, missing
from benchmarks.scenarios import MATCHES

COST: Mapping[str, Callable[[], dict[str, Any]]] = {
    "submissions": submissions.measure,
    "intake": intake.measure,
    "deciding": deciding.measure,
    "start_up": start_up.measure,
    "memory": memory.measure,
}

LIST_SIZES = (1_000, 100_000)
"""Requests in the lists by which the clients' memory is measured."""

QUEUE_FULL_FOR = 5.0
"""Seconds for which the queue has been full when it is."""


def rivals(only: Sequence[str]) -> dict[str, Any]:
    """Let all clients meet all services."""
    clients = _chosen(RIVALS, only)
    absent = {name: missing(name) for name in clients if missing(name)}
    for name, packages in absent.items():
        print(f"{name} is left out: {', '.join(packages)} not installed; pip install -e '.[bench]'")
    clients = [name for name in clients if name not in absent]
    verdicts = asyncio.run(arena.play_all(_chosen(MATCHES, only), clients))
    found: dict[str, Any] = {"matches": [verdict.as_json() for verdict in verdicts]}
    if not only or "memory" in only:
        found["memory"] = asyncio.run(arena.peaks(clients, LIST_SIZES, QUEUE_FULL_FOR))
    return found


def cost(only: Sequence[str]) -> dict[str, Any]:
    """Measure what pacer costs."""
    found = {}
    for name in _chosen(COST, only):
        found[name] = COST[name]()
        print(f"{name}: {json.dumps(found[name])}", flush=True)
    return found


def _chosen(names: Mapping[str, object], only: Sequence[str]) -> list[str]:
    """Return those of *names* that hold one of the words, or all if none does."""
    return [name for name in names if any(word in name for word in only)] or list(names)


PARTS: Mapping[str, Callable[[Sequence[str]], dict[str, Any]]] = {
    "rivals": rivals,
    "cost": cost,
    "simulation": simulating.measure,
    "targets": targets.measure,
}


def main(words: Sequence[str]) -> None:
    """Do what *words* say."""
    summary, _, more = (__doc__ or "").strip().partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=summary,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", default=["all"])
    parser.add_argument("--only", action="append", default=[], metavar="WORD")
    options = parser.parse_args(words)
    for part in options.parts:
        if part not in (*PARTS, "render", "all"):
            parser.error(f"there is no part {part!r}; there are all, render, {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no child outlives us
    for name, measure in PARTS.items():
        if name in options.parts or "all" in options.parts:
            found = measure(options.only)
            if options.only:
                print(json.dumps(found, indent=1))
            else:
                keep(name, found)
    if not options.only and options.parts:
        from benchmarks.rendering import render  # matplotlib, which a measurement can do without

        render()


if __name__ == "__main__":
    main(sys.argv[1:])
