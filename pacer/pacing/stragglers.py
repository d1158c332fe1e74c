"""
Captures read in vain: when to look at them again, and how.

A straggler is read again after a pause that grows with its age; several of one
request are looked at through their parent's summary. A capture that is still not
terminal when its time is over is given up.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pacer.pacing.events import JobRead
from pacer.pacing.policy import Policy

SUMMARY_FROM = 4
"""Stragglers of one request from which one read of the parent is the cheaper look."""

STRAGGLER_SHARE = 0.7
"""A capture read in vain is read again after so much more of its age: those that are slow are very slow."""

LONGEST_PAUSE = 60.0
"""Seconds, or a quarter of the usual time where captures take long: the longest pause before that."""

SOJOURNS = 128
"""Captures remembered for how long captures take."""

FEW_LEARNT = 32
"""Captures known from which their times are trusted: the first to end are the quick ones."""

BEYOND_USUAL = 1.15
"""Usual times after which a look is in vain for well under one capture in twenty."""

FIRST_SOJOURN = 3.0
"""Seconds a capture is given before anything is known; tens of seconds are usual (API.md 11)."""


@dataclass(slots=True)
class Job:
    """
    An accepted request with captures outstanding.

    Attributes:
        children: How many; 0 while unknown.

        expected: How many there should be.

        ended: Positions that have ended.

        late: Positions read in vain that wait to be read again, one by one.

        summary: Positions read in vain that wait for the parent's summary.

        asked: A read of the parent is under way, or waits for its time.

        missing_since: When a 404 first came for a child, or the parent (None).
    """

    index: int
    accepted_at: float
    children: int
    expected: int
    surfaces: tuple[str, ...]
    ended: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)
    summary: set[int] = field(default_factory=set)
    misses: int = 0
    losses: int = 0
    asked: bool = False
    missing_since: dict[int | None, float] = field(default_factory=dict)

    @property
    def unended(self) -> int:
        """Captures still to come."""
        return (self.children or self.expected) - len(self.ended)


class Sojourn:
    """
    How long captures take, from request to end.

    Attributes:
        usual: Seconds within which 19 of 20 have ended, of late.
    """

    def __init__(self) -> None:
        self.usual = FIRST_SOJOURN
        self._recent: deque[float] = deque(maxlen=SOJOURNS)
        self._learnt = 0

    def learn(self, seconds: float) -> None:
        """Take one more."""
        self._recent.append(max(0.0, seconds))
        self._learnt += 1
        if self._learnt % 8 == 1:
            self.usual = max(0.5, sorted(self._recent)[int(0.95 * (len(self._recent) - 1))])

    @property
    def surely(self) -> float:
        """Seconds until it is worth a look: twice the usual time at first, then hardly more than that."""
        return self.usual * (BEYOND_USUAL + FEW_LEARNT / (FEW_LEARNT + self._learnt))

    def stretch(self) -> None:
        """One was not over yet when it usually is."""
        self.usual *= 1.1 if self._learnt else 1.5


class Stragglers:
    """
    The reads that wait for their time.

    Args:
        jobs: All jobs with captures outstanding, by request.
    """

    def __init__(self, jobs: Mapping[int, Job], sojourn: Sojourn, policy: Policy) -> None:
        self._jobs = jobs
        self._sojourn = sojourn
        self._policy = policy
        self._heap: list[tuple[float, int, JobRead]] = []  # (due, n, read)
        self._pushed = 0

    def put(self, read: JobRead, *, due: float) -> None:
        """Read *read* again at *due*."""
        job = self._jobs[read.index]
        if read.child is None:
            job.asked = True
        else:
            job.late.add(read.child)
        self._pushed += 1
        heapq.heappush(self._heap, (due, self._pushed, read))

    def put_later(self, job: Job, child: int | None, *, at: float) -> None:
        """It was read in vain at *at*: read it again after a pause that grows."""
        age = at - job.accepted_at
        job.misses += 1
        pause = max(1.0, STRAGGLER_SHARE * max(self._sojourn.usual, age)) * 1.5 ** min(job.misses - 1, 8)
        longest = max(LONGEST_PAUSE, self._sojourn.usual / 4)
        due = min(at + min(pause, longest), job.accepted_at + self._policy.capture_timeout)
        self.put(JobRead(job.index, child), due=max(due, at + 1.0))

    def next_at(self) -> float:
        """Return when the first of them is due; infinity if there is none."""
        return self._heap[0][0] if self._heap else float("inf")

    def pop(self, *, now: float) -> JobRead | None:
        """Take the next that is due, as a read of its parent where that serves several."""
        while self._heap and self._heap[0][0] <= now:
            read = self._summary_or(heapq.heappop(self._heap)[2])
            if read is not None:
                return read
            self.drop_ended()
        return None

    def drop_ended(self) -> None:
        """Drop those at the head that have ended, or that a summary speaks for."""
        while self._heap and self._is_over(self._heap[0][2]):
            read = heapq.heappop(self._heap)[2]
            if read.child is None and read.index in self._jobs:
                self._jobs[read.index].asked = False

    def postpone(self, *, now: float) -> None:
        """Put off those that are due, one by one, but for those whose time is over."""
        timeout = self._policy.capture_timeout
        while self._heap and self._heap[0][0] <= now:
            read = self._heap[0][2]
            accepted_at = self._jobs[read.index].accepted_at
            if now >= accepted_at + timeout:
                return
            heapq.heappop(self._heap)
            self.put(read, due=min(now + max(1.0, 0.1 * (now - accepted_at)), accepted_at + timeout))
            self.drop_ended()

    def all_ended(self, at: float, *, before: float) -> None:
        """Nothing was in flight: every one accepted before has ended, and is due at *at*."""
        self._heap = [
            (at if self._jobs[read.index].accepted_at <= before else due, n, read)
            for due, n, read in self._heap
            if read.index in self._jobs
        ]
        heapq.heapify(self._heap)

    def ended_by_surface(self, at: float, *, before: float, by_surface: Mapping[str, int]) -> None:
        """Those accepted before, on surfaces with nothing in flight, have ended."""
        for position, (due, n, read) in enumerate(self._heap):
            job = self._jobs.get(read.index)
            if job is None or due <= at or job.accepted_at > before or not job.surfaces:
                continue
            if all(by_surface.get(surface, 0) == 0 for surface in job.surfaces):
                self._heap[position] = (at, n, read)
        heapq.heapify(self._heap)

    def _summary_or(self, read: JobRead) -> JobRead | None:
        """Read the parent instead, where a request has several stragglers; None if that is on its way."""
        job = self._jobs[read.index]
        if read.child is None:
            return read
        if len(job.late) >= SUMMARY_FROM:
            job.summary |= job.late
            job.late.clear()
            if job.asked:
                return None
            job.asked = True
            return JobRead(read.index, None)
        job.late.discard(read.child)
        return read

    def _is_over(self, read: JobRead) -> bool:
        job = self._jobs.get(read.index)
        if job is None or (read.child is not None and read.child in job.ended):
            return True
        # A summary speaks for it now, or has spoken.
        return bool(job.children) and (not job.summary if read.child is None else read.child not in job.late)
