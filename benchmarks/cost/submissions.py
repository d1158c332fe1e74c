"""
Submissions a second and CPU a submission, against a bare aiohttp loop with the same connections.

Both send the same bodies to the same server. pacer's own includes all that it does for a submission: intent
and outcome in the journal, the decisions, the reading of the reply.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
from pydantic import SecretStr

from benchmarks.cost.instant import instant_service
from pacer.api import AiohttpSearchApi
from pacer.intake import new_token, random_keys, take_in_requests
from pacer.journal.protocol import Batch, Entry
from pacer.journal.sqlite import SqliteJournal
from pacer.pacing.policy import Policy
from pacer.runner import Runner

CONNECTIONS = 64
REQUESTS = 4_000
ROUNDS = 5


@dataclass(frozen=True)
class Spent:
    """
    Seconds for a batch.

    Attributes:
        wall, cpu: Of the whole process, all threads.

        journal: CPU within the journal's transactions.
    """

    wall: float
    cpu: float
    journal: float = 0.0


class TimedJournal(SqliteJournal):
    """
    The journal, with a clock on its transactions.

    Attributes:
        seconds: CPU that they have taken.
    """

    seconds = 0.0

    def write(self, entries: Sequence[Entry]) -> None:
        """Write, and add up."""
        began = time.thread_time()
        super().write(entries)
        self.seconds += time.thread_time() - began


def bodies(requests: int) -> Iterator[dict[str, object]]:
    """Yield *requests* search bodies of one capture each."""
    for number in range(requests):
        yield {"query": f"question {number}", "surfaces": ["chatgpt"], "regions": [{"country": "US"}]}


async def bare(url: str, requests: int) -> Spent:
    """Only post, and parse the reply."""
    waiting = iter([json.dumps(body).encode() for body in bodies(requests)])
    headers = {"Content-Type": "application/json", "Authorization": "Bearer sk_none"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def work() -> None:
            for body in waiting:
                async with session.post(f"{url}/v1/search?mode=async", data=body, headers=headers) as reply:
                    json.loads(await reply.read())

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return Spent(time.perf_counter() - wall, time.process_time() - cpu)


async def client(url: str, requests: int) -> Spent:
    """The same loop over pacer's client: time-outs, and the reply read as untrusted input."""
    waiting = iter([json.dumps(body).encode() for body in bodies(requests)])
    async with AiohttpSearchApi(url, SecretStr("sk_none"), limit=CONNECTIONS) as api:

        async def work() -> None:
            for body in waiting:
                await api.submit(body)

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return Spent(time.perf_counter() - wall, time.process_time() - cpu)


async def paced(url: str, requests: int) -> Spent:
    """Submit the same with pacer."""
    policy = Policy(collect=False, initial_concurrency=CONNECTIONS, concurrency=CONNECTIONS)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(TimedJournal.open(Path(folder) / "bench.db", create=True)) as journal,
    ):
        with journal.intake() as writer:
            token = new_token()
            take_in_requests(bodies(requests), writer, keys=random_keys(token))
            writer.commit(
                Batch(token=token, source="bench", input_sha256="", base_url=url, created_at=time.time())
            )
        async with AiohttpSearchApi(url, SecretStr("sk_none"), limit=CONNECTIONS) as api:
            runner = Runner(api, journal, run_blocking=asyncio.to_thread, policy=policy)
            wall, cpu = time.perf_counter(), time.process_time()
            await runner.run()
            spent = time.perf_counter() - wall, time.process_time() - cpu
            assert isinstance(journal, TimedJournal)
            return Spent(*spent, journal.seconds)


def measure(requests: int = REQUESTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Alternate the three; return medians of the ratios, and what they are made of."""
    loops, clients, ours = [], [], []
    with instant_service() as url:
        asyncio.run(bare(url, requests // 5))  # warm
        for _ in range(rounds):
            loops.append(asyncio.run(bare(url, requests)))
            clients.append(asyncio.run(client(url, requests)))
            ours.append(asyncio.run(paced(url, requests)))
    pairs = list(zip(loops, ours, strict=True))
    return {
        "requests": requests,
        "connections": CONNECTIONS,
        "rate_ratio": median(loop.wall / our.wall for loop, our in pairs),
        "cpu_ratio": median(our.cpu / loop.cpu for loop, our in pairs),
        "client_ratio": median(one.cpu / loop.cpu for loop, one in zip(loops, clients, strict=True)),
        "journal_share": median(our.journal / our.cpu for our in ours),
        "loop_per_second": median(requests / loop.wall for loop in loops),
        "pacer_per_second": median(requests / our.wall for our in ours),
        "loop_cpu_us": median(1e6 * loop.cpu / requests for loop in loops),
        "pacer_cpu_us": median(1e6 * our.cpu / requests for our in ours),
    }
