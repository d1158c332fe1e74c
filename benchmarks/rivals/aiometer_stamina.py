"""
aiometer for the pace, stamina for the retries (its hook may return the seconds of Retry-After), httpx.
"""

from __future__ import annotations

import aiometer
import httpx
import stamina

from benchmarks.rivals.task import HEADERS, RefusedError, Task


async def work(task: Task) -> int:
    """Submit everything; return how many it believes were accepted."""
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(headers=HEADERS, timeout=30.0, limits=limits) as client:

        async def submit(body: bytes) -> None:
            reply = await client.post(task.url, content=body)
            if reply.status_code >= 400:
                raise RefusedError(reply.status_code, reply.headers)

        patient = stamina.retry(on=_again, attempts=10, timeout=120.0)(submit)

        async def safely(body: bytes) -> bool:
            try:  # one error that gets out would cancel all the others
                await patient(body)
            except (RefusedError, httpx.HTTPError):
                return False
            return True

        accepted = 0
        async with aiometer.amap(safely, task.bodies, max_at_once=20, max_per_second=25) as ends:
            async for ended in ends:
                accepted += ended
        return accepted


def _again(error: Exception) -> float | bool:
    if isinstance(error, RefusedError):
        return error.retry_after if error.retry_after is not None else error.retryable
    return isinstance(error, httpx.TransportError)
