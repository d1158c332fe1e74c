"""
Short names of bounds, and numbers as the page writes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pacer.cli.wording import span
from pacer.wire.text import printable

LONGEST = 160
"""Characters of a stranger's text in a table or a picture."""

LANES: Final[Mapping[str, str]] = {
    "drain": "queue full",
    "captures": "last captures",
    "window": "rate window",
    "gate": "Retry-After",
    "reserve": "reserve",
    "concurrency": "concurrency",
    "unit": "unit unknown",
    "tenants": "other clients",
    "outage": "outage",
    "retry": "resends",
    "max_credits": "credit limit",
    "max_requests": "request limit",
    "deadline": "deadline",
    "round_trip": "round trips",
    "idle": "idle",
    "pacer": "pacer itself",
    "untold": "not told",
}
"""Each bound in a word or two, for a picture."""


def lane(bound: str) -> str:
    """Return the short name of a bound."""
    return LANES.get(bound, clean(bound))


def clean(text: object) -> str:
    """Return a stranger's text on one line of bounded length, without what no page should obey."""
    return printable(str(text), LONGEST)


def unbroken(text: str) -> str:
    """Return *text* with its figures and their units on one line each."""
    return re.sub(r"(?<=\d) (?=(?:ms|s|min|h|d|%)(?!\w))", "\u00a0", text)


def duration(seconds: float) -> str:
    """Return a length of time in words: ``240 ms``, ``4.2 s``, ``2 min 5 s``, ``3 h 10 min``."""
    if 0 < seconds < 0.995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.5:
        return span(seconds)
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def moment(at: float) -> str:
    """Return wall time as local date and time, with the zone's name."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def time_of_day(at: float) -> str:
    """Return the local time of day of wall time, to a tenth of a second."""
    local = datetime.fromtimestamp(at)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 100_000}"
