"""
A TCP proxy that spoils single exchanges: what toxiproxy calls toxics, drawn from a seed.

It knows of HTTP only where a request begins, so that one kept connection can
carry a good exchange and then a bad one. It waits with ``asyncio.sleep`` alone
and is exact in virtual time.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from pacer.api.http import TOTAL_TIMEOUT

Toxic: TypeAlias = Literal[
    "none",
    "reset_before",  # RST as soon as the request comes; it is not passed on
    "reset_after",  # passed on, then RST in place of the reply
    "reset_within",  # RST in the middle of the reply
    "black_hole",  # the request disappears, the connection stays open
    "black_hole_after",  # passed on; the reply disappears
    "half_reply",  # half of the reply, then an orderly end of that direction only
    "no_reply",  # passed on; an orderly end of that direction in place of the reply
    "drip",  # the reply in pieces, a pause before each
    "trickle",  # the reply byte by byte, slower than any patience
    "late",  # the request is held up until its sender has given up, and arrives
]

HELD_UP = TOTAL_TIMEOUT + 15.0
"""Seconds for which a late request is held up: longer than a client waits."""

_REQUEST = (b"POST ", b"GET ")
_NO_LINGER = struct.pack("ii", 1, 0)


class Proxy:
    """
    One proxy in front of one server.

    Args:
        target: The server's base URL.

        shares: How often each toxic meets an exchange; the rest passes.

        latency: Seconds each way, on average.

        jitter: By which share of it that varies.

        seed: Of all that is drawn.

    Attributes:
        met: How many exchanges met which toxic.
    """

    def __init__(
        self,
        target: str,
        *,
        shares: Mapping[Toxic, float] | None = None,
        latency: float = 0.0,
        jitter: float = 0.0,
        seed: int = 0,
    ) -> None:
        address = urlsplit(target)
        self._target = (address.hostname, address.port)
        self.shares = dict(shares or {})
        self._latency, self._jitter = latency, jitter
        self._chance = Random(f"{seed}:proxy")
        self._jitters = Random(f"{seed}:jitter")  # apart: what meets the n-th exchange hangs on n alone
        self._tasks: set[asyncio.Task[None]] = set()
        self.met: Counter[Toxic] = Counter()
        self.url = ""

    def draw(self) -> Toxic:
        """Return what meets the next exchange."""
        at = self._chance.random()
        for toxic, share in self.shares.items():
            at -= share
            if at < 0:
                self.met[toxic] += 1
                return toxic
        return "none"

    async def way(self) -> None:
        """Let the time of one direction pass."""
        if self._latency:
            await asyncio.sleep(self._latency * (1 + self._jitter * (2 * self._jitters.random() - 1)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side has had enough."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._target)
            carried = _Connection(self, (reader, writer), (up_reader, up_writer))
            await carried.carry()
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def stop(self) -> None:
        """Drop every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


Ends: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """Two pumps, one each way, and the toxic of the exchange that is under way."""

    def __init__(self, proxy: Proxy, client: Ends, server: Ends) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._toxic: Toxic = "none"

    async def carry(self) -> None:
        """Pump both ways until the client has gone, or what it sent has been passed on."""
        down = asyncio.create_task(self._down())
        try:
            await self._up()
        finally:
            down.cancel()
            for writer in (self._to_server, self._to_client):
                writer.close()
            for writer in (self._to_server, self._to_client):
                with suppress(ConnectionError):
                    await writer.wait_closed()

    async def _up(self) -> None:
        while chunk := await self._from_client.read(2**16):
            if chunk.startswith(_REQUEST):
                self._toxic = self._proxy.draw()
                await (asyncio.sleep(HELD_UP) if self._toxic == "late" else self._proxy.way())
            if self._toxic == "reset_before":
                self._reset()
                return
            if self._toxic != "black_hole":
                self._to_server.write(chunk)
        if self._toxic == "late":
            await asyncio.sleep(1.0)  # its sender has gone, but it is to arrive

    async def _down(self) -> None:
        while chunk := await self._from_server.read(2**16):
            await self._proxy.way()
            half = len(chunk) // 2
            match self._toxic:
                case "reset_after":
                    self._reset()
                    return
                case "reset_within":
                    self._to_client.write(chunk[:half])
                    await asyncio.sleep(0.01)
                    self._reset()
                    return
                case "half_reply" | "no_reply":
                    self._to_client.write(chunk[: half if self._toxic == "half_reply" else 0])
                    self._to_client.write_eof()
                    return
                case "drip":
                    await self._in_pieces(chunk, size=400, pause=0.3)
                case "trickle":
                    await self._in_pieces(chunk, size=1, pause=20.0)
                case "black_hole_after":
                    pass
                case _:
                    self._to_client.write(chunk)
        self._to_client.close()

    async def _in_pieces(self, chunk: bytes, *, size: int, pause: float) -> None:
        for start in range(0, len(chunk), size):
            await asyncio.sleep(pause)
            self._to_client.write(chunk[start : start + size])

    def _reset(self) -> None:
        self._to_client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._to_client.transport.abort()


@asynccontextmanager
async def between(
    target: str,
    *,
    shares: Mapping[Toxic, float] | None = None,
    latency: float = 0.0,
    jitter: float = 0.0,
    seed: int = 0,
) -> AsyncIterator[Proxy]:
    """Listen on loopback in front of *target*; see :class:`Proxy`."""
    proxy = Proxy(target, shares=shares, latency=latency, jitter=jitter, seed=seed)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
        await server.wait_closed()
