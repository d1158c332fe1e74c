"""
What the captures tell together: how they ended, how long they took, why they failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from pacer.journal.protocol import Journal
from pacer.journal.views import ResultRow
from pacer.report.account import PAGE
from pacer.report.latency import Durations, capture_seconds

MOST_GROUPS = 500
"""Surfaces, regions, codes that are told apart. Whatever comes from outside could be new every time."""

OTHERS = "others"
UNKNOWN = "unknown"

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class Failure:
    """
    What ended otherwise than completed, of one code.

    Attributes:
        captures: How many lines of the results, rejected requests included.

        surfaces: On which, and how often; rejected requests have none.

        message: The first sentence that the service gave with it.

        request: The user's id of the first request that met it.
    """

    captures: int = 0
    surfaces: Counter[str] = field(default_factory=Counter)
    message: str = ""
    request: str = ""


@dataclass(slots=True)
class Captures:
    """
    All captures of a batch.

    Attributes:
        timed: Completed and partial ones whose duration the service told.

        untimed: Those whose duration it did not tell.

        by_surface, by_region, by_pair: Durations; a pair is (surface, region).

        failures: By code, in the order in which they were met first.
    """

    timed: Durations = field(default_factory=Durations)
    untimed: int = 0
    by_surface: dict[str, Durations] = field(default_factory=dict)
    by_region: dict[str, Durations] = field(default_factory=dict)
    by_pair: dict[tuple[str, str], Durations] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)

    def take(self, row: ResultRow) -> None:
        """Take in one line of the results."""
        if row.status != "completed":
            self._fail(row)
        if row.status in ("completed", "partial"):
            self._time(row)

    def _fail(self, row: ResultRow) -> None:
        error = row.error or {}
        code = str(error.get("code") or row.status.upper())
        failure = _of(self.failures, code, OTHERS, Failure())
        if not failure.captures:
            failure.message, failure.request = str(error.get("message") or ""), row.request
        failure.captures += 1
        if row.surface is not None:
            known = row.surface in failure.surfaces or len(failure.surfaces) < MOST_GROUPS
            failure.surfaces[row.surface if known else OTHERS] += 1

    def _time(self, row: ResultRow) -> None:
        seconds = capture_seconds(row.envelope)
        if seconds is None:
            self.untimed += 1
            return
        surface, region = row.surface or UNKNOWN, row.region or UNKNOWN
        self.timed.add(seconds)
        _of(self.by_surface, surface, OTHERS, Durations()).add(seconds)
        _of(self.by_region, region, OTHERS, Durations()).add(seconds)
        _of(self.by_pair, (surface, region), (OTHERS, OTHERS), Durations()).add(seconds)


def read_captures(journal: Journal) -> Captures:
    """Read all captures of *journal*, a page at a time: each may hold an Envelope of some hundred KiB."""
    captures = Captures()
    rows = journal.rows(after=0, limit=PAGE)
    while rows:
        for row in rows:
            captures.take(row)
        rows = journal.rows(after=rows[-1].seq, limit=PAGE)
    return captures


def _of(groups: dict[K, V], name: K, others: K, new: V) -> V:
    if name in groups or len(groups) < MOST_GROUPS:
        return groups.setdefault(name, new)
    return groups.setdefault(others, new)
