"""
A server that says exactly what a test wants said, and a client to talk to it.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from pacer.api import AiohttpSearchApi, SearchApi
from pacer.wire.replies import Reply

KEY = "sk_live_Zq7-secret+/=x"

ACCEPTED = b'{"jobId": "job_1", "status": "processing", "children": ["job_1.claude.us"]}'

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """
    A server that answers request by request as its script says, byte for byte.

    Bytes are sent and the connection kept; a function does what it likes, then
    the connection is closed. The last entry answers all further requests.
    """

    def __init__(self, *script: bytes | Script) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                self.requests.append(head + await reader.readexactly(int(length[1]) if length else 0))
                self.asked.set()
                step = self.script[min(len(self.requests), len(self.script)) - 1]
                if not isinstance(step, bytes):
                    return await step(writer)
                writer.write(step)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return None
        finally:
            writer.close()


@asynccontextmanager
async def peer(*script: bytes | Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    one = Peer(*script)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=tls)
    one.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield one
    finally:
        server.close()


def then_close(reply: bytes) -> Script:
    async def run(writer: asyncio.StreamWriter) -> None:
        writer.write(reply)

    return run


def then_silence(reply: bytes) -> Script:
    async def run(writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        await asyncio.sleep(10_000)

    return run


async def cut(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def response(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def client(url: str, **options: object) -> AiohttpSearchApi:
    return AiohttpSearchApi(url, SecretStr(KEY), **options)  # type: ignore[arg-type]  # options vary by test


def calls(api: SearchApi) -> dict[str, Callable[[], Awaitable[Reply[Any]]]]:
    return {"submit": lambda: api.submit(b"{}"), "status": api.status, "job": lambda: api.job("job_1")}


async def submit(url: str) -> object:
    async with client(url) as api:
        return (await api.submit(b"{}")).outcome
