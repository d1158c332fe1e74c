"""
The network between any number of processes and one service.

It outlives them: a request that was on its way when its sender died still
arrives, and one that was held up arrives late, maybe after it was sent again.
"""

from __future__ import annotations

import asyncio
from random import Random

from multidict import CIMultiDict

from pacer.clock import Clock
from pacer.sandbox import SANDBOX_KEY, Service
from pacer.sandbox.exchange import Answer, Call
from pacer.wire.parse import parse_job, parse_status, parse_submit
from pacer.wire.replies import JobOutcome, Reply, StatusOutcome, SubmitOutcome, Unclear
from tests.reliability.checker import Exchange
from tests.reliability.crashing import Fuse

TIMEOUT = 90.0
"""Seconds after which a client gives a reply up."""

LATEST = 150.0
"""Seconds for which a request may be held up on its way."""


class Trip:
    """One call under way: see :class:`~tests.reliability.checker.Exchange` for what becomes of it."""

    def __init__(self, call: Call, sent_at: float, invocation: int) -> None:
        self.call = call
        self.sent_at = sent_at
        self.invocation = invocation
        self.read_at: float | None = None
        self.lost = False
        self.reply: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()


class Network:
    """
    Carries calls to *service* and answers back.

    Args:
        service: Its ``now`` is the running loop's time.

        rtt: Seconds there and back.

        late: Share of the submissions that are held up.

        seed: Of which, and for how long.
    """

    def __init__(self, service: Service, *, rtt: float, late: float = 0.0, seed: int = 0) -> None:
        self.service = service
        self._half_trip = rtt / 2
        self._late = late
        self._chance = Random(f"{seed}:network")
        self._arrived: list[Trip] = []

    def send(self, call: Call, invocation: int) -> Trip:
        """Put *call* on its way; it arrives whatever becomes of its sender."""
        loop = asyncio.get_running_loop()
        trip = Trip(call, loop.time(), invocation)
        held_up = self._late and call.method == "POST" and self._chance.random() < self._late
        extra = self._chance.uniform(0, LATEST) if held_up else 0.0
        loop.call_later(self._half_trip + extra, self._arrive, trip)
        return trip

    def _arrive(self, trip: Trip) -> None:
        loop = asyncio.get_running_loop()
        answer = self.service.handle(trip.call, now=loop.time())
        self._arrived.append(trip)
        loop.call_later(self._half_trip + answer.delay + answer.body_delay, self._deliver, trip, answer)

    @staticmethod
    def _deliver(trip: Trip, answer: Answer) -> None:
        if not trip.reply.done():
            trip.reply.set_result(answer)

    def exchanges(self) -> list[Exchange]:
        """Return every call that arrived, with the service's note of it."""
        entries = (entry for entry in self.service.log if not entry.tenant)
        return [
            Exchange(entry, trip.sent_at, trip.read_at, trip.lost, trip.invocation)
            for entry, trip in zip(entries, self._arrived, strict=True)
        ]


class Line:
    """
    A :class:`~pacer.api.SearchApi`: the end of the network that belongs to one *invocation*.
    """

    def __init__(self, network: Network, clock: Clock, fuse: Fuse, *, invocation: int) -> None:
        self._network = network
        self._clock = clock
        self._fuse = fuse
        self._invocation = invocation

    async def submit(self, body: bytes) -> Reply[SubmitOutcome]:
        """``POST /v1/search?mode=async``."""
        return await self._post(body, "async")

    async def capture(self, body: bytes) -> Reply[SubmitOutcome]:
        """``POST /v1/search?mode=sync``."""
        return await self._post(body, "sync")

    async def _post(self, body: bytes, mode: str) -> Reply[SubmitOutcome]:
        answer = await self._exchange(Call("POST", "/v1/search", {"mode": mode}, _AUTHORIZED, body))
        if isinstance(answer, Unclear):
            return Reply(answer)
        return parse_submit(answer.status, _headers(answer), _body(answer), now=self._clock.wall())

    async def status(self) -> Reply[StatusOutcome]:
        """``GET /v1/async/status``."""
        answer = await self._exchange(Call("GET", "/v1/async/status", {}, _AUTHORIZED))
        if isinstance(answer, Unclear):
            return Reply(answer)
        return parse_status(answer.status, _headers(answer), _body(answer), now=self._clock.wall())

    async def job(self, job_id: str) -> Reply[JobOutcome]:
        """``GET /v1/jobs/:id``."""
        answer = await self._exchange(Call("GET", f"/v1/jobs/{job_id}", {}, _AUTHORIZED))
        if isinstance(answer, Unclear):
            return Reply(answer)
        wall = self._clock.wall()
        return parse_job(answer.status, _headers(answer), _body(answer), now=wall, asked=job_id)

    async def _exchange(self, call: Call) -> Answer | Unclear:
        self._fuse.burn("call")
        trip = self._network.send(call, self._invocation)
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await trip.reply
        except TimeoutError:
            answer = None
        self._fuse.burn("reply")
        trip.read_at = asyncio.get_running_loop().time()
        if answer is None:
            trip.lost = True
            return Unclear("timed out")
        trip.lost = bool(answer.cut)
        if answer.cut == "refused":
            return Unclear("connection refused", sent=False)
        if answer.cut:
            return Unclear("connection reset")
        return answer


_AUTHORIZED = {"Authorization": f"Bearer {SANDBOX_KEY}"}


def _headers(answer: Answer) -> CIMultiDict[str]:
    return CIMultiDict(answer.headers)


def _body(answer: Answer) -> bytes:
    return answer.encoded()
