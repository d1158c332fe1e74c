"""
Who hears of each request's own fate; by default nobody.
"""

from __future__ import annotations

from pacer.journal.entries import CaptureEnded, Rejected
from pacer.wire.replies import StatusOutcome


class Observer:
    """
    Base class: override what is of interest. Called on the event loop; must not block.
    """

    def accepted(self, index: int, job: str, children: tuple[str, ...]) -> None:
        """Hear that the service has the request; once more when it lists the children only later."""

    def rejected(self, index: int, entry: Rejected) -> None:
        """Hear that the request ended as an error."""

    def captured(self, request: str, job: str, entry: CaptureEnded) -> None:
        """Hear that a capture ended; *request* is the user's name for its request."""

    def ended(self, index: int) -> None:
        """Hear that an accepted request has ended: nothing more of it will come."""

    def held(self, index: int) -> None:
        """Hear that the request was taken back before it was sent; the journal has it as pending."""

    def status_read(self, outcome: StatusOutcome) -> None:
        """Hear what came of a status read."""
