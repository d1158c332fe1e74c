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
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
from anyio import create_task_group
from pydantic import SecretStr

from benchmarks.cost.instant import instant_service
from pacer.api import AiohttpSearchApi
from pacer.cli.garbage import seldom_collected
from pacer.intake import new_token, random_keys, take_in_requests
from pacer.journal.entries import Accepted, Entry, Sent
from pacer.journal.records import Batch
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.views import PendingRequest
from pacer.pacing.policy import Policy
from pacer.runner import Runner, journal_thread
from pacer.runner.bell import Bell
from pacer.runner.crew import Crew
from pacer.runner.writer import JournalWriter
from pacer.wire.replies import Admitted

CONNECTIONS = 64
REQUESTS = 4_000
ROUNDS = 9


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


async def recorded(url: str, requests: int) -> Spent:
    """
    The loop over pacer's client with a journal: every intent durable before its request leaves.

    No snapshot, gate, count or event: what a client costs that loses nothing, before it paces anything.
    """
    with journal_of(url, requests) as journal, journal_thread() as run_blocking:
        waiting = journal.pending(after=-1, limit=requests)
        waiting.reverse()
        writer, replied = JournalWriter(journal, None, run_blocking), Bell()
        async with (
            AiohttpSearchApi(url, SecretStr("sk_none"), limit=CONNECTIONS) as api,
            create_task_group() as tasks,
        ):
            in_flight = 0

            async def submit(request: PendingRequest) -> None:
                nonlocal in_flight
                outcome = (await api.submit(request.body)).outcome
                assert isinstance(outcome, Admitted)
                writer.add(Accepted(request.index, time.time(), outcome.job, outcome.children))
                in_flight -= 1
                replied.ring()

            crew = Crew(tasks)
            with measured(journal) as spent:
                writing = asyncio.create_task(writer.run())
                while waiting or in_flight:
                    replied.silence()
                    wave = [waiting.pop() for _ in range(min(CONNECTIONS - in_flight, len(waiting)))]
                    if wave:
                        at = time.time()
                        await writer.commit(*(Sent(request.index, at) for request in wave))
                    in_flight += len(wave)
                    for request in wave:
                        crew.start(submit, request)
                    if in_flight:
                        await replied.heard()
                crew.dismiss()
                writer.close()
                await writing
    return spent()


async def paced(url: str, requests: int) -> Spent:
    """Submit the same with pacer, as ``pacer run`` does."""
    policy = Policy(collect=False, initial_concurrency=CONNECTIONS, concurrency=CONNECTIONS)
    with journal_of(url, requests) as journal, journal_thread() as run_blocking:
        async with AiohttpSearchApi(url, SecretStr("sk_none"), limit=CONNECTIONS) as api:
            runner = Runner(api, journal, run_blocking=run_blocking, policy=policy)
            with measured(journal) as spent:
                await runner.run()
    return spent()


@contextmanager
def measured(journal: TimedJournal) -> Iterator[Callable[[], Spent]]:
    """Measure what is done inside, the collector set as for ``pacer run``; tell it afterwards."""
    spent: list[Spent] = []
    with seldom_collected():
        wall, cpu = time.perf_counter(), time.process_time()
        yield lambda: spent[0]
        spent.append(Spent(time.perf_counter() - wall, time.process_time() - cpu, journal.seconds))


@contextmanager
def journal_of(url: str, requests: int) -> Iterator[TimedJournal]:
    """Take the batch in; the journal is gone afterwards."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(TimedJournal.open(Path(folder) / "bench.db", create=True)) as journal,
    ):
        assert isinstance(journal, TimedJournal)
        with journal.intake() as writer:
            token = new_token()
            take_in_requests(bodies(requests), writer, keys=random_keys(token))
            writer.commit(
                Batch(token=token, source="bench", input_sha256="", base_url=url, created_at=time.time())
            )
        yield journal


def measure(requests: int = REQUESTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Alternate the four; return medians of the ratios, and what they are made of."""
    loops, clients, records, ours = [], [], [], []
    with instant_service() as url:
        asyncio.run(bare(url, requests // 5))  # warm
        for _ in range(rounds):
            loops.append(asyncio.run(bare(url, requests)))
            clients.append(asyncio.run(client(url, requests)))
            records.append(asyncio.run(recorded(url, requests)))
            ours.append(asyncio.run(paced(url, requests)))
    pairs = list(zip(loops, ours, strict=True))
    return {
        "requests": requests,
        "connections": CONNECTIONS,
        "rate_ratio": median(loop.wall / our.wall for loop, our in pairs),
        "cpu_ratio": median(our.cpu / loop.cpu for loop, our in pairs),
        "client_ratio": median(one.cpu / loop.cpu for loop, one in zip(loops, clients, strict=True)),
        "recorded_ratio": median(one.cpu / loop.cpu for loop, one in zip(loops, records, strict=True)),
        "recorded_rate_ratio": median(loop.wall / one.wall for loop, one in zip(loops, records, strict=True)),
        "pacing_ratio": median(our.cpu / one.cpu for one, our in zip(records, ours, strict=True)),
        "journal_share": median(our.journal / our.cpu for our in ours),
        "loop_per_second": median(requests / loop.wall for loop in loops),
        "pacer_per_second": median(requests / our.wall for our in ours),
        "loop_cpu_us": median(1e6 * loop.cpu / requests for loop in loops),
        "pacer_cpu_us": median(1e6 * our.cpu / requests for our in ours),
    }
