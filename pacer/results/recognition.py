"""
Is this file the one that the journal's record speaks of?
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from pathlib import Path

from pacer.journal.views import Projection
from pacer.results.lines import FIRST_BYTES

CHUNK = 2**20


def matches(path: Path, record: Projection) -> bool:
    """Return whether *path* begins with the very bytes that were recorded; reads them all."""
    left, crc = record.offset, 0
    with path.open("rb") as file:
        while left and (data := file.read(min(left, CHUNK))):
            crc = zlib.crc32(data, crc)
            left -= len(data)
    return not left and crc == record.crc


def is_first_line(path: Path) -> bool:
    """Return whether *path* begins as the results do, cut off or not."""
    with path.open("rb") as file:
        start = file.read(len(FIRST_BYTES))
    return FIRST_BYTES.startswith(start)


def aside(path: Path) -> Path:
    """Return a free name for a file that was changed: ``NAME.edited-YYYYmmddTHHMMSS``."""
    stamped = path.with_name(f"{path.name}.edited-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    free, number = stamped, 1
    while free.exists():
        number += 1
        free = stamped.with_name(f"{stamped.name}-{number}")
    return free
