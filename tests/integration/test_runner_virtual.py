"""
The runner against a real server over a real socket, in virtual time.

Time is the event loop's, so a minute of waiting is exact and takes no time.
"""

from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import SecretStr

from pacer.api import AiohttpSearchApi
from pacer.clock import FakeClock
from pacer.instrumentation import happening
from pacer.instrumentation.happening import Happening
from pacer.intake import new_token, random_keys, take_in_requests
from pacer.journal.records import Batch
from pacer.journal.sqlite import SqliteJournal
from pacer.runner import Outcome, Runner
from pacer.sandbox import SANDBOX_KEY, Fault, Latency, SandboxServer, Service, Settings

ResultT = TypeVar("ResultT")

SURFACES = ("chatgpt", "claude", "gemini", "perplexity")

pytestmark = pytest.mark.looptime


async def inline(function: Callable[[], ResultT]) -> ResultT:
    """Run journal calls on the loop: in a thread, virtual time would leap meanwhile."""
    return function()


async def run(
    folder: Path, settings: Settings, *faults: Fault, requests: int = 12, fan_outs: Sequence[int] = (2,)
) -> tuple[Outcome, Service, list[Happening]]:
    """Run a batch of *requests* that have so many captures each, in turn."""
    service = Service(settings, seed=1, faults=faults)
    clock = FakeClock(settings.epoch)
    heard: list[Happening] = []
    journal = SqliteJournal.open(folder / "batch.pacer.db", create=True)
    try:
        with journal.intake() as writer:
            token = new_token()
            bodies = (
                {"query": f"q{n}", "surfaces": SURFACES[:fan_out]}
                for n, fan_out in enumerate(islice(cycle(fan_outs), requests))
            )
            take_in_requests(bodies, writer, keys=random_keys(token))
            writer.commit(
                Batch(token=token, source="test", input_sha256="", base_url="loopback", created_at=0.0)
            )
        async with (
            SandboxServer(service, clock=clock.monotonic) as server,
            AiohttpSearchApi(server.base_url, SecretStr(SANDBOX_KEY)) as api,
        ):
            runner = Runner(api, journal, run_blocking=inline, clock=clock, listener=heard.append, seed=1)
            outcome = await runner.run()
            assert sum(outcome.statistics.account.values()) == pytest.approx(outcome.seconds), "of any run"
            return outcome, service, heard
    finally:
        journal.close()


async def test_a_batch_takes_as_long_as_the_service_needs(tmp_path: Path) -> None:
    """Twenty-four captures of 30 s on four workers take 180 s, and next to nothing on top."""
    settings = Settings(capacity=12, workers=4, latency=Latency(mean=30.0, shape="constant"))
    outcome, service, _ = await run(tmp_path, settings)
    assert outcome.kind == "finished"
    assert sum(service.captures.captured.values()) == 24
    assert 180.0 <= outcome.seconds < 190.0


async def test_a_small_queue_is_kept_busy_without_a_429(tmp_path: Path) -> None:
    """Three hundred requests of mixed fan-out through twenty places: 1.25 times the workers' time at most."""
    latency, workers = 30.0, 12
    settings = Settings(capacity=20, workers=workers, latency=Latency(mean=latency, shape="constant"))
    outcome, service, _ = await run(tmp_path, settings, requests=300, fan_outs=(1, 2, 1, 4))
    captures = sum(service.captures.captured.values())
    assert captures == 600
    assert outcome.statistics.throttled == {}
    assert outcome.seconds <= 1.25 * captures * latency / workers


async def test_nothing_leaves_before_a_retry_after_is_over(tmp_path: Path) -> None:
    """After a queue 429 with 60 s no submission arrives for 60 s, and a read comes first."""
    settings = Settings(capacity=12, workers=4, latency=Latency(mean=5.0, shape="constant"))
    refusal = Fault(
        "error", on="submit", status=429, code="QUEUE_CAPACITY_EXCEEDED", retry_after=60, calls=(3,)
    )
    outcome, service, heard = await run(tmp_path, settings, refusal)
    assert outcome.kind == "finished"
    (refused,) = [entry for entry in service.log if entry.status == 429]
    told = next(event for event in heard if event.name == happening.THROTTLED)
    assert told.facts["retry_after"] == 60.0
    later = [entry for entry in service.log if entry.at > refused.at + 1.0]
    submissions = [entry for entry in later if entry.what == "submit"]
    assert submissions[0].at >= refused.at + 60.0
    opened = [entry for entry in later if entry.at >= refused.at + 60.0]
    assert opened[0].what == "status"


async def test_a_lost_reply_is_sent_again_under_its_key(tmp_path: Path) -> None:
    """A reply cut off after admission is followed by a replay, not by a second admission."""
    settings = Settings(capacity=12, workers=4, latency=Latency(mean=2.0, shape="constant"))
    outcome, service, _ = await run(tmp_path, settings, Fault("cut", on="submit", committed=True, calls=(2,)))
    assert outcome.kind == "finished"
    assert outcome.statistics.replayed == 1
    admitted = [entry.key for entry in service.log if entry.admitted and not entry.replayed]
    assert len(admitted) == len(set(admitted)) == 12


async def test_a_wave_that_a_wait_interrupts_is_told_as_one(tmp_path: Path) -> None:
    """What goes out after the wait carries the same number and says that it continues the wave."""
    settings = Settings(
        capacity=200, workers=50, latency=Latency(mean=5.0, shape="constant"),
        rate_limit=6, rate_window=10.0, rate_headers="always",
    )  # fmt: skip
    outcome, _, heard = await run(tmp_path, settings)
    waves = [event.facts for event in heard if event.name == happening.WAVE_SENT]
    numbers = [wave["number"] for wave in waves]
    assert sum(wave["requests"] for wave in waves) == 12
    assert [wave["continued"] for wave in waves] == [n in numbers[:at] for at, n in enumerate(numbers)]
    assert any(wave["continued"] for wave in waves)
    assert sum(not wave["continued"] for wave in waves) == outcome.statistics.waves
