"""
A batch of any size in the same memory.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.acceptance.processes import KEY, PYTHON, Sandbox, environment, requests

MOST_GROWTH = 1.25


def peak(words: list[str], variables: dict[str, str]) -> tuple[int, int]:
    """Run the command; return its exit code and its largest resident set in KiB."""
    process = subprocess.Popen(
        [*PYTHON, *words],
        env=environment(**variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss


@pytest.mark.parametrize(("command", "code"), [("plan", 0), ("run", 3)])
def test_flat_memory(
    sandbox: Callable[..., Sandbox], tmp_path: os.PathLike[str], command: str, code: int
) -> None:
    """Twenty times as many requests need at most a quarter more memory, to plan them and to take them in."""
    import json
    from pathlib import Path

    refusing = sandbox("--fault", "error:status=401")
    variables = {"AISEARCH_BASE_URL": refusing.base_url, "AISEARCH_API_KEY": KEY}
    peaks = []
    for number in (5_000, 100_000):
        path = Path(tmp_path) / f"{number}.jsonl"
        with path.open("w") as file:
            for request in requests(number, (1, 2, 4)):
                file.write(json.dumps(request) + "\n")
        ended, kib = peak([command, str(path)], variables)
        assert ended == code
        peaks.append(kib)
    small, large = peaks
    assert large <= MOST_GROWTH * small
