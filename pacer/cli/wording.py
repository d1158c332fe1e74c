"""
Happenings, waits and numbers in words.

Whatever comes from the service or from the input is passed through
:func:`pacer.wire.text.printable` before it gets here or on the way out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pacer.instrumentation import happening
from pacer.instrumentation.happening import Happening
from pacer.wire.text import printable

LONGEST = 300
"""Characters of one line about a happening."""

WAITS: Final[Mapping[str, str]] = {
    "drain": "the queue is as full as it may be, and drains",
    "captures": "all is submitted; the last captures are still running",
    "window": "the request-rate window is used up",
    "gate": "Retry-After",
    "reserve": "the rest of the queue is kept free for others (--reserve)",
    "concurrency": "as many submissions are in flight as are allowed (--concurrency)",
    "unit": "what the queue counts is not known yet (--unit or --probe may help)",
    "tenants": "others on this key hold the queue",
    "outage": "the service does not answer; the next probe",
    "retry": "requests that must wait before they are sent again",
    "max_credits": "--max-credits is reached; what is out is still collected",
    "max_requests": "--max-requests is reached; what is out is still collected",
    "deadline": "--deadline is over; what is out is still collected",
    "round_trip": "answers to what was just sent",
    "idle": "nothing to do",
    "pacer": "pacer itself: its start, its disk, its own work",
    "untold": "not told: a process that was killed, or still runs",
}
"""What each bound of ``pacer.pacing.decisions`` means to a person."""

SHARES: Final[Mapping[str, str]] = {
    "drain": "the service's drain",
    "captures": "the last captures",
    "window": "the request-rate window",
    "gate": "Retry-After",
    "reserve": "the reserve",
    "concurrency": "the submissions in flight allowed",
    "unit": "not knowing what the queue counts",
    "tenants": "others on this key",
    "outage": "an outage",
    "retry": "waiting to send again",
    "max_credits": "collecting after the limit",
    "max_requests": "collecting after the limit",
    "deadline": "collecting after the deadline",
    "round_trip": "round trips",
    "idle": "nothing to do",
    "pacer": "pacer itself",
    "untold": "not told",
}
"""The same as a share of a run's time."""

FLAGS: Final[Mapping[str, str]] = {
    "reserve": "--reserve",
    "concurrency": "--concurrency",
    "unit": "--unit or --probe",
    "max_credits": "--max-credits",
    "max_requests": "--max-requests",
    "deadline": "--deadline",
}
"""The option that would change it, where there is one."""

LEAST_SHARE = 0.01
MOST_SHARES = 3
"""Shares of a run's time that are named on one line: the largest, none below a hundredth."""


def why(bound: str) -> str:
    """Return the reason of a wait in words."""
    return WAITS.get(bound, bound)


def time_shares(seconds_by_bound: Mapping[str, float]) -> str:
    """Return where the time went, on one line: ``62 % the service's drain, 31 % the reserve (--reserve)``."""
    total = sum(seconds_by_bound.values())
    largest = sorted(seconds_by_bound.items(), key=lambda each: -each[1])[:MOST_SHARES]
    return ", ".join(
        f"{share(seconds, total)} {SHARES.get(bound, bound)}{flag(bound)}"
        for bound, seconds in largest
        if seconds >= LEAST_SHARE * total and seconds > 0
    )


def share(seconds: float, total: float) -> str:
    """Return a share as ``31 %``; less than half a percent is ``<1 %``."""
    if total <= 0 or seconds <= 0:
        return "0 %"
    percent = 100 * seconds / total
    return f"{percent:.0f} %" if percent >= 0.5 else "<1 %"


def flag(bound: str) -> str:
    """Return `` (--reserve)``, or nothing where no option would change it."""
    return f" ({FLAGS[bound]})" if bound in FLAGS else ""


