"""
The admission queue and the workers behind it.

Rule 1: nothing is admitted beyond the capacity; what is admitted waits until a worker is free. Rule 2: a free
worker takes the next child at once: the highest priority first, then first in, first out. Rule 3: a capture's
work advances at the speed `drain`, so the heap of running captures is kept in *work time*, which passes as
fast as they work. A change of speed then moves no entry.
"""

from collections import deque
from heapq import heappop, heappush
from math import inf

from pacer.sandbox.captures import Captures
from pacer.sandbox.jobs import Child, Job
from pacer.sandbox.settings import Settings

__all__ = ["AdmissionQueue"]


class AdmissionQueue:
    """
    Attributes:
        depth: Units of work in the queue, as the snapshot shows it.

        max_depth: The most it ever was.

        running: Busy workers.

        busy_worker_seconds, idle_worker_seconds: Integrals over the time advanced so far. A worker is idle
            only while no child waits, so idle time while a client still has a backlog is starvation.

        idle_since: Since when at least one worker has been idle; None while all are busy.
    """

    def __init__(self, settings: Settings, captures: Captures) -> None:
        self._settings = settings
        self._captures = captures
        self._counts_parents = settings.unit != "children"
        self._counts_children = settings.unit != "parents"
        self._release_at_start = settings.release == "start"
        self._waiting: dict[int, deque[Child]] = {}
        self._priorities: list[int] = []
        self._running: list[tuple[float, int, Child]] = []
        self._dispatched = 0
        # Work time: at the moment `_since` it read `_work`, and has run at the speed `_speed` from then on.
        self._since, self._work, self._speed = 0.0, 0.0, settings.drain
        self._counted_to = inf
        self.depth = 0
        self.max_depth = 0
        self.waiting = 0
        self.running = 0
        self.busy_worker_seconds = 0.0
        self.idle_worker_seconds = 0.0
        self.idle_since: float | None = None

    def begin(self, now: float) -> None:
        """
        Begin to count at *now*.
        """
        self._counted_to = now
        self._dispatch(now)

    def cost(self, children: int) -> int:
        """
        What a submission of that many children adds to depth.
        """
        return self._counts_parents + self._counts_children * children

    def has_room(self, cost: int) -> bool:
        """
        Whether a submission of that cost would be admitted now.
        """
        capacity = self._settings.capacity
        if capacity is None or self.depth + cost <= capacity:
            return True
        return self.depth == 0 and cost > capacity > 0 and self._settings.oversized == "when_empty"

    def admit(self, job: Job, now: float) -> None:
        """
        Take *job* in, which :meth:`has_room` has allowed, and start what free workers can take.
        """
        self._captures.enter(job)
        self.depth += self.cost(len(job.children))
        self.max_depth = max(self.max_depth, self.depth)
        job.waiting = self._counts_parents
        self.waiting += len(job.children)
        lane = self._waiting.get(job.priority)
        if lane is None:
            lane = self._waiting[job.priority] = deque()
            self._priorities = sorted(self._waiting, reverse=True)
        lane.extend(job.children)
        self._dispatch(now)

    def adopt(self, settings: Settings, now: float) -> None:
        """
        Go on under changed settings.
        """
        if settings.drain != self._speed:
            self._work += (now - self._since) * self._speed
            self._since, self._speed = now, settings.drain
        self._settings = settings
        self._dispatch(now)

    def next_event_at(self) -> float:
        """
        When the next capture ends or expires; infinity if none will.
        """
        return min(self._next_end(), self._next_expiry())

    def advance(self, now: float) -> None:
        """
        Let everything happen that is due by *now*.
        """
        while True:
            end, expiry = self._next_end(), self._next_expiry()
            if end > now and expiry > now:
                break
            if end <= expiry:
                self._account(end)
                self.running -= 1
                self._finish(heappop(self._running)[2], end)
                self._dispatch(end)
            else:
                self._account(expiry)
                self._expire(expiry)
        self._account(now)

    def _next_end(self) -> float:
        if not self._running or not self._speed:
            return inf
        return self._since + max(0.0, self._running[0][0] - self._work) / self._speed

    def _next_expiry(self) -> float:
        expiry = self._settings.queue_expiry
        if expiry is None or not self.waiting:
            return inf
        return min(lane[0].job.accepted_at for lane in self._waiting.values() if lane) + expiry

    def _expire(self, now: float) -> None:
        lane = min(
            (lane for lane in self._waiting.values() if lane), key=lambda lane: lane[0].job.accepted_at
        )
        child = lane.popleft()
        self.waiting -= 1
        child.end = "expired"
        self._release_at_its_start(child)
        self._finish(child, now)

    def _dispatch(self, now: float) -> None:
        workers = self._settings.workers
        while self.waiting and self.running < workers:
            self._start(self._next_waiting(), now)
        if self.running >= workers:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = now

    def _next_waiting(self) -> Child:
        for priority in self._priorities:
            if lane := self._waiting[priority]:
                self.waiting -= 1
                return lane.popleft()
        raise AssertionError("a child was counted as waiting, but none waits")

    def _start(self, child: Child, now: float) -> None:
        seconds = self._captures.start(child, now)
        self._release_at_its_start(child)
        if child.end == "expired":  # aged out before it ran: no worker ever had it
            self._finish(child, now)
            return
        self._dispatched += 1
        self.running += 1
        done = self._work + (now - self._since) * self._speed + seconds
        heappush(self._running, (done, self._dispatched, child))

    def _finish(self, child: Child, now: float) -> None:
        self._captures.finish(child, now)
        child.job.outstanding -= 1
        if not self._release_at_start:
            self.depth -= self._counts_children
            if child.job.waiting and not child.job.outstanding:
                child.job.waiting = False
                self.depth -= 1

    def _release_at_its_start(self, child: Child) -> None:
        if self._release_at_start:
            self.depth -= self._counts_children
            if child.job.waiting:
                child.job.waiting = False
                self.depth -= 1

    def _account(self, now: float) -> None:
        span = now - self._counted_to
        if span <= 0:
            return
        self._counted_to = now
        self.busy_worker_seconds += span * self.running
        self.idle_worker_seconds += span * max(0, self._settings.workers - self.running)
