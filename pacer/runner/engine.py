"""
The runner: feed what happened, ask what to do, do it, wait until the moment named.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from pacer.api.protocol import SearchApi
from pacer.clock import Clock, SystemClock
from pacer.errors import PacerError
from pacer.instrumentation.happening import Listener
from pacer.journal.protocol import (
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
from pacer.pacing.events import Dropped, JobRead, StatusRead, Throttled, Unasked, WindowTold, Withdrawn
from pacer.pacing.policy import Policy
from pacer.runner.calls import KnownJob, Timing, Verdicts, job_read, status_read, submitted
from pacer.runner.feeder import Feeder, recalled
from pacer.runner.notebook import Notebook
from pacer.runner.observer import Observer
from pacer.runner.progress import Outcome, Progress
from pacer.runner.writer import BlockingRunner, JournalWriter, Projector
from pacer.wire.replies import Admitted, Refused, Reply, SubmitOutcome, Unclear, WindowReading

GRACE = 2.0
"""Seconds for which replies are awaited once the run is interrupted."""

CANCELLED = {"code": "CANCELLED", "message": "its caller gave it up before it was sent"}


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
        self._arriving = 0
        self._cancelled: set[int] = set()
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
            resend_in_doubt=self._resend_in_doubt,
        )
        self._notebook.started(counts)
        await self._feeder.start()
        ended: Finished | Stop | None = None
        async with anyio.create_task_group() as writing:
            writing.start_soon(self._write)
            async with anyio.create_task_group() as calls:
                ended = await self._pace(calls)
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

    def add(self, record: Record) -> None:
        """Take one more request into a serving run; its fate is the observer's to hear."""
        self._arrived.append(record)
        self._wake()

    def cancel(self, index: int) -> None:
        """Do not send the request with this index, if it has not been sent yet."""
        self._cancelled.add(index)

    def close(self) -> None:
        """Let a serving run end once all it has taken has ended."""
        self._serving = False
        self._wake()

    async def _take(self, records: list[Record]) -> None:
        """Make what has arrived durable, all in one transaction, then queue it in order."""
        try:
            await self._writer.commit(*(Appended(record) for record in records))
        except PacerError:
            return  # the run ends on the writer's failure
        finally:
            self._arriving -= 1
        self.progress.requests += len(records)
        self.progress.captures += sum(record.fan_out for record in records)
        self._feeder.take(records)
        self._wake()

    # The rhythm -----------------------------------------------------------------------

    async def _pace(self, calls: TaskGroup) -> Finished | Stop | None:
        """Obey the core until it says that all is over, or we are interrupted (None)."""
        controller = self.controller
        while not self._interrupted and self._writer.failure is None:
            self._woken = anyio.Event()
            if self._arrived:
                records, self._arrived = self._arrived, []
                self._arriving += 1
                calls.start_soon(self._take, records)
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
                case Finished() if self._serving or self._arriving:
                    self._notebook.wave_closed()
                    await self._woken.wait()
                case Finished() | Stop():
                    self._notebook.wave_closed()
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
        if index in self._cancelled and index not in self._doubtful:
            self._cancelled.discard(index)
            entry = Rejected(index, self._clock.wall(), CANCELLED)
            self._writer.add(entry)
            self._forget(index, entry)
            self.controller.receive(Dropped(sent_at, index))
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
        self._end_call(verdicts, reply.window, timing)

    def _settle_submission(self, index: int, reply: Reply[SubmitOutcome], verdicts: Verdicts) -> None:
        """Keep what later calls need to know of the request."""
        outcome = reply.outcome
        request = self._requests[index]
        match outcome:
            case Admitted():
                del self._requests[index]
                self._doubtful.discard(index)
                known = KnownJob(
                    request.id, outcome.job, outcome.children, len(outcome.children) or request.fan_out
                )
                if self._policy.collect:
                    self._jobs[index] = known
                self._notebook.accepted(len(outcome.children) - request.fan_out if outcome.children else 0)
                self._cancelled.discard(index)
                self._observer.accepted(index, outcome.job, outcome.children)
                for entry in verdicts.entries:
                    if isinstance(entry, CaptureEnded):
                        self._capture_ended(entry, known)
            case Unclear():
                self._doubtful.add(index)
                self._notebook.doubted(request.id, outcome)
            case Refused():
                for entry in verdicts.entries:
                    if isinstance(entry, Rejected):
                        self._forget(index, entry)

    async def _read_status(self) -> None:
        sent_at = self._clock.monotonic()
        if not self._may_read(StatusRead(), sent_at):
            return
        reply = await self._api.status()
        timing = self._timing(sent_at)
        verdicts = status_read(reply.outcome, timing, window=reply.window, jitter=self._jitter)
        self._end_call(verdicts, reply.window, timing)
        self._notebook.status_read(reply.outcome)

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
        if isinstance(reply.outcome, Unclear):
            self._notebook.read_failed(known.id, reply.outcome)
        self._end_call(verdicts, reply.window, timing)

    def _timing(self, sent_at: float) -> Timing:
        return Timing(sent_at, self._clock.monotonic(), self._clock.wall())

    def _may_read(self, call: StatusRead | JobRead, now: float) -> bool:
        """Return whether a read may still leave; take it back if a gate has closed since."""
        if not self._interrupted and self.controller.may_send(now=now, submission=False):
            return True
        self.controller.receive(Unasked(now, call))
        self._wake()
        return False

    def _end_call(self, verdicts: Verdicts, window: WindowReading | None, timing: Timing) -> None:
        """Tell journal and core, the same for every call."""
        self._writer.add(*verdicts.entries)
        self.controller.receive(verdicts.event)
        if window is not None and not isinstance(verdicts.event, Throttled):
            self.controller.receive(
                WindowTold(timing.at, timing.sent_at, window.limit, window.remaining, window.resets_in)
            )
        if verdicts.stop is not None:
            self.controller.stop(*verdicts.stop)
        self._notebook.after_call(verdicts.event)
        self._wake()

    # Ends ---------------------------------------------------------------------------------

    def _forget(self, index: int, entry: Rejected) -> None:
        """A request has ended as an error."""
        request = self._requests.pop(index)
        self._doubtful.discard(index)
        self._notebook.rejected(request.id, entry)
        self._observer.rejected(index, entry)

    def _capture_ended(self, entry: CaptureEnded, known: KnownJob) -> None:
        known.left -= 1
        if known.left <= 0:
            self._jobs.pop(entry.index, None)
        self._notebook.capture_ended(known.id, entry)
        self._observer.captured(known.id, entry)

    def _give_up(self, decision: GiveUp) -> None:
        """End a request, or a capture of it, by the core's word."""
        error: dict[str, object] = {"code": decision.code, "message": decision.reason}
        wall = self._clock.wall()
        known = self._jobs.get(decision.index)
        if known is None:
            request = self._requests[decision.index]
            if decision.index in self._doubtful:
                error["idempotencyKey"] = request.key
            entry = Rejected(decision.index, wall, error)
            self._writer.add(entry)
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