def clock(at: float) -> str:
    """Return the local time of day of wall time *at*."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def span(seconds: float) -> str:
    """Return a length of time: ``0.4 s``, ``12 s``, ``3:05``, ``2:10:00``."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 request``, ``1,200 requests``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def sentence(told: Happening) -> str:
    """Return *told* on one line, without its time."""
    phrase = _PHRASES.get(told.name)
    text = phrase(told.facts) if phrase else f"{told.name} {dict(told.facts)}"
    return printable(text, LONGEST)


def _started(facts: Mapping[str, Any]) -> str:
    text = f"started: {count(facts['requests'], 'request')}, {facts['pending']:,} not yet sent"
    if facts["in_doubt"]:
        text += f", {facts['in_doubt']:,} in doubt"
    if facts["outstanding"]:
        text += f", {facts['outstanding']:,} with the service"
    return text


def _ended(facts: Mapping[str, Any]) -> str:
    text = f"{facts['outcome']} after {span(facts['seconds'])}"
    return f"{text}: {facts['reason']}" if facts["reason"] else text


def _snapshot(facts: Mapping[str, Any]) -> str:
    capacity = "unknown" if facts["capacity"] is None else f"{facts['capacity']:,}"
    return f"queue: depth {facts['depth']:,} of {capacity}, headroom {facts['headroom']:,}"


def _wave(facts: Mapping[str, Any]) -> str:
    goes_on = " goes on" if facts["continued"] else ""
    return (
        f"wave {facts['number']:,}{goes_on}: {count(facts['requests'], 'request')}, "
        f"{count(facts['captures'], 'capture')}"
    )


ENDS_THEN = frozenset({"gate", "window", "outage"})
"""Waits whose end is known; the others end sooner if something happens."""


def _wait(facts: Mapping[str, Any]) -> str:
    reason = why(facts["bound"])
    if facts["until"] is None:
        return f"waiting: {reason}"
    until = f"{span(facts['seconds'])}, until {clock(facts['until'])}"
    if facts["bound"] in ENDS_THEN:
        return f"waiting {until}: {reason}"
    return f"waiting at most {until}: {reason}"


_CLOSES = {
    "rate": "nothing is sent",
    "queue": "nothing is submitted",
    "sync": "no sync capture is asked for",
}


def _throttled(facts: Mapping[str, Any]) -> str:
    closes = _CLOSES.get(facts["lane"], "nothing is sent")
    asked = facts["retry_after"]
    source = "no usable Retry-After" if asked is None else f"Retry-After {span(asked)}"
    what = "503" if facts["code"] == "HTTP_503" else f"429 {facts['code']}"
    return f"{what}: {closes} before {clock(facts['until'])} ({source})"


_PHRASES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    happening.RUN_STARTED: _started,
    happening.RUN_ENDED: _ended,
    happening.SNAPSHOT_READ: _snapshot,
    happening.SNAPSHOT_FAILED: lambda facts: f"the snapshot could not be read: {facts['reason']}",
    happening.WAVE_SENT: _wave,
    happening.WAIT_BEGAN: _wait,
    happening.THROTTLED: _throttled,
    happening.REQUEST_DOUBTED: lambda facts: (
        f"{facts['request']}: no usable reply ({facts['reason']}); it goes again under the same key"
    ),
    happening.REQUEST_REJECTED: lambda facts: (
        f"{facts['request']}: rejected: {facts['code']}: {facts['message']}"
    ),
    happening.CAPTURE_ENDED: lambda facts: (
        f"{facts['request']}: {facts['surface']} {facts['region']}: {facts['status']}"
    ),
    happening.READ_FAILED: lambda facts: f"{facts['request']}: could not be read: {facts['reason']}",
    happening.OUTAGE_BEGAN: lambda _: "the service does not answer: one probe at a time from here on",
    happening.OUTAGE_ENDED: lambda facts: f"the service answers again, after {span(facts['seconds'])}",
    happening.UNIT_LEARNT: lambda facts: f"learnt: the queue counts {facts['unit']}",
    happening.WINDOW_LEARNT: lambda facts: (
        f"learnt: {count(int(facts['limit']), 'request')} in {span(facts['length'])}"
    ),
}
