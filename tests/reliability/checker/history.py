"""
What is known of a batch from outside: what was asked for, what went over the wire, what came out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pacer.sandbox.log import Entry

TICK = 2e-6
"""Seconds that count as the same moment: virtual time has a resolution of one microsecond."""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One request as the user gave it.

    Attributes:
        id, index: Its name and its 0-based number.

        key: Its idempotency key.

        fan_out: Captures it asks for.
    """

    id: str
    index: int
    key: str
    fan_out: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    One call as both ends saw it.

    Attributes:
        entry: What the service noted of it.

        sent_at: When it left the client.

        read_at: When the client had read the reply, or knew that none would come;
            None if it died before.

        lost: What the client learnt then was that no reply would come.

        invocation: Number of the invocation that sent it; None to go by the time.
    """

    entry: Entry
    sent_at: float
    read_at: float | None
    lost: bool = False
    invocation: int | None = None

    @property
    def closed_until(self) -> float | None:
        """When what its Retry-After closes opens, in time as the service has it; None without one."""
        if self.read_at is None or self.entry.retry_seconds is None:
            return None
        is_date = self.entry.retry_after is not None and not self.entry.retry_after.isdigit()
        return (self.entry.at if is_date else self.read_at) + self.entry.retry_seconds


@dataclass(frozen=True, slots=True)
class Invocation:
    """
    One process that worked on the batch.

    Attributes:
        began, ended: When, on the service's clock.

        crashed: It was killed: what it read in its last moment no later one can know.

        clock_offset: Seconds by which its wall clock was ahead of the service's.
    """

    began: float
    ended: float
    crashed: bool = False
    clock_offset: float = 0.0


@dataclass(frozen=True, kw_only=True)
class History:
    """
    All that :func:`check` judges by.

    Attributes:
        asked: The batch.

        exchanges: Every call, in any order.

        lines: The results file, parsed.

        invocations: In order; they never overlap.

        finished: The last of them said that the batch has ended.

        collect: Captures were to be read.

        unit: What the service's depth counts: ``parents``, ``children`` or ``both``.

        reserve: Units of the queue that the user keeps free.

        probe: The user has allowed waves beyond the headroom, to learn the unit.

        open_ended: Ids of requests that need not have come to an end.

        secret: The API key.

        haystacks: What must not contain it, by name.
    """

    asked: Sequence[Asked]
    exchanges: Sequence[Exchange]
    lines: Sequence[Mapping[str, Any]]
    invocations: Sequence[Invocation]
    finished: bool = True
    collect: bool = True
    unit: str = "children"
    reserve: int = 0
    probe: bool = False
    open_ended: frozenset[str] = frozenset()
    secret: str = ""
    haystacks: Mapping[str, bytes] = field(default_factory=dict)

    def invocation_of(self, exchange: Exchange) -> int:
        """Return the number of the invocation that sent it; -1 before the first."""
        if exchange.invocation is not None:
            return exchange.invocation
        return bisect_right(self._began, exchange.sent_at + TICK) - 1

    @cached_property
    def _began(self) -> list[float]:
        return [invocation.began for invocation in self.invocations]

    def cost(self, asked: Asked) -> int:
        """Return what a request adds to depth."""
        return (self.unit != "children") + (self.unit != "parents") * asked.fan_out


def exchanges(log: Iterable[Entry], *, rtt: float) -> list[Exchange]:
    """
    Return the calls of a service's log, where the way there and back takes half of *rtt* each.

    Other clients' calls are left out.
    """
    return [
        Exchange(entry, entry.at - rtt / 2, entry.at + entry.delay + rtt / 2, lost=bool(entry.cut))
        for entry in log
        if not entry.tenant
    ]
