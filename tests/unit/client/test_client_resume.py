"""What a dead process left: resumed, each request once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from pacer import JournalLocked, RequestRejected, SqliteJournal, UsageError
from pacer.sandbox import Fault
from tests.unit.client.world import World, request, requests, until

pytestmark = pytest.mark.looptime


async def died(world: World, *, count: int, at: float) -> None:
    """Run *count* requests until *at*, and leave the journal as ``kill -9`` would."""
    async with world.pacer(on_exit="abandon") as p:
        running = asyncio.create_task(p.run(requests(count)))
        await until(at)
        world.journal_after_a_crash()
        running.cancel()


async def test_the_same_run_goes_on_where_the_dead_one_was() -> None:
    """Every capture once; what was admitted is not sent again; the report covers both."""
    world = World()
    await died(world, count=60, at=15.0)
    before = world.journal.counts()
    assert 0 < before.done < 60
    assert before.accepted > 0
    admitted = world.admitted
    async with world.pacer() as p:
        report = await p.run(requests(60))
    assert report.completed == report.requests == 60
    assert set(world.results.values()) == {1}
    assert len(world.results) == 60
    assert world.admitted == 60
    assert len(set(world.submissions[:admitted]) & set(world.submissions[admitted:])) <= before.sent


async def test_captures_include_those_that_ended_before() -> None:
    """An application that died in mid-loop gets every capture from the next one."""
    world = World()
    await died(world, count=60, at=15.0)
    done = world.journal.counts().done
    loop = asyncio.get_running_loop()
    began = loop.time()
    early = 0
    seen: Counter[str] = Counter()
    async with world.pacer() as p:
        async for capture in p.captures(requests(60)):
            seen[capture.request] += 1
            early += loop.time() - began < 0.01
            assert capture.envelope is not None
    assert early >= done
    assert len(seen) == 60
    assert set(seen.values()) == {1}


async def test_a_finished_run_is_answered_from_the_journal() -> None:
    """Nothing is sent, and the report is the same."""
    world = World(failed=0.2)
    async with world.pacer() as p:
        first = await p.run(requests(30))
    calls = len(world.service.log)
    async with world.pacer() as p:
        second = await p.run(requests(30))
        captures = [capture async for capture in p.captures(requests(30))]
    assert (second.requests, second.captures) == (first.requests, first.captures)
    assert len(captures) == 30
    assert len(world.service.log) == calls


async def test_pending_hands_out_what_was_admitted_or_is_in_doubt() -> None:
    """Each of them once, with all its captures; what was never sent is neither there nor sent."""
    world = World(Fault("delay", on="submit", seconds=30, calls=(4,)))
    await died(world, count=60, at=7.0)
    before = world.journal.counts()
    assert before.accepted > 0
    assert before.sent > 0
    assert before.pending > 0
    async with world.pacer() as p:
        jobs = [job async for job in p.pending()]
        assert len(jobs) == len({job.request for job in jobs}) == before.accepted + before.sent
        assert p.progress.in_doubt == before.sent
        captures = [await job.result() for job in jobs]
        assert p.progress.in_doubt == 0
        assert all(job.id and job.id == captured[0].job for job, captured in zip(jobs, captures, strict=True))
        assert [job async for job in p.pending()] == []
    after = world.journal.counts()
    assert after.done == before.done + before.accepted + before.sent
    assert after.pending == before.pending
    assert set(world.results.values()) == {1}


async def test_pending_knows_the_captures_that_ended_before() -> None:
    """A job half collected by a dead process is whole in the next one's hands."""
    world = World(workers=1, capacity=20)
    async with world.pacer(on_exit="abandon") as p:
        await p.submit(request("wide", surfaces=["claude", "chatgpt", "gemini"]))
        await until(12.5)
        world.journal_after_a_crash()
    assert 0 < world.journal.counts().ended["completed"] < 3
    async with world.pacer() as p:
        (job,) = [job async for job in p.pending()]
        assert job.request == "wide"
        captures = await job.result()
    assert {capture.surface for capture in captures} == {"claude", "chatgpt", "gemini"}
    assert len(captures) == 3


async def test_submitting_again_joins_what_a_dead_process_left() -> None:
    """An id that is in doubt, admitted, ended or was never sent is sent at most once more, under its key."""
    world = World()
    await died(world, count=60, at=15.0)
    states = world.journal.counts()
    async with world.pacer() as p:
        jobs = [await p.submit(each) for each in requests(60)]
        results = [await job.result() for job in jobs]
    assert states.pending > 0
    assert all(len(captures) == 1 for captures in results)
    assert world.admitted == 60
    assert set(world.results.values()) == {1}


async def test_more_than_a_day_in_doubt_is_not_sent_again_unasked() -> None:
    """The service may have forgotten the key; who waits is told, and what to do."""
    world = World(Fault("cut", on="submit", committed=True, calls=(1,)))
    async with world.pacer(on_exit="abandon") as p:
        task = asyncio.create_task(p.submit(request("a")))
        await asyncio.sleep(0.3)
        world.journal_after_a_crash()
        task.cancel()
    assert world.journal.counts().sent == 1
    sent = len(world.submissions)
    await until(90_000.0)
    async with world.pacer() as p:
        with pytest.raises(RequestRejected, match="resend_in_doubt=True") as caught:
            await p.submit(request("a"))
        assert caught.value.code == "IN_DOUBT"
        (job,) = [job async for job in p.pending()]
        with pytest.raises(RequestRejected):
            await job.result()
    assert len(world.submissions) == sent
    async with world.pacer(resend_in_doubt=True) as p:
        job = await p.submit(request("a"))
        assert len(await job.result()) == 1
    assert world.admitted == 1


async def test_a_journal_never_changes_its_service() -> None:
    """Results of a sandbox and of the real service do not mix; nothing is sent."""
    world = World()
    async with world.pacer(base_url="https://one.example") as p:
        await p.submit(request("a"))
    calls = len(world.service.log)
    with pytest.raises(UsageError, match=r"begun for https://one\.example, not for https://two\.example"):
        async with world.pacer(base_url="https://two.example"):
            pass
    assert len(world.service.log) == calls


async def test_a_file_outlives_the_process(tmp_path: Path) -> None:
    """A path is an SQLite journal: locked while it is used, closed at the end, and answered from later."""
    world = World()
    path = tmp_path / "nightly.db"
    async with world.pacer(journal=path) as p:
        assert (await p.run(requests(30))).completed == 30
        with pytest.raises(JournalLocked):
            async with world.pacer(journal=str(path)):
                pass
    assert path.stat().st_mode & 0o777 == 0o600
    calls = len(world.service.log)
    async with world.pacer(journal=str(path)) as p:
        assert (await p.run(requests(30))).completed == 30
        assert len([c async for c in p.captures(requests(30))]) == 30
    assert len(world.service.log) == calls
    journal = SqliteJournal.open(path)
    assert journal.counts().done == 30
    journal.close()
