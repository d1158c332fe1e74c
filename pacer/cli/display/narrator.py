"""
Which happenings are worth a line, and how many of the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from pacer.cli.wording import count, sentence, span
from pacer.instrumentation import happening
from pacer.instrumentation.happening import Happening

SHARED_BY_MANY = frozenset(
    {
        happening.REQUEST_REJECTED,
        happening.REQUEST_DOUBTED,
        happening.READ_FAILED,
        happening.SNAPSHOT_FAILED,
        happening.WAVE_SENT,
    }
)
"""Names that can come without end; told :data:`LINES_A_MINUTE` times a minute, and counted in the totals."""

LINES_A_MINUTE = 12

LONG_WAITS = frozenset({"gate", "window", "outage", "retry"})
"""Bounds whose waits are told with their end; the others are the rhythm of any run."""

SAME_GATE = 1.5
"""Seconds between two deadlines of one gate that are one to a person: Retry-After is whole seconds."""


@dataclass(slots=True)
class _Wait:
    began: float
    until: float
    bound: str


class Narrator:
    """
    Turns happenings into lines: a burst of 429s once, a wait with its end.

    Args:
        details: Also what every healthy run is full of: snapshots, short waits.
    """

    def __init__(self, *, details: bool) -> None:
        self._details = details
        self._wait: _Wait | None = None
        self._gates: dict[str, float] = {}
        self._more_429s = 0
        self._told: dict[str, tuple[float, int]] = {}  # name: (the minute began, lines in it)

    def lines(self, told: Happening) -> list[str]:
        """Return what to say now that *told* has happened; nothing, more often than not."""
        said = self._end_of_wait(told)
        if self._is_worth_a_line(told):
            said.append(sentence(told))
        return said

    def _is_worth_a_line(self, told: Happening) -> bool:
        match told.name:
            case happening.CAPTURE_ENDED | happening.RUN_ENDED:
                return False  # the totals and the closing table say it
            case happening.SNAPSHOT_READ:
                return self._details
            case happening.THROTTLED:
                return self._is_new_gate(told)
            case happening.WAIT_BEGAN:
                return self._begins_wait(told)
            case happening.WAVE_SENT if self._details:
                return True
            case name if name in SHARED_BY_MANY:
                return self._within_share(told)
        return True

    def _is_new_gate(self, told: Happening) -> bool:
        lane, until = told.facts["lane"], told.facts["until"]
        known = self._gates.get(lane, float("-inf"))
        if until <= known + SAME_GATE:
            self._more_429s += 1
            return False
        self._gates[lane] = until
        return True

    def _begins_wait(self, told: Happening) -> bool:
        bound, until = told.facts["bound"], told.facts["until"]
        if bound not in LONG_WAITS or until is None:
            return self._details and bound != "round_trip"
        if self._wait is not None and self._wait.bound == bound:
            self._wait.until = until  # the deadline has moved
            return self._details
        began = told.at if self._wait is None else self._wait.began  # one wait led to the next
        self._wait = _Wait(began, until, bound)
        return True

    def _end_of_wait(self, told: Happening) -> list[str]:
        wait = self._wait
        if wait is None or told.name in (happening.WAIT_BEGAN, happening.THROTTLED) or told.at < wait.until:
            return []
        self._wait = None
        more, self._more_429s = self._more_429s, 0
        also = f"; {count(more, 'more 429')} came meanwhile" if more else ""
        return [f"going on after {span(told.at - wait.began)}{also}"]

    def _within_share(self, told: Happening) -> bool:
        began, lines = self._told.get(told.name, (told.at, 0))
        if told.at - began >= 60:
            began, lines = told.at, 0
        self._told[told.name] = (began, lines + 1)
        return lines < LINES_A_MINUTE
