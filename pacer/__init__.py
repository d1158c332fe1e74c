"""
pacer: submit capture requests to the AI Search API as fast as its queue drains.

The public names stand in :data:`__all__`. Each is imported when it is first
used (PEP 562), so that ``import pacer`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pacer.version import __version__

if TYPE_CHECKING:
    from pacer.api.protocol import SearchApi
    from pacer.client import CaptureResult, Job, Pacer, Report
    from pacer.clock import Clock, FakeClock, SystemClock
    from pacer.errors import (
        BatchStopped,
        InputError,
        InputProblem,
        JournalError,
        JournalLocked,
        JournalLost,
        PacerError,
        RequestRejected,
        ServiceUnavailable,
        UsageError,
    )
    from pacer.instrumentation.happening import Happening, Listener
    from pacer.journal.memory import MemoryJournal
    from pacer.journal.protocol import Journal
    from pacer.journal.sqlite import SqliteJournal
    from pacer.pacing.capacity import CapacitySnapshot
    from pacer.pacing.policy import Policy, UnitChoice
    from pacer.pacing.statistics import Statistics
    from pacer.runner import Progress
    from pacer.wire.requests import CaptureRequest, Region, Webhook

__all__ = [
    "BatchStopped",
    "CapacitySnapshot",
    "CaptureRequest",
    "CaptureResult",
    "Clock",
    "FakeClock",
    "Happening",
    "InputError",
    "InputProblem",
    "Job",
    "Journal",
    "JournalError",
    "JournalLocked",
    "JournalLost",
    "Listener",
    "MemoryJournal",
    "Pacer",
    "PacerError",
    "Policy",
    "Progress",
    "Region",
    "Report",
    "RequestRejected",
    "SearchApi",
    "ServiceUnavailable",
    "SqliteJournal",
    "Statistics",
    "SystemClock",
    "UnitChoice",
    "UsageError",
    "Webhook",
    "__version__",
]

_ROOMS = {
    "pacer.api.protocol": ("SearchApi",),
    "pacer.client": ("CaptureResult", "Job", "Pacer", "Report"),
    "pacer.clock": ("Clock", "FakeClock", "SystemClock"),
    "pacer.errors": (
        "BatchStopped",
        "InputError",
        "InputProblem",
        "JournalError",
        "JournalLocked",
        "JournalLost",
        "PacerError",
        "RequestRejected",
        "ServiceUnavailable",
        "UsageError",
    ),
    "pacer.instrumentation.happening": ("Happening", "Listener"),
    "pacer.journal.memory": ("MemoryJournal",),
    "pacer.journal.protocol": ("Journal",),
    "pacer.journal.sqlite": ("SqliteJournal",),
    "pacer.pacing.capacity": ("CapacitySnapshot",),
    "pacer.pacing.policy": ("Policy", "UnitChoice"),
    "pacer.pacing.statistics": ("Statistics",),
    "pacer.runner": ("Progress",),
    "pacer.wire.requests": ("CaptureRequest", "Region", "Webhook"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_ROOM_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
