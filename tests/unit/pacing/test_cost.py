"""What depth counts: charged safely, learnt for free, widened when proven wrong."""

from __future__ import annotations

import pytest

from pacer.pacing.controller import PacingController
from pacer.pacing.cost import CostModel, Unit
from pacer.pacing.decisions import Finished
from pacer.pacing.events import Item, Memory
from pacer.pacing.policy import Policy, UnitChoice

from .service import Service
from .world import World


@pytest.mark.parametrize(
    ("unit", "fan_out", "cost"),
    [(Unit.PARENTS, 7, 1), (Unit.CHILDREN, 7, 7), (Unit.BOTH, 7, 8), (Unit.BOTH, 1, 2)],
)
def test_cost_by_unit(unit: Unit, fan_out: int, cost: int) -> None:
    """A request of S x R children adds 1, S x R, or 1 + S x R."""
    assert unit.cost(fan_out) == cost


def test_auto_starts_with_the_charge_that_covers_every_reading() -> None:
    """Until something is learnt the safe upper bound is charged, and it is not called known."""
    costs = CostModel()
    assert all(costs.cost(fan_out) >= unit.cost(fan_out) for unit in Unit for fan_out in range(1, 91))
    assert not costs.known


@pytest.mark.parametrize("choice", [UnitChoice.PARENTS, UnitChoice.CHILDREN, UnitChoice.BOTH])
def test_a_pinned_unit_is_never_overruled(choice: UnitChoice) -> None:
    """Neither memory nor refusals change what the user has pinned; refusals widen the margin instead."""
    costs = CostModel(choice)
    costs.recall("BOTH")
    for _ in range(5):
        assert not costs.refused(alone=True, cost=3)
    assert costs.unit is Unit[choice.name]
    assert costs.margin > 0


def test_a_refusal_alone_on_the_key_steps_up_one_unit() -> None:
    """QUEUE_CAPACITY_EXCEEDED with headroom and nobody else there proves the charge too low."""
    costs = CostModel()
    costs.recall("PARENTS")
    units = []
    for cost in (1, 4):
        assert costs.refused(alone=True, cost=cost)
        units.append(costs.unit)
    assert units == [Unit.CHILDREN, Unit.BOTH]


def test_a_refusal_beside_others_widens_a_margin_that_decays() -> None:
    """Where others compete the unit stands; what is held back grows, and melts as waves pass."""
    costs = CostModel()
    costs.recall("CHILDREN")
    assert not costs.refused(alone=False, cost=3)
    first = costs.margin
    assert not costs.refused(alone=False, cost=3)
    assert costs.margin > first > 0
    for _ in range(40):
        costs.accepted_wave()
    assert costs.margin == 0
    assert costs.unit is Unit.CHILDREN


@pytest.mark.parametrize("name", ["", "parent", "SLOTS"])
def test_a_remembered_unit_that_is_none_is_ignored(name: str) -> None:
    """Nonsense in the journal leaves the safe charge in force."""
    costs = CostModel()
    costs.recall(name)
    assert (costs.unit, costs.known) == (Unit.BOTH, False)


# Whole runs --------------------------------------------------------------------------


MIXED = [1, 4, 2, 6, 3, 1, 5, 2]


@pytest.mark.parametrize("unit", ["parents", "children", "both"])
@pytest.mark.parametrize("fan_outs", [[4] * 300, [1] * 300, MIXED * 40], ids=["four", "one", "mixed"])
def test_the_charge_is_never_below_the_true_unit_and_meets_no_429(unit: str, fan_outs: list[int]) -> None:
    """As sole tenant of a busy queue, ``auto`` learns without a 429 and never charges too little."""
    service = Service(unit=unit, capacity=40, workers=10, latency=3.0)
    world = World(service, [Item(n, fan_out) for n, fan_out in enumerate(fan_outs)])

    assert world.drive() == Finished()

    world.check_complete()
    assert service.refused_full == 0
    assert world.throttled["queue"] == 0
    learnt = world.controller.admission.costs.unit
    assert all(learnt.cost(f) >= Unit[unit.upper()].cost(f) for f in fan_outs)


@pytest.mark.parametrize("unit", ["parents", "children", "both"])
def test_a_busy_queue_teaches_the_true_unit(unit: str) -> None:
    """With mixed fan-outs and a queue that is seldom empty, the true unit is known at the end."""
    service = Service(unit=unit, capacity=60, workers=10, latency=2.0)
    world = World(service, [Item(n, fan_out) for n, fan_out in enumerate(MIXED * 60)])

    assert world.drive() == Finished()

    assert world.controller.learnt().get("unit", "BOTH") == unit.upper()


def test_a_learnt_unit_is_used_from_the_first_wave_of_a_resume() -> None:
    """What an earlier invocation learnt is charged at once."""
    controller = PacingController(memory=Memory(gates={}, unit="PARENTS"), now=0.0)
    assert controller.statistics().unit == "parents"
    assert controller.statistics().unit_known


def test_with_others_on_the_key_nothing_is_learnt() -> None:
    """Evidence that others may have disturbed changes nothing (pitfall 13)."""
    service = Service(unit="both", capacity=40, workers=10, latency=3.0)
    world = World(service, [Item(n, 3) for n in range(200)])
    for second in range(1, 400):
        if world.drive(horizon=float(second)) is not None:
            break
        service.intrude(4)

    assert world.controller.statistics().unit == "both"


def test_starving_under_an_unknown_unit_is_said() -> None:
    """Where the safe charge leaves the queue empty reading after reading, the statistics say so."""
    service = Service(unit="parents", capacity=10, workers=200, latency=3.0)
    world = World(service, [Item(n, 4) for n in range(300)], Policy(), rtt=0.8)

    assert world.drive() == Finished()

    assert world.controller.statistics().starved_by_unit
    assert world.throttled["queue"] == 0
