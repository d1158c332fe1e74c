"""``submit``: many callers, one queue."""

from __future__ import annotations

import asyncio

import pytest

from pacer import BatchStopped, InputError, Job, Pacer, RequestRejected, UsageError
from pacer.sandbox import Fault, Latency
from tests.unit.client.world import World, queries, request, until

pytestmark = pytest.mark.looptime


async def test_submit_returns_when_the_service_has_it_and_its_job_brings_the_captures() -> None:
    """A submission returns long before its captures end; each has the fields of a result line."""
    world = World()
    loop = asyncio.get_running_loop()
    async with world.pacer() as p:
        job = await p.submit(request("a", surfaces=["chatgpt", "claude"], regions=["US", "DE"]))
        assert loop.time() < 1.0
        assert job.request == "a"
        assert job.id is not None
        assert job.id.startswith("job_")
        assert len(job.children) == 4
        assert not job.done
        captures = await job.result()
        assert job.done

    assert {(c.surface, c.region) for c in captures} == {
        (surface, region) for surface in ("chatgpt", "claude") for region in ("US", "DE")
    }
    for capture in captures:
        assert (capture.request, capture.index, capture.job) == ("a", 0, job.id)
        assert capture.child in job.children
        assert capture.completed
        assert capture.error is None
        assert capture.envelope is not None
        assert capture.envelope["answer"]["markdown"]


async def test_five_thousand_submits_wait_in_order_without_a_task_each() -> None:
    """Whoever asks first is admitted first, nobody meets a 429, and waiting costs pacer no task."""
    world = World(capacity=200, workers=400, latency=Latency(mean=1.0, shape="constant"))
    many = 5_000
    async with world.pacer() as p:
        before = len(asyncio.all_tasks())
        callers = [asyncio.create_task(p.submit(request(f"r{n}"))) for n in range(many)]
        await until(1.0)
        waiting = sum(not caller.done() for caller in callers)
        assert waiting > many / 2
        ours = len(asyncio.all_tasks()) - waiting - before
        assert ours < 300  # calls in flight
        jobs = await asyncio.gather(*callers)

    assert world.refused == 0
    assert len(world.submissions) == world.admitted == many
    admitted = queries(world.journal, world.submissions)
    # Those in flight together may overtake one another on the way.
    assert all(abs(place - int(query[7:])) <= 64 for place, query in enumerate(admitted))
    assert [job.request for job in jobs] == [f"r{n}" for n in range(many)]
    assert all(job.done for job in jobs)


async def test_a_request_without_an_id_gets_one_that_nobody_else_has() -> None:
    """Ids that pacer makes collide neither with each other nor with numbers that callers use."""
    world = World()
    async with world.pacer() as p:
        jobs = await asyncio.gather(*(p.submit(request(**({"id": "0"} if n == 3 else {}))) for n in range(6)))
    assert len({job.request for job in jobs}) == 6
    assert len({job.id for job in jobs}) == 6


async def test_a_rejected_request_raises_and_the_others_go_on() -> None:
    """Only who waits for the refused request hears of it, with the service's own words."""
    world = World()
    async with world.pacer() as p:
        good, bad = await asyncio.gather(
            p.submit(request("good")),
            p.submit(request("bad", surfaces=["crystal_ball"])),
            return_exceptions=True,
        )
        assert isinstance(good, Job)
        assert isinstance(bad, RequestRejected)
        assert bad.request == "bad"
        assert bad.code
        assert bad.message
        with pytest.raises(RequestRejected):  # the journal knows
            await p.submit(request("bad", surfaces=["crystal_ball"]))
    assert len(world.submissions) == 2


async def test_what_is_no_request_is_refused_before_anything_is_sent() -> None:
    """The complaint names the field."""
    world = World()
    async with world.pacer() as p:
        with pytest.raises(InputError, match="surfaces: missing"):
            await p.submit({"query": "x"})
        with pytest.raises(InputError, match="must be a CaptureRequest or a dict"):
            await p.submit("x")  # type: ignore[arg-type]  # what a program without types may do
    assert not world.submissions


