"""
Which requests of a batch something is true of, in flat memory.
"""

from __future__ import annotations


class Bits:
    """A set of numbers from 0, one bit each: a million requests are 125 kB."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def __contains__(self, number: int) -> bool:
        place, bit = divmod(number, 8)
        return place < len(self._bytes) and bool(self._bytes[place] >> bit & 1)

    def add(self, number: int) -> bool:
        """Add *number*; return whether it is new."""
        if number in self:
            return False
        place, bit = divmod(number, 8)
        if place >= len(self._bytes):
            self._bytes.extend(bytes(place + 1 - len(self._bytes)))
        self._bytes[place] |= 1 << bit
        return True
