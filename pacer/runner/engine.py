"""
The runner: feed what happened, ask what to do, do it, wait until the moment named.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import anyio
from anyio.abc import TaskGroup

from pacer.api.protocol import SearchApi
from pacer.clock import Clock, SystemClock
from pacer.errors import PacerError
from pacer.instrumentation.happening import Listener
from pacer.journal.protocol import (
    Accepted,
    Appended,
    CaptureEnded,
    Closed,
    Journal,
    PendingRequest,
    Record,
    Rejected,
    Returned,
    Sent,
)
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Collect, Finished, GiveUp, ReadSnapshot, Stop, SubmitWave, WaitUntil
from pacer.pacing.events import (
    Adopted,
    Dropped,
    JobRead,
    StatusRead,
    Throttled,
    Unasked,
    WindowTold,
    Withdrawn,
)
from pacer.pacing.policy import Policy
from pacer.runner.calls import KnownJob, Timing, Verdicts, job_read, status_read, submitted
from pacer.runner.feeder import Feeder, recalled
from pacer.runner.notebook import Notebook
from pacer.runner.observer import Observer
from pacer.runner.progress import Outcome, Progress
from pacer.runner.waited import Waited
from pacer.runner.writer import BlockingRunner, JournalWriter, Projector
from pacer.wire.replies import Admitted, Refused, Reply, SubmitOutcome, Unclear, Verdict
from pacer.wire.replies import Throttled as ThrottledReply

GRACE = 2.0
"""Seconds for which replies are awaited once the run is interrupted."""


class Runner:
    """
    One invocation of one batch.

    Args:
        api: The service.

        journal: Holds the batch; nobody else writes it meanwhile.

        results: Brings the results file up to the journal; None for none.

        policy: The knobs of pacing.

        run_blocking: Runs what may block on the disk.

        listener: Hears every happening.

        observer: Hears of each request's own fate.

        serving: Stay when all has ended, and take what :meth:`add` brings, until
            :meth:`close`.

        resend_in_doubt: Resend also what has been in doubt for more than a day.

        seed: Of the jitter.
    """

    def __init__(
        self,
        api: SearchApi,
        journal: Journal,
        *,
        run_blocking: BlockingRunner,
        results: Projector | None = None,
        policy: Policy | None = None,
        clock: Clock | None = None,
        listener: Listener | None = None,
        observer: Observer | None = None,
        serving: bool = False,
        resend_in_doubt: bool = False,
        seed: int | None = None,
    ) -> None:
        self._api = api
        self._journal = journal
        self._run_blocking = run_blocking
        self._policy = policy or Policy()
        self._clock = clock or SystemClock()
        self._listener = listener
        self._observer = observer or Observer()
        self._serving = serving
        self._arrived: list[Record] = []
        self._to_capture: list[Record] = []
        self._resumed: list[Record] = []
        self._incoming: set[int] = set()
        self._held: set[int] = set()
        self.ready = anyio.Event()
        self._resend_in_doubt = resend_in_doubt
        self._jitter: Callable[[], float] = random.Random(seed).random
        self._writer = JournalWriter(journal, results, run_blocking)
        self._woken = anyio.Event()
        self._interrupted = ""
        self._jobs: dict[int, KnownJob] = {}
        self._requests: dict[int, PendingRequest] = {}
        self._doubtful: set[int] = set()
        self.progress = Progress(0, 0, 0, 0, 0)

    async def run(self) -> Outcome:
        """
        Work until the batch has ended, is stopped or is interrupted.

        Errors:
            JournalLost: The disk failed; the journal is whole as of its last commit.
        """
        began = self._clock.monotonic()
        self._began = began
        offset = self._clock.wall() - began
        counts, memory = await self._run_blocking(
            lambda: (self._journal.counts(), recalled(self._journal, offset=offset))
        )
        self.progress = Progress.of(counts)
        self.controller = PacingController(self._policy, memory=memory, now=began)
        self._notebook = Notebook(
            self.controller,
            self.progress,
            self._writer,
            clock=self._clock,
            listener=self._listener,
        )
        self._feeder = Feeder(
            self._journal,
            self.controller,
            run_blocking=self._run_blocking,
            jobs=self._jobs,
            requests=self._requests,
            doubtful=self._doubtful,
            clock=self._clock,
            collect=self._policy.collect,
            unsent=not self._serving,
            resend_in_doubt=self._resend_in_doubt,
        )
        self._waited = Waited(
            self._api, self.controller, self._writer, self, clock=self._clock, jitter=self._jitter
        )
        self._notebook.started(counts)
        await self._feeder.start()
        self.ready.set()
        ended: Finished | Stop | None = None
        async with anyio.create_task_group() as writing:
            writing.start_soon(self._write)
            async with anyio.create_task_group() as calls:
                ended = await self._pace(calls)
                self._notebook.wave_closed()
                if not isinstance(ended, Finished):
                    await self._wind_down(calls)
            outcome = self._outcome(ended)
            self._notebook.ended(outcome)
            self._writer.close()
        if self._writer.failure is not None:
            raise self._writer.failure
        return outcome

    def interrupt(self, reason: str) -> None:
        """Stop submitting, wait briefly for replies, and return; safe from a signal handler."""
        self._interrupted = reason
        self._wake()

    # A service's requests -----------------------------------------------------------------

    def add(self, record: Record, *, sync: bool = False) -> None:
        """
        Take one more request into a serving run; its fate is the observer's to hear.

        *sync*: send it through the sync lane; it has one capture.
        """
        self._writer.add(Appended(record))
        (self._to_capture if sync else self._arrived).append(record)
        self._incoming.add(record.index)
        self._wake()

    def resume(self, record: Record) -> None:
        """Send a request that stands in the journal as pending and is not in hand."""
        self._resumed.append(record)
        self._incoming.add(record.index)
        self._wake()

    def hold(self, index: int) -> None:
        """Do not send this request now, unless that is done already; the journal keeps it as pending."""
        if self._is_queued(index):
            self.controller.receive(Dropped(self._clock.monotonic(), index))
            del self._requests[index]
            self._observer.held(index)
            self._wake()
        else:
            self._held.add(index)

    def keep(self, index: int) -> bool:
        """Take a :meth:`hold` back; return whether the request is on its way, or waits for its turn."""
        self._held.discard(index)
        return index in self._requests or index in self._incoming

    def ask_status(self) -> None:
        """Read the snapshot as soon as gates and window allow it; the observer hears."""
        self.controller.want_snapshot(now=self._clock.monotonic())
        self._wake()

    async def flush(self) -> None:
        """Return once all that has happened so far is durable."""
        await self._writer.commit()

    def close(self) -> None:
        """Let a serving run end once all it has taken has ended."""
        self._serving = False
        self._wake()

    def _is_queued(self, index: int) -> bool:
        """Return whether the core has it in its backlog, and no copy of it can be with the service."""
        return (
            index in self._requests
            and index not in self._doubtful
            and index not in self.controller.admission.in_flight
        )

    async def _take(self, records: list[Record]) -> None:
        """Make what has arrived durable, all in one transaction, then queue it in order."""
        try:
            await self._writer.commit()
        except PacerError:
            return  # the run ends on the writer's failure
        self.progress.requests += len(records)
        self.progress.captures += sum(record.fan_out for record in records)
        self._queue(records)

    def _queue(self, records: list[Record]) -> None:
        """Hand over what stands in the journal, but for what was given up meanwhile."""
        wanted = []
        for record in records:
            self._incoming.discard(record.index)
            if record.index in self._held:
                self._held.discard(record.index)
                self._observer.held(record.index)
            else:
                wanted.append(record)
        self._feeder.take(wanted)
        self._wake()

    # Sync captures ------------------------------------------------------------------------

    async def _capture(self, record: Record) -> None:
        try:
            await self._writer.commit()
            self.progress.requests += 1
            self.progress.captures += record.fan_out
            await self._waited.capture(record)
        except PacerError:
            return  # the run ends on the writer's failure

    def is_wanted(self, record: Record) -> bool:
        """Return whether somebody waits for a sync capture still; if not, it is pending again."""
        if record.index not in self._held:
            return True
        self._held.discard(record.index)
        self._incoming.discard(record.index)
        self._observer.held(record.index)
        self._wake()
        return False

    async def next_event(self, *, at: float) -> None:
        """Wait until something has happened, at most until *at*."""
        with anyio.move_on_after(max(0.0, at - self._clock.monotonic())):
            await self._woken.wait()

    def settle_sync(
        self, record: Record, reply: Reply[SubmitOutcome], verdicts: Verdicts, timing: Timing
    ) -> bool:
        """Pass on what came of a sync capture; return whether it must be sent again."""
        self._end_call(verdicts, reply, timing)
        index, outcome = record.index, reply.outcome
        if isinstance(outcome, ThrottledReply):
            return True
        self._incoming.discard(index)
        match outcome:
            case Admitted():
                known = self._admitted(index, record.id, record.fan_out, outcome, verdicts)
                if self._policy.collect and known.left:
                    self._collect_later(index, record, known)
            case Unclear():
                self._doubtful.add(index)
                self._notebook.doubted(record.id, outcome)
                self._feeder.doubt(record)
            case Refused(verdict=Verdict.ASIDE):
                self._queue([record])
            case Refused():
                for entry in verdicts.entries:
                    if isinstance(entry, Rejected):
                        self._notebook.rejected(record.id, entry)
                        self._observer.rejected(index, entry)
        self._held.discard(index)
        return False

    def _collect_later(self, index: int, record: Record, known: KnownJob) -> None:
        """The service took a sync capture for an async one: read it like any other."""
        now = self._clock.monotonic()
        self.controller.receive(Adopted(now, index, now, len(known.children), record.surfaces, frozenset()))
        self._wake()

    # The rhythm -----------------------------------------------------------------------

    async def _pace(self, calls: TaskGroup) -> Finished | Stop | None:
        """Obey the core until it says that all is over, or we are interrupted (None)."""
        controller = self.controller
        while not self._interrupted and self._writer.failure is None:
            self._woken = anyio.Event()
            if self._arrived:
                records, self._arrived = self._arrived, []
                calls.start_soon(self._take, records)
            while self._to_capture:
                calls.start_soon(self._capture, self._to_capture.pop())
            if self._resumed:
                records, self._resumed = self._resumed, []
                self._queue(records)
            if self._feeder.wanted:
                calls.start_soon(self._feed_backlog)
            decision = controller.decide(now=self._clock.monotonic())
            match decision:
                case SubmitWave(requests=requests):
                    self._notebook.submitting(self._requests[index].fan_out for index in requests)
                    calls.start_soon(self._submit_all, calls, requests)
                case Collect(reads=reads):
                    for read in reads:
                        calls.start_soon(self._read_job, read)
                    if self._writer.full:
                        await self._writer.commit()
                case ReadSnapshot():
                    self._notebook.wave_closed()
                    calls.start_soon(self._read_status)
                case GiveUp():
                    self._give_up(decision)
                case WaitUntil():
                    await self._wait(decision)
                case Finished() if self._serving or self._incoming or self._feeder.busy:
                    self._notebook.wave_closed()
                    await self._woken.wait()
                case Finished() | Stop():
                    return decision
        return None

    async def _wait(self, wait: WaitUntil) -> None:
        now = self._clock.monotonic()
        self._notebook.waiting(wait, now=now)
        if wait.at == float("inf"):
            await self._woken.wait()
            return
        with anyio.move_on_after(max(0.0, wait.at - now)):
            await self._woken.wait()

    def _wake(self) -> None:
        self._woken.set()

    async def _wind_down(self, calls: TaskGroup) -> None:
        """Give what is in flight a moment to answer; leave the rest in doubt."""
        deadline = anyio.current_time() + GRACE
        while self._in_flight and anyio.current_time() < deadline and self._writer.failure is None:
            self._woken = anyio.Event()
            with anyio.move_on_at(deadline):
                await self._woken.wait()
        calls.cancel_scope.cancel()

    @property
    def _in_flight(self) -> int:
        controller = self.controller
        return (
            len(controller.admission.in_flight)
            + controller.collection.in_flight
            + controller.reading.in_flight
        )

    async def _write(self) -> None:
        await self._writer.run()
        self._wake()

    async def _feed_backlog(self) -> None:
        await self._feeder.feed()
        self._wake()

    # Calls ------------------------------------------------------------------------------

    async def _submit_all(self, calls: TaskGroup, requests: tuple[int, ...]) -> None:
        """Write the intents, then send: a request never leaves unrecorded."""
        wall = self._clock.wall()
        try:
            await self._writer.commit(*(Sent(index, wall) for index in requests))
        except PacerError:
            return  # the run ends on the writer's failure; nothing leaves
        for index in requests:
            calls.start_soon(self._submit, index)

    async def _submit(self, index: int) -> None:
        sent_at = self._clock.monotonic()
        if index in self._held and index not in self._doubtful:
            # Given up while its intent was being written.
            self._writer.add(Returned(index))
            self.controller.receive(Dropped(sent_at, index))
            del self._requests[index]
            self._held.discard(index)
            self._observer.held(index)
            self._wake()
            return
        if self._interrupted or not self.controller.may_send(now=sent_at, submission=True):
            # A gate has closed while the intent was being written.
            if index not in self._doubtful:
                self._writer.add(Returned(index))
            self.controller.receive(Withdrawn(sent_at, index))
            self._wake()
            return
        reply = await self._api.submit(self._requests[index].body)
        timing = self._timing(sent_at)
        verdicts = submitted(
            reply.outcome,
            index,
            timing,
            window=reply.window,
            in_doubt=index in self._doubtful,
            jitter=self._jitter,
        )
        self._settle_submission(index, reply, verdicts)
        self._end_call(verdicts, reply, timing)
        if index in self._held and self._is_queued(index):
            self._held.discard(index)  # refused with nothing admitted, and given up meanwhile
            self.hold(index)

    def _settle_submission(self, index: int, reply: Reply[SubmitOutcome], verdicts: Verdicts) -> None:
        """Keep what later calls need to know of the request."""
        outcome = reply.outcome
        request = self._requests[index]
        match outcome:
            case Admitted():
                del self._requests[index]
                self._doubtful.discard(index)
                self._held.discard(index)
                self._admitted(index, request.id, request.fan_out, outcome, verdicts)
            case Unclear(sent=sent):
                if sent:
                    self._doubtful.add(index)
                self._notebook.doubted(request.id, outcome)
            case Refused():
                for entry in verdicts.entries:
                    if isinstance(entry, Rejected):
                        self._forget(index, entry)

    def _admitted(
        self, index: int, request: str, fan_out: int, outcome: Admitted, verdicts: Verdicts
    ) -> KnownJob:
        """The service has a request, and has perhaps ended some of it."""
        known = KnownJob(request, outcome.job, outcome.children, len(outcome.children) or fan_out)
        if self._policy.collect:
            self._jobs[index] = known
        self._notebook.accepted(len(outcome.children) - fan_out if outcome.children else 0)
        self._feeder.own.add(index)
        self._observer.accepted(index, outcome.job, outcome.children)
        for entry in verdicts.entries:
            if isinstance(entry, CaptureEnded):
                self._capture_ended(entry, known)
        if not self._policy.collect:
            self._observer.ended(index)
        return known

    async def _read_status(self) -> None:
        sent_at = self._clock.monotonic()
        if not self._may_read(StatusRead(), sent_at):
            return
        reply = await self._api.status()
        timing = self._timing(sent_at)
        verdicts = status_read(reply.outcome, timing, window=reply.window, jitter=self._jitter)
        self._end_call(verdicts, reply, timing)
        self._notebook.status_read(reply.outcome)
        self._observer.status_read(reply.outcome)

    async def _read_job(self, read: JobRead) -> None:
        sent_at = self._clock.monotonic()
        if not self._may_read(read, sent_at):
            return
        known = self._jobs[read.index]
        reply = await self._api.job(known.job if read.child is None else known.children[read.child])
        timing = self._timing(sent_at)
        verdicts = job_read(reply.outcome, read, known, timing, window=reply.window, jitter=self._jitter)
        for entry in verdicts.entries:
            if isinstance(entry, CaptureEnded):
                self._capture_ended(entry, known)
            elif isinstance(entry, Accepted):
                self._observer.accepted(read.index, known.job, known.children)
        if isinstance(reply.outcome, Unclear):
            self._notebook.read_failed(known.id, reply.outcome)
        self._end_call(verdicts, reply, timing)

    def _timing(self, sent_at: float) -> Timing:
        return Timing(sent_at, self._clock.monotonic(), self._clock.wall())

    def _may_read(self, call: StatusRead | JobRead, now: float) -> bool:
        """Return whether a read may still leave; take it back if a gate has closed since."""
        if not self._interrupted and self.controller.may_send(now=now, submission=False):
            return True
        self.controller.receive(Unasked(now, call))
        self._wake()
        return False

    def _end_call(self, verdicts: Verdicts, reply: Reply[Any], timing: Timing) -> None:
        """Tell journal and core, the same for every call."""
        window = reply.window
        self._writer.add(*verdicts.entries)
        self.controller.receive(verdicts.event)
        if window is not None and not isinstance(verdicts.event, Throttled):
            self.controller.receive(
                WindowTold(timing.at, timing.sent_at, window.limit, window.remaining, window.resets_in)
            )
        if verdicts.stop is not None:
            self.controller.stop(*verdicts.stop)
        self._notebook.after_call(verdicts.event, code=getattr(reply.outcome, "code", ""))
        self._wake()

    # Ends ---------------------------------------------------------------------------------

    def _forget(self, index: int, entry: Rejected) -> None:
        """A request has ended as an error."""
        request = self._requests.pop(index)
        self._doubtful.discard(index)
        self._held.discard(index)
        self._notebook.rejected(request.id, entry)
        self._observer.rejected(index, entry)

    def _capture_ended(self, entry: CaptureEnded, known: KnownJob) -> None:
        known.left -= 1
        self._notebook.capture_ended(known.id, entry)
        self._observer.captured(known.id, known.job, entry)
        if known.left <= 0:
            self._jobs.pop(entry.index, None)
            self._observer.ended(entry.index)

    def _give_up(self, decision: GiveUp) -> None:
        """End a request, or a capture of it, by the core's word."""
        error: dict[str, object] = {"code": decision.code, "message": decision.reason}
        wall = self._clock.wall()
        known = self._jobs.get(decision.index)
        if known is None:
            request = self._requests[decision.index]
            doubtful = decision.index in self._doubtful
            if doubtful:
                error["idempotencyKey"] = request.key
            entry = Rejected(decision.index, wall, error, "unknown" if doubtful else "rejected")
            # A refusal may have made it pending again, from where the journal ends nothing.
            self._writer.add(Sent(decision.index, wall), entry)
            self._forget(decision.index, entry)
            return
        child = known.job if decision.child is None else known.children[decision.child]
        ended = CaptureEnded(decision.index, child, wall, None, None, "unknown", None, error)
        self._writer.add(ended)
        if decision.child is None:
            self._writer.add(Closed(decision.index, wall))
            known.left = 1
        self._capture_ended(ended, known)

    def _outcome(self, ended: Finished | Stop | None) -> Outcome:
        now = self._clock.monotonic()
        self.controller.account.settle(now=now)
        statistics = self.controller.statistics()
        seconds = now - self._began
        match ended:
            case Finished():
                return Outcome("finished", "", "", seconds, statistics)
            case Stop(code=code, reason=reason):
                return Outcome("stopped", code, reason, seconds, statistics)
            case None:
                return Outcome("interrupted", "INTERRUPTED", self._interrupted, seconds, statistics)
