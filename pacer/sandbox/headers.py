"""
Headers: dates, the forms of Retry-After, and looking one up.
"""

from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from math import ceil
from typing import Final

from pacer.sandbox.settings import RetryAfterForm

__all__ = ["header", "http_date", "retry_after_header", "retry_after_seconds"]

HUGE_RETRY_AFTER: Final = 40_000_000
"""Seconds: more than a year."""

NONSENSE: Final = "shortly"


def header(headers: Mapping[str, str], name: str) -> str | None:
    """
    Look a header up, whatever its case.
    """
    value = headers.get(name)
    if value is not None:
        return value
    lower = name.lower()
    for key, value in headers.items():
        if key.lower() == lower:
            return value
    return None


@lru_cache(maxsize=64)
def http_date(epoch_second: int) -> str:
    """
    An IMF-fixdate (RFC 9110, section 5.6.7), as in `Sun, 06 Nov 1994 08:49:37 GMT`.
    """
    return formatdate(epoch_second, usegmt=True)


def retry_after_header(form: RetryAfterForm, seconds: float, *, wall: float) -> str | None:
    """
    Write a wait of *seconds* in one of the forms that occur; *wall* is the service's own clock, since 1970.
    """
    match form:
        case "seconds":
            return str(max(1, ceil(seconds)))
        case "date":
            return http_date(ceil(wall + seconds))
        case "absent":
            return None
        case "zero":
            return "0"
        case "nonsense":
            return NONSENSE
        case "huge":
            return str(HUGE_RETRY_AFTER)


def retry_after_seconds(value: str | None, *, wall: float) -> float | None:
    """
    Read such a header back: the wait that it promises from now on, None where it promises nothing.
    """
    if value is None or value == NONSENSE:
        return None
    return float(value) if value.isdigit() else parsedate_to_datetime(value).timestamp() - wall
