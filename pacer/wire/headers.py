"""
What the headers say about time and room.

Moments become durations here, measured against the reply's own ``Date``
wherever there is one: two clocks that disagree are then no matter. Every
function is total: what makes no sense counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TypeAlias

from pacer.wire.replies import WindowReading

Headers: TypeAlias = Mapping[str, str]
"""
Headers by their documented spelling. Ignoring case is the mapping's business:
``multidict.CIMultiDict`` does, and shows repeated headers too.
"""

LONGEST = 1e15
"""
Seconds; a longer Retry-After is cut to this. Thirty million years is long
enough, and a finite number stays finite in the arithmetic that follows.
"""

LONGEST_WINDOW = 86_400.0
"""Seconds. No request-rate window is known to be longer than a day; a reset further away is a misreading."""

_LARGEST_DELTA = 1e6
"""A reset below this is no epoch second (12 January 1970): it is delta-seconds, as in the IETF draft."""

_SMALLEST_MILLISECONDS = 1e11
"""A reset above this (year 5138 in seconds, 1973 in milliseconds) is an epoch in milliseconds."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")


def retry_after(headers: Headers, *, now: float) -> float | None:
    """
    Return how many seconds ``Retry-After`` asks for; None if absent or nonsense.

    Integer seconds by the service's page, an HTTP-date in any of its three
    forms by RFC 9110, sections 10.2.3 and 5.6.7; fractions are taken too. A
    past date or a negative number is 0.0. Of several values the longest
    counts: it keeps all the promises.

    Args:
        headers: The reply's headers.

        now: Wall time, seconds since the epoch; used where ``Date`` is missing.
    """
    asked = [seconds for value in _values(headers, "Retry-After") for seconds in _delays(value, headers, now)]
    return max(asked, default=None)


def window(headers: Headers, *, now: float) -> WindowReading | None:
    """
    Return the request-rate window as ``X-RateLimit-*`` tells it; None without any of them.

    A header that makes no sense is a None in the reading.

    Args:
        headers: The reply's headers.

        now: Wall time, seconds since the epoch; used where ``Date`` is missing.
    """
    limit = headers.get("X-RateLimit-Limit")
    remaining = headers.get("X-RateLimit-Remaining")
    reset = headers.get("X-RateLimit-Reset")
    if limit is None and remaining is None and reset is None:
        return None
    return WindowReading(_count(limit), _count(remaining), _resets_in(reset, headers, now))


def date(headers: Headers) -> float | None:
    """Return when the reply was made by its own ``Date``, as wall time; None if absent or nonsense."""
    value = headers.get("Date")
    return None if value is None else _moment(value)


def replayed(headers: Headers) -> bool:
    """Return whether the reply repeats an earlier admission (``Idempotent-Replayed: true``)."""
    value = headers.get("Idempotent-Replayed")
    return value is not None and value.strip().lower() == "true"


def _values(headers: Headers, name: str) -> list[str]:
    """Every value of *name*, repeated headers included where the mapping keeps them."""
    getall = getattr(headers, "getall", None)
    if getall is not None:
        return list(getall(name, ()))
    value = headers.get(name)
    return [] if value is None else [value]


def _delays(value: str, headers: Headers, now: float) -> Iterator[float]:
    """The seconds that one ``Retry-After`` line asks for: none, one, or one for each joined number."""
    moment = _moment(value)
    if moment is not None:
        yield min(max(moment - _sent_at(headers, now), 0.0), LONGEST)
        return
    for part in value.split(","):
        seconds = _number(part)
        if seconds is not None:
            yield min(max(seconds, 0.0), LONGEST)


def _resets_in(reset: str | None, headers: Headers, now: float) -> float | None:
    """Seconds until the window resets, or None where the header makes no sense."""
    value = None if reset is None else _number(reset.partition(",")[0])
    if value is None:
        return None
    if value >= _SMALLEST_MILLISECONDS:
        value /= 1000
    seconds = value if value < _LARGEST_DELTA else value - _sent_at(headers, now)
    return max(seconds, 0.0) if seconds <= LONGEST_WINDOW else None


def _count(value: str | None) -> int | None:
    """The whole number in front of *value* (``100``, ``100, 100;w=60``), or None."""
    if value is None:
        return None
    digits = value.partition(",")[0].partition(";")[0].strip()
    # 18 digits fit everywhere; more is nonsense, and int() of thousands raises.
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def _number(text: str) -> float | None:
    """A finite decimal number, or None."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    return max(-LONGEST, min(float(match[0]), LONGEST))


def _sent_at(headers: Headers, now: float) -> float:
    """When the reply was made: its ``Date``, else *now*."""
    moment = date(headers)
    return now if moment is None else moment


@lru_cache(maxsize=64)  # one Date a second serves every reply of that second
def _moment(text: str) -> float | None:
    """An HTTP-date in any of its three forms as seconds since the epoch, or None."""
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # The asctime form names no zone; RFC 9110 says that it means UTC.
    return (when.replace(tzinfo=UTC) if when.tzinfo is None else when).timestamp()
