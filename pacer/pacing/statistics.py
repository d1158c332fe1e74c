"""
What happened so far, for displays and reports.
"""

from __future__ import annotations

from dataclasses import dataclass

from pacer.pacing.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """
    What happened so far in this invocation. Times in seconds.

    Attributes:
        depth: Units in the queue, at most: those of the last snapshot, and what was
            submitted since; None before a first snapshot.

        account: Seconds by :class:`Bound` value; they add up to the run.
    """

    accepted: int
    replayed: int
    in_flight: int
    waves: int
    reads: int
    throttled: dict[str, int]
    bursts: int
    wasted: int
    unended: int
    rtt: float
    drain: float | None
    unit: str
    unit_known: bool
    starved_by_unit: bool
    window_limit: int | None
    window_length: float | None
    others: bool
    reactive: bool
    depth: int | None
    account: dict[str, float]


def statistics(state: State) -> Statistics:
    """Return what happened so far."""
    admission, reading, window = state.admission, state.reading, state.window
    return Statistics(
        accepted=admission.accepted,
        replayed=admission.replayed,
        in_flight=len(admission.in_flight),
        waves=state.waves,
        reads=reading.count,
        throttled=dict(state.throttled),
        bursts=state.bursts,
        wasted=state.collection.wasted,
        unended=state.collection.unended,
        rtt=reading.rtt,
        drain=reading.drain.rate,
        unit=admission.costs.unit.name.lower(),
        unit_known=admission.costs.known,
        starved_by_unit=state.starved_by_unit,
        window_limit=window.limit,
        window_length=window.length,
        others=reading.others(now=reading.replied_at),
        reactive=admission.reactive,
        depth=_depth(state),
        account={bound.value: seconds for bound, seconds in state.account.seconds.items()},
    )


def _depth(state: State) -> int | None:
    ledger = state.admission.ledger
    if ledger.snapshot is None:
        return None
    return ledger.snapshot.depth + ledger.unseen(state.admission.costs.unit)
