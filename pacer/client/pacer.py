"""
:class:`Pacer`, the library's front door.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from pydantic import SecretStr

from pacer.api.address import DEFAULT_BASE_URL, address
from pacer.api.protocol import SearchApi
from pacer.client.desk import Desk
from pacer.client.feeding import fed
from pacer.client.group import Group
from pacer.client.invocation import Invocation
from pacer.client.job import Job
from pacer.client.leftovers import leftovers
from pacer.client.opening import URL_VARIABLE, api_key_of, knobs, open_journal
from pacer.client.outcomes import CaptureResult, Report
from pacer.client.requests import Request, Requests, read
from pacer.clock import Clock, SystemClock
from pacer.errors import BatchStopped, ServiceUnavailable, UsageError
from pacer.instrumentation.happening import Listener
from pacer.journal.protocol import Journal
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.policy import Policy, UnitChoice
from pacer.pacing.reserve import read_reserve
from pacer.pacing.statistics import Statistics
from pacer.runner import BlockingRunner, Progress, Runner
from pacer.wire.replies import Refused, Unclear, Verdict

if TYPE_CHECKING:
    import aiohttp


class Pacer:
    """
    Submits capture requests as fast as the service's queue drains.

    An async context manager, for one event loop. Inside it any number of tasks
    may call any of its methods at once; all share one queue, one rate window
    and one set of ``Retry-After`` deadlines. It configures no logging.

    Leaving the context normally waits until all that was taken has ended
    (``on_exit="abandon"``: it does not). Leaving it by an exception stops
    submitting, waits at most 2 s for replies, and leaves the rest to the journal:
    the next Pacer on it collects what was admitted, asks again for what is in
    doubt, and sends what was never sent when it is asked for again.

    Args:
        api_key: The key; ``AISEARCH_API_KEY`` from the environment by default.
            It goes to the service only, and stands in no repr, log or journal.

        journal: A path (SQLite; one process at a time), or a journal of yours. In
            memory by default: then nothing survives the process. It is closed at the end.

        base_url: ``https://host[:port][/prefix]``; by default
            ``AISEARCH_BASE_URL`` from the environment, else the documented one.

        allow_http: Take plain http to any host, not to loopback only.

        session: Use this session; it stays open. See :class:`~pacer.api.AiohttpSearchApi`.

        listener: Hears every :class:`Happening`, on the event loop.

        clock: Where time comes from.

        policy: All knobs of pacing. Those below replace single ones of it.

        unit: What the service's ``depth`` counts:
            ``auto|parents|children|both``. ``auto`` learns it.

        reserve: Units of the queue kept free for others on the key, or a share of it: ``"15%"``.

        max_credits: The most that the journal's requests may cost by the documented
            prices (surfaces without a published one count as 0), earlier invocations
            included. A request counts once it is sent. The first that would exceed it
            ends the batch: what is out is collected, then whoever waits gets
            :class:`BatchStopped` with the code ``MAX_CREDITS``. Raise it to go on.

        max_requests: The most requests of the journal that are sent; as above, ``MAX_REQUESTS``.

        concurrency: Most submissions in flight.

        max_retry_after: Seconds; a longer ``Retry-After`` stops the batch.

        capture_timeout: Seconds after which a capture ends as ``NO_RESULT``.

        collect: Read the captures. Without it a request has ended once it is admitted.

        resend_in_doubt: Send again also what has been in doubt for more than a day.

        on_exit: What leaving the context normally does: ``drain`` or ``abandon``.

        api: A service of your own making, such as the sandbox's; no key is needed then.

        run_blocking: Runs the journal's calls, one at a time; a thread by default.

        seed: Of the jitter, for tests.

    Errors:
        UsageError: There is no key, or an argument will not do.
    """

    def __init__(
        self,
        api_key: str | SecretStr | None = None,
        *,
        journal: str | os.PathLike[str] | Journal | None = None,
        base_url: str | None = None,
        allow_http: bool = False,
        session: aiohttp.ClientSession | None = None,
        listener: Listener | None = None,
        clock: Clock | None = None,
        policy: Policy | None = None,
        unit: UnitChoice | Literal["auto", "parents", "children", "both"] | None = None,
        reserve: int | str | None = None,
        max_credits: int | None = None,
        max_requests: int | None = None,
        concurrency: int | None = None,
        max_retry_after: float | None = None,
        capture_timeout: float | None = None,
        collect: bool | None = None,
        resend_in_doubt: bool = False,
        on_exit: Literal["drain", "abandon"] = "drain",
        api: SearchApi | None = None,
        run_blocking: BlockingRunner | None = None,
        seed: int | None = None,
    ) -> None:
        self._key = None if api is not None else api_key_of(api_key)
        self._base_url = _base_url(base_url, allow_http=allow_http, needed=api is None)
        self._allow_http = allow_http
        self._session = session
        self._api = api
        self._journal = journal
        self._run_blocking = run_blocking
        self._listener = listener
        self._clock = clock or SystemClock()
        kept_free = None if reserve is None else read_reserve(str(reserve))
        self._policy = knobs(
            policy,
            unit=None if unit is None else UnitChoice(unit),
            reserve=None if kept_free is None else kept_free.units,
            reserve_share=None if kept_free is None else kept_free.share,
            max_credits=max_credits,
            max_requests=max_requests,
            concurrency=concurrency,
            max_retry_after=max_retry_after,
            capture_timeout=capture_timeout,
            collect=collect,
        )
        self._resend_in_doubt = resend_in_doubt
        self._drains = on_exit == "drain"
        self._seed = seed
        self._stack = AsyncExitStack()
        self._entered: Invocation | None = None
        self._closed = False

    def __repr__(self) -> str:
        """Return where it sends to; the key is not in it."""
        return f"<Pacer {self._base_url or type(self._api).__name__}>"

    # The context ---------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Do what :meth:`open` does."""
        return await self.open()

    async def open(self) -> Self:
        """
        Open journal and connection; nothing is sent yet but what was in doubt.

        For hosts with hooks instead of a context, and for notebooks; end it with :meth:`aclose`.

        Errors:
            JournalError: The journal is locked, foreign, unwritable...

            UsageError: It belongs to another service.
        """
        if self._entered is not None:
            raise UsageError("A Pacer is entered once; make another one.")
        async with AsyncExitStack() as stack:
            opened = await open_journal(
                stack,
                self._journal,
                run_blocking=self._run_blocking,
                base_url=self._base_url,
                wall=self._clock.wall(),
            )
            api = await self._service(stack)
            desk = Desk()
            runner = Runner(
                api,
                opened.journal,
                run_blocking=opened.run_blocking,
                policy=self._policy,
                clock=self._clock,
                listener=self._listener,
                observer=desk,
                serving=True,
                resend_in_doubt=self._resend_in_doubt,
                seed=self._seed,
            )
            self._entered = Invocation(runner, desk, opened, collect=self._policy.collect)
            stack.push_async_callback(self._entered.stop)
            await self._entered.ready()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drain or abandon; see the class."""
        await self.aclose(drain=self._drains and error is None)

    async def aclose(self, *, drain: bool = True) -> None:
        """
        End it, as leaving the context does; a second call does nothing.

        Args:
            drain: Wait until all that was taken has ended, or leave it to the journal.

        Errors:
            BatchStopped, JournalLost: It could not be drained, and nobody was told yet.
        """
        if self._closed:
            return
        self._closed = True
        async with self._stack:
            if drain and self._entered is not None:
                await self._entered.drain()

    async def _service(self, stack: AsyncExitStack) -> SearchApi:
        if self._api is not None:
            return self._api
        from pacer.api.http import AiohttpSearchApi

        assert self._key is not None, "there is a key where there is no api"
        return await stack.enter_async_context(
            AiohttpSearchApi(
                self._base_url,
                self._key,
                session=self._session,
                clock=self._clock,
                allow_http=self._allow_http,
                limit=2 * self._policy.concurrency + 1,  # submissions, reads of jobs, one of the snapshot
            )
        )

    @property
    def _open(self) -> Invocation:
        if self._entered is None or self._closed:
            raise UsageError("A Pacer works inside its context: async with Pacer(...) as p.")
        return self._entered

    # Requests ------------------------------------------------------------------------------

    async def submit(self, request: Request) -> Job:
        """
        Return once the service has admitted *request*.

        It waits for headroom behind all that were asked before; any number of
        calls may wait at once. Cancelling the call takes a request that was not
        sent yet back; one that was is collected all the same and stays in the journal.

        A request whose ``id`` the journal knows already, with the same body, is
        not sent again: you get its job.

        Errors:
            InputError: It is no request.

            RequestRejected: The service refused it, for good.

            UsageError: Its id or its key belongs to another request of the journal.

            BatchStopped: The service, a limit or this machine ended the batch, resumable.

            JournalLost: The disk failed.
        """
        invocation = self._open
        job = Job()
        invocation.counter.ask(read(request), job)
        try:
            await job.admission()
        except asyncio.CancelledError:
            invocation.give_up(job, [job.index], [] if job.id else [job.index])
            raise
        return job

    async def run(self, requests: Requests) -> Report:
        """
        Bring all of *requests* to their end, and return the sum.

        Any iterable or async iterable will do; it is read as the service takes
        its requests, so that memory stays flat. A request without an ``id`` is named by its
        0-based number, so such lists go into a journal of their own. What the
        journal knows already, under the same id and with the same body, is not
        sent again; a repeated id counts once.

        Cancelling it, or an error, takes back what was not sent yet; the same call
        on the same journal goes on from there.

        Errors:
            InputError: Some are no requests. Of a list or tuple nothing was sent then;
                a stream is looked at as it comes.

            UsageError, BatchStopped, JournalLost: See :meth:`submit`.
        """
        began = self._clock.monotonic()
        group = Group(keep=False)
        async with fed(group, requests, self._open):
            await group.take()
        seconds = self._clock.monotonic() - began
        return Report(
            requests=group.requests, rejected=group.rejected, captures=dict(group.ended), seconds=seconds
        )

    async def captures(self, requests: Requests) -> AsyncGenerator[CaptureResult, None]:
        """
        Yield each capture of *requests* as it ends, once; those that ended earlier included.

        A request that was rejected is one capture with the status ``rejected``.
        A slow consumer slows the reading of *requests* down. Leaving the loop is
        cancelling the call; see :meth:`run`, also for the errors. To leave it at
        once, and not when the iterator is collected, use ``contextlib.aclosing``.
        """
        group = Group(keep=True)
        async with fed(group, requests, self._open):
            while (capture := await group.take()) is not None:
                yield capture

    async def capture(self, request: Request) -> CaptureResult:
        """
        Take one capture in the service's sync lane, past the admission queue, and return it.

        It waits until fewer captures run than the service's limit allows, and for
        the lane's own ``Retry-After``. Where the lane is too slow for the surface, or the reply
        is lost, the capture is taken over by the queue: it is returned later,
        and not paid for twice. It stands in the journal like any other; cancelling the
        call is as with :meth:`submit`.

        Errors:
            UsageError: It is more than one surface in one region; and see :meth:`submit`.

            InputError, RequestRejected, BatchStopped, JournalLost: See :meth:`submit`.
        """
        model = read(request)
        if model.fan_out != 1:
            raise UsageError(
                f"The sync lane takes one surface and one region at a time, not {model.fan_out} captures; "
                "use submit for this request."
            )
        invocation, job = self._open, Job()
        invocation.counter.ask(model, job, sync=True)
        try:
            captures = await job.result()
        except asyncio.CancelledError:
            invocation.give_up(job, [job.index], [] if job.id else [job.index])
            raise
        if not captures:
            raise UsageError("This capture went through the queue, and with collect=False nothing is read.")
        return captures[0]

    async def pending(self) -> AsyncGenerator[Job, None]:
        """
        Yield the jobs that earlier invocations left in this journal: admitted and not
        ended, or in doubt.

        All of them are collected anyhow, and those in doubt are sent again; this
        is for whoever wants their captures. Requests that were never sent are
        not among them: they are sent when they are asked for again.
        """
        async for job in leftovers(self._open):
            yield job

    async def snapshot(self) -> CapacitySnapshot:
        """
        Read the service's queue now, as soon as gates and the rate window allow it.

        Errors:
            ServiceUnavailable: No usable answer came.

            BatchStopped, JournalLost: See :meth:`submit`.
        """
        invocation = self._open
        while True:
            invocation.raise_failure()
            reply = invocation.desk.next_snapshot()
            invocation.runner.ask_status()
            match await reply:
                case CapacitySnapshot() as snapshot:
                    return snapshot
                case Unclear(reason=reason):
                    raise ServiceUnavailable(f"The snapshot could not be read: {reason}. Ask again later.")
                case Refused(verdict=Verdict.BATCH, code=code, message=message):
                    raise BatchStopped(code, message)
                case Refused(code=code, message=message):
                    raise ServiceUnavailable(f"The service gives no snapshot: {code}: {message}")
                case _:
                    continue  # a 429: asked again once its gate has opened

    @property
    def progress(self) -> Progress:
        """Where the journal's batch stands, what it waits for and until when; true at any moment."""
        return self._open.runner.progress

    @property
    def statistics(self) -> Statistics:
        """What this Pacer did so far and what it has learnt; ``account`` says where the time went."""
        statistics = self._open.runner.statistics()
        assert statistics is not None, "open() returns once the runner has begun"
        return statistics


def _base_url(given: str | None, *, allow_http: bool, needed: bool) -> str:
    """Return the base URL in the one form in which journals keep it; empty where none is needed."""
    url = given or (os.environ.get(URL_VARIABLE) or DEFAULT_BASE_URL if needed else "")
    return address(url, allow_http=allow_http).base if url else ""
