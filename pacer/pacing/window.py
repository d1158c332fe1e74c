"""
The request-rate window: how many requests may leave before the next 429 would.

The headers may come on every reply, on 429s only, or never (API.md section 5):

- *On every reply* ``Remaining`` says all: what is left is the least told in
  this window, less what is in flight.
- *On 429s only* the first 429 tells the limit and when the window resets; its
  length follows from how far back the window's first request must lie, and is
  proven at the guessed boundary by one request that goes alone.
- *Never*: the 429's gate is all there is.

A window that refuses before the limit has been sent is not aligned to the
boundaries we know. Then no more than the limit goes out in any window's length,
counted from reply to send, which holds for a sliding window too.
"""

from __future__ import annotations

from collections import deque

PLAUSIBLE_LENGTHS = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds. Window lengths that services use; a guess is the least that fits the evidence."""

INFINITY = float("inf")


class Window:
    """
    What is known of the window, and what is left of it.

    Attributes:
        limit: Requests in a window; None until told.

        length: Seconds; None until told or guessed.

        proven: The length was confirmed at a boundary.

        trailing: The window does not reset all at once (see the module).
    """

    def __init__(self) -> None:
        self.limit: int | None = None
        self.length: float | None = None
        self.proven = False
        self.trailing = False
        self._ends_at: float | None = None  # of the current window, as far as we know
        self._used = 0  # replies counted into the current window
        self._left: int | None = None  # least Remaining told in the current window
        self._in_flight = 0
        self._answered: deque[float] = deque()  # when replies to passed requests came
        self._told_on_success = False
        self._boundary_probe = False  # one request goes alone across a guessed boundary
        self._boundary = 0.0
        self._longest_reset = 0.0

    # What happened ------------------------------------------------------------

    def sent(self, *, at: float) -> None:
        """Count a request that leaves now."""
        self._roll(at)
        self._in_flight += 1

    def answered(self, *, at: float, passed: bool = True) -> None:
        """Count the end of a call; *passed* if it was (or may have been) let through."""
        self._in_flight -= 1
        self._roll(at)
        if passed:
            # What is in flight at the boundary counts in the new window.
            self._used += 1
            self._answered.append(at)
            while len(self._answered) > 2 * (self.limit or 5_000):
                self._answered.popleft()
            if self._boundary_probe:
                self._boundary_probe = False

    def told(self, *, at: float, limit: int | None, remaining: int | None, resets_in: float | None) -> None:
        """Take the headers of a reply that was let through."""
        if limit is not None and limit > 0:
            self.limit = limit
        if resets_in is not None:
            self._longest_reset = max(self._longest_reset, resets_in)
            self._told_on_success = True
            self._set_end(at, resets_in)
            if not self.proven:
                self.length = next((n for n in PLAUSIBLE_LENGTHS if n >= self._longest_reset - 0.5), None)
        if remaining is not None and resets_in is not None:
            self._left = remaining if self._left is None else min(self._left, remaining)

    def refused(self, *, at: float, limit: int | None, resets_in: float | None) -> None:
        """Take a rate 429 that began a new burst, with its headers."""
        known = self.limit
        if limit is not None and limit > 0:
            self.limit = limit
        if self.limit is None or resets_in is None:
            return
        ends_at = at + resets_in
        if self._boundary_probe and not self.proven and self.length is not None:
            # The guess was too short: this is the true boundary.
            self.length = max(ends_at - (self._boundary - self.length), 1.0)
            self.proven = True
        elif known is not None and self.proven and not self._told_on_success and self._used < self.limit:
            self.trailing = True
        elif not self.proven and not self._told_on_success:
            self.length = self._guess(ends_at)
        self._boundary_probe = False
        self._ends_at = ends_at
        self._left = 0
        self._used = self.limit

    # What may happen ----------------------------------------------------------

    def room(self, *, now: float) -> float:
        """Return how many requests may leave now; infinity while no limit is known."""
        self._roll(now)
        if self.limit is None:
            return INFINITY
        if self.trailing and self.length is not None:
            return max(0, self.limit - self._in_flight - self._recent(now))
        if self._left is not None and self._ends_at is not None:
            return max(0, self._left - self._in_flight)
        if self._boundary_probe:
            return 0 if self._in_flight else 1
        if self._ends_at is None:
            return INFINITY
        return max(0, self.limit - self._used - self._in_flight)

    def opens_at(self, *, now: float) -> float:
        """Return when there will be room again; infinity if only a reply can tell."""
        if self.room(now=now) > 0:
            return now
        if self.trailing and self.length is not None and self.limit is not None:
            over = self._recent(now) + self._in_flight - self.limit
            if over < self._recent(now):
                return self._answered[len(self._answered) - self._recent(now) + over] + self.length
            return INFINITY
        if self._boundary_probe or self._ends_at is None:
            return INFINITY
        return self._ends_at

    # What outlives an invocation ------------------------------------------------

    def recall(self, *, limit: int, length: float, resets_at: float, now: float) -> None:
        """Take over what an earlier invocation learnt."""
        self.limit, self.length = limit, length
        if now < resets_at:
            self._ends_at = resets_at
        else:
            self._ends_at = resets_at + ((now - resets_at) // length + 1) * length
        self._used = 0

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
        self._used = 0
        if self._told_on_success or self.length is None:
            # The next reply tells where we are; until then the limit is what we know.
            self._ends_at = None if self.length is None else self._after(boundary, now)
            self._left = None if self._ends_at is None else self.limit
            return
        self._left = None
        self._ends_at = self._after(boundary, now)
        if not self.proven and boundary == self._boundary:
            self._boundary_probe = True
        self._boundary = self._ends_at

    def _after(self, boundary: float, now: float) -> float:
        """Return the first boundary after *now*."""
        assert self.length is not None
        return boundary + ((now - boundary) // self.length + 1) * self.length

    def _set_end(self, at: float, resets_in: float) -> None:
        """Narrow down where the current window ends: each telling is up to a second late."""
        told = at + resets_in
        if self._ends_at is None or told > self._ends_at + 2.0:
            self._ends_at = told
            self._left = None
        elif told < self._ends_at:
            self._ends_at = told

    def _guess(self, ends_at: float) -> float:
        """Return the least plausible length that holds the last *limit* requests."""
        assert self.limit is not None
        counted = min(self.limit, len(self._answered))
        first = self._answered[-counted] if counted else ends_at
        least = ends_at - 1.0 - first
        return next((length for length in PLAUSIBLE_LENGTHS if length >= least), PLAUSIBLE_LENGTHS[-1])

    def _recent(self, now: float) -> int:
        """Return how many requests were let through within the last window's length."""
        assert self.length is not None
        while self._answered and self._answered[0] <= now - self.length:
            self._answered.popleft()
        return len(self._answered)
