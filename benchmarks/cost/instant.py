"""
A service that accepts everything at once, in a process of its own: what is measured is the client.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

ROOT = Path(__file__).parents[2]

LIFETIME = 1_800.0
"""Seconds after which it ends by itself, should nobody end it."""

STATUS = {"admissionQueue": {"depth": 0, "capacity": 1_000_000}}


@contextmanager
def instant_service() -> Iterator[str]:
    """Run one until the context is left; yields its base URL."""
    process = subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the instant service did not come up")
        yield url
    finally:
        process.kill()
        process.communicate()


async def serve() -> None:
    """Accept everything, until killed."""
    accepted = 0

    async def answer(request: web.BaseRequest) -> web.Response:
        nonlocal accepted
        if request.path == "/v1/async/status":
            return web.json_response(STATUS)
        await request.read()
        accepted += 1
        job = f"job_{accepted}"
        return web.json_response(
            {"jobId": job, "status": "processing", "children": [f"{job}.chatgpt.us"]}, status=202
        )

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.sleep(LIFETIME)


if __name__ == "__main__":
    asyncio.run(serve())
