"""
The requests of one ``run`` or ``captures``, of which only what is outstanding is held.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from pacer.client.outcomes import CaptureResult
from pacer.client.party import Admission, Ended, Failure, News
from pacer.runner import Bits


class Group:
    """
    Counts what is outstanding; keeps captures only where somebody takes them.

    Args:
        keep: Keep each capture until :meth:`take` hands it out.

    Attributes:
        gone: Nobody waits for it any more.

        requests: Taken so far, finished ones included.

        rejected: Those that ended without any capture.

        ended: Captures by status.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._seen = Bits()
        self._fan_outs: dict[int, int] = {}
        self._unsent: set[int] = set()
        self._untaken: deque[CaptureResult] = deque()
        self._outstanding = 0
        self._asked = 0
        self._complete = False
        self._failure: Failure | None = None
        self._changed = asyncio.Event()
        self.gone = False
        self.requests = 0
        self.rejected = 0
        self.ended: Counter[str] = Counter()

    @property
    def load(self) -> int:
        """Captures it holds in some way: expected, or not taken yet."""
        return self._outstanding + len(self._untaken)

    @property
    def unsent(self) -> list[int]:
        """Requests that the service has not admitted."""
        return list(self._unsent)

    @property
    def unended(self) -> list[int]:
        """Requests that have not ended."""
        return list(self._fan_outs)

    def ask(self, fan_out: int) -> None:
        """One more request is asked for; it joins when it has its number."""
        self._asked += 1
        self._outstanding += fan_out

    def complete(self) -> None:
        """No further request will join."""
        self._complete = True
        self._changed.set()

    async def lighter_than(self, load: int) -> None:
        """
        Wait until :attr:`load` is below *load*.

        Errors:
            PacerError: See :meth:`fail`.
        """
        while self.load >= load:
            await self._change()

    async def take(self) -> CaptureResult | None:
        """
        Return the next capture, or None when all have ended.

        Errors:
            PacerError: See :meth:`fail`. What had ended before is handed out first.
        """
        while not self._untaken:
            if self._complete and not self._asked and not self._fan_outs:
                return None
            await self._change()
        capture = self._untaken.popleft()
        self._changed.set()
        return capture

    async def _change(self) -> None:
        if self._failure is not None:
            raise self._failure()
        self._changed.clear()
        await self._changed.wait()

    # What the desk tells -------------------------------------------------------------------

    def join(self, index: int, request: str, fan_out: int) -> bool:
        """One more request to wait for; a repeated one counts once."""
        self._asked -= 1
        if not self._seen.add(index):
            self._outstanding -= fan_out
            self._changed.set()
            return False
        self.requests += 1
        self._fan_outs[index] = fan_out
        self._unsent.add(index)
        return True

    def hear(self, index: int, news: News) -> None:
        """Take note of what became of one of them."""
        match news:
            case Admission():
                self._unsent.discard(index)
            case Ended():
                self._left(index)
            case CaptureResult():
                if self._keep:
                    self._untaken.append(news)
                if news.is_rejection:
                    self.rejected += 1
                    self._left(index)
                else:
                    self.ended[news.status] += 1
        self._changed.set()

    def fail(self, failure: Failure) -> None:
        """Let whoever waits know why nothing more will come."""
        if self._failure is None:
            self._failure = failure
            self._changed.set()

    def _left(self, index: int) -> None:
        self._unsent.discard(index)
        self._outstanding -= self._fan_outs.pop(index, 0)
