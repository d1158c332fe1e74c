"""
The services that the clients meet over real sockets: short, bounded, the same for everyone.

They are scenarios of the simulation, so that the clairvoyant is known for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from types import MappingProxyType

from pacer.sandbox import Change, Fault, Latency, Tenant
from pacer.simulation.reference import reference
from pacer.simulation.scenario import Scenario

SEED = 11
"""Of every service: all clients meet the same latencies, tenants and faults."""

CUT_OFF = 45.0
"""Seconds after which a client is ended that has not ended by itself: at least twice what the ideal needs."""


@dataclass(frozen=True)
class Match:
    """
    One service and what is done to the clients that meet it.

    Attributes:
        title: As it stands over its table.

        killed: Each client is killed when the service has accepted a third of the batch, and started again.
    """

    scenario: Scenario
    title: str
    killed: bool = False


ALONE = Scenario(
    name="1 alone",
    requests=250,
    capacity=120,
    workers=40,
    latency=Latency(mean=0.5, shape="lognormal", spread=0.8),
    fan_out=(4,),
    rtt=0.040,
    settings={"retry_after": 2.0},
)
"""1,000 captures through 120 places; 80 captures, that is 20 requests, leave a second: 13 s for the ideal."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Uncollected(Scenario):
    """A batch whose captures nobody reads: the ideal spends the window on submissions and snapshots alone."""

    @cached_property
    def captures(self) -> int:
        """Captures that are read: none."""
        return 0


def ideal(scenario: Scenario) -> float:
    """Return the clairvoyant's makespan in seconds (``pacer.simulation.reference``)."""
    if scenario.rate_limit is not None:
        scenario = Uncollected(**{field.name: getattr(scenario, field.name) for field in fields(scenario)})
    return reference(scenario, SEED).clairvoyant


def _like(name: str, **changes: object) -> Scenario:
    return replace(ALONE, name=name, **changes)  # type: ignore[arg-type] # fields of Scenario, by name


MATCHES: Mapping[str, Match] = MappingProxyType(
    {
        "alone": Match(ALONE, "alone on the key, Retry-After 2 s"),
        "coarse": Match(
            _like("2 coarse", settings={"retry_after": 30.0}), "the same, Retry-After 30 s"
        ),
        "slower": Match(
            _like("3 slower", schedule=(Change(3.0, "drain", 0.25), Change(11.0, "drain", 1.0))),
            "drain falls to a quarter for 8 s",
        ),
        "window": Match(
            _like(
                "4 window",
                workers=400,
                settings={
                    "retry_after": 2.0,
                    "rate_limit": 60,
                    "rate_window": 5.0,
                    "rate_phase": 1.7,
                    "rate_headers": "on_429",
                },
            ),
            "at most 60 requests in 5 s, and drain to spare",
        ),
        "tenants": Match(
            _like(
                "5 tenants",
                tenants=(Tenant(kind="bursting", burst=24, period=4.0, fan_out=4),),
                settings={"retry_after": 5.0},
            ),
            "another client fills 80 % of the queue every 4 s, Retry-After 5 s",
        ),
        "lost": Match(
            _like("6 lost", faults=(Fault("cut", on="submit", committed=True, share=0.05),)),
            "5 % of the replies are lost after the service has accepted",
        ),
        "killed": Match(_like("7 killed"), "killed at a third, and started again", killed=True),
    }
)  # fmt: skip

LONG_LIST = "long list"
"""For memory: the batch is as long as asked, and the queue is full from the first second on."""

SMOKE = "smoke"
"""For a test that the programs run: over in a second."""

EVERY: Mapping[str, Match] = MappingProxyType(
    {
        **MATCHES,
        LONG_LIST: Match(_like("8 long list"), "a queue that stays full"),
        SMOKE: Match(_like("9 smoke", requests=12, latency=Latency(mean=0.05), rtt=0.0), "a moment"),
    }
)
"""Every service that can be started by its name."""
