"""
aiohttp-retry as its README has it: a RetryClient with exponential retries, behind a semaphore.
"""

from __future__ import annotations

import asyncio

import aiohttp
import aiohttp_retry

from benchmarks.rivals.task import Task, session


async def work(task: Task) -> int:
    """Submit everything; return how many it believes were accepted."""
    limit = asyncio.Semaphore(20)
    options = aiohttp_retry.ExponentialRetry(attempts=8, statuses={429, 502, 503})
    async with session() as plain:
        client = aiohttp_retry.RetryClient(client_session=plain, retry_options=options)

        async def submit(body: bytes) -> bool:
            async with limit:
                try:
                    async with client.post(task.url, data=body) as reply:
                        await reply.read()
                        return bool(reply.status < 400)
                except aiohttp.ClientError:
                    return False

        return sum(await asyncio.gather(*(submit(body) for body in task.bodies)))
