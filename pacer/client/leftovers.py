"""
What earlier invocations have sent and not seen the end of.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from pacer.client.invocation import Invocation
from pacer.client.job import Job
from pacer.client.opening import OpenJournal

PAGE = 500
"""Jobs read from the journal at once."""


class _Numbered(Protocol):
    @property
    def index(self) -> int: ...
    @property
    def id(self) -> str: ...


class _Reader(Protocol):
    def __call__(self, *, after: int, limit: int) -> Sequence[_Numbered]: ...


async def leftovers(invocation: Invocation) -> AsyncIterator[Job]:
    """Yield a job for each: those in doubt first, since they may be admitted meanwhile."""
    opened = invocation.opened
    await invocation.runner.flush()  # what has ended by now is no leftover
    doubted: set[int] = set()
    async for page in _pages(opened, opened.journal.in_doubt):
        doubted.update(request.index for request in page)
        for job in await invocation.counter.join([request.id for request in page]):
            yield job
    async for page in _pages(opened, opened.journal.outstanding):
        ids = [request.id for request in page if request.index not in doubted]
        for job in await invocation.counter.join(ids):
            yield job


async def _pages(opened: OpenJournal, read: _Reader) -> AsyncIterator[list[_Numbered]]:
    """Yield what *read* finds, but for what this invocation has added."""
    after = -1

    def page() -> Sequence[_Numbered]:
        return read(after=after, limit=PAGE)

    while found := await opened.run_blocking(page):
        yield [request for request in found if request.index < opened.requests]
        after = found[-1].index
