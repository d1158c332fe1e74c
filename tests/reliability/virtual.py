"""
An event loop whose time jumps to the next timer as soon as nothing is left to do.

looptime keeps time in whole microseconds, and floats that lie between two of its
ticks (a deadline of a year) are never reached. Here time is the very next number
after the timer's, so that no timer fires early, by however little. Nothing that
is run may wait for a socket or a thread.
"""

from __future__ import annotations

import asyncio
import selectors
from math import inf, nextafter
from typing import Any


class Deadlock(Exception):
    """Everybody waits, and no timer is set: nothing will ever happen again."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    Starts at 0 s. It looks at what ``asyncio.BaseEventLoop`` has scheduled, as looptime does.
    """

    _ready: Any
    _scheduled: Any

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))
        self._clock_resolution = 0.0

    def time(self) -> float:
        """Return virtual seconds."""
        return self._now

    def jump(self) -> None:
        """
        Go to the next timer, if nothing can be done before it.

        Raises:
            Deadlock: There is none.
        """
        if self._ready:
            return
        if not self._scheduled:
            raise Deadlock
        self._now = max(self._now, nextafter(self._scheduled[0].when(), inf))


class _Jumping(selectors.DefaultSelector):
    """Asked to wait, it lets the loop's time jump instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        """Return at once; *timeout* is None where nothing is scheduled."""
        self._loop.jump()
        return super().select(0)
