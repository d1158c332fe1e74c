"""The bell of the runner: whoever listens hears of it, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import math

import pytest

from pacer.runner.bell import Bell

pytestmark = pytest.mark.looptime


def now() -> float:
    """Virtual seconds."""
    return asyncio.get_running_loop().time()


async def test_it_stays_rung_until_it_is_silenced() -> None:
    """News that comes while nobody listens is not missed; news that was heard is not heard again."""
    bell = Bell()
    bell.ring()
    await bell.heard()
    await bell.heard()
    assert now() == 0.0
    bell.silence()
    await bell.heard(within=5.0)
    assert now() == pytest.approx(5.0)


async def test_all_who_listen_hear_it() -> None:
    """One ring wakes everybody, whatever each would have waited at most."""
    bell = Bell()
    listeners = [asyncio.create_task(bell.heard(within=within)) for within in (3.0, 9.0, math.inf)]
    await asyncio.sleep(1.0)
    bell.ring()
    await asyncio.gather(*listeners)
    assert now() == pytest.approx(1.0)


async def test_time_passes_however_short_the_wait() -> None:
    """A deadline that is the very next number comes: a loop that waits for it does not spin."""
    bell = Bell()
    await asyncio.sleep(0.704)
    deadline = math.nextafter(now(), math.inf)
    waits = 0
    while now() < deadline:
        await bell.heard(within=deadline - now())
        bell.silence()
        waits += 1
        assert waits < 10


async def test_others_wait_for_the_next_ring() -> None:
    """Who does not silence it is not woken by old news, however long they stand, and misses no new ones."""
    bell = Bell()
    bell.ring()
    await bell.rings_next(within=3.0)
    assert now() == pytest.approx(3.0)
    listening = asyncio.create_task(bell.rings_next(within=math.inf))
    await asyncio.sleep(1.0)
    assert not listening.done()
    bell.ring()
    await listening
    assert now() == pytest.approx(4.0)


async def test_a_listener_that_has_gone_is_not_rung_for() -> None:
    """One that was cancelled does not keep the others from hearing it."""
    bell = Bell()
    gone = asyncio.create_task(bell.rings_next(within=math.inf))
    there = asyncio.create_task(bell.rings_next(within=math.inf))
    await asyncio.sleep(0.1)
    gone.cancel()
    bell.ring()
    await there
    assert now() == pytest.approx(0.1)
    with pytest.raises(asyncio.CancelledError):
        await gone
