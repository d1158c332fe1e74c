"""
From the journal to the core: the backlog and the jobs to adopt, a page at a time.

The core never holds the batch, only a window of it that is deep enough for the
largest wave. Requests in doubt come first, then those never sent. Jobs accepted
by earlier invocations are adopted as room allows.
"""

from __future__ import annotations

from collections.abc import Sequence

from pacer.clock import Clock
from pacer.journal.protocol import Journal
from pacer.journal.records import Record
from pacer.journal.views import Counts, PendingRequest
from pacer.pacing.controller import PacingController
from pacer.pacing.events import Adopted, Item, Memory, Queued
from pacer.pacing.gates import Lane
from pacer.runner.calls import KnownJob
from pacer.runner.hand import InHand
from pacer.runner.writer import BlockingRunner
from pacer.wire.requests import most_credits

PAGE = 1_000
"""Requests read from the journal at once."""

MOST_ADOPTED = 20_000
"""Captures outstanding beyond which no further job is adopted: memory stays flat."""

STALE_DOUBT = 24 * 3600.0
"""Seconds after which a request in doubt is not resent by itself: how long the service
remembers an idempotency key is not documented, and a forgotten key pays twice."""


class Feeder:
    """
    Keeps the core's window of the batch filled.

    Attributes:
        wanted: The window has room and the journal has more.

        busy: A page is being read.

        stale: Requests too long in doubt to be resent unasked.
    """

    def __init__(
        self,
        journal: Journal,
        controller: PacingController,
        *,
        run_blocking: BlockingRunner,
        hand: InHand,
        clock: Clock,
        collect: bool,
        unsent: bool,
        resend_in_doubt: bool,
    ) -> None:
        self._journal = journal
        self._controller = controller
        self._run_blocking = run_blocking
        self._hand = hand
        self._clock = clock
        self._resend_in_doubt = resend_in_doubt
        self._began = clock.wall()
        self.busy = False
        self._pending_after: int | None = -1 if unsent else None
        self._adopted_after: int | None = -1 if collect else None
        self._last_paged = -1
        self.stale = 0

    @property
    def wanted(self) -> bool:
        """Return whether :meth:`feed` should be called; true once until it returns."""
        if self.busy:
            return False
        wanted = self._wants_backlog or self._wants_jobs
        self.busy = wanted
        return wanted

    @property
    def _wants_backlog(self) -> bool:
        if self._pending_after is None or self._controller.admission.backlog.closed:
            return False
        snapshot = self._controller.admission.ledger.snapshot
        capacity = 0 if snapshot is None or snapshot.capacity is None else snapshot.capacity
        return self._controller.admission.backlog.waiting < max(PAGE // 2, min(capacity, 10 * PAGE))

    @property
    def _wants_jobs(self) -> bool:
        return self._adopted_after is not None and self._controller.collection.unended < MOST_ADOPTED

    async def start(self) -> None:
        """
        Hand over what earlier invocations left with the service, before anything is sent.

        All that is in doubt, never many: what was in flight when one ended. And the
        jobs that are out, so that their captures are not taken for other clients'.
        """
        self._hand_over([])  # the core must know that there is more before it first decides
        page = await self._in_doubt(after=-1)
        while page:
            ours = [request for request in page if self._may_be_resent(request)]
            self._hand.doubtful.update(request.index for request in ours)
            self._hand_over(ours)
            page = await self._in_doubt(after=page[-1].index)
        while self._wants_jobs:
            await self._adopt()

    async def _in_doubt(self, *, after: int) -> list[PendingRequest]:
        return await self._run_blocking(lambda: self._journal.in_doubt(after=after, limit=PAGE))

    async def feed(self) -> None:
        """Read a page of whatever is wanted and hand it to the core."""
        try:
            if self._wants_jobs:
                await self._adopt()
            if self._wants_backlog:
                assert self._pending_after is not None
                after = self._pending_after
                page = await self._run_blocking(lambda: self._journal.pending(after=after, limit=PAGE))
                self._last_paged = page[-1].index if page else after
                self._pending_after = self._last_paged if len(page) == PAGE else None
                self._hand_over(page)
        finally:
            self.busy = False

    def take(self, records: Sequence[Record]) -> None:
        """Queue requests that have just been made durable, behind all others."""
        if self._pending_after is not None:
            return  # the journal still holds requests before these: they come by the page
        self._hand_over(
            [PendingRequest(r.index, r.id, r.key, r.body, r.fan_out, r.surfaces, None, None) for r in records]
        )

    def doubt(self, record: Record) -> None:
        """Queue a request whose sync capture brought no usable reply."""
        r, wall = record, self._clock.wall()
        self._hand_over([PendingRequest(r.index, r.id, r.key, r.body, r.fan_out, r.surfaces, wall, wall)])

    def _hand_over(self, page: list[PendingRequest]) -> None:
        self._hand.requests.update((request.index, request) for request in page)
        items = tuple(
            Item(
                request.index,
                request.fan_out,
                request.surfaces,
                in_doubt=request.sent_at is not None,
                credits=most_credits(request.surfaces, request.fan_out),
            )
            for request in page
        )
        more = self._pending_after is not None
        self._controller.receive(Queued(self._clock.monotonic(), items, more))

    def _may_be_resent(self, request: PendingRequest) -> bool:
        first = request.sent_at if request.first_sent_at is None else request.first_sent_at
        if first is not None and self._began - first > STALE_DOUBT and not self._resend_in_doubt:
            self.stale += 1
            return False
        return True

    async def _adopt(self) -> None:
        assert self._adopted_after is not None
        after = self._adopted_after
        page = await self._run_blocking(lambda: self._journal.outstanding(after=after, limit=PAGE))
        self._adopted_after = page[-1].index if len(page) == PAGE else None
        now, wall = self._clock.monotonic(), self._clock.wall()
        for job in page:
            if job.index in self._hand.own:
                continue  # not by the time: a wall clock may step back
            positions = {child: position for position, child in enumerate(job.children)}
            ended = frozenset(positions[child] for child in job.ended if child in positions)
            left = len(job.children) - len(ended) if job.children else 1
            self._hand.jobs[job.index] = KnownJob(job.id, job.job, job.children, left)
            self._controller.receive(
                Adopted(
                    now,
                    job.index,
                    now - (wall - job.accepted_at),
                    len(job.children),
                    job.surfaces,
                    ended,
                )
            )


def recalled(journal: Journal, counts: Counts, *, offset: float, priced: bool) -> Memory:
    """
    Return what earlier invocations left, on this one's clock.

    *offset* is wall minus monotonic; *priced*: credits are wanted as well, which reads every request.
    """
    known = {lane.value: lane for lane in Lane}
    gates = {known[lane]: until - offset for lane, until in journal.gates().items() if lane in known}
    learnt = journal.learnt()
    window = learnt.get("window")
    if window is not None:
        window = {**window, "resets_at": window["resets_at"] - offset}
    spent = [most_credits(part.surfaces, part.captures) for part in journal.bought()] if priced else []
    return Memory(
        gates,
        unit=learnt.get("unit"),
        window=window,
        probed=bool(learnt.get("probed")),
        requests=counts.requests - counts.pending,
        credits=sum(spent),
    )
