"""
Other clients of the same key, as arrival processes with a back-off.
"""

from collections.abc import Callable
from math import inf
from random import Random
from typing import Final

from pacer.sandbox.settings import Tenant

__all__ = ["TenantTraffic"]

GREED: Final = 10_000
"""Submissions a greedy tenant makes at most in one turn: it must come to an end where the queue has none."""


class TenantTraffic:
    """
    One tenant: what it has to submit, and when it next tries.

    What is refused stays in its backlog. After a refusal it tries again at its next turn, or, if it reacts,
    no earlier than Retry-After says.
    """

    def __init__(self, tenant: Tenant, seed: str) -> None:
        self.tenant = tenant
        self._chance = Random(seed)
        self._backlog = 0
        self._closed_until = -inf
        self._arrival = tenant.start if tenant.kind != "steady" else tenant.start + self._gap()
        if self._arrival >= tenant.stop:
            self._arrival = inf
        self.next_at = self._arrival

    def act(self, now: float, submit: Callable[[Tenant], float | None]) -> None:
        """
        Make the turn that is due at *now*: *submit* until the backlog is empty or a submission is refused.

        *submit* returns None for what was admitted, else the seconds after which to come back.
        """
        tenant = self.tenant
        if now >= self._arrival:
            self._arrive()
        if tenant.kind == "greedy" and now >= tenant.stop:
            self._backlog = 0  # it wanted whatever there was, and wants nothing any more
        while self._backlog and now >= self._closed_until:
            refused_for = submit(tenant)
            if refused_for is not None:
                if tenant.reacts:
                    self._closed_until = now + refused_for
                break
            self._backlog -= 1
        waits = self._backlog and now < self._closed_until
        self.next_at = min(self._arrival, self._closed_until) if waits else self._arrival

    def _arrive(self) -> None:
        tenant = self.tenant
        match tenant.kind:
            case "steady":
                self._backlog += 1
            case "bursting":
                self._backlog += tenant.burst
            case "greedy":
                self._backlog = GREED
        self._arrival += self._gap()
        if self._arrival >= tenant.stop:
            self._arrival = inf

    def _gap(self) -> float:
        if self.tenant.kind == "steady":
            return self._chance.expovariate(self.tenant.demand / self.tenant.fan_out)
        return self.tenant.period
