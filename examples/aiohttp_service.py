"""
An aiohttp service that asks AI surfaces for its callers, any number at once.

    python examples/aiohttp_service.py
    curl -d '{"id": "q1", "query": "quiet dishwasher", "surfaces": ["chatgpt"]}' localhost:8080/captures

All callers share one Pacer, so one queue and one set of Retry-After deadlines.
A caller that hangs up takes its request back, if it was not sent yet.
"""

import asyncio
import os
from collections.abc import AsyncIterator

from aiohttp import ClientSession, web

from pacer import BatchStopped, InputError, Job, Pacer, RequestRejected, UsageError

PACER = web.AppKey("PACER", Pacer)


async def pacer(app: web.Application) -> AsyncIterator[None]:
    """Share one Pacer, and one session, for as long as the service runs."""
    journal = os.environ.get("JOURNAL", "service.pacer.db")
    async with ClientSession() as session, Pacer(journal=journal, session=session) as p:
        # What an earlier process had sent is collected; this is where its callers would be told.
        leftovers = [asyncio.create_task(finish(job)) async for job in p.pending()]
        app[PACER] = p
        yield
        await asyncio.gather(*leftovers, return_exceptions=True)


async def finish(job: Job) -> None:
    """Wait for a job of an earlier process."""
    captures = await job.result()
    print(f"{job.request}: {len(captures)} captures, asked for before this process began")


async def capture(request: web.Request) -> web.Response:
    """Submit the request in the body, and answer with its captures."""
    try:
        job = await request.app[PACER].submit(await request.json())
        captures = await job.result()
    except (InputError, RequestRejected) as refused:
        raise web.HTTPUnprocessableEntity(text=str(refused)) from refused
    except UsageError as conflict:
        raise web.HTTPConflict(text=str(conflict)) from conflict
    except BatchStopped as stopped:
        raise web.HTTPServiceUnavailable(text=f"{stopped.code}: {stopped.reason}") from stopped
    return web.json_response(
        [
            {"surface": each.surface, "region": each.region, "status": each.status, "envelope": each.envelope}
            for each in captures
        ]
    )


async def health(request: web.Request) -> web.Response:
    """Say where the queue stands, and what is waited for until when."""
    snapshot, progress = await request.app[PACER].snapshot(), request.app[PACER].progress
    return web.json_response(
        {
            "depth": snapshot.depth,
            "capacity": snapshot.capacity,
            "accepted": progress.accepted,
            "waiting_for": progress.waiting_for,
            "waiting_until": progress.waiting_until,
        }
    )


def create_app() -> web.Application:
    """Return the service."""
    app = web.Application()
    app.cleanup_ctx.append(pacer)
    app.add_routes([web.post("/captures", capture), web.get("/health", health)])
    return app


if __name__ == "__main__":
    web.run_app(create_app(), host="127.0.0.1", port=8080, handler_cancellation=True)
