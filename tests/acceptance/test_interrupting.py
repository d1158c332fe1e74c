"""
Signals: stopped in good order, wherever the command stands.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.acceptance.processes import KEY, Command, Sandbox, assert_once_each, write_batch

Start = Callable[..., Sandbox]
Point = Callable[[Sandbox], Command]

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def interrupt(process: subprocess.Popen[str], signum: int) -> tuple[int, str]:
    """Send the signal; return exit code and standard error, which must come within five seconds."""
    process.send_signal(signum)
    _, err = process.communicate(timeout=5)
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
    _wait_until(journal.exists)
    ended, err = interrupt(process, signum)
    assert ended == code
    assert "nothing was sent" in err
    assert "Traceback" not in err
    assert list(pacer.folder.iterdir()) == []


def test_in_the_intake(pacer: Command) -> None:
    """Interrupted while it reads a large file, the command leaves no journal."""
    write_batch(pacer.folder, 150_000)
    pacer.variables |= {"AISEARCH_API_KEY": KEY, "AISEARCH_BASE_URL": "http://127.0.0.1:9"}
    process = pacer.start("run", "batch.jsonl")
    _wait_until((pacer.folder / "batch.pacer.db").exists)
    ended, err = interrupt(process, signal.SIGTERM)
    assert ended == 143
    assert "nothing was sent" in err
    assert [path.name for path in pacer.folder.iterdir()] == ["batch.jsonl"]


def test_while_the_service_hangs(sandbox: Start, pacer_at: Point) -> None:
    """A reply that does not come holds the end up for two seconds at most; the request is in doubt then."""
    service = sandbox("--fault", "delay:on=submit,seconds=60")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 3)
    process = pacer.start("run", "batch.jsonl", "--json", "--log-format", "json")
    assert process.stderr is not None
    for line in process.stderr:
        if '"snapshot.read"' in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    assert process.returncode == 130, err
    assert json.loads(out)["requests"]["in_doubt"] == 3


def test_a_second_signal(sandbox: Start, pacer_at: Point) -> None:
    """A second signal ends the command at once."""
    service = sandbox("--fault", "delay:on=submit,seconds=60")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 3)
    process = pacer.start("run", "batch.jsonl", "--log-format", "json")
    assert process.stderr is not None
    for line in process.stderr:
        if '"snapshot.read"' in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 130
    assert time.monotonic() - began < 1


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
