"""
Every client against every service, a process each, some at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.judging import Verdict, judge
from benchmarks.rivals import PACER
from benchmarks.scenarios import CUT_OFF, EVERY, LONG_LIST, Match
from pacer.sandbox import SANDBOX_KEY
from pacer.simulation.scenario import Scenario

ROOT = Path(__file__).parents[1]

AT_ONCE = 6
"""Clients measured side by side: together they keep about half a core busy."""

START_UP = 120.0
"""Seconds that a client may need to come up; they do not count."""

REST = 0.5
"""Seconds between a client's death and its next life."""


@dataclass
class Server:
    """The sandbox in its process."""

    process: Process
    url: str
    account: Path

    async def news(self) -> None:
        """Return at the client's first call; asked again, when a third of the batch is accepted."""
        assert self.process.stdout is not None
        await self.process.stdout.readline()

    async def stop(self) -> dict[str, Any]:
        """End it; return what it met."""
        self.process.send_signal(signal.SIGTERM)
        await self.process.wait()
        met: dict[str, Any] = json.loads(self.account.read_text())
        return met


@asynccontextmanager
async def serving(match: str, folder: Path) -> AsyncIterator[Server]:
    """Run a server for *match* until the context is left."""
    account = folder / "met.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.server", match, str(account), stdout=PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        if not url:
            raise RuntimeError("the sandbox did not come up")
        yield Server(process, url, account)
    finally:
        await _end(process)


async def start(client: str, url: str, source: Path, folder: Path) -> Process:
    """Start *client* on the batch in *source*."""
    if client == PACER:
        words = ["-m", "pacer", "run", str(source), "--base-url", url, "--no-collect", "--quiet", "--json"]
    else:
        words = ["-m", "benchmarks.rivals", client, url, str(source), str(folder)]
    with (folder / "out").open("wb") as out, (folder / "errors").open("ab") as errors:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            stdin=DEVNULL,
            stdout=out,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, "AISEARCH_API_KEY": SANDBOX_KEY},
        )


async def play(name: str, client: str) -> Verdict:
    """Let *client* meet the service called *name*; return what came of it."""
    match = EVERY[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        source = write_batch(match.scenario, folder)
        async with serving(name, folder) as server:
            ended = await _meet(match, client, server, source, folder)
            met = await server.stop()
        return judge(name, client, match.scenario, met, ended=ended, told=_told(client, folder))


async def _meet(match: Match, client: str, server: Server, source: Path, folder: Path) -> bool:
    """Run it, killed once if the match says so; return whether it ended by itself."""
    process = await start(client, server.url, source, folder)
    try:
        async with asyncio.timeout(START_UP) as limit:
            await server.news()
            limit.reschedule(asyncio.get_running_loop().time() + CUT_OFF)
            if match.killed:
                await server.news()
                process.kill()
                await process.wait()
                await asyncio.sleep(REST)
                process = await start(client, server.url, source, folder)
            await process.wait()
    except TimeoutError:
        return False
    finally:
        await _end(process)
    return True


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def _told(client: str, folder: Path) -> int | None:
    """Return how many submissions the client believes were accepted; None if it told nothing."""
    try:
        if client == PACER:
            requests = json.loads((folder / "out").read_text())["requests"]
            return int(requests["accepted"] + requests["done"])
        return int(json.loads((folder / "told.json").read_text())["accepted"])
    except (OSError, ValueError, KeyError):
        return None


def write_batch(scenario: Scenario, folder: Path, requests: int | None = None) -> Path:
    """Write the batch of *scenario* (or one of that many requests) to *folder*."""
    path = folder / "batch.jsonl"
    with path.open("w") as file:
        for index in range(scenario.requests if requests is None else requests):
            file.write(json.dumps(scenario.search(index % scenario.requests)) + "\n")
    return path


async def play_all(names: Sequence[str], clients: Sequence[str]) -> list[Verdict]:
    """Let all *clients* meet all services called *names*, :data:`AT_ONCE` at a time; tell each verdict."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, client: str) -> Verdict:
        async with turn:
            verdict = await play(name, client)
        ratio = "-" if verdict.ratio is None else f"{verdict.ratio:.2f}"
        print(
            f"{name}: {client}: {verdict.admitted} of {verdict.requests}, {ratio} x the ideal, "
            f"{verdict.refused} 429s, {verdict.inside_gate} inside a gate, {verdict.doubled} doubled, "
            f"{verdict.unaware} lost",
            flush=True,
        )
        return verdict

    return list(await asyncio.gather(*(one(name, client) for name in names for client in clients)))


async def peaks(clients: Iterable[str], sizes: Sequence[int], seconds: float) -> list[dict[str, Any]]:
    """
    Return the largest resident set of each client in bytes, for lists of each of *sizes* requests.

    It is looked at *seconds* after the first submission was accepted, while the queue is full.
    """
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(client: str, size: int) -> dict[str, Any]:
        async with turn:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                source = write_batch(EVERY[LONG_LIST].scenario, folder, size)
                async with serving(LONG_LIST, folder) as server:
                    process = await start(client, server.url, source, folder)
                    try:
                        with suppress(TimeoutError):  # it is measured all the same
                            async with asyncio.timeout(START_UP):
                                await server.news()
                                await server.news()
                                await asyncio.sleep(seconds)
                        peak = high_water(process.pid)
                    finally:
                        await _end(process)
        print(
            f"memory: {client}: {size:,} requests: {'-' if peak is None else f'{peak / 1e6:,.0f} MB'}",
            flush=True,
        )
        return {"client": client, "requests": size, "peak": peak}

    return list(await asyncio.gather(*(one(client, size) for client in clients for size in sizes)))


def high_water(pid: int) -> int | None:
    """Return the largest resident set that the process has had, in bytes (Linux); None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return None
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
