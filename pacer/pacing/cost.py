"""
What one request adds to depth.

The documentation disagrees on what the queue counts (API.md section 4.1):
parents, children, or both. ``auto`` starts with *both*, the charge that covers
every reading, and steps down on evidence that costs nothing.

The evidence. ``inflight`` counts children, queued or processing; depth counts
what is queued, in the unknown unit. Under each reading the newest requests that
make up depth hold a certain number of children, and the rest of ``inflight`` is
what the service runs at once. While the queue is not empty every worker is busy,
so under the true reading that remainder stands still from one snapshot to the
next, whatever the depth; under a wrong one it moves with the depth. A unit is
accepted when its remainder has stood still over depths that moved every costlier
one. Counted in children or in both the remainder is exact; counted in parents it
is known to within the fan-out of the one request that has begun to run.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from pacer.pacing.policy import UnitChoice


class Unit(Enum):
    """What depth counts. The value is (per parent, per child)."""

    PARENTS = (1, 0)
    CHILDREN = (0, 1)
    BOTH = (1, 1)

    def __init__(self, per_parent: int, per_child: int) -> None:
        self._per_parent, self._per_child = per_parent, per_child  # `value` is slow, and this is asked often

    def cost(self, fan_out: int, requests: int = 1) -> int:
        """Return what *requests* with *fan_out* children in all add to depth."""
        return self._per_parent * requests + self._per_child * fan_out


READINGS_NEEDED = 4
"""Saturated readings before a unit is accepted: three could be chance."""

EXACT = 0.5
"""Captures by which a remainder that stands still may move: less than one."""

RUNNING_SEEN = 8
"""Readings in a row without a remainder from which depth is known to include what runs."""


@dataclass(slots=True)
class _Remainder:
    """The range of what the service seems to run at once, under one unit."""

    least: float = float("inf")
    most: float = float("-inf")

    def see(self, value: float) -> None:
        self.least = min(self.least, value)
        self.most = max(self.most, value)

    @property
    def moved(self) -> float:
        return self.most - self.least


class CostModel:
    """
    The unit in force, and how it is learnt.

    Attributes:
        unit: What is charged now.

        known: It was pinned, recalled or learnt; not merely the safe start.

        margin: Units of headroom held back after refusals that should not have
            happened while others were on the key; decays.
    """

    def __init__(self, choice: UnitChoice = UnitChoice.AUTO) -> None:
        self.pinned = choice is not UnitChoice.AUTO
        self.unit = Unit[choice.name] if self.pinned else Unit.BOTH
        self.known = self.pinned
        self.margin = 0.0
        self._distrusted: set[Unit] = set()
        self._recent: deque[int] = deque(maxlen=20_000)  # fan-outs, oldest first
        self._largest = 1
        self._clean = False
        self._without_remainder = 0
        self._start_over()

    def recall(self, unit: str) -> None:
        """Take over the unit that an earlier invocation learnt, unless one is pinned."""
        if not self.pinned and unit in Unit.__members__:
            self.unit = Unit[unit]
            self.known = True

    def cost(self, fan_out: int) -> int:
        """Return what a request of *fan_out* children is charged."""
        return self.unit.cost(fan_out)

    def admitted(self, fan_out: int) -> None:
        """Note a request in the order in which the service admitted it."""
        self._recent.append(fan_out)
        self._largest = max(self._largest, fan_out)

    def disturbed(self) -> None:
        """
        What the queue holds is no longer what was noted: a reply was lost, others submitted.

        Nothing is learnt from then on until the queue has been seen empty.
        """
        self._clean = False
        self._start_over()

    def snapshot(self, *, depth: int, inflight: int | None, undisturbed: bool) -> bool:
        """
        Learn from a reading; return whether the unit changed.

        Args:
            depth: Of the reading; only a queue that is not empty says anything.

            inflight: Of the reading.

            undisturbed: Nobody else is known on the key, and nothing of ours was
                in flight, in doubt, or accepted after the reading was asked for.
        """
        if undisturbed and depth == 0 and not self._clean:
            self._clean = True
            self._recent.clear()
        if inflight is None or not undisturbed or not self._clean or depth <= 0:
            return False
        self._look_for_running(depth, inflight)
        if self.pinned:
            return False
        queued = {unit: self._children_in(depth, unit) for unit in Unit}
        for unit in (Unit.PARENTS, Unit.CHILDREN):
            # More than we ever sent, or than is in flight: every child that is counted, and at least
            # one of every parent, is in flight.
            if queued[unit] is None or depth > inflight:
                self._distrusted.add(unit)
        if self.unit in self._distrusted:
            self._step_up()
            return True
        if self.known:
            return False
        for unit, children in queued.items():
            self._remainders[unit].see(float("inf") if children is None else inflight - children)
        self._readings += 1
        if self._readings < READINGS_NEEDED:
            return False
        return self._step_down()

    def refused(self, *, alone: bool, cost: int) -> bool:
        """
        Note a queue 429 although the headroom was there; return whether the unit changed.

        *alone*: nobody else is known on the key, so the charge must be too low.
        """
        if alone and not self.pinned and self.unit is not Unit.BOTH:
            self._step_up()
            return True
        self.margin = min(max(2 * self.margin, float(cost)), 1_000.0)
        return False

    def accepted_wave(self) -> None:
        """Let the margin decay: a whole reading went by without a refusal."""
        self.margin = 0.0 if self.margin < 1 else self.margin * 0.8

    # ----------------------------------------------------------------------------

    @property
    def includes_running(self) -> bool:
        """Whether depth counts what runs as well: it is then released at the end, not at the start."""
        return self._without_remainder >= RUNNING_SEEN

    def _look_for_running(self, depth: int, inflight: int) -> None:
        queued = self._children_in(depth, self.unit)
        least = 0.0 if self.unit is Unit.PARENTS else 1.0
        if queued is not None and inflight - queued <= least:
            self._without_remainder += 1
        else:
            self._without_remainder = 0

    def _start_over(self) -> None:
        self._remainders = {unit: _Remainder() for unit in Unit}
        self._readings = 0

    def _step_up(self) -> None:
        """The unit in force cannot be true: charge more."""
        self._distrusted.add(self.unit)
        children = self.unit is Unit.PARENTS and Unit.CHILDREN not in self._distrusted
        self.unit = Unit.CHILDREN if children else Unit.BOTH
        self.known = children
        self._start_over()

    def _step_down(self) -> bool:
        """Accept the costliest unit that stood still, if every costlier one moved."""
        for unit in (Unit.BOTH, Unit.CHILDREN, Unit.PARENTS):
            moved = self._remainders[unit].moved
            tolerance = self._tolerance(unit)
            if unit in self._distrusted:
                continue
            if moved <= tolerance:
                self.known = unit is not Unit.BOTH or self._others_moved()
                changed = self.unit is not unit
                self.unit = unit
                return changed
            if moved < 2 * tolerance:
                return False  # not ruled out yet; more depth, or more readings, will tell
        self._start_over()  # nothing stood still: the service itself changed
        return False

    def _tolerance(self, unit: Unit) -> float:
        return float(self._largest) if unit is Unit.PARENTS and self._largest > 1 else EXACT

    def _others_moved(self) -> bool:
        return all(
            unit in self._distrusted or self._remainders[unit].moved >= 2 * self._tolerance(unit)
            for unit in (Unit.CHILDREN, Unit.PARENTS)
        )

    def _children_in(self, depth: int, unit: Unit) -> float | None:
        """
        Return how many children the newest requests of *depth* units hold.

        None if that is more than we ever sent. The oldest of these requests may
        be in the queue in part: it no longer counts as a parent then.
        """
        children = 0.0
        left = float(depth)
        for fan_out in reversed(self._recent):
            cost = unit.cost(fan_out)
            if cost >= left:
                return children + (fan_out if unit is Unit.PARENTS else min(left, fan_out))
            children += fan_out
            left -= cost
        return None
