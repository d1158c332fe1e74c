"""
``python -m benchmarks.server MATCH FILE``: the sandbox for one client, in a process of its own.

It prints its base URL, ``first`` when it is first called, and ``third`` once a third of the batch is
accepted. On SIGTERM it lets what was accepted run to its end (in no time: the model is pure), writes what it
met to FILE as JSON, and ends.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.scenarios import EVERY, SEED
from pacer.sandbox import SandboxServer, Service
from pacer.simulation.scenario import Scenario

LOOK_EVERY = 0.02
"""Seconds between looks at how much has been accepted."""


class FromFirstCall:
    """A clock that starts with the first call: clients need different times to come up."""

    def __init__(self) -> None:
        self._began: float | None = None

    @property
    def runs(self) -> bool:
        """Whether there has been a call."""
        return self._began is not None

    def __call__(self) -> float:
        """Return the seconds since then."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        return now - self._began


async def serve(scenario: Scenario) -> dict[str, Any]:
    """Serve until SIGTERM; return what was met."""
    service = Service(scenario.service_settings(), seed=SEED, faults=scenario.faults)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    clock = FromFirstCall()
    async with SandboxServer(service, clock=clock, rtt=scenario.rtt) as server:
        _say(server.base_url)
        told = asyncio.create_task(_tell(service, clock, scenario.requests))
        await ended.wait()
        told.cancel()
    return met(service)


async def _tell(service: Service, clock: FromFirstCall, requests: int) -> None:
    while not clock.runs:  # noqa: ASYNC110 - as below
        await asyncio.sleep(LOOK_EVERY)
    _say("first")
    while service.log.admitted < requests / 3:  # noqa: ASYNC110 - the model is pure: it has nothing to wait on
        await asyncio.sleep(LOOK_EVERY)
    _say("third")


def _say(text: str) -> None:
    print(text, flush=True)


def met(service: Service) -> dict[str, Any]:
    """Return what the service met, once all that it has accepted has ended."""
    jobs = service.model.jobs
    while any(job.active for job in jobs.values()):
        at = service.next_event_at()
        assert at is not None, "a capture is running, and yet nothing will ever happen"
        service.advance(now=at)
    entries = [entry for entry in service.log if not entry.tenant]
    return {
        "calls": [
            {
                "at": entry.at,
                "what": entry.what,
                "status": entry.status,
                "gate": entry.gate,
                "retry_seconds": entry.retry_seconds,
                "query": jobs[entry.job].query if entry.admitted else None,
                "reached": not entry.cut,
            }
            for entry in entries
        ],
        "last_end": max(
            (child.ended_at or 0.0 for job in jobs.values() for child in job.children), default=0.0
        ),
        "tenant_429s": sum(service.log.tenant_refused.values()),
        "tenant_admitted": service.log.tenant_admitted,
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(asyncio.run(serve(EVERY[sys.argv[1]].scenario))))
