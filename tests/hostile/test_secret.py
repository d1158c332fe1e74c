"""
The key is in nothing that pacer writes or says, and goes to no host but the one configured.
"""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pacer.sandbox import Fault
from tests.crash.scene import KEY, Scene, scene, settings
from tests.network.proxy import Toxic, between

LOG_FORMATS = pytest.mark.parametrize("log_format", ["text", "json"])


def assert_unseen(one: Scene, *texts: str) -> None:
    """The key is in no text and in no file of the folder."""
    places = {path.name: path.read_bytes() for path in one.folder.rglob("*") if path.is_file()}
    places |= {f"text {n}": text.encode() for n, text in enumerate(texts)}
    assert [name for name, content in places.items() if KEY.encode() in content] == []


ECHO = f"your header was: Authorization: Bearer {KEY}"
FAULTS = (
    Fault("error", on="submit", status=422, code="PIN", message=ECHO, calls=(2, 5)),
    Fault("error", on="submit", status=500, message=ECHO, calls=(3, 7)),
    Fault("error", on="status", status=400, message=ECHO, calls=(2,)),
    Fault("error", on="job", status=400, message=ECHO, calls=(1, 4)),
    Fault("page", on="submit", status=502, message=ECHO, calls=(9,)),
    Fault("truncate", on="job", calls=(2, 6)),
    Fault("garble", on="submit", calls=(8,)),
    Fault("cut", on="submit", committed=True, calls=(6,)),
    Fault("error", on="any", status=402, code="NO_CREDIT", message=ECHO, after=60),
)


@LOG_FORMATS
async def test_through_every_failure(tmp_path: Path, log_format: str) -> None:
    """
    While replies echo the key, are cut off, garbled and lost, and connections die in
    mid-request, it stands in no log, journal, result, summary, report or argument list.
    """
    shares: dict[Toxic, float] = {"reset_before": 0.05, "reset_within": 0.05, "half_reply": 0.05}
    async with (
        scene(tmp_path, settings(latency=0.05), FAULTS) as one,
        between(one.url, shares=shares, seed=4) as proxy,
    ):
        one.url = proxy.url
        one.write(30)
        words = ("run", "batch.jsonl", "--json", "--log-format", log_format)
        variables: Any = {"PACER_DEBUG": "1", "PYTHONASYNCIODEBUG": "1"}
        running = await one.start(*words, **variables)
        arguments = Path(f"/proc/{running.process.pid}/cmdline").read_text()
        ran = await running.ended()
        assert ran.code == 3, ran.err
        assert "[key]" in ran.err + ran.out  # the echo came through, blotted out
        report = await (await one.start("report", "batch.pacer.db")).ended()
        as_json = await (await one.start("report", "batch.pacer.db", "--json")).ended()
        status = await (await one.start("status", "--json", **variables)).ended()
        plan = await (await one.start("plan", "batch.jsonl", **variables)).ended()
        said = [text for ran_ in (ran, report, as_json, status, plan) for text in (ran_.out, ran_.err)]
        assert_unseen(one, arguments, *said)


BROKEN = """
import sys
import aiohttp
from pacer.api import AiohttpSearchApi
async def broken(self, *args, **more):
    headers = self._post_headers
    raise RuntimeError(f"a defect with {dict(headers)!s}, and {list(headers.values())}")
AiohttpSearchApi.submit = broken
from pacer.__main__ import main
main()
"""


@pytest.mark.parametrize("debug", ["", "1"])
async def test_in_a_defect(tmp_path: Path, debug: str) -> None:
    """A defect whose very text holds the key ends with 70; the traceback, shown or kept, does not hold it."""
    async with scene(tmp_path) as one:
        one.write(3)
        variables = {"PACER_DEBUG": debug, "TMPDIR": str(tmp_path)}
        ran = await (await one.start_python(BROKEN, "run", "batch.jsonl", **variables)).ended()
        assert ran.code == 70, ran.err
        kept = list(tmp_path.glob("pacer-defect-*"))
        assert len(kept) == (not debug)
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
        assert "RuntimeError" in (ran.err if debug else kept[0].read_text())
        assert_unseen(one, ran.err, ran.out)


async def test_a_redirect_to_another_host(tmp_path: Path) -> None:
    """A redirect to another place is not followed: exit 3, and nobody there hears the key."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.close()

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        location = f"http://127.0.0.1:{port(elsewhere)}/v1/async/status"
        writer.write(f"HTTP/1.1 307 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    def port(server: asyncio.Server) -> int:
        number: int = server.sockets[0].getsockname()[1]
        return number

    elsewhere = await asyncio.start_server(listen, "127.0.0.1", 0)
    service = await asyncio.start_server(redirect, "127.0.0.1", 0)
    async with elsewhere, service, scene(tmp_path) as one:
        one.url = f"http://127.0.0.1:{port(service)}"
        one.write(3)
        ran = await one.run()
        assert ran.code == 3, ran.err
        assert "redirected to http://127.0.0.1" in ran.err
        assert heard == []
        assert_unseen(one, ran.out, ran.err)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o177])
async def test_files_are_private_under_any_umask(tmp_path: Path, umask: int) -> None:
    """Journal, its companions and results are made 0600, whatever the umask would give away."""
    async with scene(tmp_path, settings(endless=1.0)) as one:
        one.write(3)
        beside = [f"batch.pacer.db{suffix}" for suffix in ("", "-wal", "-shm", "-lock")]
        running = await one.start("run", "batch.jsonl", prepare=lambda: os.umask(umask))
        await one.until(lambda: one.service.log.admitted == 3, running)
        modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in [*beside, one.out.name]}
        await running.kill()
        assert set(modes.values()) == {0o600}, modes
