"""
What a run has in hand: the part of the batch that is in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pacer.journal.views import PendingRequest
from pacer.runner.bits import Bits
from pacer.runner.calls import KnownJob


@dataclass(slots=True)
class InHand:
    """
    The window of the batch that is being worked on; never all of it.

    Attributes:
        requests: Those that wait to be sent, or whose reply is awaited, by index.

        jobs: Accepted requests whose captures are being collected, by index.

        doubtful: Requests of which a copy may be with the service, no reply seen.

        held: Requests that nobody wants sent any more, if that can still be avoided.

        incoming: Requests on their way into the backlog, or to the sync lane.

        own: Requests that were accepted in this invocation.
    """

    requests: dict[int, PendingRequest] = field(default_factory=dict)
    jobs: dict[int, KnownJob] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)
    incoming: set[int] = field(default_factory=set)
    own: Bits = field(default_factory=Bits)
