"""
A batch of any size in the same memory.
"""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acceptance.processes import KEY, PYTHON, Sandbox, environment, requests

MOST_GROWTH = 1.25

MEASURE = """
import resource, subprocess, sys
ran = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(ran.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Runs a command from a small process: to Linux, what starts a process counts as its memory, too."""


def peak(words: list[str], variables: dict[str, str]) -> tuple[int, int]:
    """Run the command; return its exit code and its largest resident set in KiB."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, *PYTHON, *words],
        env=environment(**variables),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    code, kib = map(int, ran.stdout.split())
    return code, kib


def write(path: Path, number: int) -> None:
    """Write requests in the format that the suffix names; Parquet in one row group, the worst there is."""
    made = requests(number, (1, 2, 4))
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict(one) for one in made]), path)
        return
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        if path.suffix == ".csv":
            rows = csv.writer(file, delimiter=";")
            rows.writerow(["id", "query", "surfaces", "regions"])
            for one in made:
                rows.writerow([one["id"], one["query"], ",".join(one["surfaces"]), ",".join(one["regions"])])
        else:
            file.writelines(json.dumps(one) + "\n" for one in made)


@pytest.mark.parametrize(
    ("command", "suffix", "small", "large", "code"),
    [
        ("plan", ".jsonl", 5_000, 100_000, 0),
        ("run", ".jsonl", 5_000, 100_000, 3),
        ("plan", ".jsonl.gz", 5_000, 100_000, 0),
        ("plan", ".csv", 5_000, 100_000, 0),
        # A page of each column is in memory, and only a column of some size fills its pages.
        ("plan", ".parquet", 40_000, 160_000, 0),
    ],
)
def test_flat_memory(
    sandbox: Callable[..., Sandbox],
    tmp_path: Path,
    command: str,
    suffix: str,
    small: int,
    large: int,
    code: int,
) -> None:
    """
    Many times as many requests need at most a quarter more memory, to plan
    them and to take them in, in every format.
    """
    refusing = sandbox("--fault", "error:status=401")
    variables = {"AISEARCH_BASE_URL": refusing.base_url, "AISEARCH_API_KEY": KEY}
    peaks = []
    for number in (small, large):
        path = tmp_path / f"{number}{suffix}"
        write(path, number)
        ended, kib = peak([command, str(path)], variables)
        assert ended == code
        peaks.append(kib)
    assert peaks[1] <= MOST_GROWTH * peaks[0]
