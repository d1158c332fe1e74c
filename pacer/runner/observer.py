"""
Who hears of each request's own fate; by default nobody.
"""

from __future__ import annotations

from pacer.journal.protocol import CaptureEnded, Rejected


class Observer:
    """
    Base class: override what is of interest. Called on the event loop; must not block.
    """

    def accepted(self, index: int, job: str, children: tuple[str, ...]) -> None:
        """Hear that the service has the request."""

    def rejected(self, index: int, entry: Rejected) -> None:
        """Hear that the request ended as an error."""

    def captured(self, request: str, entry: CaptureEnded) -> None:
        """Hear that a capture ended; *request* is the user's name for its request."""
