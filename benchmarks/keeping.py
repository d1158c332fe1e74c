"""
Results as JSON: one file a part, each with when and on what it was measured.
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from pacer.version import __version__

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Return what a reader must know of this machine, and nothing that names it."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "pacer": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def keep(part: str, measured: dict[str, Any]) -> None:
    """Write the results of *part*."""
    document = {"measured": machine(), **measured}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{part}.json").write_text(json.dumps(document, indent=1) + "\n")


def kept(part: str) -> dict[str, Any]:
    """
    Return what was kept of *part*.

    Raises:
        FileNotFoundError: It was never measured.
    """
    document: dict[str, Any] = json.loads((RESULTS / f"{part}.json").read_text())
    return document
