"""
``pacer --version`` against ``import typer``: a command imports what it needs when it needs it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import Any

ROUNDS = 15


def _seconds(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Alternate the two; return the median of the ratio, and the seconds of both."""
    pairs = [(_seconds("-c", "import typer"), _seconds("-m", "pacer", "--version")) for _ in range(rounds)]
    return {
        "ratio": median(ours / theirs for theirs, ours in pairs),
        "typer_seconds": median(theirs for theirs, _ in pairs),
        "pacer_seconds": median(ours for _, ours in pairs),
    }
