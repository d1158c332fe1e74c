"""
The same as a FastAPI service: submit now, fetch the captures when they are there.

    pip install fastapi uvicorn
    uvicorn --app-dir examples fastapi_service:app
    curl -H 'content-type: application/json' localhost:8000/jobs \
        -d '{"id": "q1", "query": "quiet dishwasher", "surfaces": ["chatgpt"]}'
    curl localhost:8000/jobs/q1
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request

from pacer import BatchStopped, CaptureRequest, Job, Pacer, RequestRejected, UsageError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Share one Pacer for as long as the service runs; take up what an earlier process had sent."""
    async with Pacer(journal=os.environ.get("JOURNAL", "service.pacer.db")) as p:
        app.state.pacer = p
        app.state.jobs = {job.request: job async for job in p.pending()}
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/jobs", status_code=202)
async def submit(body: CaptureRequest, request: Request) -> dict[str, Any]:
    """Return once the service has admitted the request; the same id again is the same job."""
    try:
        job: Job = await request.app.state.pacer.submit(body)
    except RequestRejected as refused:
        raise HTTPException(422, str(refused)) from refused
    except UsageError as conflict:
        raise HTTPException(409, str(conflict)) from conflict
    except BatchStopped as stopped:
        raise HTTPException(503, f"{stopped.code}: {stopped.reason}") from stopped
    request.app.state.jobs[job.request] = job
    return {"request": job.request, "job": job.id, "children": job.children}


@app.get("/jobs/{name}")
async def result(name: str, request: Request) -> dict[str, Any]:
    """Return the captures, or that they are still out."""
    job: Job | None = request.app.state.jobs.get(name)
    if job is None:
        raise HTTPException(404, f"no request {name!r} was submitted here")
    if not job.done:
        return {"request": name, "done": False, "captures": []}
    captures = [
        {"surface": each.surface, "region": each.region, "status": each.status, "envelope": each.envelope}
        for each in await job.result()
    ]
    return {"request": name, "done": True, "captures": captures}
