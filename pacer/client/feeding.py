"""
Feeding the requests of one call, as fast as the service takes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from pacer.client.group import Group
from pacer.client.invocation import Invocation
from pacer.client.requests import Requests, check, numbered, read

LEAST_AHEAD = 2_000
"""Captures of one call that are asked for and have not ended, at least: enough for any wave."""

MOST_AHEAD = 40_000
"""...and at most: memory stays flat."""


@asynccontextmanager
async def fed(group: Group, requests: Requests, invocation: Invocation) -> AsyncIterator[None]:
    """
    Feed *group* from *requests* meanwhile; at the end take back what was not sent.

    Errors:
        PacerError: Some of *requests* are none, or the batch has stopped.
    """
    await check(requests)
    invocation.raise_failure()
    invocation.groups.add(group)
    feeding = asyncio.create_task(_feed(group, requests, invocation))
    try:
        yield
    finally:
        feeding.cancel()
        invocation.groups.discard(group)
        invocation.give_up(group, group.unended, group.unsent)
        await asyncio.wait((feeding,))


async def _feed(group: Group, requests: Requests, invocation: Invocation) -> None:
    try:
        async with aclosing(numbered(requests)) as stream:
            async for number, request in stream:
                model = read(request, number=number + 1)
                if model.id is None:
                    model = model.model_copy(update={"id": str(number)})
                await group.lighter_than(_ahead(invocation))
                group.ask(model.fan_out)
                invocation.counter.ask(model, group)
    except Exception as error:  # noqa: BLE001 - whatever the iterable raises belongs to its owner
        raised = error
        group.fail(lambda: raised)
    else:
        group.complete()


def _ahead(invocation: Invocation) -> int:
    """Return how many captures a call may have under way: some times what the service's queue holds."""
    snapshot = invocation.runner.progress.snapshot
    capacity = 0 if snapshot is None or snapshot.capacity is None else snapshot.capacity
    return min(max(LEAST_AHEAD, 4 * capacity), MOST_AHEAD)
