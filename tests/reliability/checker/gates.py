"""
Retry-After is law: nothing was sent inside a gate, in that invocation or a later one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tests.reliability.checker.history import TICK, Exchange, History

ANYTHING, SUBMISSIONS, SYNC = "rate", "queue", "concurrency"
"""What a 429 closes, by its code; the sync lane is one that a batch never uses."""


MOST_SET = 86_400.0
"""Seconds by which a wall clock is ever set between two invocations."""


@dataclass(frozen=True, slots=True)
class Closing:
    """
    A deadline that the client has read.

    Attributes:
        lane: What it closes.

        read_at: From when on the client knew.

        until: Its deadline, in time as the service has it.

        invocation: The number of the invocation that read it.
    """

    lane: str
    read_at: float
    until: float
    invocation: int


def gates(history: History) -> Iterator[str]:
    """Every call, against every deadline that had been read when it was sent."""
    waiting = deque(sorted(_closings(history), key=lambda closing: closing.read_at))
    closed: list[Closing] = []
    for exchange in sorted(history.exchanges, key=lambda exchange: exchange.sent_at):
        while waiting and waiting[0].read_at < exchange.sent_at - TICK:
            closed.append(waiting.popleft())
        closed = [closing for closing in closed if exchange.sent_at < closing.until + MOST_SET]
        number = history.invocation_of(exchange)
        for closing in closed:
            if closing.lane == SUBMISSIONS and exchange.entry.what != "submit":
                continue
            until = deadline(history, closing, number)
            if exchange.sent_at < until - TICK and _is_known(history, closing, number):
                yield (
                    f"a {exchange.entry.what} left at {exchange.sent_at:.3f}, inside the {closing.lane} gate "
                    f"that was read at {closing.read_at:.3f} and opens at {until:.3f}"
                )
                break


def deadline(history: History, closing: Closing, number: int) -> float:
    """
    Return the gate's deadline for the invocation *number*.

    A later invocation knows it as a moment on the machine's wall clock: where that
    clock was set meanwhile, the deadline has moved with it, and nobody can tell.
    """
    then, now = history.invocations[closing.invocation], history.invocations[number]
    return closing.until - (now.clock_offset - then.clock_offset)


def _closings(history: History) -> Iterator[Closing]:
    for exchange in history.exchanges:
        closing = _closing(history, exchange)
        if closing is not None:
            yield closing


def _closing(history: History, exchange: Exchange) -> Closing | None:
    entry = exchange.entry
    until = exchange.closed_until
    if exchange.read_at is None or exchange.lost or until is None:
        return None
    if entry.status == 429:
        lane = entry.gate or ANYTHING
        if lane == SYNC:
            return None
    elif entry.status >= 500:
        lane = ANYTHING
    else:
        return None
    return Closing(lane, exchange.read_at, until, history.invocation_of(exchange))


def _is_known(history: History, closing: Closing, number: int) -> bool:
    """What a process read in the very moment it was killed is known to no later one."""
    invocation = history.invocations[closing.invocation]
    return number == closing.invocation or not (
        invocation.crashed and closing.read_at >= invocation.ended - TICK
    )
