"""
The backlog: requests in order, and those that must be sent again.

First in, first out. A request in doubt goes ahead of those never sent, because
the service may already have charged for it; but not before its own back-off is
over, so that one poisoned request never holds the others up.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from pacer.pacing.events import Item
from pacer.pacing.policy import Policy


@dataclass(slots=True)
class Trouble:
    """
    What one request has met so far. Kept only for requests that met something.

    Attributes:
        item: The request.

        refusals: Lost replies, 5xx, 403 pages: times it was sent in vain.

        conflicts: 409s to its resends.

        first_at: When the first of them came.

        accepted_then: How many requests had been accepted by then.
    """

    item: Item
    first_at: float
    accepted_then: int
    refusals: int = 0
    conflicts: int = 0


class Backlog:
    """
    What is not accepted yet, as far as the shell has told.

    Attributes:
        more: The shell holds further requests behind these.

        doubtful: Those of which an earlier copy may have been admitted.

        closed: Nothing new may be sent any more, only what is doubtful.

        left: Something was turned away since, or for that reason.
    """

    def __init__(self) -> None:
        self.more = False
        self.doubtful: set[int] = set()
        self.closed = False
        self.left = False
        self._waiting: deque[Item] = deque()
        self._retries: list[tuple[float, int, Item]] = []  # heap of (due, index, item)
        self._troubles: dict[int, Trouble] = {}
        self._dropped: set[int] = set()  # still in line, never at its head

    def __len__(self) -> int:
        return len(self._waiting) + len(self._retries) - len(self._dropped)

    @property
    def waiting(self) -> int:
        """How many the core holds that were never sent (or were taken back)."""
        return len(self._waiting)

    def close(self) -> None:
        """Turn away all that was never sent; it stays with the shell."""
        self.closed = True
        self.left = self.more or any(item.index not in self.doubtful for item in self._in_line())
        self.more = False
        doubtful = [item for item in self._waiting if item.index in self.doubtful]
        self._waiting = deque(item for item in doubtful if item.index not in self._dropped)
        self._retries = [entry for entry in self._retries if entry[2].index in self.doubtful]
        heapq.heapify(self._retries)
        self._dropped.clear()

    def _in_line(self) -> Iterator[Item]:
        yield from (item for item in self._waiting if item.index not in self._dropped)
        yield from (item for _, _, item in self._retries if item.index not in self._dropped)

    def _turned_away(self, item: Item) -> bool:
        """Return whether *item* may not stand in line any more."""
        if not self.closed or item.index in self.doubtful:
            return False
        self.left = True
        return True

    def extend(self, items: tuple[Item, ...], *, more: bool = False) -> None:
        """Append *items*; one that was dropped and still stands in line has its old place again."""
        self.more = more and not self.closed
        self.left |= more and self.closed
        for item in items:
            if item.in_doubt:
                self.doubtful.add(item.index)
            if self._turned_away(item):
                continue
            if item.index in self._dropped:
                self._dropped.discard(item.index)
            else:
                self._waiting.append(item)

    def drop(self, index: int) -> None:
        """Take out a request that stands in line, wherever it does; amortised O(1)."""
        if self.closed and index not in self.doubtful:
            return  # it was turned away
        self._dropped.add(index)
        self._skip_dropped()

    def _skip_dropped(self) -> None:
        while self._waiting and self._waiting[0].index in self._dropped:
            self._dropped.discard(self._waiting.popleft().index)
        while self._retries and self._retries[0][2].index in self._dropped:
            self._dropped.discard(heapq.heappop(self._retries)[2].index)

    def put_back(self, item: Item) -> None:
        """Return a request of which nothing was admitted to its place at the head of the line."""
        if self._turned_away(item):
            return
        waiting = self._waiting
        waiting.appendleft(item)
        place = 0  # behind those of its wave that came back before it: no more than were in flight
        while place + 1 < len(waiting) and waiting[place + 1].index < item.index:
            waiting[place], waiting[place + 1] = waiting[place + 1], item
            place += 1

    def head(self, *, now: float) -> Item | None:
        """Return the request whose turn it is, if any may go now."""
        if self._retries and self._retries[0][0] <= now:
            return self._retries[0][2]
        return self._waiting[0] if self._waiting else None

    def pop(self, *, now: float) -> Item:
        """Take the head out."""
        if self._retries and self._retries[0][0] <= now:
            item = heapq.heappop(self._retries)[2]
        else:
            item = self._waiting.popleft()
        self._skip_dropped()
        return item

    def next_retry(self) -> float:
        """Return when the next resend is due; infinity if there is none."""
        return self._retries[0][0] if self._retries else float("inf")

    def trouble(self, item: Item, *, at: float, accepted: int) -> Trouble:
        """Return the record of what *item* has met, opened if need be."""
        record = self._troubles.get(item.index)
        if record is None:
            record = self._troubles[item.index] = Trouble(item, at, accepted)
        return record

    def retry(self, record: Trouble, *, at: float, jitter: float, policy: Policy) -> None:
        """Queue it again after exponential back-off; jitter takes at most half."""
        if self._turned_away(record.item):
            return
        tries = record.refusals + record.conflicts
        pause = min(policy.retry_most, policy.retry_first * 2.0 ** min(tries - 1, 16))
        due = at + pause * (0.5 + 0.5 * jitter)
        heapq.heappush(self._retries, (due, record.item.index, record.item))

    def ended(self, index: int) -> None:
        """Forget what a request met: it was accepted, rejected or given up."""
        self._troubles.pop(index, None)
        self.doubtful.discard(index)
