"""
Which captures to read, and when. One read per capture is the floor.

Three sources of evidence, best first:

- *Certain*: a parent's summary says it has ended.
- *Counted*: of the captures accepted before a snapshot was asked for, all but
  ``inflight`` have ended, and mostly they are the oldest. A margin, steered so
  that about one read in a hundred finds nothing, allows for those that overtook.
  A snapshot can be an old one, so that a few are read first, more as they are hits.
- *Scouted*: the oldest is older than captures usually get. One read goes ahead;
  while such reads find something, more follow. This finds the ended ones where
  ``inflight`` is missing or counts other clients' captures too.

A read that finds nothing makes its capture a *straggler*: it is read again after
a pause that doubles, through its parent's summary if it has many companions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from pacer.pacing.decisions import GiveUp
from pacer.pacing.events import CaptureRead, JobMissing, JobRead, ParentRead
from pacer.pacing.policy import Policy
from pacer.pacing.stragglers import Job, Sojourn, Stragglers

FIRST_MARGIN = 0.15
FEWEST = 4.0
"""The margin to begin with, as a share of what is in flight, and in captures: the larger counts."""

MISS_STEP = 8.0
MISS_SHARE = 0.03
"""Captures, plus a share of what is in flight, by which a read in vain widens the margin."""

HITS_A_MISS = 120.0
"""Hits that narrow it as much as one miss widens it: about one read in 120 is in vain."""

FIRST_LOOKS = 16.0
"""Reads in flight at first on the word of a new count, one more for each hit: the count may be an old one."""

FEW_LEFT = 0.15
"""Share of the last captures: if no more are in flight, all are read. Few reads are in vain then, and a
margin would keep what has ended waiting for the slowest of all."""

COUNT_HOLDS = 45.0
"""Seconds for which a count of what has ended is worth more than a guess by age: beyond the next reading."""

TRUSTED_PATIENCE = 4.0
"""Usual times that a capture takes before a scout looks, where a count says what has ended."""


class Collection:
    """
    What is outstanding, and what is due.

    Attributes:
        unended: Captures accepted and not known to have ended.

        in_flight: Job reads without a reply.

        wasted: Reads that found nothing.

        abandoned: Captures given up that the service may still hold in flight.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._jobs: dict[int, Job] = {}
        self._fresh: deque[JobRead] = deque()
        self._certain: deque[JobRead] = deque()
        self._sojourn = Sojourn()
        self._stragglers = Stragglers(self._jobs, self._sojourn, policy)
        self._recent: deque[tuple[float, int]] = deque()  # (accepted at, captures) after the last snapshot
        self._recent_count = 0
        self._allowed = 0.0
        self._left = 0.0  # ended and unread, as the last count had it
        self._told_at = float("-inf")
        self._scouts = 1.0
        self._counted: set[JobRead] = set()  # in flight, on the word of a count
        self._scouted: set[JobRead] = set()  # in flight, ahead of any word
        self._scout_at = float("-inf")
        self._trusted = False
        self._share = FIRST_MARGIN  # the margin, as a share of what is in flight
        self._step = 0.0  # by which a miss widens it; 0 before a first reading
        self._miss = 0.0  # the same in captures
        self._in_vain: int | None = None  # misses that the count allows, where all are read on its word
        self._looks = FIRST_LOOKS  # reads that may be in flight on the word of the count
        self.unended = 0
        self.in_flight = 0
        self.wasted = 0
        self.abandoned = 0
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
            job.asked = True
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
        shared: bool,
        last: bool = False,
    ) -> None:
        """
        Learn from a reading which captures have ended.

        *shared*: some in flight may be others'; *last*: nothing waits to be submitted.
        """
        while self._recent and self._recent[0][0] <= asked_at:
            self._recent_count -= self._recent.popleft()[1]
        self._trusted = inflight is not None and not shared
        if inflight is None:
            return
        known = max(0, self.unended - self._recent_count)
        self._told_at = at
        self._looks = FIRST_LOOKS
        self._in_vain = None
        if inflight == 0 or (last and not shared and inflight <= FEW_LEFT * known):
            self._allowed, self._left = known, known - inflight
            self._in_vain = inflight
            self._stragglers.all_ended(at, before=asked_at)
            return
        if not self._step:
            self._share = max(FEWEST / inflight, FIRST_MARGIN)
        self._miss = MISS_STEP + MISS_SHARE * inflight
        self._step = self._miss / inflight
        # Reads in flight are of captures that count as unended until they are back.
        ended = known - inflight - self.in_flight
        # Who overtakes is among those in flight: the fewer there are, the fewer can have been overtaken.
        self._allowed = max(0.0, ended - self._share * inflight)
        self._left = ended
        if by_surface is not None and ended > 0:
            self._stragglers.ended_by_surface(at, before=asked_at, by_surface=by_surface)

    def read(self, event: CaptureRead) -> None:
        """Take the outcome of reading a child."""
        counted = JobRead(event.index, event.child) in self._counted
        scouted = self._back(JobRead(event.index, event.child))
        job = self._jobs.get(event.index)
        if job is None or event.child in job.ended:
            return
        job.missing_since.pop(event.child, None)
        if event.terminal:
            self._left -= 1
            age = event.asked_at - job.accepted_at
            self._sojourn.learn(age if event.sojourn is None else event.sojourn)
            if counted:
                self._share = max(0.0, self._share - self._step / HITS_A_MISS)
                self._looks += 1
            if scouted:
                self._scouts = min(2 * self._scouts, float(self._policy.concurrency))
            self._end(job, event.child)
            return
        self.wasted += 1
        if counted:
            self._doubt()
        if scouted:
            self._scouts = max(1.0, self._scouts / 4)
            self._sojourn.stretch()
            self._scout_at = event.at + max(1.0, 0.25 * (event.at - job.accepted_at))
        job.late.add(event.child)
        self._straggle(job, event.child, event.at)

    def _doubt(self) -> None:
        """A count took a capture for ended that was still running."""
        if self._in_vain is None:
            self._share += self._step
            # The wider margin holds for what is still to be read, too.
            self._allowed = max(0.0, self._allowed - self._miss)
            return
        self._in_vain -= 1
        if self._in_vain < 0:
            self._allowed = 0.0  # it was an old one

    def parent(self, event: ParentRead) -> None:
        """Take a parent's summary."""
        self._back(JobRead(event.index, None))
        job = self._jobs.get(event.index)
        if job is None:
            return
        job.missing_since.pop(None, None)
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
        self._stragglers.put(read, due=at + pause * (0.5 + 0.5 * jitter))

    def throttled(self, read: JobRead) -> None:
        """A read was refused by a gate: nothing was learnt, it is due as before."""
        self._back(read)
        self._certain.appendleft(read)
        if read.child is None and read.index in self._jobs:
            self._jobs[read.index].asked = True

    def missing(self, event: JobMissing) -> None:
        """404: the service may be late in knowing the job, or has forgotten it."""
        self._back(event.call)
        job = self._jobs.get(event.call.index)
        if job is None:
            return
        since = job.missing_since.setdefault(event.call.child, event.at)
        job.misses += 1
        if event.at - since >= self._policy.not_found_grace:
            self._give_up(job, event.call.child, "JOB_NOT_FOUND", "the service no longer knows this job")
        else:
            self._stragglers.put(event.call, due=event.at + 2.0 ** min(job.misses, 4))

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
        self._left -= len(reads)
        return tuple(reads)

    def next_at(self) -> float:
        """Return when the next read falls due by time alone; infinity if none will."""
        at = self._stragglers.next_at()
        if self._fresh:
            at = min(at, self._times_out_at())
            if len(self._scouted) < self._scouts:
                at = min(at, self._scout_due())
        return at

    def oldest_at(self) -> float:
        """Return when the oldest outstanding request was accepted; infinity if none is."""
        job = next(iter(self._jobs.values()), None)
        return float("inf") if job is None else job.accepted_at

    def ready(self, *, now: float) -> bool:
        """Return whether anything is due now."""
        self._drop_ended()
        if self._none_left(now):
            self._stragglers.postpone(now=now)
        return bool(self._certain or self._fresh_due(now)) or self.next_at() <= now

    @property
    def probably_ended(self) -> float:
        """How many captures are thought to have ended and wait to be read."""
        return len(self._certain) + min(self._allowed, len(self._fresh))

    # ----------------------------------------------------------------------------------

    def _next(self, now: float) -> JobRead | None:
        self._drop_ended()
        if self._certain:
            return self._certain.popleft()
        if self._fresh_due(now):
            self._allowed = max(0.0, self._allowed - 1)
            read = self._fresh.popleft()
            self._counted.add(read)
            return read
        straggler = self._stragglers.pop(now=now)
        if straggler is not None:
            return straggler
        if self._fresh and len(self._scouted) < self._scouts and now >= self._scout_due():
            read = self._fresh.popleft()
            self._scouted.add(read)
            return read
        return None

    def _none_left(self, now: float) -> bool:
        """Return whether the last count says that everything that had ended has been read."""
        return self._trusted and self._left < 1 and now - self._told_at <= COUNT_HOLDS

    def _back(self, read: JobRead) -> bool:
        """Count a reply; return whether that read was a scout."""
        self.in_flight -= 1
        self._left += 1  # only one that has ended takes its place for good
        if read.child is None and read.index in self._jobs:
            self._jobs[read.index].asked = False
        scouted = read in self._scouted
        self._scouted.discard(read)
        self._counted.discard(read)
        return scouted

    def _fresh_due(self, now: float) -> bool:
        """Return whether the oldest fresh capture is due by count, or because its time is over."""
        if not self._fresh:
            return False
        counted = self._allowed >= 1 and len(self._counted) < self._looks
        return counted or now >= self._times_out_at()

    def _times_out_at(self) -> float:
        """When the oldest fresh capture is given up unless a last read finds it ended."""
        return self._jobs[self._fresh[0].index].accepted_at + self._policy.capture_timeout

    def _scout_due(self) -> float:
        """When the oldest fresh capture is older than captures usually get."""
        job = self._jobs[self._fresh[0].index]
        patience = TRUSTED_PATIENCE * self._sojourn.usual if self._trusted else self._sojourn.surely
        return max(job.accepted_at + patience, self._scout_at)

    def _drop_ended(self) -> None:
        for queue in (self._certain, self._fresh):
            while queue and self._is_over(queue[0]):
                queue.popleft()
        self._stragglers.drop_ended()

    def _is_over(self, read: JobRead) -> bool:
        job = self._jobs.get(read.index)
        return job is None or (read.child is not None and read.child in job.ended)

    def _straggle(self, job: Job, child: int | None, at: float) -> None:
        """Read it again later, or end it when its time is over."""
        age = at - job.accepted_at
        if age >= self._policy.capture_timeout:
            self._give_up(job, child, "NO_RESULT", f"not ended {age:,.0f} s after its admission")
        else:
            self._stragglers.put_later(job, child, at=at)

    def _end(self, job: Job, child: int) -> None:
        job.ended.add(child)
        job.late.discard(child)
        job.summary.discard(child)
        self.unended -= 1
        if job.children and len(job.ended) >= job.children:
            del self._jobs[job.index]

    def _give_up(self, job: Job, child: int | None, code: str, reason: str) -> None:
        """End one capture by name, or all that a parent's read was to tell of."""
        if child is None and job.children:
            for n in sorted(job.summary):
                self._give_up(job, n, code, reason)
            return
        self.give_ups.append(GiveUp(job.index, child, code, reason))
        self.abandoned += job.unended if child is None else 1
        if child is None:
            self.unended -= job.unended
            del self._jobs[job.index]
        else:
            self._end(job, child)
