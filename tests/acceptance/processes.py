"""
Real processes: the ``pacer`` command, and a sandbox that it talks to over a real socket.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pacer.errors import PacerError
from pacer.journal.sqlite import SqliteJournal

PYTHON = [sys.executable, "-m", "pacer"]
KEY = "sk_test_4a7be0c19d_not_for_anyone_else"


def environment(**more: str) -> dict[str, str]:
    """Return this environment without anything that pacer reads from it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AISEARCH_", "PACER_"))}
    return {**kept, "NO_COLOR": "1", **more}


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass
class Command:
    """
    The ``pacer`` command in a directory of its own.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start it and return the process."""
        return subprocess.Popen(
            [*PYTHON, *words],
            cwd=self.folder,
            env=environment(**self.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def __call__(self, *words: str, typed: str | None = None, within: float = 120) -> Ran:
        """Run it to its end."""
        began = time.monotonic()
        with self.start(*words, stdin=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(typed or "", timeout=within)
            finally:
                process.kill()
        return Ran(process.returncode, out, err, time.monotonic() - began)

    def results(self, name: str = "batch.results.jsonl") -> list[dict[str, Any]]:
        """Return the lines of a results file."""
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


class Sandbox:
    """
    A ``pacer sandbox`` process. Stopped, it tells all the calls that it met.
    """

    def __init__(self, folder: Path, options: list[str]) -> None:
        self._history = folder / f"history-{time.monotonic_ns()}.jsonl"
        self.process = subprocess.Popen(
            [*PYTHON, "sandbox", "--key", KEY, "--history", str(self._history), *options],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.base_url = self.process.stdout.readline().strip().partition("=")[2]
        assert self.base_url.startswith("http://127.0.0.1:"), "the sandbox did not come up"

    def stop(self) -> list[dict[str, Any]]:
        """End it and return its history."""
        with self.process:  # closes its pipe, and waits
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
        return [json.loads(line) for line in self._history.read_text().splitlines()]


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until *condition* holds while *process* lives."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None or condition(), process.communicate()
        assert time.monotonic() < deadline, "what was waited for does not happen"
        time.sleep(0.01)


def journalled(path: Path) -> tuple[int, bool]:
    """Return how many requests the journal at *path* knows as sent, and whether it knows a gate."""
    try:
        with closing(SqliteJournal.open(path, read_only=True)) as journal:
            return journal.counts().sent, bool(journal.gates())
    except PacerError:
        return 0, False


def requests(number: int, fan_outs: tuple[int, ...] = (1,)) -> Iterator[Mapping[str, Any]]:
    """Yield requests whose fan-outs follow *fan_outs*, over and over: 1, 2, 4 or 9 captures each."""
    shapes = {1: (1, 1), 2: (2, 1), 4: (2, 2), 9: (3, 3), 30: (3, 10)}
    surfaces = ["chatgpt", "claude", "gemini"]
    regions = ["US", "DE", "FR", "GB", "IN", "JP", "BR", "CA", "ES", "IT"]
    for n in range(number):
        s, r = shapes[fan_outs[n % len(fan_outs)]]
        yield {"id": f"q{n}", "query": f"question {n}", "surfaces": surfaces[:s], "regions": regions[:r]}


def write_batch(
    folder: Path, number: int, fan_outs: tuple[int, ...] = (1,), name: str = "batch.jsonl"
) -> int:
    """Write a batch to *folder*; return how many captures it becomes."""
    made = list(requests(number, fan_outs))
    (folder / name).write_text("".join(json.dumps(request) + "\n" for request in made))
    return sum(len(request["surfaces"]) * len(request["regions"]) for request in made)


def submissions(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return our submissions in *history*."""
    return [entry for entry in history if entry["what"] == "submit" and not entry["tenant"]]


def assert_once_each(results: list[dict[str, Any]], history: list[dict[str, Any]], captures: int) -> None:
    """Every capture stands in the results once, and every request was admitted once, under its key."""
    assert len(results) == captures
    assert len({line["child"] for line in results}) == captures
    admitted = [entry["key"] for entry in submissions(history) if entry["admitted"]]
    assert all(admitted)
    assert len(set(admitted)) == len(admitted)
    assert not [entry for entry in submissions(history) if entry["sync"]]
