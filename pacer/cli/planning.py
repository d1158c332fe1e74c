"""
``pacer plan``: reading the input, and counting.

The document of ``pacer plan --json``, version 1::

    {"document": "pacer.plan", "version": 1, "source": name, "requests": n, "captures": n,
     "credits": {"at_most": n, "unpriced_surfaces": [...]},
     "within_limits": {"requests": n, "captures": n, "credits": n} | null,
                                            what --max-credits and --max-requests let through
     "by_surface": {"chatgpt": n, ...}, "unknown_surfaces": [...],
     "fan_outs": {"1": n, ...},             requests by captures each
     "snapshot": {"depth", "capacity", "inflight"} | null,
     "no_snapshot": "why there is none",
     "unit": "both",                        what each request is charged in
     "queue_fills": n | null,               waves, if each filled all the room there can be
     "oversized": n | null,                 requests larger than the whole queue
     "seconds": null}                       not to be known from one snapshot
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pacer.cli.asking import ask, refusal
from pacer.cli.exits import write_json
from pacer.cli.options import api_key, service_address
from pacer.cli.paths import STDIN
from pacer.cli.signals import Signals
from pacer.cli.tables import show_rows
from pacer.cli.wording import count
from pacer.errors import UsageError
from pacer.intake import IntakeSummary, new_token, random_keys, take_in
from pacer.journal.protocol import IntakeWriter
from pacer.journal.records import Batch, Duplicate, Record
from pacer.journal.sqlite import SqliteJournal
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.cost import Unit
from pacer.pacing.events import Item
from pacer.pacing.limits import Limits
from pacer.pacing.policy import Policy, UnitChoice
from pacer.pacing.reserve import Reserve
from pacer.wire.requests import most_credits

PATIENCE = 5.0
"""Seconds for the one status read."""


class CountingWriter:
    """
    Counts, while a batch is taken in, how often it would fill the queue.

    Attributes:
        fills: Waves, if each took all the room there can be.

        oversized: Requests larger than the whole queue.
    """

    def __init__(self, writer: IntakeWriter, unit: Unit, first_room: int, room: int, capacity: int) -> None:
        self._writer = writer
        self._unit = unit
        self._left = first_room
        self._room = room
        self._capacity = capacity
        self.fills = 1
        self.oversized = 0

    def add(self, records: Sequence[Record]) -> list[Duplicate]:
        """Take *records*, and count them."""
        for record in records:
            cost = self._unit.cost(record.fan_out)
            self.oversized += cost > self._capacity
            if cost > self._left:
                self.fills += 1
                self._left = self._room
            self._left -= cost
        return self._writer.add(records)

    def commit(self, batch: Batch) -> None:
        """Pass it on."""
        self._writer.commit(batch)


class LimitedWriter:
    """
    Counts, while a batch is taken in, what the user's limits let through.

    Attributes:
        limits: What that comes to.

        captures: The same in captures.
    """

    def __init__(self, writer: IntakeWriter, policy: Policy) -> None:
        self._writer = writer
        self.limits = Limits(policy, now=0.0)
        self.captures = 0
        self._full = False

    def add(self, records: Sequence[Record]) -> list[Duplicate]:
        """Take *records*, and count them up to the first that exceeds a limit."""
        for record in () if self._full else records:
            price = most_credits(record.surfaces, record.fan_out)
            item = Item(record.index, record.fan_out, record.surfaces, credits=price)
            if self.limits.binding(item) is not None:
                self._full = True
                break
            self.limits.charge(item)
            self.captures += record.fan_out
        return self._writer.add(records)

    def commit(self, batch: Batch) -> None:
        """Pass it on."""
        self._writer.commit(batch)


def make_plan(
    source: str,
    base_url: str | None,
    *,
    unit: UnitChoice,
    reserve: Reserve,
    limits: Policy,
    allow_http: bool,
    as_json: bool,
) -> int:
    """
    Read the input, the snapshot if there is a key, and show what a run would do.

    Errors:
        UsageError: The input or the address will not do.
    """
    with Signals() as signals, signals.raising():
        if source != STDIN and not Path(source).exists():
            raise UsageError(f"There is no file {source}.")
        snapshot, why_not = _snapshot(base_url, allow_http=allow_http)
        charged = Unit.BOTH if unit is UnitChoice.AUTO else Unit[unit.name]
        taken, counted, limited = _counted(source, charged, reserve, limits, snapshot)
        plan = document(source, taken, snapshot, why_not, charged, counted, limited)
        if as_json:
            write_json(plan)
        else:
            _show(plan, assumed=unit is UnitChoice.AUTO)
    return 0


def _snapshot(base_url: str | None, *, allow_http: bool) -> tuple[CapacitySnapshot | None, str]:
    """Read the snapshot once; without one, say why."""
    address = service_address(base_url, allow_http=allow_http)
    key = api_key()
    if key is None:
        return None, "there is no key in AISEARCH_API_KEY"
    outcome = asyncio.run(ask(address, key, allow_http=allow_http, patience=PATIENCE)).outcome
    if isinstance(outcome, CapacitySnapshot):
        return outcome, "" if outcome.capacity is not None else "the service does not say its capacity"
    return None, refusal(outcome)


def _counted(
    source: str, unit: Unit, reserve: Reserve, limits: Policy, snapshot: CapacitySnapshot | None
) -> tuple[IntakeSummary, CountingWriter | None, LimitedWriter | None]:
    """Take the input into a journal that is thrown away: memory stays flat, and repeats are found."""
    stream = sys.stdin.buffer if source == STDIN else Path(source)
    with (
        tempfile.TemporaryDirectory(prefix="pacer-plan-") as folder,
        closing(SqliteJournal.open(Path(folder) / "plan.db", create=True)) as journal,
        journal.intake() as writer,
    ):
        is_limited = limits.max_credits is not None or limits.max_requests is not None
        limited = LimitedWriter(writer, limits) if is_limited else None
        last: IntakeWriter = limited or writer
        counting = None
        if snapshot is not None and snapshot.capacity is not None:
            room = max(0, snapshot.capacity - reserve.of(snapshot.capacity))
            counting = CountingWriter(last, unit, room - snapshot.depth, room, snapshot.capacity)
        taken = take_in(stream, counting or last, keys=random_keys(new_token()))
    return taken, counting, limited


def document(
    source: str,
    taken: IntakeSummary,
    snapshot: CapacitySnapshot | None,
    why_not: str,
    unit: Unit,
    counted: CountingWriter | None,
    limited: LimitedWriter | None,
) -> dict[str, Any]:
    """Return the JSON document of the module's docstring."""
    return {
        "document": "pacer.plan",
        "version": 1,
        "source": source,
        "requests": taken.requests,
        "captures": taken.captures,
        "credits": {"at_most": taken.max_credits, "unpriced_surfaces": list(taken.unpriced_surfaces)},
        "within_limits": None
        if limited is None
        else {
            "requests": limited.limits.requests,
            "captures": limited.captures,
            "credits": limited.limits.credits,
        },
        "by_surface": dict(sorted(taken.by_surface.items())),
        "unknown_surfaces": list(taken.unknown_surfaces),
        "fan_outs": {str(fan_out): number for fan_out, number in sorted(taken.fan_outs.items())},
        "snapshot": None
        if snapshot is None
        else {"depth": snapshot.depth, "capacity": snapshot.capacity, "inflight": snapshot.inflight},
        "no_snapshot": why_not,
        "unit": unit.name.lower(),
        "queue_fills": None if counted is None else counted.fills,
        "oversized": None if counted is None else counted.oversized,
        "seconds": None,
    }


