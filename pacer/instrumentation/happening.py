"""
One frozen record for everything worth telling, and its names.

The log, the live display, the journal's notes and the metrics all show the same
happenings under the same names. A name never changes its fields' meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Happening:
    """
    Something that happened in a run.

    Attributes:
        at: Wall time, seconds since the epoch.

        name: One of the names below.

        facts: JSON-able particulars; the fields of each name are below.
    """

    at: float
    name: str
    facts: Mapping[str, Any]


Listener: TypeAlias = Callable[[Happening], None]
"""Hears every happening, on the event loop. It must be quick and must not raise."""

RUN_STARTED: Final = "run.started"
"""``requests, pending, in_doubt, outstanding, version``: an invocation begins."""

RUN_ENDED: Final = "run.ended"
"""``outcome, code, reason, seconds, statistics``: it has ended, however it did."""

SNAPSHOT_READ: Final = "snapshot.read"
"""``depth, capacity, headroom, inflight``."""

SNAPSHOT_FAILED: Final = "snapshot.failed"
"""``reason``."""

WAVE_SENT: Final = "wave.sent"
"""``number, requests, captures, continued``: told when all of the wave has been sent. *continued*: it goes on
after a wait in its midst, and was told up to there under the same number."""

WAIT_BEGAN: Final = "wait.began"
"""``bound, until`` (wall time or null), ``seconds`` (or null)."""

THROTTLED: Final = "throttled"
"""``lane, code, retry_after, until, call``: a 429, and the gate it moved."""

REQUEST_DOUBTED: Final = "request.doubted"
"""``request, reason``: no usable reply; it will be sent again under its key."""

REQUEST_REJECTED: Final = "request.rejected"
"""``request, code, message``."""

CAPTURE_ENDED: Final = "capture.ended"
"""``request, child, surface, region, status``."""

READ_FAILED: Final = "read.failed"
"""``request, reason``: a job could not be read; it will be tried again."""

OUTAGE_BEGAN: Final = "outage.began"
OUTAGE_ENDED: Final = "outage.ended"
"""``seconds``."""

UNIT_LEARNT: Final = "unit.learnt"
"""``unit``: what depth counts."""

WINDOW_LEARNT: Final = "window.learnt"
"""``limit, length`` (seconds)."""

QUIET: Final = frozenset({CAPTURE_ENDED, REQUEST_DOUBTED, READ_FAILED})
"""Names that come once a request: kept out of the journal's notes."""
