"""
What it costs to be pacer: submissions against a bare aiohttp loop, in one run.

    python benchmarks/submissions.py [REQUESTS]

Both send the same bodies over the same number of connections to the same
trivial server in another process. Printed are ratios of pacer to the loop:
submissions a second (higher is better) and CPU a submission (lower is better).
The targets are at least 0.7 and at most 1.5.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from pacer.api import AiohttpSearchApi
from pacer.intake import new_token, random_keys, take_in_requests
from pacer.journal.protocol import Batch
from pacer.journal.sqlite import SqliteJournal
from pacer.pacing.policy import Policy
from pacer.runner import Runner

CONNECTIONS = 64
ROUNDS = 3


def bodies(requests: int) -> Iterator[dict[str, object]]:
    """Yield *requests* search bodies of one capture each."""
    for number in range(requests):
        yield {"query": f"question {number}", "surfaces": ["chatgpt"], "regions": [{"country": "US"}]}


async def serve(port: int) -> None:
    """Accept everything at once, until killed."""
    accepted = 0

    async def answer(request: web.BaseRequest) -> web.Response:
        nonlocal accepted
        if request.path == "/v1/async/status":
            return web.json_response({"admissionQueue": {"depth": 0, "capacity": 1_000_000}})
        await request.read()
        accepted += 1
        job = f"job_{accepted}"
        return web.json_response(
            {"jobId": job, "status": "processing", "children": [f"{job}.chatgpt.us"]}, status=202
        )

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.sleep(300)


async def bare(url: str, requests: int) -> tuple[float, float]:
    """Return wall and CPU seconds of a loop that only posts and parses."""
    waiting = iter([json.dumps(body).encode() for body in bodies(requests)])
    headers = {"Content-Type": "application/json", "Authorization": "Bearer sk_none"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def work() -> None:
            for body in waiting:
                async with session.post(f"{url}/v1/search?mode=async", data=body, headers=headers) as reply:
                    json.loads(await reply.read())

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return time.perf_counter() - wall, time.process_time() - cpu


async def paced(url: str, requests: int, folder: Path) -> tuple[float, float]:
    """Return wall and CPU seconds of pacer submitting the same, journal included."""
    with closing(SqliteJournal.open(folder / "bench.db", create=True)) as journal:
        with journal.intake() as writer:
            token = new_token()
            take_in_requests(bodies(requests), writer, keys=random_keys(token))
            writer.commit(
                Batch(token=token, source="bench", input_sha256="", base_url=url, created_at=time.time())
            )
        async with AiohttpSearchApi(url, SecretStr("sk_none"), limit=CONNECTIONS) as api:
            runner = Runner(
                api,
                journal,
                run_blocking=asyncio.to_thread,
                policy=Policy(collect=False, initial_concurrency=CONNECTIONS, concurrency=CONNECTIONS),
            )
            wall, cpu = time.perf_counter(), time.process_time()
            await runner.run()
            return time.perf_counter() - wall, time.process_time() - cpu


def measure(requests: int, port: int) -> None:
    """Alternate the two and print the medians of the ratios."""
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        time.sleep(1.5)
        asyncio.run(bare(url, requests // 5))  # warm
        rates, cpus = [], []
        for _ in range(ROUNDS):
            loop = asyncio.run(bare(url, requests))
            with tempfile.TemporaryDirectory() as folder:
                ours = asyncio.run(paced(url, requests, Path(folder)))
            rates.append(loop[0] / ours[0])
            cpus.append(ours[1] / loop[1])
            print(
                f"loop {requests / loop[0]:,.0f}/s {1e6 * loop[1] / requests:,.0f} us CPU each;  "
                f"pacer {requests / ours[0]:,.0f}/s {1e6 * ours[1] / requests:,.0f} us"
            )
        print(f"submissions a second, pacer to loop: {median(rates):.2f} (target: at least 0.7)")
        print(f"CPU a submission, pacer to loop:     {median(cpus):.2f} (target: at most 1.5)")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(int(sys.argv[2])))
    else:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 4_000, 18_765)
