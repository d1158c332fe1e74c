"""
Simulated faults: whole batches in worlds where everything goes wrong that can.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.reliability.command import failure, judge
from tests.reliability.faults import CLASSES, plan_of
from tests.reliability.world import run

SEEDS = 200
AT_ONCE = 10

REGRESSIONS = Path(__file__).with_name("regressions.txt")


def kept() -> list[int]:
    """Return the seeds of the regressions file."""
    lines = REGRESSIONS.read_text().splitlines()
    seeds = re.findall(r"^((?:\d+ +)+)", "\n".join(lines), re.MULTILINE)
    return [int(seed) for line in seeds for seed in line.split()]


def judged(*seeds: int) -> str:
    """Run *seeds*; return what went wrong, ready to be read, and how to see it again."""
    found = ((seed, judge(seed)[1]) for seed in seeds)
    return "\n".join(failure(seed, violations) for seed, violations in found if violations)


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_every_promise_holds_under_any_faults(first: int) -> None:
    """Nothing lost, nothing twice, no gate broken, no wave too large, no key told, whatever fails."""
    assert not judged(*range(first, first + AT_ONCE))


@pytest.mark.parametrize("seed", kept())
def test_what_once_failed_does_not_fail_again(seed: int) -> None:
    """Every seed that ever broke a promise keeps it now."""
    assert not judged(seed)


def test_a_seed_replays_exactly() -> None:
    """The same seed gives the same calls at the same moments, and the same results."""
    seed = next(seed for seed in range(100) if {"crashes", "lost_replies"} <= set(plan_of(seed).classes))

    first, second = run(plan_of(seed)), run(plan_of(seed))

    assert first.outcomes == second.outcomes
    assert first.history.exchanges == second.history.exchanges
    assert first.history.lines == second.history.lines
    assert first.happened == second.happened


def test_every_class_of_faults_is_in_the_seeds_of_every_run() -> None:
    """The seeds that are always run leave no class of faults out."""
    seen = {name for seed in range(SEEDS) for name in plan_of(seed).classes}

    assert seen == set(CLASSES)
