"""
The request-rate window: how many requests may leave before the next 429 would.

The headers may come on every reply, on 429s only, or never (API.md section 5):

- *On every reply* ``Remaining`` says all: what is left is the least told in
  this window, less what is in flight.
- *On 429s only* the first 429 tells the limit and when the window resets; its
  length follows from how far back the window's first request must lie.
- *Never*: the 429's gate is all there is.

Rule 1: a boundary is known to whole seconds only, and never early: what passed
shortly before it, and what is in flight across it, counts in both windows.

Rule 2: one request goes alone across the first boundary that was computed and
not told. It proves the length, or shows the right one.

Rule 3: a window in which old requests still count after its boundary does not
reset all at once. Then no more than the limit goes out in any window's length,
counted from reply to send, which holds for a sliding window too.
"""

from __future__ import annotations

from collections import deque

PLAUSIBLE_LENGTHS = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds. Window lengths that services use; a guess is the least that fits the evidence."""

ROUNDING = 2.0
"""Seconds by which a told boundary may be late: Date and Reset are both in whole seconds."""

OLD_ONES = 4
"""Requests in the window before from which it can be seen that they still count."""

INFINITY = float("inf")


class Window:
    """
    What is known of the window, and what is left of it.

    Attributes:
        limit: Requests in a window; None until told.

        length: Seconds; None until told or guessed.

        proven: The length was confirmed at a boundary.

        trailing: The window does not reset all at once (rule 3).
    """

    def __init__(self) -> None:
        self.limit: int | None = None
        self.length: float | None = None
        self.proven = False
        self.trailing = False
        self._ends_at: float | None = None  # of the current window: never early, up to ROUNDING late
        self._began = float("-inf")  # the boundary before, as estimated then
        self._used = 0  # requests counted into the current window
        self._used_before = 0  # the same of the window before
        self._surely_before = 0  # the same without those that rule 1 counts twice
        self._left: int | None = None  # least Remaining told in the current window
        self._in_flight = 0
        self._in_flight_before = 0  # of these, sent before the boundary
        self._answered: deque[float] = deque()  # when replies to passed requests came
        self._told_on_success = False
        self._computed = False  # the next boundary is computed, not told
        self._alone = False  # one request goes alone across the boundary that has passed
        self._first_telling = False  # no reply has told of the current window yet
        self._foreign = 0  # requests of others that count now, as far as was told
        self._longest_reset = 0.0

    # What happened ------------------------------------------------------------

    def sent(self, *, at: float, requests: int = 1) -> None:
        """Count *requests* that leave now."""
        self._roll(at)
        self._in_flight += requests

    def answered(self, *, at: float, passed: bool = True) -> None:
        """Count the end of a call; *passed* if it was (or may have been) let through."""
        self._roll(at)
        self._in_flight -= 1
        if not passed:
            return
        self._used += 1
        self._answered.append(at)
        while len(self._answered) > 2 * (self.limit or 5_000):
            self._answered.popleft()
        if self._in_flight_before:
            self._in_flight_before -= 1
        elif self._alone:
            # Only after a window that was full does being let through prove a new one.
            self._alone, self.proven = False, self._surely_before >= (self.limit or 0)

    def told(
        self,
        *,
        at: float,
        limit: int | None,
        remaining: int | None,
        resets_in: float | None,
        sent_at: float | None = None,
    ) -> None:
        """Take the headers of a reply that was let through, to a request sent at *sent_at*."""
        if limit is not None and limit > 0:
            self.limit = limit
        if resets_in is None:
            return
        ends_at = at + resets_in
        if (at if sent_at is None else sent_at) < self._began and ends_at < self._began + ROUNDING + 1.0:
            return  # it tells of the window before
        self._told_on_success = True
        self._longest_reset = max(self._longest_reset, resets_in)
        if self._first_telling:
            self._compare(ends_at, remaining)
        if not self.proven:
            self.length = _plausible(self._longest_reset - 1.0)
        if self._ends_at is None or ends_at > self._ends_at + ROUNDING:
            self._ends_at, self._left = ends_at, remaining
        else:
            self._ends_at = min(self._ends_at, ends_at)
        if remaining is not None:
            self._left = remaining if self._left is None else min(self._left, remaining)
            if self.trailing and self.limit is not None:
                ours = self._recent(at) + self._in_flight
                self._foreign = max(0, self.limit - remaining - ours)

    def refused(self, *, at: float, limit: int | None, resets_in: float | None) -> None:
        """Take a rate 429 that began a new burst, with its headers."""
        known = self.limit
        if limit is not None and limit > 0:
            self.limit = limit
        if self.limit is None or resets_in is None:
            return
        ends_at = at + resets_in
        if self._alone and self.length is not None:
            # The guess was too short: this is the true boundary.
            self.length = _snapped(ends_at - (self._began - self.length))
            self.proven = True
        elif known == self.limit and self._used < known and not self._told_on_success:
            longer = self._guess(ends_at)
            if self.proven or self.length is None or longer <= self.length:
                self.trailing = True
            else:
                self.length = longer  # a guess too short explains it as well, and is likelier
        elif not self.proven and not self._told_on_success:
            self.length = self._guess(ends_at)
        self._alone = False
        self._ends_at, self._computed = ends_at, False
        self._left = 0
        self._used = self.limit

    # What may happen ----------------------------------------------------------

    def room(self, *, now: float) -> float:
        """Return how many requests may leave now; infinity while no limit is known."""
        self._roll(now)
        if self.limit is None:
            return INFINITY
        if self.trailing and self.length is not None:
            return max(0, self.limit - self._in_flight - self._recent(now) - self._others(self.limit))
        if self._alone:
            return 0 if self._in_flight else 1
        if self._ends_at is None:
            return INFINITY
        left = self.limit - self._used
        if self._left is not None:
            left = min(left, self._left)
        return max(0, left - self._in_flight)

    def opens_at(self, *, now: float) -> float:
        """Return when there will be room again; infinity if only a reply can tell."""
        if self.room(now=now) > 0:
            return now
        if self.trailing and self.length is not None and self.limit is not None:
            recent = self._recent(now)
            over = recent + self._others(self.limit) + self._in_flight - self.limit
            if over < recent:
                return self._answered[len(self._answered) - recent + over] + self.length
            return INFINITY if self._in_flight or self._ends_at is None else max(self._ends_at, now + 1.0)
        if self._alone or self._ends_at is None:
            return INFINITY
        return self._ends_at

    @property
    def opening_told(self) -> bool:
        """Whether the service itself has said when it opens; else that is computed from its length."""
        return not (self._computed or self.trailing)

    def forget_length(self) -> None:
        """Its length makes no sense: find it out anew."""
        self.length = self._ends_at = self._left = None
        self.proven = self.trailing = self._alone = False

    # What outlives an invocation ------------------------------------------------

    def recall(self, *, limit: int, length: float, resets_at: float, told: bool, now: float) -> None:
        """
        Take over what an earlier invocation learnt.

        How much it had sent in the window it was in is not known: that window is taken for used up.
        One that would reset later than a whole length from now was noted by a clock that was set back since.
        """
        self.limit, self.length = limit, length
        resets_at = min(resets_at, now + length)
        self._ends_at = resets_at if now < resets_at else _boundary_after(resets_at, now, length)
        self._left = 0 if now < resets_at else None
        self._computed = not told or now >= resets_at

    @property
    def resets_at(self) -> float | None:
        """When the current window ends, as far as is known."""
        return self._ends_at

    # ----------------------------------------------------------------------------

    def _roll(self, now: float) -> None:
        """Step over the boundaries that have passed."""
        if self._ends_at is None or now < self._ends_at:
            return
        boundary = self._ends_at
        self._surely_before = self._since(self._began)
        self._began = boundary
        self._used_before = self._used
        self._used = self._since(boundary - ROUNDING)  # rule 1
        self._in_flight_before = self._in_flight
        self._left = None
        self._first_telling = True
        if self.length is None:
            self._ends_at = None
            return
        self._ends_at = _boundary_after(boundary, now, self.length)
        self._began = self._ends_at - self.length
        self._alone = not self.proven and (self._computed or self._told_on_success)
        self._computed = True

    def _compare(self, ends_at: float, remaining: int | None) -> None:
        """Learn from the first reply that tells of a new window: did it start afresh, and how long is it?"""
        self._first_telling = False
        if remaining is None or self.limit is None or self._began == float("-inf"):
            return
        missing = self.limit - remaining - self._used - self._in_flight
        if self._used_before >= OLD_ONES and missing > self._used_before / 2:
            self.trailing = True
        elif not self.trailing:
            self.length = _snapped(ends_at - self._began)
            self.proven = True

    def _guess(self, ends_at: float) -> float:
        """Return the least plausible length that holds the last *limit* requests."""
        assert self.limit is not None
        counted = min(self.limit, len(self._answered))
        first = self._answered[-counted] if counted else ends_at
        return _plausible(ends_at - ROUNDING - first)

    def _others(self, limit: int) -> int:
        """Return what others take of *limit*: never all, for only a reply tells when they have gone."""
        return min(self._foreign, limit - 1)

    def _since(self, moment: float) -> int:
        """Return how many requests were let through after *moment*, which is not long ago."""
        count = 0
        for at in reversed(self._answered):
            if at <= moment:
                break
            count += 1
        return count

    def _recent(self, now: float) -> int:
        """Return how many requests were let through within the last window's length."""
        assert self.length is not None
        while self._answered and self._answered[0] + self.length <= now:
            self._answered.popleft()
        return len(self._answered)


def _snapped(measured: float) -> float:
    """Return the plausible length nearest to one that was measured between two roundings."""
    nearest = min(PLAUSIBLE_LENGTHS, key=lambda length: abs(length - measured))
    return nearest if abs(nearest - measured) <= ROUNDING + 1.0 else max(measured, 1.0)


def _plausible(least: float) -> float:
    """Return the least plausible length from *least* on."""
    return next((length for length in PLAUSIBLE_LENGTHS if length >= least), PLAUSIBLE_LENGTHS[-1])


def _boundary_after(boundary: float, now: float, length: float) -> float:
    """Return the first boundary after *now*."""
    return boundary + ((now - boundary) // length + 1) * length