def _show(plan: dict[str, Any], *, assumed: bool) -> None:
    price = plan["credits"]
    cost = f"at most {price['at_most']:,}"
    if price["unpriced_surfaces"]:
        cost += f", and what {', '.join(price['unpriced_surfaces'])} cost: no published price"
    rows = [
        ("Requests", f"{plan['requests']:,}"),
        ("Captures", f"{plan['captures']:,}"),
        ("Credits", cost),
        *_limits(plan),
        ("Surfaces", ", ".join(f"{name} {n:,}" for name, n in plan["by_surface"].items())),
        ("Fan-out", ", ".join(f"{n:,} x {fan_out}" for fan_out, n in plan["fan_outs"].items())),
        ("Queue", _queue(plan)),
        ("Waves", _waves(plan, assumed=assumed)),
        ("Duration", "not to be known before the service's drain has been seen"),
    ]
    if plan["unknown_surfaces"]:
        rows.append(("Unknown", f"passed on as they are: {', '.join(plan['unknown_surfaces'])}"))
    show_rows(rows)


def _limits(plan: dict[str, Any]) -> list[tuple[str, str]]:
    within = plan["within_limits"]
    if within is None:
        return []
    text = f"the first {count(within['requests'], 'request')}, {count(within['captures'], 'capture')}"
    return [("Limits", f"{text}, at most {within['credits']:,} credits")]


def _queue(plan: dict[str, Any]) -> str:
    snapshot = plan["snapshot"]
    if snapshot is None or snapshot["capacity"] is None:
        return f"not known: {plan['no_snapshot']}"
    return f"depth {snapshot['depth']:,} of {snapshot['capacity']:,}"


def _waves(plan: dict[str, Any], *, assumed: bool) -> str:
    fills = plan["queue_fills"]
    if fills is None:
        return "not known without a snapshot"
    text = f"at least {fills:,}, each as large as the queue has room for"
    if assumed:
        text += ", charging 1 + captures a request until the service's unit is learnt"
    if plan["oversized"]:
        text += f"; {plan['oversized']:,} larger than the whole queue go alone"
    return text
