"""
The bucket of the best-known cookbook script, written anew from its description.

A bucket of requests a minute, refilled by elapsed time; a loop that turns every millisecond and starts a task
for each request; retries before new requests; after a 429 a pause of 15 s for all, whatever Retry-After says;
5 attempts. Here it knows a 429 by its status; the script looks into the body only, and mostly does not.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque

import aiohttp

from benchmarks.rivals.task import RefusedError, Task, post, session

A_MINUTE = 1_500.0
ATTEMPTS = 5
PAUSE = 15.0
TURN = 0.001


async def work(task: Task) -> int:
    """Submit everything; return how many it believes were accepted."""
    waiting = deque((body, ATTEMPTS) for body in task.bodies)
    retries: deque[tuple[bytes, int]] = deque()
    available, filled_at = A_MINUTE, time.time()
    refused_at = float("-inf")
    in_flight = accepted = 0
    async with session() as client:
        out = (task.folder / "results.jsonl").open("a")

        async def call(body: bytes, left: int) -> None:
            nonlocal refused_at, in_flight, accepted
            try:
                await post(client, task, body)
            except (RefusedError, aiohttp.ClientError) as error:
                if isinstance(error, RefusedError) and error.status_code == 429:
                    refused_at = time.time()
                if left > 1:
                    retries.append((body, left - 1))
            else:
                accepted += 1
                out.write(json.dumps([json.loads(body), "accepted"]) + "\n")
            in_flight -= 1

        tasks: set[asyncio.Task[None]] = set()
        while waiting or retries or in_flight:
            now = time.time()
            available, filled_at = min(A_MINUTE, available + (now - filled_at) * A_MINUTE / 60), now
            if (waiting or retries) and available >= 1:
                body, left = (retries or waiting).popleft()
                available -= 1
                in_flight += 1
                started = asyncio.create_task(call(body, left))
                tasks.add(started)
                started.add_done_callback(tasks.discard)
            await asyncio.sleep(TURN)
            if time.time() - refused_at < PAUSE:
                await asyncio.sleep(refused_at + PAUSE - time.time())
        out.close()
    return accepted
