"""
The service's calls that a pacer needs, as a protocol.
"""

from __future__ import annotations

from typing import Protocol

from pacer.wire.replies import JobOutcome, Reply, StatusOutcome, SubmitOutcome


class SearchApi(Protocol):
    """
    The AI Search API as the shell sees it.

    No call raises for anything that the service, the network or an edge in
    between can do: all of that is an outcome. Cancelling a call abandons it.
    """

    async def submit(self, body: bytes) -> Reply[SubmitOutcome]:
        """``POST /v1/search?mode=async`` with exactly these bytes."""
        ...

    async def capture(self, body: bytes) -> Reply[SubmitOutcome]:
        """
        ``POST /v1/search?mode=sync``: reply when the capture has ended, or too late to wait for.

        A capture that was taken is :class:`Admitted` with it; a 504 is :class:`Unclear`.
        """
        ...

    async def status(self) -> Reply[StatusOutcome]:
        """``GET /v1/async/status``."""
        ...

    async def job(self, job_id: str) -> Reply[JobOutcome]:
        """``GET /v1/jobs/:id``: a parent's summary, or a child's Envelope."""
        ...
