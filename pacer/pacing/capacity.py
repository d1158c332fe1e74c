"""
Room: what the service says of its queue, and what it cannot know yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from pacer.pacing.cost import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacitySnapshot:
    """
    One reading of the admission queue. Stale the moment it is made.

    Attributes:
        depth: Units waiting in the admission queue, 0 or more. The unit is not
            documented consistently: parents, children, or both (API.md 4.1).

        capacity: Units the queue can hold; None where the service does not say.

        sync_limit: Sync captures that may run at once; None if not said.

        sync_running: Sync captures running now; None if not said.

        inflight: Children queued or processing for this key, whoever sent
            them; None if not said.

        by_surface: The same by surface; a surface with none is left out by the
            service. None if the service sent no such map: that means nothing.
    """

    depth: int
    capacity: int | None
    sync_limit: int | None = None
    sync_running: int | None = None
    inflight: int | None = None
    by_surface: Mapping[str, int] | None = None


@dataclass(slots=True)
class Load:
    """Requests and children; what both cost depends on the unit, which may change."""

    requests: int = 0
    children: int = 0

    def add(self, fan_out: int) -> None:
        """Count one request of *fan_out* children."""
        self.requests += 1
        self.children += fan_out

    def remove(self, fan_out: int) -> None:
        """Take one request of *fan_out* children back."""
        self.requests -= 1
        self.children -= fan_out


class Ledger:
    """
    The last snapshot, and what it cannot have counted.

    A submission is *unseen* from the moment it is decided until a snapshot that
    was *asked for* after its reply. One whose reply was lost may still arrive at
    the service; it stays unseen just as if it had been accepted.

    Attributes:
        snapshot: The last usable reading, or None.

        in_flight: Submissions without a reply.
    """

    def __init__(self) -> None:
        self.snapshot: CapacitySnapshot | None = None
        self.asked_at = float("-inf")
        self.in_flight = Load()
        self._replied = Load()
        self._replies: deque[tuple[float, int]] = deque()  # (replied at, fan-out)

    def sent(self, fan_out: int) -> None:
        """A submission was decided."""
        self.in_flight.add(fan_out)

    def refused(self, fan_out: int) -> None:
        """A submission came back with nothing admitted."""
        self.in_flight.remove(fan_out)

    def admitted(self, fan_out: int, *, at: float) -> None:
        """A submission was, or may have been, admitted; its reply came (or was lost) at *at*."""
        self.in_flight.remove(fan_out)
        self._replied.add(fan_out)
        self._replies.append((at, fan_out))

    def read(self, snapshot: CapacitySnapshot, *, asked_at: float) -> None:
        """A newer snapshot: replies that came before it was asked for are inside it."""
        self.snapshot, self.asked_at = snapshot, asked_at
        while self._replies and self._replies[0][0] <= asked_at:
            self._replied.remove(self._replies.popleft()[1])

    def unseen(self, unit: Unit) -> int:
        """Return the cost that the snapshot cannot be trusted to have counted."""
        flying, replied = self.in_flight, self._replied
        return unit.cost(flying.children + replied.children, flying.requests + replied.requests)

    def headroom(self, unit: Unit, *, reserve: float) -> float:
        """Return ``capacity - depth - unseen - reserve``; 0 before a first snapshot."""
        if self.snapshot is None or self.snapshot.capacity is None:
            return 0.0
        return self.snapshot.capacity - self.snapshot.depth - self.unseen(unit) - reserve

    @property
    def undisturbed(self) -> bool:
        """Whether the snapshot has counted everything we ever sent."""
        return not self._replies and self.in_flight.requests == 0
