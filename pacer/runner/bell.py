"""
The bell that tells of news.
"""

from __future__ import annotations

import asyncio
import math

TICK = 1e-6
"""Seconds below which a loop's clock may not move at all: an alarm that is sooner would ring for ever."""


class Bell:
    """Rings when something has happened that whoever listens should look at."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever listens; it stays rung until it is silenced."""
        self._rung.set()

    def silence(self) -> None:
        """Begin to listen anew."""
        self._rung.clear()

    async def heard(self, *, within: float = math.inf) -> None:
        """Return when it rings; it does so by itself after *within* seconds."""
        if self._rung.is_set():
            await asyncio.sleep(0)  # whoever is to silence it must have a turn
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
