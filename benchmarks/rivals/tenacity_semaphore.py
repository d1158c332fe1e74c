"""
tenacity around an aiohttp call, a semaphore around both, ``gather`` around all.
"""

from __future__ import annotations

import asyncio
from typing import Any

import tenacity

from benchmarks.rivals.task import RefusedError, Task, post, session


async def work(task: Task) -> int:
    """Submit everything; return how many it believes were accepted."""
    limit = asyncio.Semaphore(20)
    async with session() as client:

        async def submit(body: bytes) -> bool:
            async with limit:
                try:
                    async for attempt in tenacity.AsyncRetrying(
                        retry=tenacity.retry_if_exception(_retryable),
                        wait=_wait,
                        stop=tenacity.stop_after_attempt(10),
                        reraise=True,
                    ):
                        with attempt:
                            await post(client, task, body)
                except (RefusedError, OSError):
                    return False
            return True

        return sum(await asyncio.gather(*(submit(body) for body in task.bodies)))


_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=30)


def _wait(state: Any) -> float:
    error = state.outcome.exception()
    asked = getattr(error, "retry_after", None)
    return float(_backoff(state)) if asked is None else float(asked)


def _retryable(error: BaseException) -> bool:
    # A lost connection is not tried again: for all one knows the POST was accepted.
    return isinstance(error, RefusedError) and error.retryable
