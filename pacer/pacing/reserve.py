"""
What the user keeps free of the queue for others on the key: so many units, or a share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pacer.errors import UsageError


@dataclass(frozen=True, slots=True)
class Reserve:
    """
    Room that is kept free for others.

    Attributes:
        units: Units of the queue.

        share: The same as a share of its capacity, in [0, 1).
    """

    units: int = 0
    share: float = 0.0

    def of(self, capacity: int) -> int:
        """Return the units that are kept free of a queue of *capacity*."""
        return max(self.units, int(self.share * capacity))


def read_reserve(text: str) -> Reserve:
    """
    Read ``20`` or ``15%``.

    Errors:
        UsageError: It is neither.
    """
    if re.fullmatch(r"[0-9]{1,9}", text):
        return Reserve(units=int(text))
    if re.fullmatch(r"[0-9]{1,2}(\.[0-9]+)?%", text):
        return Reserve(share=float(text[:-1]) / 100)
    raise UsageError(f"A reserve of {text} is neither a number of units, like 20, nor a share, like 15%.")
