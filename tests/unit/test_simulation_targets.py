"""
The targets of pacing, over a subset of the scenarios that is small enough for every push.

The figures are deterministic. The whole table is ``pacer simulate``.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import median

import pytest

from pacer.simulation.catalogue import scenarios
from pacer.simulation.outcome import Outcome, run
from pacer.simulation.scenario import Scenario
from pacer.simulation.targets import MEDIAN_RATIO, READS_A_FILLING, verdict

KNOWN = (
    "02",
    "09",
    "15",
    "16",
    "17",
    "21",
    "22",
    "25",
    "26",
    "32",
    "34",
    "40",
    "44",
    "46",
    "50",
    "61",
    "64",
    "80",
    "82",
)
"""Run with the unit pinned: queues of 1 to 200, all units, windows, changes, tenants, both releases."""

LEARNT = ("01", "07", "11", "45", "60")
"""Run without: the unit must be found, and the targets kept all the same."""

BOUNDS = {
    ("02", "pinned"): "drain",
    ("20", "pinned"): "round_trip",
    ("21", "auto"): "unit",
    ("22", "pinned"): "window",
    ("82", "pinned"): "tenants",
    ("62", "pinned"): "drain",
}
"""What most of the time of a run must be booked on."""


@lru_cache
def outcome(number: str, client: str) -> Outcome:
    return run(scenario(number), seed=1, pinned=client == "pinned")


def scenario(number: str) -> Scenario:
    (found,) = (s for s in scenarios() if s.number == number)
    return found


@pytest.mark.parametrize("number", KNOWN)
def test_targets_hold_where_the_unit_is_pinned(number: str) -> None:
    """Makespan, starvation, 429s, reads, polls and gates keep to the targets."""
    assert verdict(outcome(number, "pinned"), scenario(number)).broken == ()


@pytest.mark.parametrize("number", LEARNT)
def test_targets_hold_where_the_unit_is_learnt(number: str) -> None:
    """The unit is found out on the way, without a 429, and costs nothing that can be seen."""
    run = outcome(number, "auto")
    assert verdict(run, scenario(number)).broken == ()
    assert (run.unit, run.unit_known) == (scenario(number).unit, True)


def test_the_median_keeps_to_its_targets() -> None:
    """At most 1.005 times the clairvoyant and three reads a filling in the median."""
    runs = [outcome(number, "pinned") for number in KNOWN if scenario(number).tenant == "none"]
    assert median(run.ratio for run in runs) <= MEDIAN_RATIO
    assert median(run.per_filling for run in runs) <= READS_A_FILLING


def test_an_unknown_unit_that_starves_the_service_is_named() -> None:
    """Where depth is never seen above 0 the unit cannot be learnt, and the summary must say so."""
    run = outcome("21", "auto")
    assert not run.unit_known
    assert run.starved_by_unit
    assert run.queue_429 == 0


def test_an_unknown_unit_that_leaves_room_to_others_is_named() -> None:
    """Beside a client that takes all that is left, the safe charge costs a share, and that is said."""
    run = outcome("34", "auto")
    assert not run.unit_known
    assert run.starved_by_unit


@pytest.mark.parametrize(("number", "client"), BOUNDS)
def test_time_is_booked_on_the_bound_that_held(number: str, client: str) -> None:
    """The account adds up to the run, and its largest share names what would have to change."""
    run = outcome(number, client)
    assert sum(run.account.values()) == pytest.approx(run.makespan, rel=1e-9)
    assert max(run.account, key=lambda bound: run.account[bound]) == BOUNDS[number, client]