async def test_the_same_request_twice_is_one_job() -> None:
    """At the same time or later, an id with the same body is sent once, and all get its captures."""
    world = World()
    async with world.pacer() as p:
        first, second = await asyncio.gather(p.submit(request("a")), p.submit(request("a")))
        third = await p.submit(request("a"))
        results = [await job.result() for job in (first, second, third)]
        fourth = await p.submit(request("a"))
        results.append(await fourth.result())
    assert len(world.submissions) == 1
    assert {job.id for job in (first, second, third, fourth)} == {first.id}
    assert len({captures[0].child for captures in results}) == 1
    assert all(len(captures) == 1 for captures in results)


@pytest.mark.parametrize("settled", [False, True])
async def test_an_id_that_stands_for_another_body_is_refused(settled: bool) -> None:
    """The error names the id, whether the first one is still under way or has ended."""
    world = World()
    async with world.pacer() as p:
        job = await p.submit(request("a"))
        if settled:
            await job.result()
        with pytest.raises(UsageError, match="'a' stands in this journal with another body"):
            await p.submit(request("a", query="something else"))
        with pytest.raises(UsageError, match="'a' stands in this journal with another body"):
            await p.submit(request("a", idempotencyKey="mine"))
    assert len(world.submissions) == 1


async def test_a_key_that_belongs_to_another_request_is_refused() -> None:
    """One idempotency key, one request: the service would answer 409 or replay the wrong one."""
    world = World()
    async with world.pacer() as p:
        await p.submit(request("a", idempotencyKey="k"))
        with pytest.raises(UsageError, match="'k' belongs to the request 'a'"):
            await p.submit(request("b", idempotencyKey="k"))
    assert world.submissions == ["k"]


# Cancellation ------------------------------------------------------------------------------


