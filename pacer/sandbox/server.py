"""
The sandbox behind a real socket on loopback: aiohttp around :class:`pacer.sandbox.Service`.
"""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from pacer.sandbox.exchange import Answer, Call
from pacer.sandbox.service import Service

__all__ = ["SandboxServer"]

_NO_LINGER: Final = struct.pack("ii", 1, 0)


class SandboxServer:
    """
    Serves *service* while the context is entered.

    It takes all its time from one clock and waits with `asyncio.sleep` only, so it is exact in virtual time.
    It writes no access log, and it listens on nothing but loopback: whoever reaches it can use it.

    Args:
        service: What answers.
        host: A loopback address.
        port: 0 takes a free one.
        clock: The service's `now`, in seconds; by default the event loop's clock, starting at 0 on entry.
        rtt: Round trip in seconds; half of it passes before the service sees a call, half after.

    Raises:
        ValueError: *host* is not a loopback address.
    """

    def __init__(
        self,
        service: Service,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] | None = None,
        rtt: float = 0.0,
    ) -> None:
        if host != "localhost" and not _is_loopback(host):
            raise ValueError(
                f"the sandbox listens on loopback only, such as 127.0.0.1 or ::1, not on {host!r}"
            )
        self.service = service
        self._host = host
        self._port = port
        self._clock = clock
        self._half_trip = rtt / 2
        self._runner: web.ServerRunner | None = None

    @property
    def base_url(self) -> str:
        """
        Where it listens, without the `/v1` of the paths.

        Raises:
            RuntimeError: It does not listen.
        """
        if self._runner is None:
            raise RuntimeError(
                "the sandbox has no address yet: enter it first (async with SandboxServer(...) as server)"
            )
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        if self._clock is None:
            loop = asyncio.get_running_loop()
            started = loop.time()
            self._clock = lambda: loop.time() - started
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.05)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        call = Call(request.method, request.path, request.query, request.headers, await request.read())
        if self._half_trip:
            await asyncio.sleep(self._half_trip)
        answer = self.service.handle(call, now=self._now())
        if wait := self._half_trip + answer.delay:
            await asyncio.sleep(wait)
        if answer.cut in ("refused", "before", "after"):
            return _reset(request)
        body = answer.encoded()
        if answer.cut == "truncate" or answer.body_delay:
            return await _in_halves(request, answer, body)
        return web.Response(status=answer.status, headers=answer.headers, body=body)

    def _now(self) -> float:
        assert self._clock is not None, "a call came in before the server was entered"
        return self._clock()


def _reset(request: web.BaseRequest) -> web.Response:
    transport = request.transport
    if transport is not None:
        # Without lingering, the peer gets an RST instead of an orderly end.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response()  # goes nowhere: aiohttp finds the connection closed


async def _in_halves(request: web.BaseRequest, answer: Answer, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(body)
    await response.prepare(request)
    middle = len(body) // 2
    await response.write(body[:middle])
    if answer.cut:
        if request.transport is not None:
            request.transport.close()
        return response
    await asyncio.sleep(answer.body_delay)
    await response.write(body[middle:])
    await response.write_eof()
    return response


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
