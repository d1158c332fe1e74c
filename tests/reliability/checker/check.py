"""
The one function: every promise, one after the other.
"""

from __future__ import annotations

from tests.reliability.checker.admissions import admissions
from tests.reliability.checker.gates import gates
from tests.reliability.checker.history import History
from tests.reliability.checker.results import results
from tests.reliability.checker.waves import waves


def check(history: History) -> list[str]:
    """Return every broken promise as a sentence; nothing if all were kept."""
    return [
        *admissions(history),
        *results(history),
        *gates(history),
        *waves(history),
        *secrets(history),
    ]


def secrets(history: History) -> list[str]:
    """The key is nowhere."""
    needle = history.secret.encode()
    return [
        f"the key stands in {name}" for name, text in history.haystacks.items() if needle and needle in text
    ]
