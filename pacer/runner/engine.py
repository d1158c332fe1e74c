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
from pacer.instrumentation.happening import Listener
from pacer.journal.protocol import Journal
from pacer.journal.records import Record
from pacer.pacing.controller import PacingController, Statistics
from pacer.pacing.decisions import Bound, Collect, Finished, GiveUp, ReadSnapshot, Stop, SubmitWave, WaitUntil
from pacer.pacing.policy import Policy
from pacer.runner.arrivals import Arrivals
from pacer.runner.bell import Bell
from pacer.runner.calling import Calling
from pacer.runner.crew import Crew
from pacer.runner.ends import Ends
from pacer.runner.feeder import Feeder, recalled
from pacer.runner.hand import InHand
from pacer.runner.notebook import Notebook
from pacer.runner.observer import Observer
from pacer.runner.progress import Outcome, Progress
from pacer.runner.waited import Waited
from pacer.runner.writer import BlockingRunner, JournalWriter, Projector

IN_A_WAVE = frozenset({Bound.ROUND_TRIP, Bound.CONCURRENCY})
"""Waits after which the same wave goes on."""

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
        self.ready = anyio.Event()
        self._resend_in_doubt = resend_in_doubt
        self._jitter: Callable[[], float] = random.Random(seed).random
        self._writer = JournalWriter(journal, results, run_blocking)
        self._bell = Bell()
        self._hand = InHand()
        self._interrupted = ""
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
        counts = await self._run_blocking(self._journal.counts)
        priced = self._policy.max_credits is not None
        memory = await self._run_blocking(
            lambda: recalled(self._journal, counts, offset=offset, priced=priced)
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
            hand=self._hand,
            clock=self._clock,
            collect=self._policy.collect,
            unsent=not self._serving,
            resend_in_doubt=self._resend_in_doubt,
        )
        self._ends = Ends(
            self._hand,
            self.controller,
            self._writer,
            self._notebook,
            self._observer,
            clock=self._clock,
            collect=self._policy.collect,
        )
        self._calling = Calling(
            self._api,
            self._hand,
            self.controller,
            self._writer,
            self._notebook,
            self._observer,
            self._ends,
            self._bell,
            clock=self._clock,
            jitter=self._jitter,
            stopping=lambda: bool(self._interrupted),
        )
        self._arrivals = Arrivals(
            self._hand,
            self.controller,
            self._writer,
            self._notebook,
            self._observer,
            self._ends,
            self._calling,
            self._feeder,
            self.progress,
            self._bell,
            clock=self._clock,
            collect=self._policy.collect,
        )
        self._waited = Waited(
            self._api, self.controller, self._writer, self._arrivals, clock=self._clock, jitter=self._jitter
        )
        self._notebook.started(counts)
        await self._feeder.start()
        self.ready.set()
        ended: Finished | Stop | None = None
        async with anyio.create_task_group() as writing:
            writing.start_soon(self._write)
            async with anyio.create_task_group() as calls:
                crew = Crew(calls)
                ended = await self._pace(calls, crew)
                crew.dismiss()
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
        self._bell.ring()

    def statistics(self) -> Statistics | None:
        """Return what happened so far, every second until now booked; None before the run has begun."""
        if not hasattr(self, "controller"):
            return None
        self.controller.account.settle(now=self._clock.monotonic())
        return self.controller.statistics()

    # A service's requests -----------------------------------------------------------------

    def add(self, record: Record, *, sync: bool = False) -> None:
        """
        Take one more request into a serving run; its fate is the observer's to hear.

        *sync*: send it through the sync lane; it has one capture.
        """
        self._arrivals.add(record, sync=sync)

    def resume(self, record: Record) -> None:
        """Send a request that stands in the journal as pending and is not in hand."""
        self._arrivals.resume(record)

    def hold(self, index: int) -> None:
        """Do not send this request now, unless that is done already; the journal keeps it as pending."""
        self._arrivals.hold(index)

    def keep(self, index: int) -> bool:
        """Take a :meth:`hold` back; return whether the request is on its way, or waits for its turn."""
        return self._arrivals.keep(index)

    def ask_status(self) -> None:
        """Read the snapshot as soon as gates and window allow it; the observer hears."""
        self._arrivals.ask_status()

    async def flush(self) -> None:
        """Return once all that has happened so far is durable."""
        await self._writer.commit()

    def close(self) -> None:
        """Let a serving run end once all it has taken has ended."""
        self._serving = False
        self._bell.ring()

    # The rhythm -----------------------------------------------------------------------

    async def _pace(self, calls: TaskGroup, crew: Crew) -> Finished | Stop | None:
        """Obey the core until it says that all is over, or we are interrupted (None)."""
        controller = self.controller
        while not self._interrupted and self._writer.failure is None:
            self._bell.silence()
            self._arrivals.bring(calls, self._waited)
            if self._feeder.wanted:
                calls.start_soon(self._feed_backlog)
            decision = controller.decide(now=self._clock.monotonic())
            match decision:
                case SubmitWave(requests=requests):
                    self._notebook.submitting(self._hand.requests[index].fan_out for index in requests)
                    await self._calling.submit_all(crew, requests)
                case Collect(reads=reads):
                    for read in reads:
                        crew.start(self._calling.read_job, read)
                    if self._writer.full:
                        await self._writer.commit()
                case ReadSnapshot():
                    self._notebook.wave_closed()
                    calls.start_soon(self._calling.read_status)
                case GiveUp():
                    self._ends.give_up(decision)
                case WaitUntil():
                    await self._wait(decision)
                case Finished() if self._serving or self._hand.incoming or self._feeder.busy:
                    self._notebook.wave_closed()
                    if self._serving:
                        controller.account.now_bound_by(Bound.IDLE, now=self._clock.monotonic())
                    await self._bell.heard()
                case Stop(drained=True) if self._hand.incoming or self._feeder.busy:
                    await self._bell.heard()
                case Finished() | Stop():
                    return decision
        return None

    async def _wait(self, wait: WaitUntil) -> None:
        now = self._clock.monotonic()
        if wait.bound not in IN_A_WAVE:
            self._notebook.wave_closed()
        self._notebook.waiting(wait, now=now)
        await self._bell.heard(within=wait.at - now)

    async def _wind_down(self, calls: TaskGroup) -> None:
        """Give what is in flight a moment to answer; leave the rest in doubt."""
        self.controller.account.now_bound_by(Bound.ROUND_TRIP, now=self._clock.monotonic())
        deadline = anyio.current_time() + GRACE
        while self._in_flight and anyio.current_time() < deadline and self._writer.failure is None:
            self._bell.silence()
            await self._bell.heard(within=deadline - anyio.current_time())
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
        self._bell.ring()

    async def _feed_backlog(self) -> None:
        await self._feeder.feed()
        self._bell.ring()

    def _outcome(self, ended: Finished | Stop | None) -> Outcome:
        statistics = self.statistics()
        assert statistics is not None, "the run has begun"
        seconds = self._clock.monotonic() - self._began
        match ended:
            case Finished():
                return Outcome("finished", "", "", seconds, statistics)
            case Stop(code=code, reason=reason):
                return Outcome("stopped", code, reason, seconds, statistics)
            case None:
                return Outcome("interrupted", "INTERRUPTED", self._interrupted, seconds, statistics)
