"""
The sync lane: captures that somebody waits for, a few at once, past the admission queue.
"""

from __future__ import annotations


class SyncLane:
    """
    How many sync captures may be under way.

    Attributes:
        running: Our own, sent and not answered.

        limit: What the service allows for the key; None while nobody has said.

        others: Captures of other clients of the key, when they were last counted.
    """

    def __init__(self) -> None:
        self.running = 0
        self.limit: int | None = None
        self.others = 0

    def snapshot(self, *, limit: int | None, running: int | None) -> None:
        """Take note of a reading."""
        self.limit = limit
        self.others = max(0, (running or 0) - self.running)

    @property
    def has_room(self) -> bool:
        """Whether one more fits, as far as is known; alone it is tried at any limit but 0."""
        return self.limit is None or self.running + self.others < self.limit
