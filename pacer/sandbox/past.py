"""
What the snapshot said before: for a service that answers with a stale one.
"""

from collections import deque
from typing import Any

__all__ = ["PastSnapshots"]


class PastSnapshots:
    """
    Snapshots of the last `reach` seconds, one for each call that was handled.
    """

    def __init__(self, reach: float) -> None:
        self._reach = reach
        self._taken: deque[tuple[float, dict[str, Any]]] = deque()

    def add(self, snapshot: dict[str, Any], *, now: float) -> None:
        """
        Remember the snapshot of this moment, and forget those that are out of reach.
        """
        self._taken.append((now, snapshot))
        while len(self._taken) > 1 and self._taken[1][0] <= now - self._reach:
            self._taken.popleft()

    def at(self, moment: float) -> dict[str, Any]:
        """
        The last one that had been taken by *moment*, or the oldest there is.
        """
        found = self._taken[0][1]
        for taken_at, snapshot in self._taken:
            if taken_at > moment:
                break
            found = snapshot
        return found
