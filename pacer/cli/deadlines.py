"""
``--deadline``: a length of time, or a moment.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from pacer.errors import UsageError

_SPAN = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s)?", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2})?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*", re.ASCII)


def read_deadline(text: str, *, now: datetime) -> datetime:
    """
    Return the moment that *text* means.

    Args:
        text: ``90m``, ``1h30m``, ``45s``: from *now* on. ``06:00``: when it is that next by
            the local clock. ``2026-12-01T06:00``: then, by the local clock unless it names an offset.

        now: With the local time zone.

    Errors:
        UsageError: It is none of these, or it is over.
    """
    moment = _read(text.strip(), now)
    if moment is None:
        raise UsageError(
            f"--deadline {text} is neither a length of time, like 90m or 1h30m, nor a time of day, like "
            "06:00, nor a date and time, like 2026-12-01T06:00."
        )
    if moment <= now:
        raise UsageError(
            f"--deadline {text} is over already: it is {now:%Y-%m-%d %H:%M:%S}. Name a later one."
        )
    return moment


def _read(text: str, now: datetime) -> datetime | None:
    if text and (found := _SPAN.fullmatch(text)):
        hours, minutes, seconds = (int(number or 0) for number in found.groups())
        return now + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    try:
        if _TIME.fullmatch(text):
            return _next(time.fromisoformat(text), now)
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):  # 25:00, the 30th of February
        pass
    return None


def _next(at: time, now: datetime) -> datetime:
    """Return when the local clock next shows *at*."""
    day = now.astimezone().date()
    today = datetime.combine(day, at).astimezone()
    return today if today > now else datetime.combine(day + timedelta(days=1), at).astimezone()
