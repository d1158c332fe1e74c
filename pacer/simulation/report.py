"""
Many runs, side by side: what ``pacer simulate`` prints.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from pacer.simulation.catalogue import scenarios
from pacer.simulation.outcome import Outcome, run
from pacer.simulation.rivals import RIVALS, run_rival
from pacer.simulation.scenario import Scenario
from pacer.simulation.targets import MEDIAN_RATIO, READS_A_FILLING, medians, verdict
from pacer.version import __version__

SEEDS = (1, 2, 3)

MANY = 20
"""Scenarios from which the medians are held against their targets."""

HEADINGS = (
    "scenario", "seed", "client", "unit", "seconds", "/clairv.", "/oracle", "starved s", "%", "q429", "r429",
    "in gate", "reads", "/filling", "wasted", "inflicted", "mostly bound by",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """One run to be made: a scenario by name, a seed, and ``auto``, ``pinned`` or a rival's name."""

    scenario: str
    seed: int
    client: str


def chosen(words: Sequence[str] = ()) -> tuple[Scenario, ...]:
    """
    Return the scenarios whose number or name contains one of *words*; all without any.

    Raises:
        LookupError: A word fits none.
    """
    everything = scenarios()
    for word in words:
        if not any(_fits(word, scenario) for scenario in everything):
            raise LookupError(f"no scenario is called {word!r}; see `pacer simulate --list`")
    if not words:
        return everything
    return tuple(s for s in everything if any(_fits(word, s) for word in words))


def _fits(word: str, scenario: Scenario) -> bool:
    return word == scenario.number or (not word.isdigit() and word.lower() in scenario.name.lower())


def simulate(
    words: Sequence[str] = (),
    *,
    seeds: Iterable[int] = SEEDS,
    clients: Sequence[str] = ("auto", "pinned"),
    rivals: bool = False,
    processes: int | None = None,
) -> Iterator[Outcome]:
    """
    Run every chosen scenario under every seed for every client, in order.

    Args:
        words: See :func:`chosen`.

        clients: ``auto`` (the unit must be learnt) and ``pinned``.

        rivals: Whether the other policies run too.

        processes: How many run at once; None for one a core.
    """
    names = (*clients, *(RIVALS if rivals else ()))
    jobs = [Job(s.name, seed, name) for s in chosen(words) for seed in seeds for name in names]
    if processes == 1 or len(jobs) == 1:
        yield from map(make, jobs)
        return
    with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
        # All clients of one scenario and seed in one process: the reference is worked out once.
        yield from pool.map(make, jobs, chunksize=len(names))


def make(job: Job) -> Outcome:
    """Make one run."""
    scenario = next(s for s in scenarios() if s.name == job.scenario)
    if job.client in ("auto", "pinned"):
        return run(scenario, seed=job.seed, pinned=job.client == "pinned")
    return run_rival(scenario, job.client, seed=job.seed)


def table(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, ...]]:
    """Yield the rows under :data:`HEADINGS`."""
    for o in outcomes:
        unit = o.unit and (o.unit if o.unit_known else f"{o.unit}?")
        bound = max(o.account, key=lambda name: o.account[name]) if o.account else ""
        yield (
            o.scenario, str(o.seed), f"{o.client}{', pinned' if o.pinned else ''}", unit,
            f"{o.makespan:,.0f}", f"{o.ratio:.3f}", f"{o.to_oracle:.3f}",
            f"{o.starved:.1f}", f"{100 * o.starved / max(o.makespan, 1e-9):.2f}",
            str(o.queue_429), str(o.rate_429), str(o.inside_gate), str(o.reads), f"{o.per_filling:.2f}",
            f"{o.wasted:.3f}", f"{o.inflicted:.1f}", o.error or bound,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Findings:
    """
    What many runs come to, a sentence each.

    Attributes:
        missed: Targets that were missed.

        excused: Targets that were missed within a limit that docs/pacing-limits.md derives.

        unit: Runs that lost something because the unit is unknown, and said so.

        medians: The two figures that are medians.
    """

    missed: tuple[str, ...]
    excused: tuple[str, ...]
    unit: tuple[str, ...]
    medians: str


def findings(outcomes: Sequence[Outcome]) -> Findings:
    """Hold pacer's runs among *outcomes* against the targets."""
    by_name = {scenario.name: scenario for scenario in scenarios()}
    ours = [o for o in outcomes if o.client == "pacer"]
    missed, excused = [], []
    for o in ours:
        found = verdict(o, by_name[o.scenario])
        missed += [f"{_which(o)}: {sentence}" for sentence in found.broken]
        excused += [f"{_which(o)}: {sentence}" for sentence in found.excused]
    alone = [o for o in ours if by_name[o.scenario].tenant == "none" and not o.starved_by_unit]
    said = ""
    if alone:
        ratio, reads = medians(alone)["ratio"], medians(alone)["per_filling"]
        said = f"{ratio:.4f} times the clairvoyant, {reads:.2f} reads a filling"
        # One scenario says nothing of a median over all of them.
        if len({o.scenario for o in alone}) >= MANY and (ratio > MEDIAN_RATIO or reads > READS_A_FILLING):
            missed.append(f"medians: {said}, above {MEDIAN_RATIO} or {READS_A_FILLING:g}")
    lost = tuple(
        f"{_which(o)}: {o.ratio:.3f} times the clairvoyant, unit unknown; --unit was named"
        for o in ours
        if o.starved_by_unit
    )
    return Findings(tuple(missed), tuple(excused), lost, said)


def document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """
    Return the document of ``pacer simulate --json``, version 1::

        {"document": "pacer.simulation", "version": 1, "pacer": "0.1.0",
         "missed": ["...", ...], "excused": ["...", ...], "unit_unknown": ["...", ...], "medians": "...",
         "runs": [the fields of pacer.simulation.outcome.Outcome, ...]}

    ``missed`` is what ends the command with 1; the others are explained in docs/pacing-limits.md.
    """
    found = findings(outcomes)
    return {
        "document": "pacer.simulation",
        "version": 1,
        "pacer": __version__,
        "missed": found.missed,
        "excused": found.excused,
        "unit_unknown": found.unit,
        "medians": found.medians,
        "runs": [outcome.as_json() for outcome in outcomes],
    }


def _which(o: Outcome) -> str:
    return f"{o.scenario} (seed {o.seed}{', pinned' if o.pinned else ''})"
