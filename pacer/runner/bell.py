"""
The bell that tells of news.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress

TICK = 1e-6
"""Seconds below which a loop's clock may not move at all: an alarm that is sooner would ring for ever."""


class Bell:
    """
    Rings when something has happened that whoever listens should look at.

    One listener owns it: who silences it and hears it. Others wait for the next ring.
    """

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._next: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake whoever listens; it stays rung until it is silenced."""
        self._rung.set()
        for waiting in self._next:
            if not waiting.done():
                waiting.set_result(None)
        self._next.clear()

    def silence(self) -> None:
        """Begin to listen anew."""
        self._rung.clear()

    async def heard(self, *, within: float = math.inf) -> None:
        """Return when it rings; it does so by itself after *within* seconds."""
        if self._rung.is_set():
            await asyncio.sleep(0)  # news that never ends must not keep others from running
            return
        if within == math.inf:
            await self._rung.wait()
            return
        # Half of what a cancel scope costs, and this is waited for with every wave.
        alarm = asyncio.get_running_loop().call_later(max(within, TICK), self.ring)
        try:
            await self._rung.wait()
        finally:
            alarm.cancel()

    async def rings_next(self, *, within: float) -> None:
        """Return when it rings from now on, be it rung already; after *within* seconds at the latest."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._next.add(waiting)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(None if within == math.inf else max(within, TICK)):
                    await waiting
        finally:
            self._next.discard(waiting)
