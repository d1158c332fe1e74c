"""
What every display can do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from pacer.instrumentation.happening import Happening
from pacer.pacing.controller import Statistics
from pacer.runner import Progress


@dataclass(frozen=True, slots=True)
class Look:
    """
    The run at one moment.

    Attributes:
        progress: Its running totals.

        statistics: What the core knows; None before the run has begun.
    """

    progress: Progress
    statistics: Statistics | None

    @property
    def depth(self) -> int:
        """Units in the queue, at most: as last read, and what was submitted since."""
        snapshot = self.progress.snapshot
        if snapshot is None:
            return 0
        depth = None if self.statistics is None else self.statistics.depth
        most = snapshot.depth if depth is None else depth
        return most if snapshot.capacity is None else min(most, max(snapshot.capacity, snapshot.depth))


Looker: TypeAlias = Callable[[], Look]
"""Looks at the run now."""


class Display(Protocol):
    """Shows a run. All calls come from the event loop."""

    def note(self, text: str) -> None:
        """Say something that is not a happening of the run: a file was renamed, say."""
        ...

    def hear(self, told: Happening) -> None:
        """Take in a happening."""
        ...

    async def keep(self, look: Looker) -> None:
        """Keep what is shown up to date; runs until it is cancelled."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...
