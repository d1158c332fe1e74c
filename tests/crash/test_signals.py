"""
SIGINT and SIGTERM, wherever the command stands: soon, in good order, with one line on how to go on.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from pacer.sandbox import Fault
from tests.crash.scene import Ran, scene, settings
from tests.patience import in_time

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
BOTH = pytest.mark.parametrize("signum", CODES)

HOW_TO_RESUME = "Run the same command again"


def assert_stopped_well(ran: Ran, signum: int) -> None:
    """Within five seconds, with the right code, one line on how to resume, and no traceback."""
    assert ran.code == CODES[signal.Signals(signum)], ran.err
    assert in_time(ran.seconds, 5)
    assert len([line for line in ran.err.splitlines() if HOW_TO_RESUME in line]) == 1, ran.err
    assert "Traceback" not in ran.err


@BOTH
async def test_inside_a_gate(tmp_path: Path, signum: int) -> None:
    """While a Retry-After of a minute runs, a signal is heard at once, and nothing more is submitted."""
    faults = [Fault("error", on="submit", status=429, retry_after=60, calls=(3,))]
    async with scene(tmp_path, faults=faults) as one:
        one.write(20)
        began = one.now()
        running = await one.start("run", "batch.jsonl")
        await one.until(lambda: bool(one.gates()), running)
        ran = await running.signalled(signum)
        one.note(began, ran)
        assert_stopped_well(ran, signum)
        assert one.violations(finished=False) == []


@BOTH
async def test_in_an_outage(tmp_path: Path, signum: int) -> None:
    """While nobody answers at the service's address, a signal ends the command as well."""
    async with scene(tmp_path) as one:
        one.write(20)
        running = await one.start("run", "batch.jsonl", AISEARCH_BASE_URL="http://127.0.0.1:9")
        await one.until(lambda: any(tmp_path.rglob("*.pacer.db")), running)
        await asyncio.sleep(1.0)
        assert_stopped_well(await running.signalled(signum), signum)


@BOTH
async def test_in_mid_flight(tmp_path: Path, signum: int) -> None:
    """
    With submissions and reads under way the command stops within five seconds;
    resumed, the batch is complete, and what was admitted meanwhile is not sent as new.
    """
    async with scene(tmp_path, settings(workers=5, latency=0.2), held=True) as one:
        one.write(30, (1, 4))
        began = one.now()
        running = await one.start("run", "batch.jsonl")
        await one.until(lambda: one.service.log.calls.get("job", 0) > 5, running)
        ran = await running.signalled(signum)
        one.note(began, ran)
        assert_stopped_well(ran, signum)
        one.service.held = False
        assert (await one.run("--quiet")).code == 0
        assert one.violations() == []


@BOTH
async def test_on_a_standard_input_that_stalls(tmp_path: Path, signum: int) -> None:
    """
    Whoever writes to standard input has sent half a batch and half a line, and waits:
    the command stops all the same, nothing was sent, and no file is left.
    """
    async with scene(tmp_path) as one:
        running = await one.start("run", "-", "--journal", "b.pacer.db", "--out", "b.results.jsonl")
        assert running.process.stdin is not None
        running.process.stdin.write(b'{"query": "a", "surfaces": ["claude"]}\n' * 500 + b'{"query": ')
        await running.process.stdin.drain()
        await one.until((tmp_path / "b.pacer.db").exists, running)
        await asyncio.sleep(0.2)
        ran = await running.signalled(signum)
        assert_stopped_well(ran, signum)
        assert list(tmp_path.iterdir()) == []
        assert len(one.service.log) == 0


async def test_a_second_signal_on_a_stalled_input(tmp_path: Path) -> None:
    """Two signals in one breath end a command that reads its input at once."""
    async with scene(tmp_path) as one:
        running = await one.start("run", "-", "--journal", "b.pacer.db", "--out", "b.results.jsonl")
        await one.until((tmp_path / "b.pacer.db").exists, running)
        running.process.send_signal(signal.SIGTERM)
        ran = await running.signalled(signal.SIGINT)
        assert in_time(ran.seconds, 1)
        assert ran.code in (130, 143)
        assert "Traceback" not in ran.err


async def test_a_second_signal_while_replies_are_awaited(tmp_path: Path) -> None:
    """The two seconds that replies are given end with a second signal; what was sent is in doubt."""
    faults = [Fault("delay", on="submit", seconds=60.0, calls=(1, 2, 3))]
    async with scene(tmp_path, faults=faults) as one:
        one.write(3)
        began = one.now()
        running = await one.start("run", "batch.jsonl")
        await one.until(lambda: len(one.submissions()) == 3, running)
        running.process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.3)
        ran = await running.signalled(signal.SIGINT)
        one.note(began, ran)
        assert in_time(ran.seconds, 1)
        assert ran.code == 130
        assert (await one.run()).code == 0
        assert one.violations() == []
        assert one.service.log.replayed == 3


SIGNALLED_AT_AN_IMPORT = """
import os, sys
signum, name = int(sys.argv.pop(1)), sys.argv.pop(1)
class Finder:
    def find_spec(self, wanted, path=None, target=None):
        if wanted == name:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signum)
sys.meta_path.insert(0, Finder())
from pacer.__main__ import main
main()
"""
"""Runs pacer, which gets a signal when it first asks for a module."""


@pytest.mark.parametrize(
    "module", ["pacer.cli.app", "typer", "pacer.cli.running", "aiohttp", "pacer.cli.display", "sqlite3"]
)
@BOTH
async def test_while_it_starts(tmp_path: Path, signum: int, module: str) -> None:
    """
    Interrupted before it has come to anything, the command shows no traceback, and a shell
    sees 130 or 143; the same command again completes the batch.
    """
    async with scene(tmp_path) as one:
        one.write(5)
        words = (str(int(signum)), module, "run", "batch.jsonl")
        ran = await (await one.start_python(SIGNALLED_AT_AN_IMPORT, *words)).ended()
        as_shells_see_it = 128 - ran.code if ran.code < 0 else ran.code
        assert as_shells_see_it == CODES[signal.Signals(signum)], ran.err
        assert "Traceback" not in ran.err
        assert len(one.service.log) == 0
        assert (await one.run("--quiet")).code == 0
        assert one.violations() == []
