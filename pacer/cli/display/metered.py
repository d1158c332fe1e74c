"""
A display that keeps metrics besides showing what another shows.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pacer.cli.display.protocol import Display, Looker
from pacer.instrumentation.happening import Happening
from pacer.instrumentation.metrics import Metrics

EVERY = 1.0
"""Seconds between two looks at the totals: far below any scrape interval."""


class MeteredDisplay:
    """Passes everything on to *shown*, and to *metrics* what happens and how the run stands."""

    def __init__(self, shown: Display, metrics: Metrics) -> None:
        self._shown = shown
        self._metrics = metrics

    def note(self, text: str) -> None:
        """Pass it on."""
        self._shown.note(text)

    def hear(self, told: Happening) -> None:
        """Count it, and pass it on."""
        self._metrics(told)
        self._shown.hear(told)

    async def keep(self, look: Looker) -> None:
        """Keep both up to date, to the very end of the run."""
        showing = asyncio.create_task(self._shown.keep(look))
        try:
            while True:
                self._see(look)
                await asyncio.sleep(EVERY)
        finally:
            self._see(look)
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    def close(self) -> None:
        """Pass it on."""
        self._shown.close()

    def _see(self, look: Looker) -> None:
        seen = look()
        self._metrics.see(seen.progress, seen.statistics)
