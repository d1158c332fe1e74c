"""
One submitted request, in its caller's hands.
"""

from __future__ import annotations

import asyncio

from pacer.client.outcomes import CaptureResult
from pacer.client.party import Admission, Ended, Failure, News
from pacer.errors import RequestRejected


class Job:
    """
    A request that the service has admitted, or is asked to.

    Any number of tasks may wait for it; cancelling one of them changes nothing
    for the others or for the request.
    """

    def __init__(self) -> None:
        self.gone = False
        self._index = -1
        self._request = ""
        self._admission: Admission | None = None
        self._captures: list[CaptureResult] = []
        self._failure: Failure | None = None
        self._admitted = asyncio.Event()
        self._ended = asyncio.Event()

    def __repr__(self) -> str:
        """Return the two ids."""
        return f"<Job {self.id or 'not admitted yet'} of request {self._request!r}>"

    @property
    def request(self) -> str:
        """Your id of the request, or the one it was given."""
        return self._request

    @property
    def index(self) -> int:
        """Its 0-based number in the journal."""
        return self._index

    @property
    def id(self) -> str | None:
        """
        The service's id of the parent job.

        None only where a job from :meth:`~pacer.Pacer.pending` is still in doubt.
        """
        return None if self._admission is None else self._admission.job

    @property
    def children(self) -> tuple[str, ...]:
        """The service's opaque ids of the captures; empty as long as it has listed none."""
        return () if self._admission is None else self._admission.children

    @property
    def done(self) -> bool:
        """Whether :meth:`result` returns at once."""
        return self._ended.is_set()

    async def result(self) -> tuple[CaptureResult, ...]:
        """
        Wait until every capture has ended, and return them in that order.

        A capture that failed is one of them, with its ``status`` and ``error``.

        Errors:
            RequestRejected: The service refused a request that was in doubt.

            BatchStopped, JournalLost: The batch ended before; resume it.
        """
        await self._ended.wait()
        self._raise_failure()
        return tuple(self._captures)

    # What the desk tells -------------------------------------------------------------------

    async def admission(self) -> None:
        """Wait until the service has it."""
        await self._admitted.wait()
        if self._admission is None:
            self._raise_failure()

    def join(self, index: int, request: str, fan_out: int) -> bool:
        """Learn which request it is."""
        self._index, self._request = index, request
        return True

    def hear(self, index: int, news: News) -> None:
        """Take note of what became of it."""
        match news:
            case Admission():
                self._admission = news
                self._admitted.set()
            case Ended():
                self._ended.set()
            case CaptureResult(is_rejection=True):
                self.fail(lambda: RequestRejected(news.request, news.error or {}))
            case CaptureResult():
                self._captures.append(news)

    def fail(self, failure: Failure) -> None:
        """Let whoever waits know why nothing more will come."""
        if self._failure is None and not self._ended.is_set():
            self._failure = failure
            self._admitted.set()
            self._ended.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure()
