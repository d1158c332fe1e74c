"""
Waves fit the headroom that was last read; and after a queue gate, a read comes first.

Judged as the client could judge it: by the last snapshot it had read, less the
cost of its own submissions that this snapshot cannot be trusted to have counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.reliability.checker.history import TICK, Asked, Exchange, History

BAD_SNAPSHOTS = 5
"""Failed reads in a row that start reactive pacing (DESIGN.md, Failures)."""


@dataclass(slots=True)
class Known:
    """
    What one invocation knew at a moment.

    Attributes:
        snapshot: The last one it had read.

        before: The one before it.

        submissions: What it had sent so far.

        failures: Reads in a row that brought no snapshot.

        missing: The last read found no endpoint.

        reopens_at: The latest deadline of the queue gate.
    """

    snapshot: Exchange | None = None
    before: Exchange | None = None
    submissions: list[tuple[Exchange, Asked]] = field(default_factory=list)
    failures: int = 0
    missing: bool = False
    reopens_at: float = float("-inf")

    @property
    def reactive(self) -> bool:
        """There is no usable snapshot, and the client knows it."""
        return self.missing or self.failures >= BAD_SNAPSHOTS


def waves(history: History) -> Iterator[str]:
    """Every submission, against what was known when it left."""
    known: dict[int, Known] = {}
    asked = {request.key: request for request in history.asked}
    for moment, is_sending, exchange in _timeline(history):
        number = history.invocation_of(exchange)
        state = known.setdefault(number, Known())
        if not is_sending:
            _read(state, exchange)
        elif exchange.entry.what == "submit" and exchange.entry.key in asked:
            request = asked[exchange.entry.key]
            state.submissions.append((exchange, request))
            yield from _judge(history, state, exchange, request, moment)


def _timeline(history: History) -> list[tuple[float, bool, Exchange]]:
    """Readings and sendings in order; at one moment, what was read came first."""
    events = [(e.sent_at, True, e) for e in history.exchanges]
    events += [(e.read_at, False, e) for e in history.exchanges if e.read_at is not None]
    return sorted(events, key=lambda event: (event[0], event[1]))


def _read(state: Known, exchange: Exchange) -> None:
    entry = exchange.entry
    if entry.what == "submit" and entry.gate == "queue" and not exchange.lost:
        assert exchange.read_at is not None
        state.reopens_at = max(state.reopens_at, exchange.closed_until or exchange.read_at)
    if entry.what != "status" or (entry.status == 429 and not exchange.lost):
        return
    if _is_usable(exchange):
        state.before, state.snapshot = state.snapshot, exchange
        state.failures, state.missing = 0, False
    else:
        state.failures += 1
        state.missing = state.missing or (not exchange.lost and entry.status in (404, 405, 501))


def _is_usable(exchange: Exchange) -> bool:
    entry = exchange.entry
    numbers = (entry.told_depth, entry.told_capacity)
    return entry.status == 200 and not exchange.lost and all(isinstance(n, int) and n >= 0 for n in numbers)


def _judge(
    history: History, state: Known, exchange: Exchange, request: Asked, moment: float
) -> Iterator[str]:
    if state.reactive:
        return
    what = f"request {request.id} left at {moment:.3f}"
    if state.snapshot is None:
        yield f"{what} before any snapshot had been read"
        return
    if state.snapshot.sent_at < state.reopens_at - TICK and moment >= state.reopens_at - TICK:
        yield f"{what}, without a read since the queue gate opened at {state.reopens_at:.3f}"
    if exchange.entry.replayed or history.probe:
        return
    over = _excess(history, state, state.snapshot, request, moment)
    assert state.snapshot.read_at is not None
    if over and state.before is not None and state.snapshot.read_at >= moment - TICK:
        over = _excess(history, state, state.before, request, moment)  # decided just before it came
    if over:
        yield f"{what}, {over} units beyond the headroom that was read at {state.snapshot.read_at:.3f}"


def _excess(history: History, state: Known, snapshot: Exchange, request: Asked, moment: float) -> int:
    depth, capacity = snapshot.entry.told_depth, snapshot.entry.told_capacity
    assert depth is not None
    assert capacity is not None
    unseen = [
        history.cost(other)
        for exchange, other in state.submissions
        if not exchange.entry.replayed and _is_unseen(exchange, snapshot, moment)
    ]
    if 1 + request.fan_out > capacity - history.reserve and len(unseen) == 1:
        return 0  # larger than the whole queue, as far as anyone can know: it goes alone
    return max(0, sum(unseen) - (capacity - depth))


def _is_unseen(exchange: Exchange, snapshot: Exchange, moment: float) -> bool:
    """Whether the client must count it on top of *snapshot*."""
    if exchange.read_at is None or exchange.read_at > moment:
        return True
    status = exchange.entry.status
    refused = not exchange.lost and 400 <= status < 500 and status != 408
    return exchange.read_at > snapshot.sent_at and not refused
