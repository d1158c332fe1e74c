"""
What a run must keep to, and which run breaks what.

The bounds hold where the unit is known, pinned or learnt. Where a run lost something because the unit is
unknown it must say so; then makespan, starvation and share are not held against it.

A target that a scenario makes impossible is held against that scenario all the same. It is *excused* up to a
limit of its own, and by name: see :mod:`pacer.simulation.limits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from pacer.simulation.limits import limit_of
from pacer.simulation.outcome import Outcome
from pacer.simulation.scenario import Scenario

MEDIAN_RATIO = 1.005
WORST_RATIO = 1.02
WORST_RATIO_HEAVY = 1.15
STARVED = 0.005
READS_A_FILLING = 3.0
READS_EVERY = 30.0
READS_BESIDES = 20
LARGE = 40
"""Capacity from which reads are bounded: one read cannot authorise less than a filling."""

WASTED = 0.05
POLITE_429 = 2.0
FAIR_SHARE = 0.5
DISCOVERIES = 2
ROUNDED = 1e-5
"""Of a sum of seconds that were kept with six digits each."""


@dataclass(frozen=True, slots=True)
class Measured:
    """
    One figure of a run beside its target.

    Attributes:
        target: By which name it stands in the table of limits.

        most: What it may be.

        saying: The sentence to say if it is more.
    """

    target: str
    value: float
    most: float
    saying: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What one run broke: a sentence each, with the figure; empty if nothing.

    Attributes:
        excused: What it broke within a limit that docs/pacing-limits.md derives.
    """

    broken: tuple[str, ...]
    excused: tuple[str, ...] = ()


def verdict(outcome: Outcome, scenario: Scenario) -> Verdict:
    """Hold *outcome* against every target."""
    if outcome.error:
        return Verdict((outcome.error,))
    broken, excused = [], []
    for measured in _measured(outcome, scenario):
        if measured.value <= measured.most:
            continue
        limit = limit_of(scenario, measured.target)
        if limit is not None and measured.value <= limit.most:
            excused.append(f"{measured.saying}; {limit.why} (docs/pacing-limits.md, {limit.section})")
        else:
            broken.append(measured.saying)
    return Verdict(tuple(broken), tuple(excused))


def _measured(outcome: Outcome, scenario: Scenario) -> Iterator[Measured]:
    yield from _always(outcome, scenario)
    if not outcome.starved_by_unit:
        yield from _unit_known(outcome, scenario)
    match scenario.tenant:
        case "none":
            yield from _alone(outcome, scenario)
        case "polite":
            refused = 100.0 * outcome.queue_429 / outcome.requests
            said = f"{refused:.1f} queue 429s per 100 beside a polite tenant"
            yield Measured("queue 429s", refused, POLITE_429, said)
        case "greedy":
            seconds = scenario.service_settings().retry_after
            said = f"{outcome.queue_bursts} bursts of 429s, more than one a Retry-After of {seconds:g} s"
            yield Measured("queue 429s", outcome.queue_bursts, 1 + outcome.makespan / seconds, said)


def _always(outcome: Outcome, scenario: Scenario) -> Iterator[Measured]:
    yield Measured("gate", outcome.inside_gate, 0, f"{outcome.inside_gate} calls inside a gate")
    booked = sum(outcome.account.values())
    away = abs(booked - outcome.makespan) / max(outcome.makespan, 1.0)
    yield Measured("account", away, ROUNDED, f"the account adds up to {booked:.3f} s")
    yield Measured("wasted", outcome.wasted, WASTED, f"{outcome.wasted:.3f} polls wasted a capture")
    allowed = DISCOVERIES if scenario.settings.get("rate_headers") == "on_429" else 0
    said = f"{outcome.rate_bursts} bursts of rate 429s, above {allowed}"
    yield Measured("rate 429s", outcome.rate_bursts, allowed, said)


def _unit_known(outcome: Outcome, scenario: Scenario) -> Iterator[Measured]:
    if scenario.tenant == "greedy":
        share = 1 / outcome.ratio
        said = f"{share:.2f} of the fair share beside a greedy tenant"
        yield Measured("share", outcome.ratio, 1 / FAIR_SHARE, said)
        return
    worst = WORST_RATIO if outcome.light else WORST_RATIO_HEAVY
    said = f"{outcome.ratio:.3f} times the clairvoyant, above {worst}"
    yield Measured("makespan", outcome.ratio, worst, said)
    if outcome.light and not outcome.windowed:
        # Near the admission bound, and in a window, workers idle by design, and the makespan says all.
        share = outcome.starved / max(outcome.makespan, 1e-9)
        yield Measured("starvation", share, STARVED, f"starved {100 * share:.2f} % of the run")


def _alone(outcome: Outcome, scenario: Scenario) -> Iterator[Measured]:
    said = f"{outcome.queue_429} queue 429s as sole tenant, in {outcome.queue_bursts} bursts"
    yield Measured("queue 429s", outcome.queue_bursts, 0, said)
    if scenario.capacity >= LARGE:
        most = READS_A_FILLING * outcome.fillings + outcome.makespan / READS_EVERY + READS_BESIDES
        said = f"{outcome.reads} reads, above {most:.0f}"
        yield Measured("reads", outcome.reads / most, 1.0, said)


def medians(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return the medians that have a target: ``ratio`` and ``per_filling``."""
    done = [outcome for outcome in outcomes if not outcome.error]
    return {
        "ratio": median(outcome.ratio for outcome in done),
        "per_filling": median(outcome.per_filling for outcome in done),
    }
