"""The library over a real socket, with a journal on a real disk and thread."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pacer import BatchStopped, Pacer, SqliteJournal
from pacer.sandbox import SANDBOX_KEY, Fault, Latency, SandboxServer, Service, Settings


def service(*faults: Fault, **settings: Any) -> Service:
    """A quick service, its wall clock set."""
    latency = Latency(mean=0.05, shape="constant")
    return Service(
        Settings(epoch=time.time(), capacity=40, workers=20, latency=latency, **settings), faults=faults
    )


def requests(count: int) -> list[dict[str, Any]]:
    """Requests with ids."""
    return [{"id": f"r{n}", "query": f"query {n}", "surfaces": ["claude", "chatgpt"]} for n in range(count)]


async def test_key_and_address_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With nothing but the environment and a path, a batch runs to its end and can be read afterwards."""
    async with SandboxServer(service()) as server:
        monkeypatch.setenv("AISEARCH_API_KEY", SANDBOX_KEY)
        monkeypatch.setenv("AISEARCH_BASE_URL", f"{server.base_url}/")
        path = tmp_path / "nightly.db"
        async with Pacer(journal=path) as p:
            report = await p.run(requests(50))
            assert report.ok
            assert report.completed == 100
            assert repr(p) == f"<Pacer {server.base_url}>"
    journal = SqliteJournal.open(path, read_only=True)
    assert journal.counts().done == 50
    journal.close()
    assert SANDBOX_KEY.encode() not in path.read_bytes()


async def test_a_session_of_the_host_is_used_and_left_open() -> None:
    """All calls go through it, and it works on afterwards."""
    paths: list[str] = []

    async def started(
        _session: object, _context: object, parameters: aiohttp.TraceRequestStartParams
    ) -> None:
        paths.append(parameters.url.path)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(started)
    async with (
        SandboxServer(service()) as server,
        aiohttp.ClientSession(trace_configs=[trace]) as session,
    ):
        async with Pacer(SANDBOX_KEY, base_url=server.base_url, session=session) as p:
            assert len(await (await p.submit(requests(1)[0])).result()) == 2
        assert not session.closed
        async with session.get(f"{server.base_url}/v1/health") as reply:
            assert reply.status == 200
    assert {"/v1/search", "/v1/async/status"} <= set(paths)


async def test_a_sync_capture_over_the_wire() -> None:
    """It comes back in the reply to its own submission, which names the mode."""
    fake = service()
    async with SandboxServer(fake) as server, Pacer(SANDBOX_KEY, base_url=server.base_url) as p:
        capture = await p.capture({"query": "x", "surfaces": ["claude"]})
    assert capture.completed
    assert [(entry.what, entry.sync) for entry in fake.log] == [("submit", True)]


async def test_the_key_is_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """A refused key is named by what refused it, and shown nowhere."""
    caplog.set_level(logging.DEBUG)
    key = "sk_live_wrong_and_secret"
    async with SandboxServer(service()) as server, Pacer(key, base_url=server.base_url) as p:
        with pytest.raises(BatchStopped) as caught:
            await p.submit(requests(1)[0])
    assert caught.value.code == "AUTH_INVALID"
    error: BaseException | None = caught.value
    while error is not None:
        assert key not in repr(error) + str(error)
        error = error.__context__
    assert key not in caplog.text


async def test_the_loop_stays_responsive_while_the_journal_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A batch on disk is written and read in threads of their own: a host's other tasks never wait for it."""
    threads: dict[str, set[str]] = {}

    def watched(name: str) -> Any:
        original = getattr(SqliteJournal, name)

        def noting(*args: Any, **options: Any) -> Any:
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return original(*args, **options)

        return noting

    for name in ("write", "pending", "in_doubt", "outstanding"):
        monkeypatch.setattr(SqliteJournal, name, watched(name))
    async with (
        SandboxServer(service()) as server,
        Pacer(SANDBOX_KEY, base_url=server.base_url, journal=tmp_path / "j.db") as p,
    ):
        await p.run(requests(150))
    assert set(threads) >= {"write"}
    assert threading.main_thread().name not in set().union(*threads.values()), threads


async def test_killed_in_mid_run_the_next_process_completes_it(tmp_path: Path) -> None:
    """After ``kill -9`` of a program in its loop, the same program yields every capture, paid once."""
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import asyncio, json, sys
            from pacer import Pacer

            async def main():
                requests = [
                    {"id": f"r{n}", "query": f"q {n}", "surfaces": ["claude", "chatgpt"]} for n in range(60)
                ]
                async with Pacer(journal=sys.argv[1]) as p:
                    async for capture in p.captures(requests):
                        print(json.dumps([capture.request, capture.child, capture.status]), flush=True)

            asyncio.run(main())
            """
        ),
        encoding="utf-8",
    )
    fake = service()
    async with SandboxServer(fake) as server:
        command = [sys.executable, str(program), str(tmp_path / "batch.db")]
        environment = {"AISEARCH_API_KEY": SANDBOX_KEY, "AISEARCH_BASE_URL": server.base_url}
        first = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=environment)
        assert first.stdout is not None
        for _ in range(15):
            await first.stdout.readline()
        first.kill()
        await first.wait()
        second = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=environment)
        printed, _ = await second.communicate()
        assert second.returncode == 0
    captures = [tuple(json.loads(line)) for line in printed.splitlines()]
    assert len(captures) == len(set(captures)) == 120
    assert {status for _, _, status in captures} == {"completed"}
    assert sum(entry.admitted for entry in fake.log) == 60
