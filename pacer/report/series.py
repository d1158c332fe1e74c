"""
What the notes tell over time: the queue, the waves, the waits, the refusals.

Time here is *time worked*, in seconds: the pauses between invocations are cut
out, so that a batch that was resumed the next morning still fills its picture.
Everything is bounded, whatever the length of the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pacer.instrumentation import happening
from pacer.journal.entries import Noted
from pacer.report.thinning import Spans, Thinned

ENDS_BY_ITSELF = frozenset({"gate", "window", "outage"})
"""Waits that end at the moment they named; the others last until something else is done."""

MOST_LANES = 16
"""Bounds that are kept apart; there are eleven, but a newer pacer may have written the journal."""

MOST_STARTS = 60
"""Starts of invocations that are kept."""

MOST_CODES = 20
"""Codes of refusals that one point names."""


@dataclass(slots=True)
class Reading:
    """
    The queue in one snapshot, or in several that were merged.

    Attributes:
        at: Wall time of the first.

        depth: As the last one told; ``lowest`` and ``highest`` of all.

        headroom: As the last one told: of it, what pacer could use.
    """

    at: float
    depth: int
    lowest: int
    highest: int
    capacity: int | None
    headroom: int
    snapshots: int = 1

    def merge(self, later: Reading) -> None:
        """Take in a later one."""
        self.depth, self.capacity, self.headroom = later.depth, later.capacity, later.headroom
        self.lowest = min(self.lowest, later.lowest)
        self.highest = max(self.highest, later.highest)
        self.snapshots += later.snapshots


@dataclass(slots=True)
class Wave:
    """What was submitted in one wave, or in several that were merged."""

    at: float
    requests: int
    captures: int
    waves: int = 1

    def merge(self, later: Wave) -> None:
        """Take in a later one."""
        self.requests += later.requests
        self.captures += later.captures
        self.waves += later.waves


@dataclass(slots=True)
class Refusal:
    """
    A 429 (or a 503 that named a time), or several that were merged.

    Attributes:
        retry_after: The longest that was asked for, in seconds; None where none could be read.
    """

    at: float
    codes: dict[str, int]
    retry_after: float | None

    @property
    def number(self) -> int:
        """How many there were."""
        return sum(self.codes.values())

    def merge(self, later: Refusal) -> None:
        """Take in a later one."""
        for code, number in later.codes.items():
            name = code if code in self.codes or len(self.codes) < MOST_CODES else "others"
            self.codes[name] = self.codes.get(name, 0) + number
        if later.retry_after is not None:
            self.retry_after = max(self.retry_after or 0.0, later.retry_after)


@dataclass(frozen=True, slots=True)
class Start:
    """
    An invocation after the first began here.

    Attributes:
        x: In time worked.

        pause: Seconds since the last note of the one before it.
    """

    x: float
    at: float
    number: int
    pause: float


@dataclass(slots=True)
class Timeline:
    """
    A batch over time worked.

    Attributes:
        length: Seconds worked on it.

        waits: When pacer waited half a second or longer, by bound.
    """

    length: float = 0.0
    readings: Thinned[Reading] = field(default_factory=Thinned)
    waves: Thinned[Wave] = field(default_factory=Thinned)
    refusals: Thinned[Refusal] = field(default_factory=Thinned)
    waits: dict[str, Spans] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)


def read_timeline(notes: Iterable[Noted]) -> Timeline:
    """Return what *notes* tell over time; they are read once, in order."""
    reader = _Reader()
    for note in notes:
        reader.take(note)
    return reader.ended()


class _Reader:
    """Goes through the notes of one invocation after the other."""

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._number = 0
        self._base = 0.0
        self._began_at = 0.0
        self._last_at = 0.0
        self._waiting: tuple[str, float, float] | None = None

    def take(self, note: Noted) -> None:
        if note.kind == happening.RUN_STARTED:
            self._start(note)
        if not self._number:
            return
        self._last_at = note.at
        # A clock that was set back must not lead back into what is drawn already.
        x = max(self._base + note.at - self._began_at, self._timeline.length)
        self._timeline.length = x
        facts, timeline = note.data, self._timeline
        match note.kind:
            case happening.SNAPSHOT_READ:
                depth = facts["depth"]
                reading = Reading(note.at, depth, depth, depth, facts["capacity"], facts["headroom"])
                timeline.readings.add(x, reading)
            case happening.WAVE_SENT:
                self._stop_waiting(x)
                timeline.waves.add(x, Wave(note.at, facts["requests"], facts["captures"]))
            case happening.THROTTLED:
                refusal = Refusal(note.at, {str(facts["code"]): 1}, facts["retry_after"])
                timeline.refusals.add(x, refusal)
            case happening.WAIT_BEGAN:
                self._stop_waiting(x)
                until = x + facts["seconds"] if facts["bound"] in ENDS_BY_ITSELF else float("inf")
                self._waiting = (facts["bound"], x, until)
            case happening.RUN_ENDED:
                self._stop_waiting(x)

    def ended(self) -> Timeline:
        self._stop_waiting(self._timeline.length)
        return self._timeline

    def _start(self, note: Noted) -> None:
        self._stop_waiting(self._timeline.length)
        self._number += 1
        self._base, self._began_at = self._timeline.length, note.at
        starts = self._timeline.starts
        if self._number > 1 and len(starts) < MOST_STARTS:
            pause = max(note.at - self._last_at, 0.0)
            starts.append(Start(self._base, note.at, self._number, pause))

    def _stop_waiting(self, x: float) -> None:
        if self._waiting is None:
            return
        bound, began, until = self._waiting
        self._waiting = None
        waits = self._timeline.waits
        if bound in waits or len(waits) < MOST_LANES:
            waits.setdefault(bound, Spans()).add(began, min(until, x))
