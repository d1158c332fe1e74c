"""
How many captures have ended, by the count of those in flight.

Of the captures accepted before a snapshot was asked for, all but ``inflight`` have
ended, and mostly they are the oldest. A margin, steered so that about one read in
a hundred finds nothing, allows for those that overtook. A snapshot can be an old
one, so that a few are read first, more as they are hits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from pacer.pacing.events import JobRead

FIRST_MARGIN = 0.15
FEWEST = 4.0
"""The margin to begin with, as a share of what is in flight, and in captures: the larger counts."""

MISS_STEP = 8.0
MISS_SHARE = 0.03
"""Captures, plus a share of what is in flight, by which a read in vain widens the margin."""

HITS_A_MISS = 120.0
"""Hits that narrow it as much as one miss widens it: about one read in 120 is in vain."""

FIRST_LOOKS = 16.0
"""Reads in flight at first on the word of a new count, one more for each hit: the count may be an old one."""

FEW_LEFT = 0.15
"""Share of the last captures: if no more are in flight, all are read. Few reads are in vain then, and a
margin would keep what has ended waiting for the slowest of all."""

COUNT_HOLDS = 45.0
"""Seconds for which a count of what has ended is worth more than a guess by age: beyond the next reading."""


@dataclass(frozen=True, slots=True)
class Tally:
    """
    What one reading says.

    Attributes:
        ended: Captures that have ended and were not read.

        all_due: All that are known are to be read: none is in flight, or few of the last.
    """

    ended: float
    all_due: bool


class Count:
    """
    What the last reading said, and how far it is believed.

    Attributes:
        allowed: Captures that may be read on its word.

        trusted: It was of our captures alone.
    """

    def __init__(self) -> None:
        self.allowed = 0.0
        self.trusted = False
        self._recent: deque[tuple[float, int]] = deque()  # (accepted at, captures) after the last snapshot
        self._recent_count = 0
        self._left = 0.0  # ended and unread
        self._told_at = float("-inf")
        self._in_flight: set[JobRead] = set()  # on its word
        self._share = FIRST_MARGIN  # the margin, as a share of what is in flight
        self._step = 0.0  # by which a miss widens it; 0 before a first reading
        self._miss = 0.0  # the same in captures
        self._in_vain: int | None = None  # misses that it allows, where all are read on its word
        self._looks = FIRST_LOOKS  # reads that may be in flight on its word

    def accepted(self, captures: int, *, at: float) -> None:
        """So many *captures* are outstanding since *at*."""
        self._recent.append((at, captures))
        self._recent_count += captures

    def told(
        self,
        inflight: int | None,
        *,
        at: float,
        asked_at: float,
        unended: int,
        reads: int,
        shared: bool,
        last: bool,
    ) -> Tally | None:
        """
        Take a reading; return what it says, None where it says nothing.

        Args:
            unended: Captures outstanding as far as is known.

            reads: Job reads in flight.

            shared: Some in flight may be others'.

            last: Nothing waits to be submitted.
        """
        while self._recent and self._recent[0][0] <= asked_at:
            self._recent_count -= self._recent.popleft()[1]
        self.trusted = inflight is not None and not shared
        if inflight is None:
            return None
        known = max(0, unended - self._recent_count)
        self._told_at = at
        self._looks = FIRST_LOOKS
        self._in_vain = None
        if inflight == 0 or (last and not shared and inflight <= FEW_LEFT * known):
            self.allowed, self._left = known, known - inflight
            self._in_vain = inflight
            return Tally(self._left, all_due=True)
        if not self._step:
            self._share = max(FEWEST / inflight, FIRST_MARGIN)
        self._miss = MISS_STEP + MISS_SHARE * inflight
        self._step = self._miss / inflight
        # Reads in flight are of captures that count as unended until they are back.
        ended = known - inflight - reads
        # Who overtakes is among those in flight: the fewer there are, the fewer can have been overtaken.
        self.allowed = max(0.0, ended - self._share * inflight)
        self._left = ended
        return Tally(ended, all_due=False)

    @property
    def allows_one(self) -> bool:
        """Whether one more read may leave on its word."""
        return self.allowed >= 1 and len(self._in_flight) < self._looks

    def none_left(self, *, now: float) -> bool:
        """Return whether it says that everything that had ended has been read."""
        return self.trusted and self._left < 1 and now - self._told_at <= COUNT_HOLDS

    def leaves(self, read: JobRead) -> None:
        """*read* leaves on its word, or because its time is over."""
        self.allowed = max(0.0, self.allowed - 1)
        self._in_flight.add(read)

    def reading(self, reads: int) -> None:
        """So many *reads* leave, on whosever word."""
        self._left -= reads

    def back(self, read: JobRead) -> bool:
        """A read is back; return whether it had left on the word of a count."""
        self._left += 1  # only one that has ended takes its place for good
        counted = read in self._in_flight
        self._in_flight.discard(read)
        return counted

    def found(self, *, counted: bool) -> None:
        """A read found its capture ended."""
        self._left -= 1
        if counted:
            self._share = max(0.0, self._share - self._step / HITS_A_MISS)
            self._looks += 1

    def missed(self) -> None:
        """It took a capture for ended that was still running."""
        if self._in_vain is None:
            self._share += self._step
            # The wider margin holds for what is still to be read, too.
            self.allowed = max(0.0, self.allowed - self._miss)
            return
        self._in_vain -= 1
        if self._in_vain < 0:
            self.allowed = 0.0  # it was an old one
