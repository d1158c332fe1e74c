"""
Taking a batch in, against a loop of ``json.loads`` and the same ``executemany``.

The loop checks nothing, makes no keys and freezes no bytes: it is what a script does that trusts its input.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from pacer.intake import new_token, random_keys, take_in
from pacer.journal.records import Batch
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.sqlite.statements import SCHEMA, SQL

REQUESTS = 100_000
ROUNDS = 3
AT_ONCE = 1_000


def write_batch(path: Path, requests: int) -> None:
    """Write that many requests of one, two or four captures."""
    shapes = ((["chatgpt"], ["US"]), (["chatgpt", "claude"], ["US"]), (["chatgpt", "claude"], ["US", "DE"]))
    with path.open("w") as file:
        for number in range(requests):
            surfaces, regions = shapes[number % len(shapes)]
            record = {
                "id": f"q{number}",
                "query": f"question {number}",
                "surfaces": surfaces,
                "regions": regions,
            }
            file.write(json.dumps(record) + "\n")


def loop(source: Path, database: Path) -> float:
    """Return the seconds of the plain loop."""
    began = time.perf_counter()
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(SCHEMA)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        connection.executemany(SQL["add_request"], _rows(source))
        connection.execute("COMMIT")
    return time.perf_counter() - began


def _rows(source: Path) -> Iterator[tuple[int, str, str, bytes, int, str, int]]:
    with source.open("rb") as lines:
        for index, line in enumerate(lines):
            record = json.loads(line)
            fan_out = len(record["surfaces"]) * len(record["regions"])
            yield index, record["id"], f"key-{index}", line, fan_out, "[]", index + 1


def ours(source: Path, database: Path) -> float:
    """Return the seconds that pacer's intake takes for the same file."""
    began = time.perf_counter()
    with closing(SqliteJournal.open(database, create=True)) as journal, journal.intake() as writer:
        token = new_token()
        summary = take_in(source, writer, keys=random_keys(token))
        writer.commit(
            Batch(
                token=token, source="bench", input_sha256=summary.sha256, base_url="", created_at=time.time()
            )
        )
    return time.perf_counter() - began


def measure(requests: int = REQUESTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Alternate the two; return the median of the ratio, and requests a second of both."""
    loops, takes = [], []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        source = folder / "batch.jsonl"
        write_batch(source, requests)
        for number in range(rounds):
            loops.append(loop(source, folder / f"loop{number}.db"))
            takes.append(ours(source, folder / f"ours{number}.db"))
    return {
        "requests": requests,
        "ratio": median(one / other for one, other in zip(loops, takes, strict=True)),
        "loop_per_second": requests / median(loops),
        "pacer_per_second": requests / median(takes),
    }
