"""
What the service is made of, and what happens in it by itself: captures end, settings change, other tenants
submit.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

from pacer.sandbox.captures import Captures
from pacer.sandbox.jobs import Job
from pacer.sandbox.queue import AdmissionQueue
from pacer.sandbox.settings import Change, Settings, Tenant
from pacer.sandbox.sync import SyncLane
from pacer.sandbox.tenants import TenantTraffic
from pacer.sandbox.window import RateWindow

__all__ = ["Model"]


class Model:
    """
    The state of one API key at the service.

    Attributes:
        settings: In force now.

        now: The moment it has been advanced to.

        queue, sync, captures: The admission queue and its workers, the sync lane, and what runs on either.

        window: The request-rate window, if there is one.

        jobs: Accepted jobs by parent id; those of other tenants are not kept.

        keys: The job that an idempotencyKey stands for.
    """

    def __init__(self, settings: Settings, seed: int, submit: Callable[[Tenant], float | None]) -> None:
        self.settings = settings
        self.now = -inf
        self.captures = Captures(settings, seed)
        self.queue = AdmissionQueue(settings, self.captures)
        self.sync = SyncLane(self.captures, settings.sync_timeout)
        self.window = RateWindow(settings, settings.rate_limit) if settings.rate_limit is not None else None
        self.jobs: dict[str, Job] = {}
        self.keys: dict[str, Job] = {}
        self._seed = seed
        self._accepted = 0
        self._tenants = [
            TenantTraffic(tenant, f"{seed}:tenant:{i}") for i, tenant in enumerate(settings.tenants)
        ]
        self._submit_of_tenant = submit
        self._changes = deque(sorted(settings.schedule, key=lambda change: change.at))
        self._disturbed_at = self._next_disturbance()

    @property
    def wall(self) -> float:
        """
        The service's own clock, in seconds since 1970.
        """
        return self.now + self.settings.epoch + self.settings.clock_skew

    def new_job_id(self) -> str:
        """
        An id that no other job of this service has, and that says nothing.
        """
        self._accepted += 1
        # An odd multiplier permutes the 32-bit numbers.
        return f"job_{(self._accepted + self._seed) * 2_654_435_761 % 2**32:08x}"

    def next_event_at(self) -> float | None:
        """
        When something next happens by itself; None if nothing will.
        """
        at = min(self.queue.next_event_at(), self.sync.next_event_at(), self._disturbed_at)
        return None if at == inf else at

    def advance(self, now: float) -> None:
        """
        Let everything happen that is due by *now*, in its order.

        Raises:
            ValueError: *now* lies before a moment that was already reached.
        """
        if now < self.now:
            raise ValueError(f"time went backwards, from {self.now!r} to {now!r}; `now` must never decrease")
        if self.now == -inf:
            self.queue.begin(min(now, self._disturbed_at))
        while self._disturbed_at <= now:
            self._let_captures_run(max(self._disturbed_at, self.now))
            self._disturb()
            self._disturbed_at = self._next_disturbance()
        self._let_captures_run(now)

    def apply(self, change: Change) -> None:
        """
        Put *change* in force, now.
        """
        fields: dict[str, Any] = {change.field: change.value}
        self.settings = replace(self.settings, **fields)
        if change.field == "credits":
            self.captures.balance = change.value
        self.queue.adopt(self.settings, self.now)

    def _let_captures_run(self, now: float) -> None:
        self.now = now
        self.queue.advance(now)
        if self.sync.running:
            self.sync.advance(now)

    def _disturb(self) -> None:
        while self._changes and self._changes[0].at <= self.now:
            self.apply(self._changes.popleft())
        for traffic in self._tenants:
            if traffic.next_at <= self.now:
                traffic.act(self.now, self._submit_of_tenant)

    def _next_disturbance(self) -> float:
        at = min((traffic.next_at for traffic in self._tenants), default=inf)
        return min(at, self._changes[0].at) if self._changes else at
