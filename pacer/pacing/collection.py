"""
Which captures to read, and when. One read per capture is the floor.

Three sources of evidence, best first:

- *Certain*: a parent's summary says it has ended.
- *Counted*: a snapshot says how many are in flight, so the others have ended (see ``counting``).
- *Scouted*: the oldest is older than captures usually get. One read goes ahead;
  while such reads find something, more follow. This finds the ended ones where
  ``inflight`` is missing or counts other clients' captures too.

A read that finds nothing makes its capture a *straggler*: it is read again after
a pause that doubles, through its parent's summary if it has many companions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from pacer.pacing.counting import Count
from pacer.pacing.decisions import GiveUp
from pacer.pacing.events import CaptureRead, JobMissing, JobRead, ParentRead
from pacer.pacing.policy import Policy
from pacer.pacing.stragglers import Job, Sojourn, Stragglers

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
        self._count = Count()
        self._scouts = 1.0
        self._scouted: set[JobRead] = set()  # in flight, ahead of any word
        self._scout_at = float("-inf")
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
        self._count.accepted(job.unended, at=at)

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
        tally = self._count.told(
            inflight,
            at=at,
            asked_at=asked_at,
            unended=self.unended,
            reads=self.in_flight,
            shared=shared,
            last=last,
        )
        if tally is None:
            return
        if tally.all_due:
            self._stragglers.all_ended(at, before=asked_at)
        elif by_surface is not None and tally.ended > 0:
            self._stragglers.ended_by_surface(at, before=asked_at, by_surface=by_surface)

    def read(self, event: CaptureRead) -> None:
        """Take the outcome of reading a child."""
        scouted, counted = self._back(JobRead(event.index, event.child))
        job = self._jobs.get(event.index)
        if job is None or event.child in job.ended:
            return
        job.missing_since.pop(event.child, None)
        if event.terminal:
            self._count.found(counted=counted)
            age = event.asked_at - job.accepted_at
            self._sojourn.learn(age if event.sojourn is None else event.sojourn)
            if scouted:
                self._scouts = min(2 * self._scouts, float(self._policy.concurrency))
            self._end(job, event.child)
            return
        self.wasted += 1
        if counted:
            self._count.missed()
        if scouted:
            self._scouts = max(1.0, self._scouts / 4)
            self._sojourn.stretch()
            self._scout_at = event.at + max(1.0, 0.25 * (event.at - job.accepted_at))
        job.late.add(event.child)
        self._straggle(job, event.child, event.at)

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
        self._count.reading(len(reads))
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
        if self._count.none_left(now=now):
            self._stragglers.postpone(now=now)
        return bool(self._certain or self._fresh_due(now)) or self.next_at() <= now

    @property
    def probably_ended(self) -> float:
        """How many captures are thought to have ended and wait to be read."""
        return len(self._certain) + min(self._count.allowed, len(self._fresh))

    # ----------------------------------------------------------------------------------

    def _next(self, now: float) -> JobRead | None:
        self._drop_ended()
        if self._certain:
            return self._certain.popleft()
        if self._fresh_due(now):
            read = self._fresh.popleft()
            self._count.leaves(read)
            return read
        straggler = self._stragglers.pop(now=now)
        if straggler is not None:
            return straggler
        if self._fresh and len(self._scouted) < self._scouts and now >= self._scout_due():
            read = self._fresh.popleft()
            self._scouted.add(read)
            return read
        return None

    def _back(self, read: JobRead) -> tuple[bool, bool]:
        """Count a reply; return whether that read was a scout, and whether it left on the word of a count."""
        self.in_flight -= 1
        if read.child is None and read.index in self._jobs:
            self._jobs[read.index].asked = False
        scouted = read in self._scouted
        self._scouted.discard(read)
        return scouted, self._count.back(read)

    def _fresh_due(self, now: float) -> bool:
        """Return whether the oldest fresh capture is due by count, or because its time is over."""
        if not self._fresh:
            return False
        return self._count.allows_one or now >= self._times_out_at()

    def _times_out_at(self) -> float:
        """When the oldest fresh capture is given up unless a last read finds it ended."""
        return self._jobs[self._fresh[0].index].accepted_at + self._policy.capture_timeout

    def _scout_due(self) -> float:
        """When the oldest fresh capture is older than captures usually get."""
        job = self._jobs[self._fresh[0].index]
        patience = TRUSTED_PATIENCE * self._sojourn.usual if self._count.trusted else self._sojourn.surely
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
