"""
The two clocks a batch lives by.

Within one invocation every time is a *monotonic* reading in seconds. What must
outlive the process (open gates, when a request was sent) is kept as *wall*
time, seconds since the epoch, and turned back when a batch is resumed.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where the shell gets its time from."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary origin; never goes back."""
        ...

    def wall(self) -> float:
        """Return seconds since the epoch (UTC)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds* on the monotonic clock."""
        ...


class SystemClock:
    """
    The running event loop's clock, and the machine's wall clock.

    The loop's clock, not ``time.monotonic``: under a loop with virtual time
    (looptime) the whole shell is then in virtual time.
    """

    def monotonic(self) -> float:
        """Return the running loop's time."""
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        """Return ``time.time()``."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running loop."""
        await asyncio.sleep(seconds)


class FakeClock:
    """
    A clock that the event loop's time drives from a wall time of your choice.

    For tests in virtual time: wall and monotonic move together, so an HTTP-date
    or an epoch second means the same moment to client and service.

    Args:
        epoch: Wall time, in seconds, at loop time 0.
    """

    def __init__(self, epoch: float = 1_780_000_000.0) -> None:
        self.epoch = epoch

    def monotonic(self) -> float:
        """Return the running loop's time."""
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        """Return the epoch plus the running loop's time."""
        return self.epoch + self.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running loop."""
        await asyncio.sleep(seconds)
