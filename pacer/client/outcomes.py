"""
What comes of requests: captures one by one, and the sum of a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pacer.journal.entries import CaptureEnded, Rejected
from pacer.journal.views import ResultRow


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureResult:
    """
    One capture that has ended: the fields of a line in the results file.

    A request that was rejected has one of these with ``job``, ``child``,
    ``surface`` and ``region`` None.

    Attributes:
        request: Your id of the request.

        index: The request's 0-based number in the journal.

        job, child: The service's ids of the parent and of this capture.

        surface, region: As the service named them; None if it never did.

        status: ``completed|partial|failed|canceled|expired|unknown|rejected``.

        envelope: What the service returned (its guide "output formats"), or None.

        error: ``code``, ``message``... of one that was not completed, or None.
    """

    request: str
    index: int
    job: str | None
    child: str | None
    surface: str | None
    region: str | None
    status: str
    envelope: Mapping[str, Any] | None
    error: Mapping[str, Any] | None

    @property
    def completed(self) -> bool:
        """Whether the capture was taken."""
        return self.status == "completed"

    @property
    def is_rejection(self) -> bool:
        """Whether this is the end of a whole request, without any capture."""
        return self.child is None

    @classmethod
    def of_row(cls, row: ResultRow) -> CaptureResult:
        """Return what the journal has."""
        return cls(
            request=row.request,
            index=row.index,
            job=row.job,
            child=row.child,
            surface=row.surface,
            region=row.region,
            status=row.status,
            envelope=row.envelope,
            error=row.error,
        )

    @classmethod
    def of_capture(cls, request: str, job: str, entry: CaptureEnded) -> CaptureResult:
        """Return what the runner has just read."""
        return cls(
            request=request,
            index=entry.index,
            job=job,
            child=entry.child,
            surface=entry.surface,
            region=entry.region,
            status=entry.status,
            envelope=entry.envelope,
            error=entry.error,
        )

    @classmethod
    def of_rejection(cls, request: str, entry: Rejected) -> CaptureResult:
        """Return the end of a request that was rejected."""
        return cls(
            request=request,
            index=entry.index,
            job=None,
            child=None,
            surface=None,
            region=None,
            status=entry.status,
            envelope=None,
            error=entry.error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    What became of the requests of one :meth:`~pacer.Pacer.run`, earlier invocations included.

    Attributes:
        requests: How many there were.

        rejected: How many of them ended without any capture.

        captures: Captures that have ended, by status.

        seconds: How long the call took.
    """

    requests: int
    rejected: int
    captures: Mapping[str, int]
    seconds: float

    @property
    def completed(self) -> int:
        """Captures that were taken."""
        return self.captures.get("completed", 0)

    @property
    def ok(self) -> bool:
        """Whether every capture of every request was taken."""
        return not self.rejected and self.completed == sum(self.captures.values())
