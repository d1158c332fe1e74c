"""
What one seed stands for: a batch, a service, what goes wrong with it, and when its processes die.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from pacer.pacing.policy import Policy, UnitChoice
from pacer.sandbox import Change, Fault, Latency, Settings, Tenant
from tests.reliability.crashing import Crash

SURFACES = ("chatgpt", "claude", "gemini", "perplexity", "copilot")
REGIONS = ("US", "DE", "FR")

NEVER = Crash()

BEFORE_A_RESTART = (0.0, 0.05, 3.0, 40.0, 700.0, 4000.0)
"""Seconds between a death and the next process."""


HEALED = 20_000.0
"""Seconds after which nothing goes wrong any more that could keep a batch from its end."""


@dataclass(frozen=True, slots=True)
class End:
    """
    How one invocation is brought to an early end, and how long until the next.

    Attributes:
        crash: When it dies, if it does.

        interrupt: Seconds after which it is asked to stop; None if it is not.

        pause: Seconds until the next.

        clock_step: Seconds by which the machine's wall clock is set meanwhile.

        tamper: What someone does to the results meanwhile: ``delete``, ``truncate``, ``edit`` or nothing.

        tear: Share of what the results file holds beyond the journal's word that a crash leaves of it.
    """

    crash: Crash = NEVER
    interrupt: float | None = None
    pause: float = 0.0
    clock_step: float = 0.0
    tear: float = 1.0
    tamper: str = ""


@dataclass(slots=True, kw_only=True)
class Plan:
    """
    Everything that one run is made of.

    Attributes:
        classes: Names of the faults in it.

        requests: The batch, as a user would give it.

        changes, settings, faults, policy, rtt, late: The service and the way to it.

        ends: What befalls the first invocations; those after them run undisturbed.

        clock_offset: Of the first invocation's wall clock, in seconds.

        may_stop: Codes with which an invocation may stop here.

        open_ended: Requests that always fail: they need not end, where no others can pass any more.

        resend_in_doubt: As ``--resend-in-doubt``.
    """

    seed: int
    classes: tuple[str, ...] = ()
    requests: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    policy: Policy = field(default_factory=Policy)
    rtt: float = 0.08
    late: float = 0.0
    ends: list[End] = field(default_factory=list)
    clock_offset: float = 0.0
    may_stop: set[str] = field(default_factory=set)
    open_ended: set[str] = field(default_factory=set)
    resend_in_doubt: bool = False

    @property
    def service(self) -> Settings:
        """The service's settings, with all that changes."""
        return Settings(**self.settings, schedule=tuple(self.changes))


def base(seed: int, chance: Random) -> Plan:
    """Return a plan in which nothing goes wrong yet."""
    plan = Plan(seed=seed)
    for number in range(chance.choice((1, 2, 5, 8, 12, 20, 40))):
        surfaces = chance.sample(SURFACES, chance.choice((1, 1, 1, 2, 4)))
        regions = chance.sample(REGIONS, chance.choice((1, 1, 1, 2)))
        plan.requests.append(
            {"id": f"r{number}", "query": f"q {number}", "surfaces": surfaces, "regions": regions}
        )
    plan.settings = {
        "capacity": chance.choice((3, 10, 40, 200)),
        "unit": chance.choice(("parents", "children", "both")),
        "release": chance.choice(("start", "end")),
        "workers": chance.choice((1, 4, 20)),
        "generation": chance.choice("AB"),
        "latency": Latency(mean=chance.choice((0.5, 4.0, 12.0)), shape="lognormal"),
        "retry_after": chance.choice((1.0, 5.0, 30.0)),
    }
    plan.rtt = chance.choice((0.004, 0.08, 0.8))
    plan.policy = Policy(
        unit=chance.choice((UnitChoice.AUTO, UnitChoice.AUTO, UnitChoice[plan.settings["unit"].upper()])),
        probe=chance.random() < 0.1,
        reserve=chance.choice((0, 0, 0, 1)),
        collect=chance.random() < 0.9,
        concurrency=chance.choice((2, 16, 64)),
        initial_concurrency=chance.choice((1, 16)),
    )
    return plan


def tenant(plan: Plan, chance: Random) -> Tenant:
    """
    Return another client that goes away in the end.

    What it could not submit until then it still submits: a greedy one needs a fast service.
    """
    swift = plan.settings["workers"] >= 20 and plan.settings["latency"].mean < 1.0
    return Tenant(
        kind=chance.choice(("steady", "bursting", "greedy") if swift else ("steady", "bursting")),
        demand=chance.choice((0.5, 2.0)),
        period=chance.choice((1.0, 10.0)) if swift else 10.0,
        burst=chance.choice((3, 8)),
        fan_out=chance.choice((1, 3)),
        reacts=chance.random() < 0.5,
        start=chance.uniform(0, 20),
        stop=chance.uniform(30, 300),
    )


def ends(chance: Random) -> list[End]:
    """Return what befalls up to four invocations."""
    found = []
    for _ in range(chance.choice((1, 1, 2, 4))):
        crash = Crash(
            chance.choice(("time", "step", "step", "commit", "call", "reply")),
            chance.choice((1, 2, 3, 5, 8, 15, 30, 60)),
        )
        if crash.kind == "step":
            crash = Crash("step", int(10 ** chance.uniform(0.3, 3.4)))
        elif crash.kind == "time":
            crash = Crash("time", 10 ** chance.uniform(-2, 2))
        found.append(End(crash, pause=chance.choice(BEFORE_A_RESTART), tear=chance.choice((0.0, 0.5, 1.0))))
    return found
