"""
Where a run stands at this moment: what a display shows, true at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pacer.journal.views import Counts
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import Statistics


@dataclass(slots=True)
class Progress:
    """
    Running totals of the batch, earlier invocations included.

    Attributes:
        requests: All of them.

        captures: Expected captures, as :class:`~pacer.journal.views.Counts` has them.

        accepted: Requests the service has, or had.

        rejected: Requests that ended as an error.

        in_doubt: Requests whose reply was lost, to be sent again.

        ended: Captures ended, by status.

        throttled: 429s of this invocation.

        snapshot: The last reading.

        waiting_for: The bound that holds us now; empty while there is work.

        waiting_until: Wall time at which that ends; None where only a reply ends it.
    """

    requests: int
    captures: int
    accepted: int
    rejected: int
    in_doubt: int
    ended: dict[str, int] = field(default_factory=dict)
    throttled: int = 0
    snapshot: CapacitySnapshot | None = None
    waiting_for: str = ""
    waiting_until: float | None = None

    @classmethod
    def of(cls, counts: Counts) -> Progress:
        """Start from where the journal stands."""
        return cls(
            requests=counts.requests,
            captures=counts.captures,
            accepted=counts.accepted + counts.done,
            rejected=counts.rejected,
            in_doubt=counts.sent,
            ended=dict(counts.ended),
        )

    @property
    def captures_ended(self) -> int:
        """Captures ended in any way."""
        return sum(self.ended.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How an invocation ended.

    Attributes:
        kind: ``finished``: every request has its end. ``stopped``: early, by the
            service, a limit or this machine. ``interrupted``: by whoever ran it.

        code, reason: A fixed word and a sentence; empty when finished.

        seconds: How long it took.
    """

    kind: Literal["finished", "stopped", "interrupted"]
    code: str
    reason: str
    seconds: float
    statistics: Statistics
