"""
Series and spans of any length in bounded memory: what does not fit is merged, not dropped.

A batch of a million requests writes hundreds of thousands of notes, and a
picture is some thousand pixels wide.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import floor
from statistics import median
from typing import Generic, Protocol, Self, TypeVar


class Mergeable(Protocol):
    """One point of a series."""

    def merge(self, later: Self) -> None:
        """Take in what came right after it."""
        ...


T = TypeVar("T", bound=Mergeable)


class Thinned(Generic[T]):
    """
    A series of at most *most* points; neighbours are merged once there are more.

    Attributes:
        width: Length of what may stand in one point, in the unit of x; it doubles when the series is full.
    """

    def __init__(self, *, most: int = 400, finest: float = 0.01) -> None:
        self.width = finest
        self._most = most
        self._points: dict[int, tuple[float, T]] = {}

    def add(self, x: float, point: T) -> None:
        """Add *point* at *x*, which is no smaller than the last one."""
        self._put(x, point)
        while len(self._points) > self._most:
            self.width *= 2
            before, self._points = self._points, {}
            for earlier_x, earlier in before.values():
                self._put(earlier_x, earlier)

    def points(self) -> list[tuple[float, T]]:
        """Return the points with the x of the first that is in each, in order."""
        return list(self._points.values())

    def _put(self, x: float, point: T) -> None:
        number = floor(x / self.width)
        known = self._points.get(number)
        if known is None:
            self._points[number] = (x, point)
        else:
            known[1].merge(point)


class Spans:
    """At most *most* stretches of an axis; those with the smallest gaps between them become one."""

    def __init__(self, *, most: int = 200) -> None:
        self._most = most
        self._spans: list[tuple[float, float]] = []

    def add(self, begin: float, end: float) -> None:
        """Add a stretch that begins no earlier than the last one."""
        if end <= begin:
            return
        if self._spans and begin <= self._spans[-1][1]:
            first, last = self._spans[-1]
            self._spans[-1] = (first, max(last, end))
        else:
            self._spans.append((begin, end))
        if len(self._spans) > self._most:
            self._close_gaps()

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter(self._spans)

    def _close_gaps(self) -> None:
        pairs = zip(self._spans, self._spans[1:], strict=False)
        widest = median(after - end for (_, end), (after, _) in pairs)
        spans, self._spans = self._spans, []
        for begin, end in spans:
            if self._spans and begin - self._spans[-1][1] <= widest:
                self._spans[-1] = (self._spans[-1][0], end)
            else:
                self._spans.append((begin, end))
