"""
What a running capture has in common on every lane: its latency and end are drawn, it is counted, and it is
charged.
"""

import math
from random import Random
from typing import Final

from pacer.sandbox.jobs import Child, Job
from pacer.sandbox.settings import Latency, Settings
from pacer.sandbox.surfaces import CREDITS

__all__ = ["Captures", "draw"]

_PARETO_INDEX: Final = 2.2
_ENDS: Final = ("failed", "partial", "canceled", "expired", "absent", "endless")
_PAID: Final = frozenset({"completed", "partial"})


class Captures:
    """
    All captures of the key: what is in flight, what they cost, and the draws of chance.

    The k-th capture to be dispatched gets the k-th latency and the k-th end that the seed yields, whatever
    request it belongs to. So two clients that submit in different orders still meet the same service.

    Attributes:
        by_surface, by_region: Captures queued or processing; nothing is listed at 0.

        captured: Captures that have ended, by surface, over the service's life.

        ended: The same by state.

        balance: Credits left, or None where the plan is unmetered.

        charged: Credits spent.
    """

    def __init__(self, settings: Settings, seed: int) -> None:
        self._latency = settings.latency
        self._latencies = Random(f"{seed}:latency")
        self._chance = Random(f"{seed}:end")
        self._shares = tuple((end, share) for end in _ENDS if (share := getattr(settings, end)) > 0)
        self.balance = settings.credits
        self.charged = 0
        self.total = 0
        self.by_surface: dict[str, int] = {}
        self.by_region: dict[str, int] = {}
        self.captured: dict[str, int] = {}
        self.ended: dict[str, int] = {}

    def enter(self, job: Job) -> None:
        """
        Count the children of an accepted job as in flight.
        """
        self.total += len(job.children)
        job.active = job.outstanding = len(job.children)
        for child in job.children:
            self.by_surface[child.surface] = self.by_surface.get(child.surface, 0) + 1
            self.by_region[child.region] = self.by_region.get(child.region, 0) + 1

    def start(self, child: Child, now: float) -> float:
        """
        Let *child* run, and return for how many seconds of undisturbed work.
        """
        child.state = "processing"
        child.started_at = now
        child.end = self._draw_end() if self._shares else "completed"
        return draw(self._latency, child.surface, self._latencies)

    def finish(self, child: Child, now: float) -> None:
        """
        Bring *child* to the end that was drawn for it; an endless one stays as it is.
        """
        if child.end == "endless":
            return
        child.state = child.final_state
        child.ended_at = now
        child.job.active -= 1
        self.total -= 1
        _take_one(self.by_surface, child.surface)
        _take_one(self.by_region, child.region)
        self.captured[child.surface] = self.captured.get(child.surface, 0) + 1
        self.ended[child.state] = self.ended.get(child.state, 0) + 1
        if child.end in _PAID:
            price = CREDITS[child.surface]
            self.charged += price
            if self.balance is not None:
                self.balance -= price

    def _draw_end(self) -> str:
        number = self._chance.random()
        for end, share in self._shares:
            number -= share
            if number < 0:
                return end
        return "completed"


def draw(latency: Latency, surface: str, chance: Random) -> float:
    """
    Draw the seconds that a capture of *surface* runs.
    """
    mean = latency.mean * latency.factors.get(surface, 1.0) if latency.factors else latency.mean
    match latency.shape:
        case "constant":
            return mean
        case "lognormal":
            sigma = latency.spread
            return mean * math.exp(chance.gauss(0.0, sigma) - sigma * sigma / 2)
        case "heavy":
            return mean * (1 - 1 / _PARETO_INDEX) * chance.paretovariate(_PARETO_INDEX)


def _take_one(counts: dict[str, int], name: str) -> None:
    if counts[name] == 1:
        del counts[name]
    else:
        counts[name] -= 1
