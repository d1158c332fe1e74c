"""
Displays for where there is no terminal: lines of text, lines of JSON, nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import TextIO

from pacer.cli.display.narrator import Narrator
from pacer.cli.display.pace import Pace
from pacer.cli.display.protocol import Look, Looker
from pacer.cli.wording import clock, count, span, why
from pacer.instrumentation.happening import Happening
from pacer.instrumentation.log import json_lines, moment
from pacer.wire.text import printable

EVERY = 10.0
"""Seconds between two lines of progress..."""

LATER = 60.0
"""...and once a run has lasted for :data:`LONG`."""

LONG = 600.0
"""Seconds after which a log is read afterwards, not watched."""

_READER_MAY_BE_GONE = suppress(OSError, ValueError)
"""Where nobody reads the log any more, the batch matters more."""


class PlainDisplay:
    """Lines of text: each wave, each gate with its end, 429s, progress every ten seconds, errors."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._narrator = Narrator(details=False)
        self._pace = Pace()

    def note(self, text: str) -> None:
        """Say *text*."""
        self._say(time.time(), printable(text, 2_000))

    def hear(self, told: Happening) -> None:
        """Say what is worth it."""
        for line in self._narrator.lines(told):
            self._say(told.at, line)

    async def keep(self, look: Looker) -> None:
        """Say where the run stands, every ten seconds at first."""
        began = time.monotonic()
        while True:
            self._pace.see(look(), now=time.monotonic())
            await asyncio.sleep(EVERY if time.monotonic() - began < LONG else LATER)
            seen = look()
            self._pace.see(seen, now=time.monotonic())
            self._say(time.time(), f"progress: {standing(seen, self._pace)}")

    def close(self) -> None:
        """There is nothing to put back."""

    def _say(self, at: float, text: str) -> None:
        with _READER_MAY_BE_GONE:
            self._stream.write(f"{clock(at)} {text}\n")
            self._stream.flush()


class JsonDisplay:
    """Every happening as a JSON object on a line."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._listener = json_lines(stream)

    def note(self, text: str) -> None:
        """Write an event of the name ``note``."""
        self._write({"at": moment(time.time()), "event": "note", "level": "info", "message": text})

    def hear(self, told: Happening) -> None:
        """Write *told*."""
        with _READER_MAY_BE_GONE:
            self._listener(told)

    async def keep(self, look: Looker) -> None:
        """Nothing to keep: the events say it all."""

    def close(self) -> None:
        """There is nothing to put back."""

    def _write(self, event: dict[str, str]) -> None:
        with _READER_MAY_BE_GONE:
            self._stream.write(json.dumps(event) + "\n")
            self._stream.flush()


class QuietDisplay:
    """Nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def hear(self, told: Happening) -> None:
        """Say nothing."""

    async def keep(self, look: Looker) -> None:
        """Show nothing."""

    def close(self) -> None:
        """There is nothing to put back."""


def standing(look: Look, pace: Pace) -> str:
    """Return where the run stands, on one line."""
    progress = look.progress
    failed = progress.captures_ended - progress.ended.get("completed", 0)
    parts = [
        f"{progress.accepted + progress.rejected:,} of {count(progress.requests, 'request')} submitted",
        f"{progress.captures_ended:,} of {count(progress.captures, 'capture')} done",
        f"{failed:,} failed",
    ]
    if progress.rejected:
        parts.append(f"{progress.rejected:,} rejected")
    if look.statistics is not None:
        parts.append(count(look.statistics.waves, "wave"))
    if progress.throttled:
        parts.append(count(progress.throttled, "429"))
    if progress.snapshot is not None and progress.snapshot.capacity is not None:
        parts.append(f"queue {look.depth:,}/{progress.snapshot.capacity:,}")
    if (rate := pace.per_second) is not None:
        parts.append(f"{rate * 60:,.0f} captures/min")
    if (left := pace.to_go(look)) is not None:
        parts.append(f"about {span(left)} to go")
    if progress.waiting_until is not None:
        parts.append(f"waiting, at most until {clock(progress.waiting_until)}: {why(progress.waiting_for)}")
    return ", ".join(parts)
