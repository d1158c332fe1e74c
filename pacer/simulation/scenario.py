"""
A service, a network and a batch: what one simulated run consists of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any, Literal

from pacer.pacing.policy import UnitChoice
from pacer.sandbox.faults import Fault
from pacer.sandbox.settings import Change, Latency, Settings, Tenant

SURFACES = (
    "chatgpt", "claude", "copilot", "gemini", "perplexity", "google_ai_mode", "google_ai_overview",
)  # fmt: skip
REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "JP", "BR", "IN", "CA")

MEAN = 15.0
"""Seconds a capture runs, on average, in every scenario that does not say otherwise."""

CONSTANT = Latency(mean=MEAN, shape="constant")
LOGNORMAL = Latency(mean=MEAN, shape="lognormal", spread=0.5)
HEAVY = Latency(mean=MEAN, shape="heavy")

BATCH_SEED = "batch"
"""What fan-outs are drawn from: the batch is the same for every seed of a scenario."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenario:
    """
    One line of the table. Times in seconds.

    Attributes:
        name: Begins with its number.

        requests: In the batch.

        fan_out: Children a request; of several, each request draws one.

        rtt: Round trip of every call, out and back alike.

        jitter: Mean of an exponential addition to each call's round trip, as a share of it.

        unit: What depth counts.

        tenant: Which kind of other client the targets should expect: none, ``polite`` (steady or
            bursting) or ``greedy``.

        settings: Further settings of the service.

        faults: What goes wrong.
    """

    name: str
    requests: int
    capacity: int = 200
    workers: int = 50
    latency: Latency = LOGNORMAL
    fan_out: tuple[int, ...] = (1,)
    unit: Literal["parents", "children", "both"] = "children"
    rtt: float = 0.080
    jitter: float = 0.0
    tenants: tuple[Tenant, ...] = ()
    schedule: tuple[Change, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def number(self) -> str:
        """The first word of the name."""
        return self.name.partition(" ")[0]

    @property
    def tenant(self) -> Literal["none", "polite", "greedy"]:
        """Which kind of other client there is."""
        if not self.tenants:
            return "none"
        return "greedy" if any(tenant.kind == "greedy" for tenant in self.tenants) else "polite"

    @property
    def unsteady(self) -> bool:
        """Whether a 429 may come although nobody else is there: capacity falls, or snapshots lie."""
        return bool(self.faults) or any(change.field == "capacity" for change in self.schedule)

    @property
    def shuts(self) -> bool:
        """Whether the queue has no capacity at all for a while."""
        return any(change.field == "capacity" and not change.value for change in self.schedule)

    @property
    def holds_running(self) -> bool:
        """Whether depth includes what runs, so that few reads and busy workers exclude each other."""
        return self.settings.get("release") == "end"

    @property
    def rate_limit(self) -> int | None:
        """Requests a window; None without one."""
        limit: int | None = self.settings.get("rate_limit")
        return limit

    @property
    def pin(self) -> UnitChoice:
        """The unit, as a user who knows it would pin it."""
        return UnitChoice(self.unit)

    def service_settings(self) -> Settings:
        """Return the service as the sandbox plays it."""
        return Settings(
            capacity=self.capacity,
            unit=self.unit,
            workers=self.workers,
            latency=self.latency,
            tenants=self.tenants,
            schedule=self.schedule,
            **self.settings,
        )

    @cached_property
    def fan_outs(self) -> tuple[int, ...]:
        """Children of each request."""
        if len(self.fan_out) == 1:
            return self.fan_out * self.requests
        chance = Random(f"{BATCH_SEED}:{self.name}")
        return tuple(chance.choice(self.fan_out) for _ in range(self.requests))

    @cached_property
    def captures(self) -> int:
        """Children of all requests."""
        return sum(self.fan_outs)

    def cost(self, fan_out: int) -> int:
        """What a request of that many children truly adds to depth."""
        return (self.unit != "children") + (self.unit != "parents") * fan_out

    def search(self, index: int) -> dict[str, Any]:
        """Return the body of request *index*."""
        surfaces, regions = shape(self.fan_outs[index], index)
        return {"query": f"query {index}", "surfaces": list(surfaces), "regions": list(regions)}


def shape(fan_out: int, index: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    Return surfaces and regions that multiply to *fan_out*; single surfaces take turns.

    Raises:
        ValueError: No such product exists.
    """
    if fan_out == 1:
        return (SURFACES[index % len(SURFACES)],), ("US",)
    for count in range(len(SURFACES), 0, -1):
        if fan_out % count == 0 and fan_out // count <= len(REGIONS):
            return SURFACES[:count], REGIONS[: fan_out // count]
    raise ValueError(f"{fan_out} is no product of up to 7 surfaces and up to 10 regions")
