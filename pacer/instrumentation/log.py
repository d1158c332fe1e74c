"""
Happenings as log events, by structlog.

Each happening is one event: its name is the event's name, its facts are the
event's fields, ``at`` is the moment in ISO 8601 (UTC). Nothing is configured
globally: a host's own configuration of structlog decides what becomes of
:func:`to_structlog`, and :func:`json_lines` has its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, TextIO

import structlog

from pacer.instrumentation import happening
from pacer.instrumentation.happening import Happening, Listener

WARNINGS: Final = frozenset(
    {
        happening.THROTTLED,
        happening.SNAPSHOT_FAILED,
        happening.READ_FAILED,
        happening.REQUEST_DOUBTED,
        happening.REQUEST_REJECTED,
        happening.OUTAGE_BEGAN,
    }
)
"""Names of what a person may want to look at; the run goes on."""

DETAILS: Final = frozenset({happening.CAPTURE_ENDED, happening.SNAPSHOT_READ})
"""Names that come too often to be read one by one."""


def level_of(name: str) -> str:
    """Return the log level of the happenings of that name: ``debug|info|warning``."""
    if name in WARNINGS:
        return "warning"
    return "debug" if name in DETAILS else "info"


def moment(at: float) -> str:
    """Return wall time as ISO 8601 with milliseconds, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_structlog(logger: Any = None) -> Listener:
    """
    Return a listener that hands each happening to a structlog logger.

    Args:
        logger: A structlog logger; ``structlog.get_logger("pacer")`` by default,
            which does what the host has configured.
    """
    bound = structlog.get_logger("pacer") if logger is None else logger

    def hear(told: Happening) -> None:
        getattr(bound, level_of(told.name))(told.name, at=moment(told.at), **told.facts)

    return hear


def json_lines(stream: TextIO) -> Listener:
    """Return a listener that writes each happening to *stream* as one JSON object a line."""
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer(default=str)],
        wrapper_class=structlog.BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return to_structlog(logger)
