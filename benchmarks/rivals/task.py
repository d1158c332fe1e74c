"""
What every rival is given, and the POST that most of them share.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from pacer.sandbox import SANDBOX_KEY

HEADERS = {"Authorization": f"Bearer {SANDBOX_KEY}", "Content-Type": "application/json"}

RETRYABLE = (429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Task:
    """
    A batch and where to submit it.

    Attributes:
        url: Of ``POST /v1/search``.

        bodies: The requests, in a list, as such scripts hold them.

        folder: Where the client may keep what it wants to keep.

        source: The same requests as a file.
    """

    url: str
    bodies: list[bytes]
    folder: Path
    source: Path


class RefusedError(Exception):
    """The service said no; *retry_after* is what it asked for, where it did."""

    def __init__(self, status: int, headers: Any) -> None:
        super().__init__(f"HTTP {status}")
        self.status_code = status
        self.headers = headers
        value = headers.get("Retry-After", "")
        self.retry_after = float(value) if value.isdigit() else None

    @property
    def response(self) -> RefusedError:
        """This, where a library looks for headers on ``.response``."""
        return self

    @property
    def retryable(self) -> bool:
        """Whether trying again may help."""
        return self.status_code in RETRYABLE


def session() -> aiohttp.ClientSession:
    """Return a session as most people make it."""
    return aiohttp.ClientSession(headers=HEADERS)


async def post(client: aiohttp.ClientSession, task: Task, body: bytes) -> None:
    """
    Submit once.

    Raises:
        RefusedError: A status of 400 or more.
        aiohttp.ClientError: No reply.
    """
    async with client.post(task.url, data=body) as reply:
        await reply.read()
        if reply.status >= 400:
            raise RefusedError(reply.status, reply.headers)
