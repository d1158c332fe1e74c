"""
``pacer status``: reading and showing.

The document of ``pacer status --json``, version 1::

    {"document": "pacer.status", "version": 1, "at": wall, "base_url": url,
     "queue": {"depth": n, "capacity": n | null, "reserve": n | null, "headroom": n | null},
                                            headroom: without what --reserve keeps free
     "sync": {"running": n | null, "limit": n | null, "headroom": n | null},
     "inflight": {"total": n | null, "by_surface": {...} | null},
     "window": {"limit": n | null, "remaining": n | null, "resets_in": s | null} | null}
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pacer.cli.asking import ask, refusal
from pacer.cli.exits import complain, write_json
from pacer.cli.options import required_key, service_address
from pacer.cli.signals import Signals
from pacer.cli.wording import clock, span
from pacer.errors import BatchStopped
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.reserve import Reserve
from pacer.wire.replies import Reply, StatusOutcome, Throttled
from pacer.wire.text import printable

PATIENCE = 30.0
"""Seconds for one read."""


def show_status(
    base_url: str | None, *, watch: bool, every: float, reserve: Reserve, allow_http: bool, as_json: bool
) -> int:
    """
    Read the snapshot and show it, once or until a signal comes.

    Errors:
        UsageError: No key, or no address.
        BatchStopped: There is no snapshot to be had.
    """
    with Signals() as signals, signals.raising():
        key, address = required_key(), service_address(base_url, allow_http=allow_http)
        while True:
            reply = asyncio.run(ask(address, key, allow_http=allow_http, patience=PATIENCE))
            pause = every
            if isinstance(reply.outcome, CapacitySnapshot):
                _show(document(reply, reply.outcome, address, reserve), watch=watch, as_json=as_json)
            elif watch and isinstance(reply.outcome, Throttled):
                pause = max(every, reply.outcome.retry_after or 0.0)
                complain(f"No snapshot: {refusal(reply.outcome)}")
            else:
                raise BatchStopped("NO_SNAPSHOT", f"{address} gave no snapshot: {refusal(reply.outcome)}")
            if not watch:
                return 0
            time.sleep(pause)


def document(
    reply: Reply[StatusOutcome], snapshot: CapacitySnapshot, base_url: str, reserve: Reserve
) -> dict[str, Any]:
    """Return the JSON document of the module's docstring."""
    window = reply.window
    kept_free = None if snapshot.capacity is None else reserve.of(snapshot.capacity)
    by_surface = snapshot.by_surface
    return {
        "document": "pacer.status",
        "version": 1,
        "at": time.time(),
        "base_url": base_url,
        "queue": {
            "depth": snapshot.depth,
            "capacity": snapshot.capacity,
            "reserve": kept_free,
            "headroom": _room(snapshot.capacity, snapshot.depth + (kept_free or 0)),
        },
        "sync": {
            "running": snapshot.sync_running,
            "limit": snapshot.sync_limit,
            "headroom": _room(snapshot.sync_limit, snapshot.sync_running),
        },
        "inflight": {
            "total": snapshot.inflight,
            "by_surface": None if by_surface is None else dict(by_surface),
        },
        "window": None
        if window is None
        else {"limit": window.limit, "remaining": window.remaining, "resets_in": window.resets_in},
    }


def _room(limit: int | None, taken: int | None) -> int | None:
    return None if limit is None or taken is None else max(0, limit - taken)


def _show(read: dict[str, Any], *, watch: bool, as_json: bool) -> None:
    if as_json and watch:
        sys.stdout.write(json.dumps(read) + "\n")
        sys.stdout.flush()
    elif as_json:
        write_json(read)
    else:
        Console(highlight=False).print(_table(read))


def _table(read: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim", title_justify="left")
    table.title = Text(f"{clock(read['at'])}  {read['base_url']}", style="bold")
    table.add_column("lane")
    for name in ("taken", "of", "headroom"):
        table.add_column(name, justify="right")
    queue, sync, window = read["queue"], read["sync"], read["window"]
    table.add_row("async queue", _n(queue["depth"]), _n(queue["capacity"]), _n(queue["headroom"]))
    table.add_row("sync captures", _n(sync["running"]), _n(sync["limit"]), _n(sync["headroom"]))
    if window is not None:
        resets = "" if window["resets_in"] is None else f" (resets in {span(window['resets_in'])})"
        limit, left = window["limit"], window["remaining"]
        taken = None if limit is None or left is None else limit - left
        table.add_row(f"requests{resets}", _n(taken), _n(limit), _n(left))
    inflight = read["inflight"]
    if inflight["total"] is not None:
        surfaces = ", ".join(f"{name} {n:,}" for name, n in (inflight["by_surface"] or {}).items())
        table.caption = Text(printable(f"{inflight['total']:,} captures in flight. {surfaces}", 500))
        table.caption_justify = "left"
    return table


def _n(number: int | None) -> str:
    return "not said" if number is None else f"{number:,}"
