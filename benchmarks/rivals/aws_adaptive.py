"""
The adaptive retry mode of the AWS SDKs: aiobotocore's own limiter around an aiohttp call, and its back-off.
"""

from __future__ import annotations

import asyncio
import random

import aiohttp
from aiobotocore.retries import adaptive
from aiobotocore.retries import bucket as async_bucket
from botocore.retries import bucket, throttling

from benchmarks.rivals.task import RefusedError, Task, post, session

ATTEMPTS = 10
LONGEST = 20.0
"""Seconds: the SDK's own cap on its exponential back-off."""


class Detector:
    """Tells the limiter what a 429 is."""

    def is_throttling_error(self, *, status: int) -> bool:
        """Return whether the reply throttles us."""
        return status == 429


async def work(task: Task) -> int:
    """Submit everything; return how many it believes were accepted."""
    clock = bucket.Clock()
    limiter = adaptive.AsyncClientRateLimiter(
        rate_adjustor=throttling.CubicCalculator(starting_max_rate=0, start_time=clock.current_time()),
        rate_clocker=adaptive.RateClocker(clock),
        token_bucket=async_bucket.AsyncTokenBucket(max_rate=1, clock=clock),
        throttling_detector=Detector(),
        clock=clock,
    )
    limit = asyncio.Semaphore(20)
    async with session() as client:

        async def submit(body: bytes) -> bool:
            async with limit:
                for attempt in range(ATTEMPTS):
                    await limiter.on_sending_request(request=None)
                    status = 202
                    try:
                        await post(client, task, body)
                    except RefusedError as error:
                        status = error.status_code
                    except aiohttp.ClientError:
                        status = 0
                    await limiter.on_receiving_response(status=status)
                    if status == 202:
                        return True
                    await asyncio.sleep(random.random() * min(LONGEST, 2.0**attempt))
            return False

        return sum(await asyncio.gather(*(submit(body) for body in task.bodies)))
