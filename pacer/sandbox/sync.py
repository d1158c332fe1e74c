"""
The sync lane: captures that a caller waits for, each holding one of a few slots until it ends.
"""

from heapq import heappop, heappush
from math import inf

from pacer.sandbox.captures import Captures
from pacer.sandbox.jobs import Child, Job

__all__ = ["SyncLane"]


class SyncLane:
    """
    Runs apart from the queue and its workers, always at full speed. `running` counts the slots taken.
    """

    def __init__(self, captures: Captures, timeout: float) -> None:
        self._captures = captures
        self._timeout = timeout
        self._ends: list[tuple[float, int, Child]] = []
        self._started = 0

    @property
    def running(self) -> int:
        """
        Captures that someone waits for.
        """
        return len(self._ends)

    def start(self, job: Job, now: float) -> float:
        """
        Start the children of *job*, and return when the last has its end. What exceeds the time-out fails
        then.
        """
        self._captures.enter(job)
        for child in job.children:
            seconds = self._captures.start(child, now)
            if seconds > self._timeout or child.end == "endless":
                child.end, seconds = "timed_out", self._timeout
            child.ended_at = now + seconds
            self._started += 1
            heappush(self._ends, (child.ended_at, self._started, child))
        return max(child.ended_at for child in job.children)

    def next_event_at(self) -> float:
        """
        When the next capture ends; infinity if none runs.
        """
        return self._ends[0][0] if self._ends else inf

    def advance(self, now: float) -> None:
        """
        End what is due by *now*.
        """
        while self._ends and self._ends[0][0] <= now:
            ended_at, _, child = heappop(self._ends)
            self._captures.finish(child, ended_at)
