"""``run`` and ``captures``: many requests in one call, in flat memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from pacer import CaptureRequest, InputError, Region, RequestRejected, UsageError
from pacer.client.feeding import LEAST_AHEAD
from pacer.client.requests import Requests
from pacer.runner import Bits
from pacer.sandbox import Latency
from tests.unit.client.world import World, queries, request, requests, until

pytestmark = pytest.mark.looptime


async def as_stream(items: list[dict[str, Any]]) -> AsyncIterator[Mapping[str, Any]]:
    """Yield *items* one by one, with other tasks between."""
    for item in items:
        await asyncio.sleep(0.01)
        yield item


async def test_run_brings_every_request_to_its_end_and_counts() -> None:
    """The report has captures by status, rejected requests, and how long it took."""
    world = World(failed=0.3)
    batch = [*requests(40), request("two", surfaces=["claude", "gemini"]), request("no", surfaces=["x"])]
    async with world.pacer() as p:
        report = await p.run(batch)
        assert report.requests == 42
        assert report.rejected == 1
        assert sum(report.captures.values()) == 42
        assert report.completed == report.captures["completed"] < 42
        assert report.captures["failed"] > 0
        assert not report.ok
        assert report.seconds == pytest.approx(asyncio.get_running_loop().time(), abs=0.1)
    assert world.refused == 0
    assert world.journal.counts().done == 41


async def test_captures_come_as_they_end_each_once() -> None:
    """The first is there long before the last; a rejected request is one of them."""
    world = World()
    batch = [*requests(60), request("no", surfaces=["x"])]
    moments: list[float] = []
    seen: Counter[tuple[str, str | None]] = Counter()
    loop = asyncio.get_running_loop()
    async with world.pacer() as p:
        async for capture in p.captures(batch):
            moments.append(loop.time())
            seen[capture.request, capture.child] += 1
            if capture.request == "no":
                assert (capture.status, capture.job, capture.child) == ("rejected", None, None)
                assert capture.error is not None
                assert capture.error["code"]
    assert len(seen) == 61
    assert set(seen.values()) == {1}
    assert min(moments) < 15.0 < 25.0 < max(moments)


@pytest.mark.parametrize("kind", ["list", "models", "generator", "async"])
async def test_any_iterable_will_do(kind: str) -> None:
    """Lists, generators and async generators, of dicts or models, with the same result."""
    world = World()
    plain = [request(None, query=f"q{n}", regions=["DE"]) for n in range(12)]
    given: dict[str, Requests] = {
        "list": plain,
        "models": [
            CaptureRequest(query=f"q{n}", surfaces=["chatgpt"], regions=[Region(country="DE")])
            for n in range(12)
        ],
        "generator": (each for each in plain),
        "async": as_stream(plain),
    }
    async with world.pacer() as p:
        report = await p.run(given[kind])
    assert report.ok
    assert report.requests == report.completed == 12
    assert [row.request for row in sorted(world.journal.rows(after=0, limit=20), key=lambda r: r.index)] == [
        str(n) for n in range(12)
    ]


async def test_nothing_of_a_list_with_a_bad_request_is_sent() -> None:
    """All that is wrong with it is said at once, by number and field."""
    world = World()
    batch = requests(600)
    batch[3] = {"query": "x"}
    batch[599] = request("r599", regions=["USA"])
    async with world.pacer() as p:
        with pytest.raises(InputError) as caught:
            await p.run(batch)
        with pytest.raises(InputError):
            [capture async for capture in p.captures(batch)]
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [
        (4, "surfaces"),
        (600, "regions.0.country"),
    ]
    assert world.journal.counts().requests == 0
    assert not world.service.log


async def test_a_bad_request_in_a_stream_ends_the_call_where_it_stands() -> None:
    """What was sent before is collected; what was not is taken back; the call raises."""
    world = World()
    async with world.pacer() as p:
        with pytest.raises(InputError, match="<requests>:41: surfaces: missing"):
            await p.run(as_stream([*requests(40), {"query": "x"}, *requests(10, start=40)]))
    counts = world.journal.counts()
    assert counts.requests == 40
    assert counts.pending > 0
    assert counts.done == world.admitted == 40 - counts.pending


async def test_an_error_of_the_callers_iterable_is_raised_to_the_caller_alone() -> None:
    """Another call under way does not notice."""
    world = World()

    def broken() -> Iterator[dict[str, Any]]:
        yield from requests(3)
        raise ZeroDivisionError("theirs")

    async with world.pacer() as p:
        other = asyncio.create_task(p.run(requests(30, start=100)))
        with pytest.raises(ZeroDivisionError, match="theirs"):
            await p.run(broken())
        assert (await other).completed == 30


async def test_a_repeated_id_counts_once() -> None:
    """In one call the same request twice is one request, whether the first has ended or not."""
    world = World()

    async def twice() -> AsyncIterator[dict[str, Any]]:
        yield request("a")
        yield request("a")
        yield request("b")
        await asyncio.sleep(60.0)
        yield request("a")

    async with world.pacer() as p:
        seen = [capture.request async for capture in p.captures(twice())]
        report = await p.run(twice())
    assert sorted(seen) == ["a", "b"]
    assert (report.requests, report.completed) == (2, 2)
    assert len(world.submissions) == 2


async def test_an_id_with_another_body_ends_the_call() -> None:
    """The error names the id; nothing is sent under it twice."""
    world = World()
    async with world.pacer() as p:
        await p.run(requests(3))
        with pytest.raises(UsageError, match="'r1'"):
            await p.run([request("r1", query="changed")])
    assert len(world.submissions) == 3


async def test_a_stream_is_read_no_further_ahead_than_the_queue_needs() -> None:
    """Of 6,000 requests never more than a bounded number is held, whoever is slow."""
    world = World(capacity=100, workers=400, latency=Latency(mean=1.0, shape="constant"))
    taken = ended = worst = 0

    def stream() -> Iterator[dict[str, Any]]:
        nonlocal taken, worst
        for n in range(6_000):
            taken += 1
            worst = max(worst, taken - ended)
            yield request(None, query=f"q{n}")

    async with world.pacer() as p:
        async for _ in p.captures(stream()):
            ended += 1
    assert ended == 6_000
    assert LEAST_AHEAD <= worst <= LEAST_AHEAD + 2
    assert world.refused == 0


async def test_a_slow_consumer_holds_the_stream_back() -> None:
    """Captures that nobody has taken yet count as held."""
    world = World(capacity=600, workers=600, latency=Latency(mean=0.1, shape="constant"))
    taken = 0

    def stream() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for n in range(10_000):
            taken += 1
            yield request(None, query=f"q{n}")

    async with world.pacer(on_exit="abandon") as p, aclosing(p.captures(stream())) as captures:
        await anext(captures)
        await until(300.0)
        assert taken <= 2 * LEAST_AHEAD + 600
        before = taken
        await until(400.0)
        assert taken == before


async def test_leaving_the_loop_takes_back_what_was_not_sent() -> None:
    """What was sent is collected; the rest stays in the journal, and the same call goes on from there."""
    world = World()
    batch = requests(120)
    seen: list[str] = []
    async with world.pacer() as p:
        async with aclosing(p.captures(batch)) as captures:
            async for capture in captures:
                seen.append(capture.request)
                if len(seen) == 5:
                    break
        sent = len(world.submissions)
        await until(120.0)
        assert sent <= len(world.submissions) <= sent + 16  # those on their way
        assert world.journal.counts().pending == 120 - len(world.submissions) > 0

        again = Counter([capture.request async for capture in p.captures(batch)])
    assert set(again) == {each["id"] for each in batch}
    assert set(again.values()) == {1}
    assert len(world.submissions) == 120
    assert set(world.results.values()) == {1}


async def test_cancelling_a_run_takes_back_what_was_not_sent() -> None:
    """A time-out on a run ends its spending; other calls go on."""
    world = World()
    async with world.pacer() as p:
        other = asyncio.create_task(p.run(requests(10, start=1_000)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(8.0):
                await p.run(requests(120))
        assert (await other).completed == 10
    sent = queries(world.journal, world.submissions)
    assert 20 < len(sent) < 100
    assert world.journal.counts().pending == 130 - len(sent)


async def test_calls_share_one_queue() -> None:
    """Several runs, a loop and single submits at once: no 429, everybody gets what is theirs."""
    world = World()
    async with world.pacer() as p:

        async def loop() -> int:
            return len([c async for c in p.captures(requests(20, start=200))])

        one, two, three, job = await asyncio.gather(
            p.run(requests(20)), p.run(requests(30, start=10)), loop(), p.submit(request("single"))
        )
        assert (one.completed, two.completed, three) == (20, 30, 20)
        assert len(await job.result()) == 1
    assert len(world.submissions) == world.admitted == 61
    assert world.refused == 0


async def test_without_collection_a_request_has_ended_once_it_is_admitted() -> None:
    """No job is read; the report counts requests and no captures."""
    world = World()
    async with world.pacer(collect=False) as p:
        report = await p.run(requests(30))
        assert (report.requests, dict(report.captures)) == (30, {})
        job = await p.submit(request("a"))
        assert await job.result() == ()
        again = await p.run(requests(30))
        assert again.requests == 30
    assert not any(entry.what == "job" for entry in world.service.log)
    assert len(world.submissions) == 31


async def test_an_empty_run_is_over_at_once() -> None:
    """Nothing in, nothing sent."""
    world = World()
    async with world.pacer() as p:
        assert (await p.run([])).ok
        assert [c async for c in p.captures(as_stream([]))] == []
    assert not world.service.log


def test_a_set_of_bits_knows_what_was_added() -> None:
    """Each number is new once, in any order."""
    bits = Bits()
    numbers = [7, 0, 8, 1_000_000, 7, 63, 64, 8]
    assert [bits.add(number) for number in numbers] == [True, True, True, True, False, True, True, False]


def test_a_rejection_without_particulars_is_still_an_error() -> None:
    """An error object that lacks everything makes a sentence all the same."""
    assert "'a' was rejected" in str(RequestRejected("a", {}))
