"""
Which captures to read, and when. One read per capture is the floor.

Three sources of evidence, best first:

- *Certain*: a parent's summary, or a snapshot asked for after the accept whose
  ``inflight`` is 0 (for all surfaces or for the capture's own), says it has ended.
- *Counted*: of the captures accepted before a snapshot was asked for, all but
  ``inflight`` have ended, and mostly they are the oldest. A margin, steered so
  that about one read in fifty finds nothing, allows for those that overtook.
- *Scouted*: the oldest is older than captures usually get. One read goes ahead;
  while such reads find something, more follow. This finds the ended ones where
  ``inflight`` is missing or counts other clients' captures too.

A read that finds nothing makes its capture a *straggler*: it is read again after
a pause that doubles, through its parent's summary if it has many companions.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pacer.pacing.decisions import GiveUp
from pacer.pacing.events import CaptureRead, JobMissing, JobRead, ParentRead
from pacer.pacing.policy import Policy

MISS_STEP = 4.0
"""Captures by which a read in vain widens the margin."""

HIT_STEP = MISS_STEP * 0.02 / 0.98
"""Captures by which a hit narrows it: in balance when one read in fifty is in vain."""

SUMMARY_FROM = 4
"""Stragglers of one request from which one read of the parent is the cheaper look."""

SOJOURNS = 128
"""Captures remembered for how long captures take."""

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
    missing_since: float | None = None

    @property
    def unended(self) -> int:
        """Captures still to come."""
        return (self.children or self.expected) - len(self.ended)


class Collection:
    """
    What is outstanding, and what is due.

    Attributes:
        unended: Captures accepted and not known to have ended.

        in_flight: Job reads without a reply.

        wasted: Reads that found nothing.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._jobs: dict[int, Job] = {}
        self._fresh: deque[JobRead] = deque()
        self._certain: deque[JobRead] = deque()
        self._late: list[tuple[float, int, JobRead]] = []  # heap of (due, n, read)
        self._pushed = 0
        self._recent: deque[tuple[float, int]] = deque()  # (accepted at, captures) after the last snapshot
        self._recent_count = 0
        self._allowed = 0.0
        self._scouts = 1.0
        self._scouted: set[JobRead] = set()
        self._scout_at = float("-inf")
        self._sojourns: deque[float] = deque(maxlen=SOJOURNS)
        self._usual = FIRST_SOJOURN
        self._trusted = False
        self.margin = MISS_STEP
        self.unended = 0
        self.in_flight = 0
        self.wasted = 0
        self.give_ups: deque[GiveUp] = deque()

    # What happened ----------------------------------------------------------------

    def accepted(
        self,
        index: int,
        *,
        at: float,
        children: int,
        expected: int,
        surfaces: tuple[str, ...],
        ended: frozenset[int] = frozenset(),
    ) -> None:
        """Take on a request the service has accepted."""
        if index in self._jobs:
            return
        job = self._jobs[index] = Job(index, at, children, expected, surfaces, set(ended))
        if children:
            self._fresh.extend(JobRead(index, n) for n in range(children) if n not in ended)
        else:
            self._fresh.append(JobRead(index, None))
        self.unended += job.unended
        self._recent.append((at, job.unended))
        self._recent_count += job.unended

    def snapshot(
        self,
        *,
        at: float,
        asked_at: float,
        inflight: int | None,
        by_surface: Mapping[str, int] | None,
        crowded: bool,
    ) -> None:
        """Learn from a reading which captures have ended; *crowded*: others are on the key."""
        while self._recent and self._recent[0][0] <= asked_at:
            self._recent_count -= self._recent.popleft()[1]
        self._trusted = inflight is not None and not crowded
        if inflight is None:
            return
        known = max(0, self.unended - self._recent_count)
        if inflight == 0:
            self._allowed = known
            self._all_due(at, before=asked_at)
            return
        # Reads in flight are of captures that count as unended until they are back.
        ended = known - inflight - self.in_flight
        self._allowed = max(0.0, ended - self.margin)
        if by_surface is not None and ended > 0:
            self._ended_by_surface(at, asked_at, by_surface)

    def read(self, event: CaptureRead) -> None:
        """Take the outcome of reading a child."""
        scouted = self._back(JobRead(event.index, event.child))
        job = self._jobs.get(event.index)
        if job is None or event.child in job.ended:
            return
        if event.terminal:
            age = event.asked_at - job.accepted_at
            self._learn(age if event.sojourn is None else event.sojourn)
            self.margin = max(0.0, self.margin - HIT_STEP)
            if scouted:
                self._scouts = min(2 * self._scouts, float(self._policy.concurrency))
            self._end(job, event.child)
            return
        self.wasted += 1
        if job.misses == 0:
            self.margin += MISS_STEP
        if scouted:
            self._scouts = max(1.0, self._scouts / 4)
            self._usual *= 1.1
            self._scout_at = event.at + max(1.0, 0.25 * (event.at - job.accepted_at))
        job.late.add(event.child)
        self._straggle(job, event.child, event.at)

    def parent(self, event: ParentRead) -> None:
        """Take a parent's summary."""
        self._back(JobRead(event.index, None))
        job = self._jobs.get(event.index)
        if job is None:
            return
        if not job.children and event.children:
            self.unended += event.children - job.expected
            job.children = event.children
            job.summary.update(range(event.children))
        found = [n for n in sorted(event.ended) if n in job.summary or n in job.late]
        if not found:
            self.wasted += 1
        self._certain.extend(JobRead(job.index, n) for n in found)
        job.late.difference_update(found)
        job.summary.difference_update(found)
        if job.summary or not job.children:
            self._straggle(job, None, event.at)

    def lost(self, read: JobRead, *, at: float, jitter: float) -> None:
        """A read brought no usable answer: it is tried again, in the end given up."""
        self._back(read)
        job = self._jobs.get(read.index)
        if job is None:
            return
        job.losses += 1
        timed_out = at - job.accepted_at >= self._policy.capture_timeout
        if timed_out and job.losses >= self._policy.refusals:
            self._give_up(job, read.child, "NO_RESULT", "its reads keep failing")
            return
        pause = min(self._policy.retry_most, self._policy.retry_first * 2.0 ** min(job.losses - 1, 16))
        self._push(at + pause * (0.5 + 0.5 * jitter), read)

    def throttled(self, read: JobRead) -> None:
        """A read was refused by a gate: nothing was learnt, it is due as before."""
        self._back(read)
        self._certain.appendleft(read)

    def missing(self, event: JobMissing) -> None:
        """404: the service may be late in knowing the job, or has forgotten it."""
        self._back(event.call)
        job = self._jobs.get(event.call.index)
        if job is None:
            return
        if job.missing_since is None:
            job.missing_since = event.at
        job.misses += 1
        if event.at - job.missing_since >= self._policy.not_found_grace:
            self._give_up(job, event.call.child, "JOB_NOT_FOUND", "the service no longer knows this job")
        else:
            self._push(event.at + 2.0 ** min(job.misses, 4), event.call)

    # What is due --------------------------------------------------------------------

    def due(self, *, now: float, limit: int) -> tuple[JobRead, ...]:
        """Hand out up to *limit* reads that are due; they count as in flight."""
        reads: list[JobRead] = []
        while len(reads) < limit:
            read = self._next(now)
            if read is None:
                break
            reads.append(read)
        self.in_flight += len(reads)
        return tuple(reads)

    def next_at(self) -> float:
        """Return when the next read falls due by time alone; infinity if none will."""
        at = self._late[0][0] if self._late else float("inf")
        if self._fresh and len(self._scouted) < self._scouts:
            at = min(at, self._scout_due())
        return at

    def oldest_at(self) -> float:
        """Return when the oldest outstanding request was accepted; infinity if none is."""
        job = next(iter(self._jobs.values()), None)
        return float("inf") if job is None else job.accepted_at

    def ready(self, *, now: float) -> bool:
        """Return whether anything is due now."""
        self._drop_ended()
        return bool(
            self._certain or (self._fresh and self._allowed >= 1) or (self._late and self._late[0][0] <= now)
        ) or (bool(self._fresh) and len(self._scouted) < self._scouts and now >= self._scout_due())

    @property
    def probably_ended(self) -> float:
        """How many captures are thought to have ended and wait to be read."""
        return len(self._certain) + min(self._allowed, len(self._fresh))

    # ----------------------------------------------------------------------------------

    def _next(self, now: float) -> JobRead | None:
        self._drop_ended()
        if self._certain:
            return self._certain.popleft()
        if self._fresh and self._allowed >= 1:
            self._allowed -= 1
            return self._fresh.popleft()
        if self._late and self._late[0][0] <= now:
            return self._summary_or(heapq.heappop(self._late)[2])
        if self._fresh and len(self._scouted) < self._scouts and now >= self._scout_due():
            read = self._fresh.popleft()
            self._scouted.add(read)
            return read
        return None

    def _summary_or(self, read: JobRead) -> JobRead:
        """Read the parent instead, where a request has several stragglers."""
        job = self._jobs[read.index]
        if read.child is None:
            return read
        if len(job.late) >= SUMMARY_FROM:
            job.summary |= job.late
            job.late.clear()
            return JobRead(read.index, None)
        job.late.discard(read.child)
        return read

    def _back(self, read: JobRead) -> bool:
        """Count a reply; return whether that read was a scout."""
        self.in_flight -= 1
        scouted = read in self._scouted
        self._scouted.discard(read)
        return scouted

    def _scout_due(self) -> float:
        """When the oldest fresh capture is older than captures usually get."""
        job = self._jobs[self._fresh[0].index]
        patience = 2.0 if self._trusted else 1.0
        return max(job.accepted_at + patience * self._usual, self._scout_at)

    def _drop_ended(self) -> None:
        for queue in (self._certain, self._fresh):
            while queue and self._is_over(queue[0]):
                queue.popleft()
        while self._late and self._is_over(self._late[0][2], late=True):
            heapq.heappop(self._late)

    def _is_over(self, read: JobRead, *, late: bool = False) -> bool:
        job = self._jobs.get(read.index)
        if job is None or (read.child is not None and read.child in job.ended):
            return True
        if not late:
            return False
        # A summary speaks for it now, or has spoken.
        return bool(job.children) and (not job.summary if read.child is None else read.child not in job.late)

    def _straggle(self, job: Job, child: int | None, at: float) -> None:
        """Read it again after a pause that doubles, or end it when its time is over."""
        age = at - job.accepted_at
        if age >= self._policy.capture_timeout:
            over: list[int | None] = [child]
            if child is None and job.children:
                over = [*sorted(job.summary)]
            for n in over:
                self._give_up(job, n, "NO_RESULT", f"not ended {age:,.0f} s after its admission")
            return
        job.misses += 1
        pause = max(1.0, 0.2 * max(self._usual, age)) * 1.5 ** min(job.misses - 1, 8)
        due = min(at + min(pause, 60.0), job.accepted_at + self._policy.capture_timeout)
        self._push(max(due, at + 1.0), JobRead(job.index, child))

    def _push(self, due: float, read: JobRead) -> None:
        job = self._jobs[read.index]
        if read.child is not None:
            job.late.add(read.child)
        self._pushed += 1
        heapq.heappush(self._late, (due, self._pushed, read))

    def _all_due(self, at: float, *, before: float) -> None:
        """Nothing was in flight: every straggler accepted before has ended."""
        self._late = [
            (at if self._jobs[read.index].accepted_at <= before else due, n, read)
            for due, n, read in self._late
            if read.index in self._jobs
        ]
        heapq.heapify(self._late)

    def _ended_by_surface(self, at: float, asked_at: float, by_surface: Mapping[str, int]) -> None:
        """Stragglers on surfaces with nothing in flight have ended."""
        for position, (due, n, read) in enumerate(self._late):
            job = self._jobs.get(read.index)
            if job is None or due <= at or job.accepted_at > asked_at or not job.surfaces:
                continue
            if all(by_surface.get(surface, 0) == 0 for surface in job.surfaces):
                self._late[position] = (at, n, read)
        heapq.heapify(self._late)

    def _learn(self, sojourn: float) -> None:
        self._sojourns.append(max(0.0, sojourn))
        if len(self._sojourns) % 8 == 1:
            self._usual = max(0.5, sorted(self._sojourns)[int(0.95 * (len(self._sojourns) - 1))])

    def _end(self, job: Job, child: int) -> None:
        job.ended.add(child)
        job.late.discard(child)
        job.summary.discard(child)
        self.unended -= 1
        if job.children and len(job.ended) >= job.children:
            del self._jobs[job.index]

    def _give_up(self, job: Job, child: int | None, code: str, reason: str) -> None:
        self.give_ups.append(GiveUp(job.index, child, code, reason))
        if child is None:
            self.unended -= job.unended
            del self._jobs[job.index]
        else:
            self._end(job, child)
