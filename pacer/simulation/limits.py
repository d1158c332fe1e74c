"""
What single scenarios make impossible, or cost: which target, up to what, and why.

The reason of each line is in docs/pacing-limits.md, in the section it names. But for runs that lost
something to an unknown unit, nothing else is excused.
"""

from __future__ import annotations

from dataclasses import dataclass

from pacer.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Limit:
    """
    One target of one scenario.

    Attributes:
        number: Of the scenario.

        target: As in :mod:`pacer.simulation.targets`.

        most: What the figure may be there. Bursts for 429s of the queue (per 100 submissions beside polite
            tenants), a share of the run for starvation, a multiple of their bound for reads.

        why: In a few words.

        section: Of docs/pacing-limits.md.
    """

    number: str
    target: str
    most: float
    why: str
    section: str


STEP = "the clairvoyant has 13 to 22 slots to spare, fewer than it takes to learn what has ended"
RUNNING = "depth includes what runs, and one unit of the queue is an idle worker"
UNTOLD = "depth includes what runs, and the number of workers is not told"
SHUT = "the queue shut without notice, and lacked what had drained since the last wave"
FASTER = "the service became faster than it had ever been between two reads"
MET = "another client is met before it is seen, and costs what is in flight"
SLOWEST = "a wave is back when the slowest of its replies is"
RANDOM = "the workers never idled, and what the others ask for is random"
OUTLASTS = "a gate of 30 s outlasts a queue of 18 s"
BESIDE_BURSTS = "bursts of others take the room of a queue of 12 s, or a gate of 30 s outlasts it"
SHORT = "how long captures take must be learnt, which costs some twenty reads once"
ASKED = "others ask for all that is left, and come back each second"
STALE = "a snapshot older than the last wave shows its room as free"

LIMITS: tuple[Limit, ...] = (
    Limit("60", "reads", 12.0, UNTOLD, "section 3"),
    Limit("61", "reads", 15.0, RUNNING, "section 3"),
    Limit("61", "starvation", 0.025, RUNNING, "section 3"),
    Limit("61", "makespan", 1.032, RUNNING, "section 3"),
    Limit("65", "starvation", 0.05, SHUT, "section 3"),
    Limit("65", "makespan", 1.055, SHUT, "section 3"),
    Limit("66", "starvation", 0.006, SLOWEST, "section 2"),
    Limit("84", "starvation", 0.023, FASTER, "section 3"),
    Limit("84", "makespan", 1.08, FASTER, "section 3"),
    Limit("69", "queue 429s", 8.0, STALE, "section 1"),
    Limit("86", "makespan", 1.22, STEP, "section 4"),
    Limit("31", "queue 429s", 6.0, ASKED, "section 6"),
    Limit("31", "makespan", 1.25, ASKED, "section 6"),
    Limit("30", "makespan", 1.06, RANDOM, "section 6"),
    Limit("68", "makespan", 1.09, RANDOM, "section 6"),
    Limit("83", "queue 429s", 5.0, MET, "section 6"),
    Limit("83", "starvation", 0.08, OUTLASTS, "section 6"),
    Limit("32", "starvation", 0.1, BESIDE_BURSTS, "section 6"),
    Limit("32", "wasted", 0.06, SHORT, "section 6"),
)


def limit_of(scenario: Scenario, target: str) -> Limit | None:
    """Return what *scenario* is allowed beyond *target*; None if nothing is."""
    return next(
        (limit for limit in LIMITS if (limit.number, limit.target) == (scenario.number, target)), None
    )
