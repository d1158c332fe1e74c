"""``capture``: the sync lane, for callers that want one answer soon."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from pacer import BatchStopped, CaptureResult, RequestRejected, UsageError
from pacer.sandbox import Change, Fault
from tests.unit.client.world import World, request, requests, until

pytestmark = pytest.mark.looptime


async def test_a_capture_comes_back_as_soon_as_it_ends() -> None:
    """One call, past a full queue, without polling; it stands in the journal like any other."""
    world = World()
    loop = asyncio.get_running_loop()
    async with world.pacer() as p:
        for each in requests(20):
            await p.submit(each)
        began = loop.time()
        capture = await p.capture(request("now"))
        assert loop.time() - began == pytest.approx(5.08, abs=0.2)
    assert isinstance(capture, CaptureResult)
    assert capture.completed
    assert (capture.request, capture.surface, capture.region) == ("now", "chatgpt", "US")
    assert capture.envelope is not None
    assert [entry.sync for entry in world.service.log if entry.what == "submit"].count(True) == 1
    assert not any(capture.child == entry.job for entry in world.service.log if entry.what == "job")
    assert world.journal.counts().done == 21
    assert set(world.results.values()) == {1}


async def test_no_more_run_at_once_than_the_service_allows() -> None:
    """Thirty callers, five slots: no 429, and all are served."""
    world = World(sync_limit=5)
    async with world.pacer() as p:
        await p.snapshot()
        captures = await asyncio.gather(*(p.capture(request(f"c{n}")) for n in range(30)))
        assert asyncio.get_running_loop().time() == pytest.approx(6 * 5.1, abs=1.5)
    assert all(capture.completed for capture in captures)
    assert world.refused == 0


async def test_its_retry_after_holds_the_lane_and_nothing_else() -> None:
    """A CONCURRENCY_LIMIT_EXCEEDED closes the sync lane until its deadline; the queue goes on."""
    world = World(schedule=(Change(1.0, "sync_limit", 0), Change(20.0, "sync_limit", 5)), retry_after=7.0)
    async with world.pacer() as p:
        await p.snapshot()
        await until(2.0)
        capturing = asyncio.create_task(p.capture(request("c")))
        await until(3.0)
        await p.submit(request("a"))
        assert asyncio.get_running_loop().time() < 4.0
        assert (await capturing).completed
    refused = [entry for entry in world.service.log if entry.status == 429]
    assert len(refused) >= 1
    tries = [entry.at for entry in world.service.log if entry.sync]
    assert all(later - earlier >= 7.0 for earlier, later in pairwise(tries))


async def test_a_rate_gate_holds_it_too() -> None:
    """RATE_LIMIT_EXCEEDED closes every lane."""
    world = World(Fault("error", status=429, retry_after=30, calls=(1,)))
    async with world.pacer() as p:
        assert (await p.capture(request("c"))).completed
    assert all(entry.at >= 30.0 for entry in list(world.service.log)[1:])


async def test_a_lost_reply_costs_nothing_twice() -> None:
    """The capture is taken over by the queue under its key, and returned when it has ended."""
    world = World(Fault("cut", on="submit", committed=True, calls=(1,)))
    async with world.pacer() as p:
        capture = await p.capture(request("c"))
    assert capture.completed
    assert world.admitted == 1
    assert len(set(world.submissions)) == 1
    assert set(world.results.values()) == {1}


async def test_a_surface_too_slow_for_the_lane_ends_by_the_services_word() -> None:
    """After a 504 the service is asked again under the same key, and what it says is returned."""
    world = World(sync_timeout=2.0)
    async with world.pacer() as p:
        capture = await p.capture(request("c"))
    assert capture.status == "failed"
    assert world.admitted == 1


async def test_a_service_that_takes_it_for_the_queue_is_followed_there() -> None:
    """A replay of an async job answers 202: its capture is read like any other, and nothing is paid twice."""
    world = World()
    async with world.pacer(on_exit="abandon") as p:
        await p.submit(request("first", idempotencyKey="k"))
    world.journal = type(world.journal)()
    async with world.pacer() as p:
        capture = await p.capture(request("first", idempotencyKey="k"))
    assert capture.completed
    assert world.admitted == 1


async def test_more_than_one_capture_is_refused_before_it_is_sent() -> None:
    """The lane is for one surface and one region."""
    world = World()
    async with world.pacer() as p:
        with pytest.raises(UsageError, match="one surface and one region at a time, not 2"):
            await p.capture(request("c", regions=["US", "DE"]))
    assert not world.service.log


async def test_what_the_service_refuses_is_raised() -> None:
    """A rejected request by name; a refused key as the end of the batch."""
    world = World(Fault("error", status=401, after=2))
    async with world.pacer() as p:
        with pytest.raises(RequestRejected):
            await p.capture(request("bad", surfaces=["crystal_ball"]))
        await p.snapshot()
        with pytest.raises(BatchStopped) as caught:
            await p.capture(request("c"))
    assert caught.value.code == "AUTH_INVALID"


async def test_what_the_journal_has_is_returned_from_it() -> None:
    """The same id again, in the same process or a later one, is not captured twice."""
    world = World()
    async with world.pacer() as p:
        first, second = await asyncio.gather(p.capture(request("c")), p.capture(request("c")))
    async with world.pacer() as p:
        third = await p.capture(request("c"))
    assert first.child == second.child == third.child
    assert world.admitted == 1


async def test_cancelled_while_it_waits_for_a_slot_it_is_never_sent() -> None:
    """And it holds nobody up."""
    world = World(sync_limit=1)
    async with world.pacer() as p:
        await p.snapshot()
        first, second, third = (asyncio.create_task(p.capture(request(f"c{n}"))) for n in range(3))
        await asyncio.sleep(1.0)
        second.cancel()
        assert (await first).completed
        assert (await third).completed
        assert second.cancelled()
    assert len(world.submissions) == 2
    assert world.journal.counts().pending == 1


async def test_cancelled_in_flight_it_is_in_the_journal_all_the_same() -> None:
    """What was sent is paid for, so it is kept."""
    world = World()
    async with world.pacer() as p:
        task = asyncio.create_task(p.capture(request("c")))
        await asyncio.sleep(2.0)
        task.cancel()
    assert world.admitted == 1
    assert world.journal.counts().done == 1


async def test_leaving_in_mid_capture_leaves_it_in_doubt_and_the_next_one_finds_it() -> None:
    """An abandoned sync capture is asked for again under its key, and had from ``pending``."""
    world = World()
    async with world.pacer(on_exit="abandon") as p:
        task = asyncio.create_task(p.capture(request("c")))
        await asyncio.sleep(2.0)
    with pytest.raises(BatchStopped):
        await task
    assert world.journal.counts().sent == 1
    async with world.pacer() as p:
        (job,) = [job async for job in p.pending()]
        (capture,) = await job.result()
    assert capture.completed
    assert world.admitted == 1
