"""
What a run must keep to, and which run breaks what.

The bounds hold where the unit is known, pinned or learnt. Where a run was starved because
the unit is unknown, it must say so; then makespan and starvation are not held against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from pacer.simulation.outcome import Outcome
from pacer.simulation.reference import LIGHT_LOAD, reference
from pacer.simulation.scenario import Scenario

MEDIAN_RATIO = 1.005
WORST_RATIO = 1.02
WORST_RATIO_HEAVY = 1.15
STARVED = 0.005
READS_A_FILLING = 3.0
WASTED = 0.05
POLITE_429 = 2.0
FAIR_SHARE = 0.5
DISCOVERIES = 2

__all__ = ["LIGHT_LOAD", "Verdict", "medians", "verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one run broke: a sentence each, with the figure; empty if nothing."""

    broken: tuple[str, ...]


def verdict(outcome: Outcome, scenario: Scenario) -> Verdict:
    """Hold *outcome* against every target that applies to *scenario*."""
    if outcome.error:
        return Verdict((outcome.error,))
    broken = [*_always(outcome)]
    if scenario.tenant == "none":
        broken += _alone(outcome, scenario)
    elif scenario.tenant == "polite":
        refused = 100.0 * outcome.queue_429 / outcome.requests
        if refused > POLITE_429:
            broken.append(f"{refused:.1f} queue 429s per 100 beside a polite tenant")
    elif 1 / outcome.ratio < FAIR_SHARE:
        broken.append(f"{1 / outcome.ratio:.2f} of the fair share beside a greedy tenant")
    return Verdict(tuple(broken))


def _always(outcome: Outcome) -> Iterable[str]:
    if outcome.inside_gate:
        yield f"{outcome.inside_gate} calls inside a gate"
    if abs(sum(outcome.account.values()) - outcome.makespan) > 1e-6 * max(outcome.makespan, 1.0):
        yield f"the account adds up to {sum(outcome.account.values()):.3f} s"


def _alone(outcome: Outcome, scenario: Scenario) -> list[str]:
    broken = []
    measure = reference(scenario, outcome.seed)
    # A queue that is shut without notice keeps what it lacks at that moment: up to a third of C / mu.
    # Where depth includes what runs, few reads and busy workers exclude each other (docs/pacing-limits.md).
    forgiving = not measure.light or scenario.shuts or scenario.holds_running
    worst = WORST_RATIO_HEAVY if forgiving else WORST_RATIO
    if outcome.ratio > worst and not outcome.starved_by_unit:
        broken.append(f"{outcome.ratio:.3f} times the clairvoyant, above {worst}")
    drains = not forgiving and scenario.rate_limit is None and not outcome.starved_by_unit
    if drains and outcome.starved > STARVED:
        broken.append(f"starved {100 * outcome.starved:.2f} % of the run")
    if outcome.queue_429 and not scenario.unsteady:
        broken.append(f"{outcome.queue_429} queue 429s as sole tenant")
    most = READS_A_FILLING * outcome.fillings + outcome.makespan / 30 + 20
    if scenario.capacity >= 40 and outcome.reads > most and not scenario.holds_running:
        broken.append(f"{outcome.reads} reads, above {most:.0f}")
    if outcome.wasted > WASTED:
        broken.append(f"{outcome.wasted:.3f} polls wasted a capture")
    allowed = DISCOVERIES if scenario.settings.get("rate_headers") == "on_429" else 0
    if outcome.rate_bursts > allowed:
        broken.append(f"{outcome.rate_bursts} bursts of rate 429s, above {allowed}")
    return broken


def medians(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return the medians that have a target: ``ratio`` and ``per_filling``."""
    done = [outcome for outcome in outcomes if not outcome.error]
    return {
        "ratio": median(outcome.ratio for outcome in done),
        "per_filling": median(outcome.per_filling for outcome in done),
    }
