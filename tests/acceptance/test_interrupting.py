"""
Signals: stopped in good order, wherever the command stands.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.processes import (
    KEY,
    Command,
    Sandbox,
    assert_once_each,
    journalled,
    wait_until,
    write_batch,
)
from tests.patience import in_time

Start = Callable[..., Sandbox]
Point = Callable[[Sandbox], Command]

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def interrupt(process: subprocess.Popen[str], signum: int) -> tuple[int, str]:
    """Send the signal; return exit code and standard error, which must come within five seconds."""
    process.send_signal(signum)
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert in_time(time.monotonic() - began, 5)
    return process.returncode, err


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_in_the_run(sandbox: Start, pacer_at: Point, signum: int, code: int) -> None:
    """A run that is interrupted says how to resume, without a traceback; resumed, it is complete."""
    service = sandbox("--capacity", "10", "--workers", "5", "--latency", "0.2")
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 60)
    process = pacer.start("run", "batch.jsonl")
    assert process.stderr is not None
    for line in process.stderr:
        if "wave 1" in line:
            break
    ended, err = interrupt(process, signum)
    assert ended == code
    assert "Run the same command again to resume." in err
    assert "Traceback" not in err
    assert pacer("run", "batch.jsonl", "--quiet").code == 0
    assert_once_each(pacer.results(), service.stop(), captures)


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_on_a_blocked_standard_input(pacer: Command, signum: int, code: int) -> None:
    """A command that waits for its input stops as well, and leaves no file."""
    pacer.variables |= {"AISEARCH_API_KEY": KEY, "AISEARCH_BASE_URL": "http://127.0.0.1:9"}
    process = pacer.start(
        "run", "-", "--journal", "b.pacer.db", "--out", "b.results.jsonl", stdin=subprocess.PIPE
    )
    journal = pacer.folder / "b.pacer.db"
    wait_until(journal.exists, process)
    ended, err = interrupt(process, signum)
    assert ended == code
    assert "nothing was sent" in err
    assert "Traceback" not in err
    assert list(pacer.folder.iterdir()) == []


def test_in_the_intake(pacer: Command) -> None:
    """Interrupted while it reads an input without end, the command leaves no journal."""
    source = pacer.folder / "batch.jsonl"
    os.mkfifo(source)
    pacer.variables |= {"AISEARCH_API_KEY": KEY, "AISEARCH_BASE_URL": "http://127.0.0.1:9"}
    process = pacer.start("run", "batch.jsonl")
    reading = threading.Event()
    pouring = threading.Thread(target=_pour, args=(source, reading), daemon=True)
    pouring.start()
    wait_until(reading.is_set, process)
    ended, err = interrupt(process, signal.SIGTERM)
    pouring.join()
    assert ended == 143
    assert "nothing was sent" in err
    assert [path.name for path in pacer.folder.iterdir()] == ["batch.jsonl"]


def _pour(source: Path, reading: threading.Event) -> None:
    """Write requests until nobody reads them any more; *reading*: more have been read than a pipe holds."""
    with suppress(BrokenPipeError), source.open("w") as file:
        for n in itertools.count():
            file.write(json.dumps({"query": f"question {n}", "surfaces": ["claude"]}) + "\n")
            if n == 5_000:
                reading.set()


def test_while_the_service_hangs(sandbox: Start, pacer_at: Point) -> None:
    """A reply that does not come holds the end up for two seconds at most; the request is in doubt then."""
    service = sandbox("--fault", "delay:on=submit,seconds=60")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 3)
    process = pacer.start("run", "batch.jsonl", "--json", "--quiet")
    wait_until(lambda: journalled(pacer.folder / "batch.pacer.db")[0] == 3, process)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert in_time(time.monotonic() - began, 5)
    assert process.returncode == 130, err
    assert json.loads(out)["requests"]["in_doubt"] == 3


def test_a_second_signal(sandbox: Start, pacer_at: Point) -> None:
    """A second signal ends the command at once."""
    service = sandbox("--fault", "delay:on=submit,seconds=60")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 3)
    process = pacer.start("run", "batch.jsonl", "--quiet")
    wait_until(lambda: journalled(pacer.folder / "batch.pacer.db")[0] == 3, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert in_time(time.monotonic() - began, 1)