async def cancelled(task: asyncio.Task[Job]) -> None:
    """Cancel *task* and see that it was."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_at_once_it_is_never_sent() -> None:
    """A caller that goes before anything has happened costs nothing."""
    world = World()
    async with world.pacer() as p:
        task = asyncio.create_task(p.submit(request("a")))
        await asyncio.sleep(0)
        await cancelled(task)
        await until(5.0)
    assert not world.submissions
    assert world.journal.counts().done == 0


async def test_cancelled_while_it_waits_for_headroom_it_is_never_sent() -> None:
    """It stays in the journal as pending; the others keep their order; asked again it is sent."""
    world = World()
    async with world.pacer() as p:
        tasks = [asyncio.create_task(p.submit(request(f"r{n}"))) for n in range(60)]
        await until(1.0)
        assert not tasks[50].done()
        await cancelled(tasks[50])
        jobs = await asyncio.gather(*tasks[:50], *tasks[51:])
        assert len({job.id for job in jobs}) == 59
        await until(60.0)
        assert len(world.submissions) == 59
        assert world.journal.counts().pending == 1

        again = await p.submit(request("r50"))
        assert len(await again.result()) == 1
    assert "query r50" in queries(world.journal, world.submissions)
    assert world.journal.counts().done == 60


async def test_cancelled_in_flight_it_is_collected_all_the_same() -> None:
    """Once it has left, its captures stand in the journal though nobody waits."""
    world = World()
    async with world.pacer() as p:
        await p.snapshot()
        task = asyncio.create_task(p.submit(request("a")))
        await asyncio.sleep(0.02)  # half-way to the service
        assert [standing.state for standing in world.journal.find(["a"], [])] == ["sent"]
        await cancelled(task)
    assert world.admitted == 1
    assert len(world.results) == 1
    assert world.journal.counts().done == 1


async def test_cancelled_in_flight_and_refused_it_is_not_sent_again() -> None:
    """A 429 has admitted nothing: with its caller gone, the request is taken back."""
    world = World(Fault("error", on="submit", status=429, retry_after=3, calls=(1,)))
    async with world.pacer() as p:
        await p.snapshot()
        task = asyncio.create_task(p.submit(request("a")))
        await asyncio.sleep(0.06)  # on its way
        await cancelled(task)
        await until(30.0)
    assert len(world.submissions) == 1
    assert world.journal.counts().pending == 1


async def test_cancelling_one_who_waits_changes_nothing_for_another() -> None:
    """Two callers, one request: it is sent as long as one of them is left."""
    world = World(capacity=1, workers=1)
    async with world.pacer() as p:
        await p.submit(request("first"))
        await p.submit(request("second"))
        one = asyncio.create_task(p.submit(request("a")))
        two = asyncio.create_task(p.submit(request("a")))
        await asyncio.sleep(1.0)
        await cancelled(one)
        job = await two
        waiters = [asyncio.create_task(job.result()) for _ in range(3)]
        await asyncio.sleep(0.1)
        waiters[0].cancel()
        results = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] == results[2]
    assert len(world.submissions) == 3


@pytest.mark.parametrize("seed", range(6))
async def test_whenever_callers_go_no_job_is_lost_or_doubled(seed: int) -> None:
    """
    Forty callers, each of which may give up at any moment: who stays gets its job,
    and what the service admitted is what the journal has, each capture once.
    """
    world = World(Fault("cut", on="submit", committed=True, share=0.15), seed=seed, unit="parents")
    async with world.pacer() as p:
        tasks = [asyncio.create_task(p.submit(request(f"r{n}"))) for n in range(40)]
        for n, task in enumerate(tasks):
            if n % 3 == seed % 3:
                asyncio.get_running_loop().call_later(((n * 37 + seed * 11) % 100) / 8, task.cancel)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    jobs = [job for job in outcomes if isinstance(job, Job)]
    assert all(isinstance(each, Job | asyncio.CancelledError) for each in outcomes)
    assert all(isinstance(outcomes[n], Job) for n in range(40) if n % 3 != seed % 3)
    counts = world.journal.counts()
    assert counts.done == world.admitted >= len(jobs)
    assert counts.sent == counts.accepted == 0
    assert len(world.results) == world.admitted
    assert set(world.results.values()) == {1}


# The batch stops ----------------------------------------------------------------------------


async def refused_by(p: Pacer, name: str) -> BatchStopped:
    """Return the error that submitting raises."""
    with pytest.raises(BatchStopped) as caught:
        await p.submit(request(name))
    return caught.value


async def test_a_refused_key_reaches_everybody_who_waits_and_all_who_come_later() -> None:
    """One refused request ends the shared wait for all, with one code; leaving raises it no second time."""
    world = World(Fault("error", status=401))
    async with world.pacer() as p:
        errors = await asyncio.gather(*(refused_by(p, f"r{n}") for n in range(20)))
        assert {error.code for error in errors} == {"AUTH_INVALID"}
        assert len(set(map(id, errors))) == 20
        assert (await refused_by(p, "late")).code == "AUTH_INVALID"
    assert len(world.service.log) == 1


async def test_a_stop_reaches_who_waits_for_captures() -> None:
    """A job whose captures are still out ends with the reason as well."""
    world = World(Fault("error", on="job", status=401))
    async with world.pacer() as p:
        job = await p.submit(request("a"))
        with pytest.raises(BatchStopped) as caught:
            await job.result()
        assert caught.value.code == "AUTH_INVALID"
    assert world.journal.counts().accepted == 1


async def test_an_idle_service_is_no_stall() -> None:
    """After hours without a request the next one is sent like the first."""
    world = World()
    async with world.pacer() as p:
        await until(7_200.0)
        await (await p.submit(request("a"))).result()
        calls = len(world.service.log)
        await until(20_000.0)
        assert len(world.service.log) <= calls + 1  # nothing is asked while nothing is wanted
        await (await p.submit(request("b"))).result()
    assert world.journal.counts().done == 2
