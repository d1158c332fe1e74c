"""
The largest resident set of ``pacer run``, for batches of any size.

A run takes its batch in, then submits to a service that accepts everything. It is watched for some seconds of
that, and ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.arena import high_water
from benchmarks.cost.instant import instant_service
from benchmarks.cost.intake import write_batch

SIZES = (10_000, 100_000, 1_000_000)
SUBMITTING = 10.0
"""Seconds of submissions before it is measured."""

LONGEST_INTAKE = 300.0


def peak(url: str, requests: int) -> int:
    """Return the bytes for a batch of that many requests."""
    with tempfile.TemporaryDirectory() as place:
        source, log = Path(place) / "batch.jsonl", Path(place) / "log"
        write_batch(source, requests)
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "pacer",
                    "run",
                    str(source),
                    "--base-url",
                    url,
                    "--no-collect",
                    "--log-format",
                    "json",
                ],
                env={**os.environ, "AISEARCH_API_KEY": "sk_none"},
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        try:
            _until_it_submits(process, log)
            return _watched(process)
        finally:
            process.kill()
            process.wait()


def _watched(process: subprocess.Popen[bytes]) -> int:
    """Return its largest resident set, some seconds from now or when it ends."""
    deadline, most = time.monotonic() + SUBMITTING, 0
    while process.poll() is None and time.monotonic() < deadline:
        most = max(most, high_water(process.pid) or 0)
        time.sleep(0.05)
    return most


def _until_it_submits(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + LONGEST_INTAKE
    while b'"run.started"' not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"pacer run has submitted nothing: {log.read_text()[-300:]}")
        time.sleep(0.05)


def measure(sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Return the peaks by size, and the largest over the smallest."""
    with instant_service() as url:
        peaks = {size: peak(url, size) for size in sizes}
    return {
        "peaks": [{"requests": size, "bytes": size_peak} for size, size_peak in peaks.items()],
        "growth": max(peaks.values()) / peaks[min(sizes)],
    }
