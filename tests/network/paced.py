"""
A whole batch in this loop: runner, journal, results and HTTP client are real, and so are the sockets.

In virtual time a minute's time-out costs nothing. Both ends' times are known
here, so the checker judges all it can, waves included.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from pydantic import SecretStr

from pacer.api import AiohttpSearchApi, SearchApi
from pacer.api.http import KEEP_ALIVE
from pacer.clock import Clock, FakeClock
from pacer.instrumentation.happening import Happening
from pacer.intake import random_keys, take_in_requests
from pacer.journal.records import Batch
from pacer.journal.sqlite import SqliteJournal
from pacer.pacing.policy import Policy
from pacer.results import ResultsFile
from pacer.runner import Outcome, Runner
from pacer.sandbox import SANDBOX_KEY, Answer, Call, Entry, Service
from pacer.wire.replies import JobOutcome, Reply, StatusOutcome, SubmitOutcome, Unclear
from tests.reliability.checker import Asked, Exchange, History, Invocation, check

ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class Sent:
    """One call as the client saw it: what of, when it left, when its fate was known, if that was silence."""

    what: str
    about: str
    sent_at: float
    read_at: float | None = None
    lost: bool = False


class Recorder:
    """A :class:`~pacer.api.SearchApi` that notes when calls leave and come back."""

    def __init__(self, api: SearchApi) -> None:
        self._api = api
        self.calls: list[Sent] = []

    async def submit(self, body: bytes) -> Reply[SubmitOutcome]:
        """Pass on, and note under the request's key."""
        return await self._noted("submit", json.loads(body)["idempotencyKey"], self._api.submit(body))

    async def capture(self, body: bytes) -> Reply[SubmitOutcome]:
        """Pass on: a batch asks for no sync captures."""
        return await self._api.capture(body)

    async def status(self) -> Reply[StatusOutcome]:
        """Pass on, and note."""
        return await self._noted("status", "", self._api.status())

    async def job(self, job_id: str) -> Reply[JobOutcome]:
        """Pass on, and note under the job."""
        return await self._noted("job", job_id, self._api.job(job_id))

    async def _noted(self, what: str, about: str, call: Awaitable[Reply[ResultT]]) -> Reply[ResultT]:
        loop = asyncio.get_running_loop()
        sent = Sent(what, about, loop.time())
        _number.set(len(self.calls))
        self.calls.append(sent)
        reply = await call
        sent.read_at = loop.time()
        sent.lost = isinstance(reply.outcome, Unclear) and reply.outcome.status is None
        return reply

    def exchanges(self, service: WitnessedService) -> list[Exchange]:
        """Return every call that left with what the service noted of it; one that never came was lost."""
        arrived = dict(service.witnessed)
        return [
            Exchange(
                arrived.get(number) or Entry(call.sent_at, call.what, key=call.about),
                call.sent_at,
                call.read_at,
                lost=call.lost or number not in arrived,
            )
            for number, call in enumerate(self.calls)
        ]


class WitnessedService(Service):
    """
    A service that also notes which of our calls each entry of its log is about.

    Attributes:
        witnessed: Number of the call, and the entry.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.witnessed: list[tuple[int, Entry]] = []

    def handle(self, call: Call, *, now: float) -> Answer:
        """Answer, and note."""
        answer = super().handle(call, now=now)
        *_, entry = (entry for entry in self.log if not entry.tenant)
        self.witnessed.append((int(call.headers[_CALL]), entry))
        return answer


_CALL = "X-Test-Call"
_number: ContextVar[int] = ContextVar("number of the call under way in this task")


def _numbering_session() -> aiohttp.ClientSession:
    """Return a session whose requests bear the numbers of their calls."""

    async def number(_: object, __: object, request: aiohttp.TraceRequestStartParams) -> None:
        request.headers[_CALL] = str(_number.get())

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(number)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE)
    return aiohttp.ClientSession(trace_configs=[trace], connector=connector)


@dataclass(frozen=True, slots=True)
class Paced:
    """
    What became of a batch.

    Attributes:
        outcome: How the run ended.

        violations: Broken promises, each a sentence.

        seconds: Virtual time it took.

        happened: What was told.

        sent: Every call, as the client saw it.

        epoch: The wall clock when the loop's is 0.
    """

    outcome: Outcome
    violations: list[str]
    seconds: float
    happened: list[Happening]
    sent: list[Sent]
    epoch: float


async def paced(
    folder: Path,
    service: WitnessedService,
    url: str,
    requests: Sequence[dict[str, Any]],
    *,
    policy: Policy | None = None,
) -> Paced:
    """Take *requests* in, run them against *service* at *url* and judge."""
    began = asyncio.get_running_loop().time()
    clock = FakeClock(service.settings.epoch)
    out = folder / "batch.results.jsonl"
    happened: list[Happening] = []
    journal = SqliteJournal.open(folder / "batch.pacer.db", create=True)
    asked = _take_in(journal, requests, clock)
    results = ResultsFile(out, journal)
    results.open()
    try:
        async with (
            _numbering_session() as session,
            AiohttpSearchApi(url, SecretStr(SANDBOX_KEY), clock=clock, session=session) as api,
        ):
            recorder = Recorder(api)
            runner = Runner(
                recorder,
                journal,
                results=results,
                run_blocking=_inline,
                policy=policy,
                clock=clock,
                listener=happened.append,
                seed=3,
            )
            outcome = await runner.run()
    finally:
        results.close()
        journal.close()
    history = History(
        asked=asked,
        exchanges=recorder.exchanges(service),
        lines=[json.loads(line) for line in out.read_text().splitlines()],
        invocations=[Invocation(began, asyncio.get_running_loop().time())],
        finished=outcome.kind == "finished",
        unit=service.settings.unit,
        secret=SANDBOX_KEY,
        haystacks={path.name: path.read_bytes() for path in folder.iterdir()}
        | {"what was told": repr(happened).encode()},
    )
    return Paced(
        outcome,
        check(history),
        asyncio.get_running_loop().time() - began,
        happened,
        recorder.calls,
        clock.epoch,
    )


def _take_in(journal: SqliteJournal, requests: Sequence[dict[str, Any]], clock: Clock) -> list[Asked]:
    with journal.intake() as writer:
        take_in_requests(requests, writer, keys=random_keys("network"))
        writer.commit(
            Batch(token="network", source="x", input_sha256="", base_url="x", created_at=clock.wall())
        )
    pending = journal.pending(after=-1, limit=10_000)
    return [Asked(request.id, request.index, request.key, request.fan_out) for request in pending]


async def _inline(function: Callable[[], ResultT]) -> ResultT:
    """Disk work on the loop: virtual time would leap while a thread works."""
    return function()
