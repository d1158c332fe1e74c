"""
Retry-After is law: nothing was sent inside a gate, in that invocation or a later one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.reliability.checker.history import TICK, Exchange, History

ANYTHING, SUBMISSIONS, SYNC = "rate", "queue", "concurrency"
"""What a 429 closes, by its code; the sync lane is one that a batch never uses."""


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
    closings = [closing for e in history.exchanges if (closing := _closing(history, e)) is not None]
    for exchange in history.exchanges:
        number = history.invocation_of(exchange)
        for closing in closings:
            if closing.lane == SUBMISSIONS and exchange.entry.what != "submit":
                continue
            if closing.read_at >= exchange.sent_at - TICK or not _is_known(history, closing, number):
                continue
            until = deadline(history, closing, number)
            if exchange.sent_at < until - TICK:
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


def _closing(history: History, exchange: Exchange) -> Closing | None:
    entry = exchange.entry
    if exchange.read_at is None or exchange.lost or entry.retry_seconds is None:
        return None
    if entry.status == 429:
        lane = entry.gate or ANYTHING
        if lane == SYNC:
            return None
    elif entry.status >= 500:
        lane = ANYTHING
    else:
        return None
    is_date = entry.retry_after is not None and not entry.retry_after.isdigit()
    until = (entry.at if is_date else exchange.read_at) + entry.retry_seconds
    return Closing(lane, exchange.read_at, until, history.invocation_of(exchange))


def _is_known(history: History, closing: Closing, number: int) -> bool:
    """What a process read in the very moment it was killed is known to no later one."""
    invocation = history.invocations[closing.invocation]
    return number == closing.invocation or not (
        invocation.crashed and closing.read_at >= invocation.ended - TICK
    )
