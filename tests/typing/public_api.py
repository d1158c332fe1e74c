"""
The public types, pinned: checked by mypy --strict, never run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

import aiohttp
from pydantic import SecretStr

import pacer
from pacer import (
    BatchStopped,
    CapacitySnapshot,
    CaptureRequest,
    CaptureResult,
    Clock,
    FakeClock,
    Happening,
    InputError,
    Job,
    Journal,
    Listener,
    MemoryJournal,
    Pacer,
    PacerError,
    Policy,
    Progress,
    Region,
    Report,
    RequestRejected,
    SearchApi,
    ServiceUnavailable,
    SqliteJournal,
    Statistics,
    SystemClock,
    UsageError,
)

assert_type(pacer.__version__, str)


def hear(told: Happening) -> None:
    assert_type(told.at, float)
    assert_type(told.name, str)
    assert_type(told.facts, Mapping[str, Any])


listener: Listener = hear
clocks: list[Clock] = [SystemClock(), FakeClock()]
journals: list[Journal] = [MemoryJournal(), SqliteJournal.open(Path("batch.db"), create=True)]


def ways_to_make_one(session: aiohttp.ClientSession, api: SearchApi) -> None:
    assert_type(Pacer(), Pacer)
    Pacer("key", journal="nightly.db", base_url="https://api.example", session=session)
    Pacer(SecretStr("key"), journal=Path("nightly.db"), listener=listener, clock=clocks[0])
    Pacer(journal=journals[0], policy=Policy(reserve=5), unit="children", reserve=1, concurrency=8)
    Pacer(reserve="15%", max_credits=5_000, max_requests=100)
    Pacer(api=api, on_exit="abandon", max_retry_after=60.0, capture_timeout=600, collect=False, seed=1)
    Pacer(unit="pears")  # type: ignore[arg-type]  # a unit that does not exist is refused
    Pacer(on_exit="maybe")  # type: ignore[arg-type]  # so is a way to leave


def plain() -> Iterator[dict[str, Any]]:
    yield {"query": "x", "surfaces": ["chatgpt"]}


async def streamed() -> AsyncIterator[CaptureRequest]:
    yield CaptureRequest(query="x", surfaces=["chatgpt"], regions=[Region(country="US")])


async def ways_to_use_it() -> None:
    async with Pacer() as p:
        assert_type(p, Pacer)

        assert_type(await p.run([{"query": "x", "surfaces": ["chatgpt"]}]), Report)
        assert_type(await p.run(plain()), Report)
        assert_type(await p.run(streamed()), Report)
        await p.run(["x"])  # type: ignore[list-item]  # a text is no request
        await p.run(5)  # type: ignore[arg-type]  # and a number no list of them

        assert_type(p.captures(streamed()), AsyncGenerator[CaptureResult, None])
        async for capture in p.captures(plain()):
            assert_type(capture, CaptureResult)

        job = await p.submit({"query": "x", "surfaces": ["chatgpt"]})
        assert_type(job, Job)
        assert_type(await p.submit(CaptureRequest(query="x", surfaces=["chatgpt"])), Job)
        assert_type(job.id, str | None)
        assert_type(job.request, str)
        assert_type(job.children, tuple[str, ...])
        assert_type(job.done, bool)
        assert_type(await job.result(), tuple[CaptureResult, ...])

        assert_type(await p.capture({"query": "x", "surfaces": ["chatgpt"]}), CaptureResult)
        assert_type(await p.snapshot(), CapacitySnapshot)
        async for left in p.pending():
            assert_type(left, Job)
        assert_type(p.progress, Progress)
        assert_type(p.statistics, Statistics)
        await p.aclose(drain=False)


def what_comes_out(capture: CaptureResult, report: Report, snapshot: CapacitySnapshot) -> None:
    assert_type(capture.request, str)
    assert_type(capture.index, int)
    assert_type(capture.job, str | None)
    assert_type(capture.child, str | None)
    assert_type(capture.surface, str | None)
    assert_type(capture.region, str | None)
    assert_type(capture.status, str)
    assert_type(capture.envelope, Mapping[str, Any] | None)
    assert_type(capture.error, Mapping[str, Any] | None)
    assert_type(capture.completed, bool)
    assert_type(report.requests, int)
    assert_type(report.captures, Mapping[str, int])
    assert_type(report.completed, int)
    assert_type(report.seconds, float)
    assert_type(report.ok, bool)
    assert_type(snapshot.depth, int)
    assert_type(snapshot.capacity, int | None)


def what_goes_wrong(error: PacerError) -> None:
    match error:
        case InputError():
            assert_type(error.total, int)
        case BatchStopped():
            assert_type(error.code, str)
        case RequestRejected():
            assert_type(error.request, str)
            assert_type(error.details, tuple[Mapping[str, str], ...])
        case UsageError() | ServiceUnavailable():
            assert_type(str(error), str)
