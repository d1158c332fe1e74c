"""
Promises in seconds, on a machine that may have more to do than it can.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

USUAL_START = 0.1
"""Seconds within which an interpreter starts and ends on a machine that is not overloaded."""


def in_time(seconds: float, limit: float) -> bool:
    """Return whether *seconds* are within *limit*, which an overloaded machine stretches for everybody."""
    if seconds < limit:
        return True
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    slower = (time.monotonic() - began) / USUAL_START
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds < limit * max(slower, waiting)
