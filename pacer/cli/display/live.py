"""
The display on a terminal: what waits, until when and why, and how long it has to go.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from pacer.cli.display.narrator import Narrator
from pacer.cli.display.pace import Pace
from pacer.cli.display.protocol import Look, Looker
from pacer.cli.wording import clock, span, why
from pacer.instrumentation.happening import Happening
from pacer.runner import Progress
from pacer.wire.text import printable

REDRAW = 0.25
"""Seconds between two pictures."""

ROWS = 8
"""Lines of the display above the scrolling ones."""

MOST_LINES = 14
"""Last happenings shown on a tall terminal."""


class LiveDisplay:
    """Redraws itself at most four times a second; leaves nothing behind but what was noted."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self._title = printable(title, 200)
        self._console = console or Console(stderr=True, highlight=False)
        self._narrator = Narrator(details=True)
        self._pace = Pace()
        self._lines: deque[tuple[float, str]] = deque(maxlen=MOST_LINES)
        self._began = time.monotonic()
        self._live: Live | None = None

    def note(self, text: str) -> None:
        """Print *text* above the display."""
        self._console.print(Text(printable(text, 2_000)))

    def hear(self, told: Happening) -> None:
        """Take in what the next picture shows."""
        for line in self._narrator.lines(told):
            self._lines.append((told.at, line))

    async def keep(self, look: Looker) -> None:
        """Redraw until cancelled."""
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        while True:
            self._live.update(self.picture(look()), refresh=True)
            await asyncio.sleep(REDRAW)

    def close(self) -> None:
        """Take the picture away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def picture(self, look: Look) -> RenderableType:
        """Return the picture of the run as *look* has it."""
        self._pace.see(look, now=time.monotonic())
        return Group(self._header(), _bars(look), self._line(look), Rule(style="dim"), *self._last_lines())

    def _header(self) -> RenderableType:
        grid = Table.grid(expand=True)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        grid.add_column(justify="right", no_wrap=True)
        elapsed = span(time.monotonic() - self._began)
        grid.add_row(Text(self._title, style="bold"), Text(elapsed, style="dim"))
        return grid

    def _line(self, look: Look) -> RenderableType:
        progress = look.progress
        rate, left = self._pace.per_second, self._pace.to_go(look)
        facts = Text(no_wrap=True, overflow="ellipsis")
        facts.append(f"{progress.throttled:,}", style="bold yellow" if progress.throttled else "bold")
        facts.append(" 429s   ")
        facts.append("…" if rate is None else f"{rate * 60:,.0f}", style="bold")
        facts.append(" captures/min   ")
        facts.append("…" if left is None else span(left), style="bold")
        facts.append(" to go")
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=8, no_wrap=True)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        grid.add_row("Waiting", _waiting(progress))
        grid.add_row("Pace", facts)
        return grid

    def _last_lines(self) -> list[RenderableType]:
        room = max(0, min(MOST_LINES, self._console.size.height - ROWS - 2))
        shown = list(self._lines)[-room:] if room else []
        lines: list[RenderableType] = []
        for at, line in shown:
            text = Text(no_wrap=True, overflow="ellipsis")
            text.append(clock(at), style="dim")
            text.append(f" {line}", style="yellow" if line.startswith("429") else "")
            lines.append(text)
        return lines


def _bars(look: Look) -> RenderableType:
    progress = look.progress
    statistics = look.statistics
    unended = statistics.unended if statistics is not None else 0
    inflight = progress.snapshot.inflight if progress.snapshot is not None else None
    running = unended if inflight is None else min(unended, inflight)
    completed = progress.ended.get("completed", 0)
    failed = progress.captures_ended - completed + progress.rejected
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=8, no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, min_width=36)
    submitted = progress.accepted + progress.rejected
    sent = Text.assemble((f"{submitted:,}", "bold"), f" of {progress.requests:,} submitted")
    if progress.in_doubt:
        sent.append(f", {progress.in_doubt:,} in doubt", style="yellow")
    grid.add_row("Requests", _bar(submitted, progress.requests, "cyan"), sent)
    ends = Text.assemble((f"{completed:,}", "bold"), f" of {progress.captures:,} done, {running:,} running")
    if unended > running:
        ends.append(f", {unended - running:,} to fetch")
    if failed:
        ends.append(f", {failed:,} failed", style="red")
    grid.add_row("Captures", _bar(progress.captures_ended, progress.captures, "green"), ends)
    grid.add_row("Queue", *_queue(look))
    return grid


def _queue(look: Look) -> tuple[RenderableType, Text]:
    snapshot, queued = look.progress.snapshot, look.depth
    if snapshot is None:
        return _bar(0, 1, "blue"), Text("not read yet", style="dim")
    if snapshot.capacity is None:
        return _bar(0, 1, "blue"), Text(f"depth {queued:,}, capacity unknown")
    depth = Text.assemble((f"{queued:,}", "bold"), f" of {snapshot.capacity:,}")
    if snapshot.inflight is not None:
        depth.append(f", {snapshot.inflight:,} in flight", style="dim")
    return _bar(queued, snapshot.capacity, "blue"), depth


def _bar(part: int, whole: int, style: str) -> RenderableType:
    total = max(whole, 1)
    return ProgressBar(
        total=total, completed=min(part, total), style="grey30", complete_style=style, finished_style=style
    )


def _waiting(progress: Progress) -> Text:
    if not progress.waiting_for:
        return Text("nothing", style="dim")
    reason = why(progress.waiting_for)
    until = progress.waiting_until
    if until is None:
        return Text(f"for {reason}", style="dim")
    style = "yellow" if progress.waiting_for in ("gate", "outage") else ""
    return Text(f"until {clock(until)} ({span(max(0.0, until - time.time()))}): {reason}", style=style)
