"""
What people use instead, as policies in the same simulation.

A rival only has to get the batch admitted: it collects for free, with no call and no delay, and spends
nothing of a request-rate window on that; nor does the clairvoyant that it is measured against. Its
makespan ends with its last capture. Where it needs a number that nobody can know, it is given the right one:
what depth counts, or the rate that queue, window and other tenants leave on average.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pacer.simulation.network import Network, SimulationError
from pacer.simulation.outcome import PATIENCE, Outcome, outcome
from pacer.simulation.reference import reference, sustained
from pacer.simulation.rivals.backoff import AdditiveIncrease, FixedConcurrency, FixedRate, PoliteConcurrency
from pacer.simulation.rivals.base import Rival
from pacer.simulation.rivals.cubic import AwsAdaptive
from pacer.simulation.rivals.waves import FixedSleep, FullDrain, PollEverySecond
from pacer.simulation.scenario import Scenario


def _rate(share: float) -> Callable[[Scenario, int], Rival]:
    def build(scenario: Scenario, seed: int) -> Rival:
        return FixedRate(scenario, seed, rate=share * sustained(scenario))

    return build


RIVALS: Mapping[str, Callable[[Scenario, int], Rival]] = MappingProxyType(
    {
        "three steps, sleep 5 s": FixedSleep,
        "wave, full drain": FullDrain,
        "poll every second": PollEverySecond,
        "16 at once, exponential": FixedConcurrency,
        "16 at once, Retry-After": PoliteConcurrency,
        "rate, right": _rate(1.0),
        "rate, half": _rate(0.5),
        "rate, double": _rate(2.0),
        "additive increase": AdditiveIncrease,
        "aws adaptive": AwsAdaptive,
    }
)
"""By the name under which they stand in the report."""


def run_rival(scenario: Scenario, name: str, *, seed: int) -> Outcome:
    """
    Let the rival called *name* work through *scenario*.

    Raises:
        LookupError: There is no such rival.
    """
    if name not in RIVALS:
        raise LookupError(f"no rival is called {name!r}; there are {', '.join(RIVALS)}")
    network = Network(scenario, seed=seed)
    measure = reference(scenario, seed, collects=False)
    error = ""
    try:
        network.run(RIVALS[name](scenario, seed), limit=PATIENCE * measure.clairvoyant)
        network.finish()
    except SimulationError as caught:
        error = str(caught)
    return outcome(network, measure, seed=seed, client=name, error=error)
