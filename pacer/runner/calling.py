"""
Making the calls that the core decided: intent first, then the wire, then the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pacer.api.protocol import SearchApi
from pacer.clock import Clock
from pacer.errors import PacerError
from pacer.journal.entries import Accepted, CaptureEnded, Rejected, Returned, Sent
from pacer.pacing.controller import PacingController
from pacer.pacing.events import JobRead, StatusRead, Throttled, Unasked, WindowTold, Withdrawn
from pacer.runner.bell import Bell
from pacer.runner.calls import Timing, Verdicts, job_read, status_read, submitted
from pacer.runner.crew import Crew
from pacer.runner.ends import Ends
from pacer.runner.hand import InHand
from pacer.runner.notebook import Notebook
from pacer.runner.observer import Observer
from pacer.runner.writer import JournalWriter
from pacer.wire.replies import Admitted, Refused, Reply, SubmitOutcome, Unclear


class Calling:
    """
    One coroutine a call; each ends with exactly one event for the core.

    Args:
        stopping: Says whether nothing more may leave.
    """

    def __init__(
        self,
        api: SearchApi,
        hand: InHand,
        controller: PacingController,
        writer: JournalWriter,
        notebook: Notebook,
        observer: Observer,
        ends: Ends,
        bell: Bell,
        *,
        clock: Clock,
        jitter: Callable[[], float],
        stopping: Callable[[], bool],
    ) -> None:
        self._api = api
        self._hand = hand
        self._controller = controller
        self._writer = writer
        self._notebook = notebook
        self._observer = observer
        self._ends = ends
        self._bell = bell
        self._clock = clock
        self._jitter = jitter
        self._stopping = stopping

    async def submit_all(self, crew: Crew, requests: tuple[int, ...]) -> None:
        """Write the intents, then send: a request never leaves unrecorded."""
        wall = self._clock.wall()
        try:
            await self._writer.commit(*(Sent(index, wall) for index in requests))
        except PacerError:
            return  # the run ends on the writer's failure; nothing leaves
        for index in requests:
            crew.start(self._submit, index)

    async def _submit(self, index: int) -> None:
        hand, sent_at = self._hand, self._clock.monotonic()
        if not self._may_submit(index, sent_at):
            return
        reply = await self._api.submit(hand.requests[index].body)
        timing = self._timing(sent_at)
        verdicts = submitted(
            reply.outcome,
            index,
            timing,
            window=reply.window,
            in_doubt=index in hand.doubtful,
            jitter=self._jitter,
        )
        self._settle(index, reply, verdicts)
        self.end_call(verdicts, reply, timing)
        if index in hand.held and self._ends.is_queued(index):
            self._ends.give_back(index)  # refused with nothing admitted, and given up meanwhile
            self._bell.ring()

    def _may_submit(self, index: int, now: float) -> bool:
        """Return whether a submission may still leave; take it back if not."""
        unwanted = index in self._hand.held and index not in self._hand.doubtful
        if not unwanted and not self._stopping() and self._controller.may_send(now=now, submission=True):
            return True
        # A gate has closed, or its caller has gone, while the intent was being written.
        if index not in self._hand.doubtful:
            self._writer.add(Returned(index))
        if unwanted:
            self._ends.give_back(index)
        else:
            self._controller.receive(Withdrawn(now, index))
        self._bell.ring()
        return False

    def _settle(self, index: int, reply: Reply[SubmitOutcome], verdicts: Verdicts) -> None:
        """Keep what later calls need to know of the request."""
        outcome = reply.outcome
        request = self._hand.requests[index]
        match outcome:
            case Admitted():
                self._ends.admitted(index, request.id, request.fan_out, outcome, verdicts)
            case Unclear(sent=sent):
                self._ends.doubted(index, request.id, outcome, sent=sent)
            case Refused():
                for entry in verdicts.entries:
                    if isinstance(entry, Rejected):
                        self._ends.rejected(index, request.id, entry)

    async def read_status(self) -> None:
        """Read the snapshot."""
        sent_at = self._clock.monotonic()
        if not self._may_read(StatusRead(), sent_at):
            return
        reply = await self._api.status()
        timing = self._timing(sent_at)
        verdicts = status_read(reply.outcome, timing, window=reply.window, jitter=self._jitter)
        self.end_call(verdicts, reply, timing)
        self._notebook.status_read(reply.outcome)
        self._observer.status_read(reply.outcome)

    async def read_job(self, read: JobRead) -> None:
        """Read a capture, or a parent's summary."""
        sent_at = self._clock.monotonic()
        if not self._may_read(read, sent_at):
            return
        known = self._hand.jobs[read.index]
        reply = await self._api.job(known.job if read.child is None else known.children[read.child])
        timing = self._timing(sent_at)
        verdicts = job_read(reply.outcome, read, known, timing, window=reply.window, jitter=self._jitter)
        for entry in verdicts.entries:
            if isinstance(entry, CaptureEnded):
                self._ends.capture_ended(entry, known)
            elif isinstance(entry, Accepted):
                self._observer.accepted(read.index, known.job, known.children)
        if isinstance(reply.outcome, Unclear):
            self._notebook.read_failed(known.id, reply.outcome)
        self.end_call(verdicts, reply, timing)

    def _may_read(self, call: StatusRead | JobRead, now: float) -> bool:
        """Return whether a read may still leave; take it back if a gate has closed since."""
        if not self._stopping() and self._controller.may_send(now=now, submission=False):
            return True
        self._controller.receive(Unasked(now, call))
        self._bell.ring()
        return False

    def end_call(self, verdicts: Verdicts, reply: Reply[Any], timing: Timing) -> None:
        """Tell journal and core, the same for every call."""
        window = reply.window
        self._writer.add(*verdicts.entries)
        self._controller.receive(verdicts.event)
        if window is not None and not isinstance(verdicts.event, Throttled):
            self._controller.receive(
                WindowTold(timing.at, timing.sent_at, window.limit, window.remaining, window.resets_in)
            )
        if verdicts.stop is not None:
            self._controller.stop(*verdicts.stop)
        self._notebook.after_call(verdicts.event, code=getattr(reply.outcome, "code", ""))
        self._bell.ring()

    def _timing(self, sent_at: float) -> Timing:
        return Timing(sent_at, self._clock.monotonic(), self._clock.wall())
