"""
pyrate-limiter before each POST, at a rate that somebody had to know; retries after Retry-After.
"""

from __future__ import annotations

import asyncio

import aiohttp
import pyrate_limiter

from benchmarks.rivals.task import RefusedError, Task, post, session

ATTEMPTS = 10


async def work(task: Task, *, rate: int) -> int:
    """Submit everything; return how many it believes were accepted."""
    limiter = pyrate_limiter.Limiter(pyrate_limiter.Rate(rate, pyrate_limiter.Duration.SECOND))
    limit = asyncio.Semaphore(100)
    async with session() as client:

        async def submit(body: bytes) -> bool:
            async with limit:
                for _ in range(ATTEMPTS):
                    await limiter.try_acquire_async("submit")
                    try:
                        await post(client, task, body)
                    except RefusedError as error:
                        if not error.retryable:
                            return False
                        await asyncio.sleep(1.0 if error.retry_after is None else error.retry_after)
                    except aiohttp.ClientError:
                        return False
                    else:
                        return True
            return False

        return sum(await asyncio.gather(*(submit(body) for body in task.bodies)))
