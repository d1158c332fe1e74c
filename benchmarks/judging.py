"""
One judge for every client: what the service met, and nothing that the client says but its count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.scenarios import ideal
from pacer.simulation.scenario import Scenario

SLACK = 0.025
"""Seconds that a client has to read a 429 and stop: what arrives sooner was on its way."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """
    What came of one client at one service.

    Attributes:
        ended: The client ended by itself, before the cut-off.

        requests: In the batch.

        admitted: Of these, how many the service has accepted at least once.

        seconds: From the first call to the end of the last capture; None unless all were accepted.

        ratio: The same to the clairvoyant's.

        submissions, reads: Calls.

        refused: 429s.

        inside_gate: Calls that arrived though a 429 that had been read forbade them.

        doubled: Requests accepted more than once, each copy counted: paid for twice.

        unaware: Accepted, but the client says it was not: paid for, and lost. None where it told nothing.

        tenants_refused: 429s of the other client per 100 of its admissions.
    """

    match: str
    client: str
    ended: bool
    requests: int
    admitted: int
    seconds: float | None
    ratio: float | None
    submissions: int
    reads: int
    refused: int
    inside_gate: int
    doubled: int
    unaware: int | None
    tenants_refused: float

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def judge(
    match: str,
    client: str,
    scenario: Scenario,
    met: Mapping[str, Any],
    *,
    ended: bool,
    told: int | None,
) -> Verdict:
    """Return what *met*, the server's account, says of *client*; *told* is its own count of the accepted."""
    calls: Sequence[Mapping[str, Any]] = met["calls"]
    copies = Counter(call["query"] for call in calls if call["query"] is not None)
    whole = len(copies) == scenario.requests
    seconds = met["last_end"] - calls[0]["at"] if calls and whole else None
    submissions = sum(call["what"] == "submit" for call in calls)
    return Verdict(
        match=match,
        client=client,
        ended=ended,
        requests=scenario.requests,
        admitted=len(copies),
        seconds=seconds,
        ratio=None if seconds is None else seconds / ideal(scenario),
        submissions=submissions,
        reads=len(calls) - submissions,
        refused=sum(call["status"] == 429 for call in calls),
        inside_gate=inside_gate(calls, rtt=scenario.rtt),
        doubled=copies.total() - len(copies),
        unaware=None if told is None or not ended else max(0, len(copies) - told),
        tenants_refused=100.0 * met["tenant_429s"] / max(met["tenant_admitted"], 1),
    )


def inside_gate(calls: Iterable[Mapping[str, Any]], *, rtt: float) -> int:
    """
    Count the calls that left although a 429 that their client had read forbade it.

    A queue 429 forbids submissions, a rate 429 everything, from a round trip after the refused call arrived
    (the client has read it then) until Retry-After is over, as the most lenient clock sees it.
    """
    until = {"queue": 0.0, "rate": 0.0}
    read: list[tuple[float, str, float]] = []  # (known from, gate, until), in order of arrival
    count = place = 0
    for call in calls:
        at = call["at"]
        while place < len(read) and read[place][0] < at:
            _, gate, ends = read[place]
            until[gate] = max(until[gate], ends)
            place += 1
        closed = max(until["rate"], until["queue"] if call["what"] == "submit" else 0.0)
        count += at < closed
        if call["gate"] in until and call["retry_seconds"] is not None and call["reached"]:
            read.append((at + rtt + SLACK, call["gate"], at + call["retry_seconds"]))
    return count
