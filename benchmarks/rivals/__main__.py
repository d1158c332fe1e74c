"""
``python -m benchmarks.rivals NAME BASE_URL INPUT FOLDER``: one client, until it believes to have finished.

It writes ``told.json`` to FOLDER: how many submissions it believes were accepted.
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.rivals import RIVALS
from benchmarks.rivals.task import Task


def main(name: str, base_url: str, source: str, folder: str) -> None:
    """Run it."""
    setup = RIVALS[name]
    module = import_module(f"benchmarks.rivals.{setup.module}")
    bodies = [line.encode() for line in Path(source).read_text().splitlines()]
    task = Task(f"{base_url}/v1/search?mode=async", bodies, Path(folder), Path(source))
    accepted = asyncio.run(module.work(task, **setup.options))
    (Path(folder) / "told.json").write_text(json.dumps({"accepted": accepted}))


if __name__ == "__main__":
    main(*sys.argv[1:])
