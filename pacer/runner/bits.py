"""
Which requests of a batch something is true of, in flat memory.
"""

from __future__ import annotations


class Bits:
    """A set of numbers from 0, one bit each: a million requests are 125 kB."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def __contains__(self, number: int) -> bool:
        place, bit = number >> 3, 1 << (number & 7)
        return place < len(self._bytes) and bool(self._bytes[place] & bit)

    def add(self, number: int) -> bool:
        """Add *number*; return whether it is new."""
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._bytes):
            self._bytes.extend(bytes(place + 1 - len(self._bytes)))
        elif self._bytes[place] & bit:
            return False
        self._bytes[place] |= bit
        return True
