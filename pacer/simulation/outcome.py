"""
One run, measured.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pacer.pacing.policy import Policy, UnitChoice
from pacer.simulation.network import Network, SimulationError
from pacer.simulation.paced import Paced
from pacer.simulation.reference import Reference, reference
from pacer.simulation.scenario import Scenario

PATIENCE = 60.0
"""Times the oracle's makespan after which a run is called endless."""

QUEUE = "QUEUE_CAPACITY_EXCEEDED"
RATE = "RATE_LIMIT_EXCEEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What came of one run. Times in seconds.

    Attributes:
        client: ``pacer`` or a rival's name.

        pinned: The unit was pinned to the true one.

        error: Why the run did not come to its end; empty if it did.

        makespan: From the start until the last capture has been read.

        ratio: To the clairvoyant.

        to_oracle: To the oracle.

        starved: Seconds in which a worker idled though there was a backlog, beyond what the clairvoyant
            loses, averaged over the workers.

        queue_429, rate_429: Refusals; bursts of them stand in `queue_bursts` and `rate_bursts`.

        inside_gate: Calls that left before a deadline that had been read.

        reads: Status reads; `per_filling` is the same over Q.

        wasted: Job reads in vain, per capture.

        inflicted: 429s of other tenants per 100 of their admissions.

        light, windowed: As in :class:`~.reference.Reference`: they decide which targets hold.

        account: Seconds by bound.
    """

    scenario: str
    seed: int
    client: str = "pacer"
    pinned: bool = False
    error: str = ""
    makespan: float = 0.0
    ratio: float = 0.0
    to_oracle: float = 0.0
    starved: float = 0.0
    queue_429: int = 0
    rate_429: int = 0
    queue_bursts: int = 0
    rate_bursts: int = 0
    inside_gate: int = 0
    requests: int = 0
    reads: int = 0
    per_filling: float = 0.0
    wasted: float = 0.0
    inflicted: float = 0.0
    fillings: int = 0
    clairvoyant: float = 0.0
    light: bool = True
    windowed: bool = False
    unit: str = ""
    unit_known: bool = False
    starved_by_unit: bool = False
    account: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values: six digits of each number, and of the account what is not 0."""
        values = {name: _short(value) for name, value in asdict(self).items()}
        values["account"] = {bound: _short(seconds) for bound, seconds in self.account.items() if seconds}
        return values


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def run(scenario: Scenario, *, seed: int, pinned: bool = False, policy: Policy | None = None) -> Outcome:
    """Let pacer's controller work through *scenario*."""
    if policy is None:
        policy = Policy(unit=scenario.pin if pinned else UnitChoice.AUTO)
    network = Network(scenario, seed=seed)
    client = Paced(scenario, policy)
    measure = reference(scenario, seed)
    error = ""
    try:
        network.run(client, limit=PATIENCE * measure.clairvoyant)
    except SimulationError as caught:
        error = str(caught)
    known = client.controller.statistics()
    return outcome(
        network,
        measure,
        seed=seed,
        client="pacer",
        pinned=pinned,
        error=error,
        unit=known.unit,
        unit_known=known.unit_known,
        starved_by_unit=known.starved_by_unit,
        account=known.account,
    )


def outcome(network: Network, measure: Reference, **more: Any) -> Outcome:
    """Measure a run that is over."""
    scenario, observed, log = network.scenario, network.observed, network.service.log
    makespan = network.now
    idle = (observed.idle_after - observed.idle_before) / max(scenario.workers, 1)
    reads = log.calls.get("status", 0)
    return Outcome(
        scenario=scenario.name,
        makespan=makespan,
        ratio=makespan / measure.clairvoyant,
        to_oracle=makespan / measure.oracle,
        starved=max(0.0, idle - measure.idle),
        queue_429=log.refused.get(QUEUE, 0),
        rate_429=log.refused.get(RATE, 0),
        queue_bursts=observed.queue_bursts,
        rate_bursts=observed.rate_bursts,
        inside_gate=observed.inside_gate,
        requests=scenario.requests,
        reads=reads,
        per_filling=reads / measure.fillings,
        wasted=observed.wasted / scenario.captures,
        inflicted=100.0 * log.tenant_refused.get(QUEUE, 0) / max(log.tenant_admitted, 1),
        fillings=measure.fillings,
        clairvoyant=measure.clairvoyant,
        light=measure.light,
        windowed=measure.windowed,
        **more,
    )
