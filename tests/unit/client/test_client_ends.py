"""How a Pacer begins and ends, and what it tells meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest
import structlog

from pacer import (
    BatchStopped,
    CapacitySnapshot,
    Happening,
    Job,
    JournalLost,
    MemoryJournal,
    Pacer,
    Policy,
    ServiceUnavailable,
    UnitChoice,
    UsageError,
)
from pacer.journal.entries import Entry
from pacer.sandbox import Fault
from tests.unit.client.world import World, request, requests, until

pytestmark = pytest.mark.looptime

KEY = "sk_live_not_to_be_seen_anywhere"


async def test_leaving_normally_waits_for_all_that_was_taken() -> None:
    """Submitted and never looked at again: collected before the context is left."""
    world = World()
    async with world.pacer() as p:
        for each in requests(30):
            await p.submit(each)
    assert world.journal.counts().done == 30
    assert len(world.results) == 30


async def test_abandoning_leaves_within_two_seconds_and_loses_nothing() -> None:
    """What is out stays in the journal, and the next Pacer brings it to its end."""
    world = World()
    loop = asyncio.get_running_loop()
    async with world.pacer(on_exit="abandon") as p:
        jobs = [await p.submit(each) for each in requests(20)]
        waiting = asyncio.create_task(jobs[0].result())
        left_at = loop.time()
    assert loop.time() - left_at <= 2.0
    with pytest.raises(BatchStopped) as caught:
        await waiting
    assert caught.value.code == "INTERRUPTED"
    assert world.journal.counts().accepted == 20
    async with world.pacer():
        pass
    assert world.journal.counts().done == 20
    assert world.admitted == 20


async def test_an_exception_in_the_body_abandons() -> None:
    """The body's own error comes out, soon, and the journal can be resumed."""
    world = World()
    loop = asyncio.get_running_loop()
    callers: list[asyncio.Task[Job]] = []

    async def body() -> None:
        async with world.pacer() as p:
            callers.extend(asyncio.create_task(p.submit(each)) for each in requests(60))
            await until(1.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    assert loop.time() <= 3.0
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    stopped = [outcome for outcome in outcomes if isinstance(outcome, BatchStopped)]
    assert len(stopped) == world.journal.counts().pending + world.journal.counts().sent > 0


async def test_cancelling_the_drain_abandons() -> None:
    """Whoever is in a hurry to leave may go; nothing is lost."""
    world = World()
    loop = asyncio.get_running_loop()

    async def body() -> None:
        async with world.pacer() as p:
            for each in requests(20):
                await p.submit(each)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(body(), 6.0)
    assert loop.time() <= 8.1
    counts = world.journal.counts()
    assert counts.done + counts.accepted == 20
    assert counts.accepted > 0


async def test_a_drain_that_cannot_end_says_why() -> None:
    """Nobody was waiting when the batch stopped, so leaving raises the reason."""
    world = World(Fault("error", on="job", status=401))
    with pytest.raises(BatchStopped) as caught:
        async with world.pacer() as p:
            await p.submit(request("a"))
    assert caught.value.code == "AUTH_INVALID"


async def test_closing_by_hand_is_leaving() -> None:
    """For hosts with start-up and shut-down hooks instead of a context; a second time does nothing."""
    world = World()
    p = await world.pacer().open()
    await p.submit(request("a"))
    await p.aclose(drain=False)
    await p.aclose()
    assert world.journal.counts().accepted == 1
    with pytest.raises(UsageError, match="inside its context"):
        await p.submit(request("b"))
    with pytest.raises(UsageError, match="entered once"):
        await p.open()


async def test_outside_its_context_it_says_so() -> None:
    """A Pacer that was never entered sends nothing."""
    world = World()
    with pytest.raises(UsageError, match="async with Pacer"):
        await world.pacer().submit(request("a"))
    with pytest.raises(UsageError):
        await world.pacer().run([])


# The journal fails ------------------------------------------------------------------------


class FullDisk(MemoryJournal):
    """A journal whose disk is full from some write on."""

    writes_left = 10**9

    def write(self, entries: Sequence[Entry]) -> None:
        """Fail when the disk is full."""
        self.writes_left -= 1
        if self.writes_left < 0:
            raise JournalLost("The disk is full.")
        super().write(entries)


@pytest.mark.parametrize("writes", [0, 1, 2, 5, 9])
async def test_a_full_disk_reaches_everybody_and_nothing_is_sent_unrecorded(writes: int) -> None:
    """All who wait get JournalLost, whenever it strikes; what the service has is in the journal as sent."""
    world = World()
    world.journal = disk = FullDisk()
    async with world.pacer() as p:
        callers = [asyncio.create_task(p.submit(each)) for each in requests(30)]
        looping = asyncio.create_task(p.run(requests(30, start=100)))
        disk.writes_left = writes
        outcomes = await asyncio.gather(*callers, looping, return_exceptions=True)
        with pytest.raises(JournalLost, match="full"):
            await p.submit(request("late"))
    assert isinstance(outcomes[-1], JournalLost)
    counts = disk.counts()
    assert world.admitted <= counts.sent + counts.accepted + counts.done


async def test_a_defect_reaches_who_waits_and_leaves_the_journal_whole() -> None:
    """A listener that raises ends the batch with its error as the cause, and hangs nobody."""
    world = World()

    def listener(told: Happening) -> None:
        if told.name == "capture.ended":
            raise ZeroDivisionError("theirs")

    async with world.pacer(listener=listener) as p:
        job = await p.submit(request("a"))
        with pytest.raises(RuntimeError) as caught:
            await job.result()
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    async with world.pacer() as p:
        (job,) = [job async for job in p.pending()]
        assert len(await job.result()) == 1


# What it tells ------------------------------------------------------------------------------


async def test_snapshot_is_the_services_word_now() -> None:
    """Each call asks; many at once ask together."""
    world = World()
    async with world.pacer() as p:
        first = await p.snapshot()
        assert isinstance(first, CapacitySnapshot)
        assert (first.depth, first.capacity) == (0, 20)
        await p.run(requests(3))
        before = len(world.service.log)
        many = await asyncio.gather(*(p.snapshot() for _ in range(50)))
        assert len(world.service.log) == before + 1
        assert len(set(map(id, many))) == 1


async def test_snapshot_waits_for_an_open_gate() -> None:
    """After a 429 nothing is asked before its deadline; then the answer comes."""
    world = World(Fault("error", status=429, retry_after=30, calls=(1,)))
    loop = asyncio.get_running_loop()
    async with world.pacer() as p:
        snapshot = await p.snapshot()
        assert snapshot.capacity == 20
        assert loop.time() >= 30.0
    assert len(world.service.log) == 2


@pytest.mark.parametrize(
    ("fault", "settings", "words"),
    [
        (Fault("page", on="status", status=502), {}, "502"),
        (None, {"status_endpoint": False}, "404|NOT_FOUND"),
    ],
)
async def test_a_snapshot_that_cannot_be_had_is_an_error_of_its_own(
    fault: Fault | None, settings: dict[str, bool], words: str
) -> None:
    """It says why; submitting works all the same."""
    world = World(*([fault] if fault else []), **settings)
    async with world.pacer() as p:
        with pytest.raises(ServiceUnavailable, match=words):
            await p.snapshot()
        assert len(await (await p.submit(request("a"))).result()) == 1


async def test_a_refused_key_reaches_snapshot() -> None:
    """Not as a missing snapshot, but as what ends the batch."""
    world = World(Fault("error", status=401))
    async with world.pacer() as p:
        for _ in range(2):
            with pytest.raises(BatchStopped) as caught:
                await p.snapshot()
            assert caught.value.code == "AUTH_INVALID"


async def test_progress_is_true_at_any_moment() -> None:
    """What waits, until when and why, and the totals."""
    world = World()
    async with world.pacer() as p:
        running = asyncio.create_task(p.run(requests(60)))
        await until(20.3)
        progress = p.progress
        assert progress.requests == 60
        assert 10 <= progress.captures_ended < progress.accepted < 60
        assert progress.waiting_for
        await running
        assert p.progress.captures_ended == 60


async def test_progress_counts_what_is_in_doubt_now() -> None:
    """A request counts once from its first lost reply until it is known what became of it."""
    world = World(Fault("cut", on="submit", committed=True, calls=(2, 3, 13)))
    in_doubt: list[int] = []
    async with world.pacer() as p:
        running = asyncio.create_task(p.run(requests(12)))
        while not running.done():
            in_doubt.append(p.progress.in_doubt)
            await asyncio.sleep(0.1)
        await running
        assert p.progress.in_doubt == 0
    assert max(in_doubt) == 2
    assert world.submissions.count(world.submissions[1]) >= 2


async def test_a_listener_hears_every_happening() -> None:
    """The same names as in the log."""
    world = World()
    told: list[Happening] = []
    async with world.pacer(listener=told.append) as p:
        await p.run(requests(3))
    names = [happening.name for happening in told]
    assert names[0] == "run.started"
    assert names[-1] == "run.ended"
    assert names.count("capture.ended") == 3


async def test_it_configures_no_logging_of_its_host() -> None:
    """Neither logging nor structlog is touched."""
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    loggers = set(logging.Logger.manager.loggerDict)
    world = World()
    async with world.pacer() as p:
        await p.run(requests(3))
    assert logging.getLogger().handlers == handlers
    assert logging.getLogger().level == level
    assert not {name for name in set(logging.Logger.manager.loggerDict) - loggers if "pacer" in name}
    assert not structlog.is_configured()


# Arguments ------------------------------------------------------------------------------


def test_no_key_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable counts as missing."""
    monkeypatch.setenv("AISEARCH_API_KEY", "")
    with pytest.raises(UsageError, match="AISEARCH_API_KEY"):
        Pacer()


def test_the_key_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the Pacer's, nor in that of anything it holds."""
    monkeypatch.setenv("AISEARCH_API_KEY", KEY)
    for p in (Pacer(), Pacer(KEY)):
        assert KEY not in repr(p) + str(p) + repr(vars(p))
        assert repr(p) == "<Pacer https://api.aisearchapi.dev>"


def test_plain_http_needs_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key does not cross a network in the clear by accident."""
    monkeypatch.setenv("AISEARCH_BASE_URL", "http://api.example")
    with pytest.raises(UsageError, match="plain http"):
        Pacer(KEY)
    assert "http://api.example" in repr(Pacer(KEY, allow_http=True))


def test_single_knobs_replace_those_of_the_policy() -> None:
    """What is not given stays as the policy has it."""
    world = World()
    p = world.pacer(policy=Policy(reserve=5, concurrency=9), unit="children", concurrency=3)
    policy = vars(p)["_policy"]
    assert (policy.reserve, policy.concurrency, policy.unit) == (5, 3, UnitChoice.CHILDREN)


async def test_a_journal_that_is_given_is_closed_in_any_case() -> None:
    """Also when entering fails, or the body does."""

    class Closing(MemoryJournal):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    world = World()
    journal = Closing()
    async with world.pacer(journal=journal, base_url="https://one.example"):
        pass
    assert journal.closed == 1
    with pytest.raises(UsageError):
        async with world.pacer(journal=journal, base_url="https://two.example"):
            pass
    assert journal.closed == 2


async def test_cancelled_while_it_abandons_it_leaves_at_once() -> None:
    """A second interruption cuts the two seconds of grace short, and the first is not swallowed."""
    world = World(Fault("delay", on="submit", seconds=20))
    loop = asyncio.get_running_loop()

    async def body() -> None:
        async with world.pacer() as p:
            await p.run(requests(10))

    task = asyncio.create_task(body())
    await until(3.0)
    task.cancel()
    await until(3.5)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert loop.time() < 3.6
    assert world.journal.counts().sent > 0


@pytest.mark.parametrize(
    ("limit", "code"), [("max_requests", "MAX_REQUESTS"), ("max_credits", "MAX_CREDITS")]
)
async def test_a_limit_ends_it_once_what_is_out_has_come_in(limit: str, code: str) -> None:
    """Whoever waits beyond it hears when what was sent has been collected; raised, it goes on."""
    world = World()
    each = 1 if limit == "max_requests" else 5
    with pytest.raises(BatchStopped) as caught:
        async with world.pacer(**{limit: 3 * each}) as p:
            await p.run(requests(5))
    assert caught.value.code == code
    assert (world.admitted, world.journal.counts().done) == (3, 3)
    async with world.pacer(**{limit: 5 * each}) as p:
        report = await p.run(requests(5))
    assert report.captures == {"completed": 5}
    assert world.admitted == 5


async def test_a_limit_holds_for_sync_captures_too() -> None:
    """They are paid for like any other; the one that is too many is not sent."""
    world = World()
    async with world.pacer(max_requests=2) as p:
        for name in ("a", "b"):
            await p.capture(request(name))
        with pytest.raises(BatchStopped) as caught:
            await p.capture(request("c"))
    assert caught.value.code == "MAX_REQUESTS"
    assert world.journal.counts().done == 2


async def test_a_reserve_is_a_number_or_a_share() -> None:
    """As on the command line; anything else is refused."""
    world = World()
    assert world.pacer(reserve=5)._policy.reserve == 5
    assert world.pacer(reserve="15%")._policy.reserve_share == 0.15
    with pytest.raises(UsageError, match="A reserve of"):
        world.pacer(reserve="all")
