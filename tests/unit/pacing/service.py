"""
A small honest model of the service, for whole runs of the core.

Admission queue in one of three units, workers in first-in-first-out order,
idempotent admission, a request-rate window. Written without a look at the core
or at the sandbox, so that one misreading cannot pass on both sides.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from dataclasses import dataclass, field
from math import ceil, inf

COUNTS = {"parents": (1, 0), "children": (0, 1), "both": (1, 1)}


@dataclass
class Job:
    """An admitted request, whoever sent it."""

    fan_out: int
    surfaces: tuple[str, ...]
    admitted_at: float
    started: int = 0
    ended: set[int] = field(default_factory=set)


@dataclass
class RateWindow:
    """A fixed window of *limit* requests, aligned to *phase*."""

    limit: int
    length: float
    phase: float = 0.0
    sliding: bool = False
    seen: deque[float] = field(default_factory=deque)
    most: int = 0

    def admit(self, now: float) -> bool:
        """Count a request; refused ones are not counted."""
        start = now - self.length if self.sliding else self._start(now)
        while self.seen and (self.seen[0] <= start if self.sliding else self.seen[0] < start):
            self.seen.popleft()
        if len(self.seen) >= self.limit:
            return False
        self.seen.append(now)
        self.most = max(self.most, len(self.seen))
        return True

    def remaining(self) -> int:
        """Return what is left of the window of the last request."""
        return self.limit - len(self.seen)

    def resets_in(self, now: float) -> float:
        """Return the seconds to the reset, told as a whole epoch second like the real header."""
        end = self.seen[0] + self.length if self.sliding and self.seen else self._start(now) + self.length
        return ceil(end) - now

    def _start(self, now: float) -> float:
        return self.phase + (now - self.phase) // self.length * self.length


@dataclass
class Service:
    """
    The model. ``advance`` moves its clock; everything else happens at that time.

    Attributes:
        unit: What depth counts.

        release_at_end: Depth is released when a child ends, not when it starts.

        takes_oversized: A request larger than the queue is admitted while it is empty.

        endless: Requests whose captures never end (they hold no worker).
    """

    unit: str = "both"
    capacity: int = 20
    workers: int = 5
    latency: float = 10.0
    release_at_end: bool = False
    takes_oversized: bool = True
    endless: frozenset[int] = frozenset()
    window: RateWindow | None = None
    now: float = 0.0

    def __post_init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.refused_full = 0
        self.idle = 0.0  # seconds without any capture running or queued
        self._queue: deque[tuple[int, int]] = deque()
        self._running: list[tuple[float, int, int]] = []
        self._inflight: Counter[str] = Counter()
        self._unstarted = 0
        self._unended = 0
        self._waiting_children = 0
        self._unended_parents = 0
        self._strangers = 0

    def advance(self, to: float) -> None:
        """Let the workers work until *to*."""
        while self._running and self._running[0][0] <= to:
            ends, index, n = heapq.heappop(self._running)
            self.now = max(self.now, ends)
            self._end(index, n)
            self._start()
        if not self._running:
            self.idle += max(0.0, to - self.now)
        self.now = max(self.now, to)

    @property
    def depth(self) -> int:
        """Units in the admission queue."""
        per_parent, per_child = COUNTS[self.unit]
        if self.release_at_end:
            return per_parent * self._unended_parents + per_child * self._unended
        return per_parent * self._unstarted + per_child * self._waiting_children

    @property
    def inflight(self) -> int:
        """Children queued or processing."""
        return self._unended

    @property
    def by_surface(self) -> dict[str, int]:
        """The same by surface, those with none left out."""
        return {surface: count for surface, count in self._inflight.items() if count}

    def cost(self, fan_out: int) -> int:
        """Return what a request adds to depth."""
        per_parent, per_child = COUNTS[self.unit]
        return per_parent + per_child * fan_out

    def submit(self, index: int, fan_out: int, surfaces: tuple[str, ...] = ()) -> str:
        """Return ``accepted``, ``replayed`` or ``full``."""
        if index in self.jobs:
            return "replayed"
        oversized = self.cost(fan_out) > self.capacity
        if self.depth + self.cost(fan_out) > self.capacity and not (
            oversized and self.takes_oversized and self.depth == 0 and self.capacity > 0
        ):
            # One that costs more than the queue under the safe charge is a gamble by design.
            self.refused_full += 1 + fan_out <= self.capacity
            return "full"
        self._admit(index, fan_out, surfaces)
        return "accepted"

    def intrude(self, fan_out: int) -> bool:
        """Let another client of the key submit; return whether there was room."""
        if self.depth + self.cost(fan_out) > self.capacity:
            return False
        self._strangers += 1
        self._admit(-self._strangers, fan_out, ())
        return True

    def is_ended(self, index: int, child: int) -> bool:
        """Return whether a capture is terminal."""
        return child in self.jobs[index].ended

    # ------------------------------------------------------------------------

    def _admit(self, index: int, fan_out: int, surfaces: tuple[str, ...]) -> None:
        job = self.jobs[index] = Job(fan_out, surfaces, self.now)
        self._unstarted += 1
        self._unended_parents += 1
        self._unended += fan_out
        self._waiting_children += fan_out
        for n in range(fan_out):
            self._inflight[_surface(job, n)] += 1
            self._queue.append((index, n))
        self._start()

    def _start(self) -> None:
        while self._queue and (
            self._queue[0][0] in self.endless or sum(1 for r in self._running if r[0] < inf) < self.workers
        ):
            index, n = self._queue.popleft()
            job = self.jobs[index]
            self._unstarted -= job.started == 0
            job.started += 1
            self._waiting_children -= 1
            ends = inf if index in self.endless else self.now + self.latency
            heapq.heappush(self._running, (ends, index, n))

    def _end(self, index: int, n: int) -> None:
        job = self.jobs[index]
        job.ended.add(n)
        self._unended -= 1
        self._inflight[_surface(job, n)] -= 1
        self._unended_parents -= len(job.ended) == job.fan_out


def _surface(job: Job, n: int) -> str:
    return job.surfaces[n % len(job.surfaces)] if job.surfaces else "elsewhere"
