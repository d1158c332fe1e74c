"""
The sandbox without a network: the service's replies, read by the real parsers.

For tests in virtual time and for programs that want to try pacer against a
service of their own making: no socket, no port, every moment exact.
"""

from __future__ import annotations

from multidict import CIMultiDict

from pacer.clock import Clock
from pacer.sandbox.exchange import Answer, Call
from pacer.sandbox.service import Service
from pacer.sandbox.settings import SANDBOX_KEY
from pacer.wire.parse import parse_job, parse_status, parse_submit
from pacer.wire.replies import JobOutcome, Reply, StatusOutcome, SubmitOutcome, Unclear

TIMEOUT = 90.0
"""Seconds after which a reply is lost, as over the network."""


class InMemorySearchApi:
    """
    A :class:`~pacer.api.SearchApi` whose service is an object.

    Args:
        service: What answers. Its ``now`` is the clock's monotonic reading.

        clock: Where time comes from; sleeps for the round trips.

        rtt: Seconds for a round trip: half before the service sees a call, half after.

        key: The API key that is sent.
    """

    def __init__(self, service: Service, *, clock: Clock, rtt: float = 0.08, key: str = SANDBOX_KEY) -> None:
        self._service = service
        self._clock = clock
        self._half_trip = rtt / 2
        self._headers = {"Authorization": f"Bearer {key}"}

    async def submit(self, body: bytes) -> Reply[SubmitOutcome]:
        """``POST /v1/search?mode=async``."""
        answer = await self._call(Call("POST", "/v1/search", {"mode": "async"}, self._headers, body))
        if isinstance(answer, Unclear):
            return Reply(answer)
        return parse_submit(answer.status, _headers(answer), _body(answer), now=self._clock.wall())

    async def capture(self, body: bytes) -> Reply[SubmitOutcome]:
        """``POST /v1/search?mode=sync``."""
        answer = await self._call(Call("POST", "/v1/search", {"mode": "sync"}, self._headers, body))
        if isinstance(answer, Unclear):
            return Reply(answer)
        return parse_submit(answer.status, _headers(answer), _body(answer), now=self._clock.wall())

    async def status(self) -> Reply[StatusOutcome]:
        """``GET /v1/async/status``."""
        answer = await self._call(Call("GET", "/v1/async/status", {}, self._headers))
        if isinstance(answer, Unclear):
            return Reply(answer)
        return parse_status(answer.status, _headers(answer), _body(answer), now=self._clock.wall())

    async def job(self, job_id: str) -> Reply[JobOutcome]:
        """``GET /v1/jobs/:id``."""
        answer = await self._call(Call("GET", f"/v1/jobs/{job_id}", {}, self._headers))
        if isinstance(answer, Unclear):
            return Reply(answer)
        return parse_job(answer.status, _headers(answer), _body(answer), now=self._clock.wall(), asked=job_id)

    async def _call(self, call: Call) -> Answer | Unclear:
        await self._clock.sleep(self._half_trip)
        answer = self._service.handle(call, now=self._clock.monotonic())
        wait = answer.delay + answer.body_delay
        if wait >= TIMEOUT:
            await self._clock.sleep(TIMEOUT)
            return Unclear("timed out")
        await self._clock.sleep(self._half_trip + wait)
        if answer.cut == "refused":
            return Unclear("connection refused", sent=False)
        if answer.cut in ("before", "after"):
            return Unclear("connection reset")
        return answer


def _headers(answer: Answer) -> CIMultiDict[str]:
    return CIMultiDict(answer.headers)


def _body(answer: Answer) -> bytes:
    body = answer.encoded()
    return body[: len(body) // 2] if answer.cut == "truncate" else body
