"""The request-rate window: learnt from at most two discoveries, then kept to."""

from __future__ import annotations

from math import inf, nextafter

import pytest

from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Bound, Finished, ReadSnapshot, Stop, SubmitWave, WaitUntil
from pacer.pacing.events import Item, Memory, Queued, Submission, Throttled, WindowTold
from pacer.pacing.gates import Lane
from pacer.pacing.window import Window

from .service import RateWindow, Service
from .steps import running
from .world import World


def windowed(
    headers: str,
    *,
    limit: int = 60,
    length: float = 10.0,
    requests: int = 400,
    sliding: bool = False,
    **more: float,
) -> World:
    """Return a world in which only the window binds, at a phase that no boundary of ours shares."""
    window = RateWindow(limit, length, phase=3.7, sliding=sliding)
    service = Service(unit="both", capacity=500, workers=400, latency=0.5, window=window)
    return World(service, [Item(n, 1) for n in range(requests)], headers=headers, **more)  # type: ignore[arg-type]


# Alone ------------------------------------------------------------------------------


def test_without_a_limit_there_is_room_for_everything() -> None:
    """Nothing is assumed of a window that was never told."""
    window = Window()
    for _ in range(100):
        window.sent(at=0.0)
    assert window.room(now=0.0) == inf


def test_headers_on_every_reply_say_what_is_left() -> None:
    """Room is the least Remaining told in this window, less what is in flight."""
    window = Window()
    for _ in range(3):
        window.sent(at=0.0)
    window.answered(at=0.1)
    window.told(at=0.1, limit=10, remaining=9, resets_in=30.0)
    window.answered(at=0.1)
    window.told(at=0.1, limit=10, remaining=7, resets_in=30.0)
    window.answered(at=0.2)
    window.told(at=0.2, limit=10, remaining=8, resets_in=29.9)

    assert window.room(now=0.2) == 7
    window.sent(at=0.2)
    assert window.room(now=0.2) == 6


def test_a_used_up_window_opens_at_the_told_reset_and_not_before() -> None:
    """With nothing left the room is 0 one tick before the reset, and more on it."""
    window = Window()
    window.sent(at=0.0)
    window.answered(at=0.5)
    window.told(at=0.5, limit=10, remaining=0, resets_in=29.5)

    assert window.opens_at(now=0.5) == 30.0
    assert window.room(now=nextafter(30.0, -inf)) == 0
    assert window.room(now=30.0) > 0


def test_a_429_with_headers_closes_until_its_reset() -> None:
    """The first 429 tells the limit and the reset; nothing has room before it."""
    window = Window()
    for n in range(5):
        window.sent(at=n / 10)
        window.answered(at=n / 10)
    window.sent(at=0.6)
    window.answered(at=0.7, passed=False)
    window.refused(at=0.7, limit=5, resets_in=9.3)

    assert window.limit == 5
    assert window.opens_at(now=0.7) == 10.0
    assert window.room(now=nextafter(10.0, -inf)) == 0
    assert window.room(now=10.0) >= 1


@pytest.mark.parametrize(
    ("seconds", "length"), [(0.5, 1.0), (4.0, 5.0), (9.0, 10.0), (25.0, 30.0), (55.0, 60.0), (250.0, 300.0)]
)
def test_the_guessed_length_is_the_least_plausible_that_holds_the_evidence(
    seconds: float, length: float
) -> None:
    """Ten requests let through over so many seconds before the reset lie in a window of that length."""
    window = Window()
    for n in range(10):
        window.sent(at=n * 0.01)
        window.answered(at=n * 0.01)
    window.sent(at=0.2)
    window.answered(at=0.3, passed=False)
    window.refused(at=0.3, limit=10, resets_in=seconds + 1.0 - 0.3)

    assert window.length == length


# Whole runs ---------------------------------------------------------------------------


@pytest.mark.parametrize("length", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("rtt", [0.08, 0.8])
@pytest.mark.parametrize(("headers", "bursts"), [("always", 0), ("on 429", 2)])
def test_a_window_costs_at_most_two_discoveries(headers: str, bursts: int, rtt: float, length: float) -> None:
    """Told on every reply no 429 is met at all; told on 429s only, at most the limit and the length."""
    world = windowed(headers, length=length, rtt=rtt)

    assert world.drive() == Finished()

    world.check_complete()
    assert world.controller.statistics().bursts <= bursts


@pytest.mark.parametrize("headers", ["always", "on 429"])
def test_a_known_window_is_used_up(headers: str) -> None:
    """Where only the window binds, the run takes little longer than its requests over its limit."""
    world = windowed(headers, requests=600)

    assert world.drive() == Finished()

    requests = len(world.sent) - world.throttled["rate"]
    assert world.now <= (requests / 60 + 2) * 10.0 + 5.0
    assert requests <= 2.2 * 600  # one submission, one read of its capture, a few of the snapshot


def test_a_window_that_is_never_told_costs_no_more_than_its_429s() -> None:
    """Without headers the gate is all there is: the run ends complete, and each burst is waited out."""
    world = windowed("never")

    assert world.drive() == Finished()

    world.check_complete()


@pytest.mark.parametrize("headers", ["always", "on 429"])
def test_a_sliding_window_is_found_out(headers: str) -> None:
    """A window that does not reset at once is met by a few bursts, then by none."""
    world = windowed(headers, sliding=True, requests=900)

    assert world.drive() == Finished()

    world.check_complete()
    assert world.controller.statistics().bursts <= 8


def test_the_length_is_proven_by_one_request_across_the_boundary() -> None:
    """At the first boundary that was computed and not told, one request goes, alone until its reply."""
    world = windowed("on 429")

    assert world.drive(horizon=9.09) is None

    window = world.controller.window
    assert (window.limit, window.length, window.proven) == (60, 5.0, False)
    assert len([at for at, _ in world.sent if at >= 9.0]) == 1
    assert world.drive(horizon=9.11) is None
    assert (window.length, window.proven) == (10.0, True)


# What is remembered -------------------------------------------------------------------


def test_what_was_learnt_of_the_window_is_told_to_the_next_invocation() -> None:
    """Limit, length and the next reset are handed out once they are known."""
    world = windowed("on 429")
    assert "window" not in world.controller.learnt()
    assert world.drive(horizon=30.0) is None

    learnt = world.controller.learnt()["window"]

    assert isinstance(learnt, dict)
    assert learnt["limit"] == 60
    assert learnt["length"] == 10.0
    assert world.now <= learnt["resets_at"] <= world.now + 12.0


def test_a_resume_keeps_to_a_remembered_window_before_its_first_request() -> None:
    """An earlier invocation may have used the window up: nothing is sent before its reset."""
    memory = Memory(gates={}, window={"limit": 5, "length": 10.0, "resets_at": 7.5})
    controller = PacingController(memory=memory, now=0.0)
    controller.receive(Queued(0.0, (Item(0, 1),), more=False))

    assert controller.decide(now=0.0) == WaitUntil(7.5, Bound.WINDOW)
    assert controller.decide(now=nextafter(7.5, -inf)) == WaitUntil(7.5, Bound.WINDOW)
    assert controller.decide(now=7.5) == ReadSnapshot()


def test_a_resume_meets_no_429_of_a_window_it_remembers() -> None:
    """With the window remembered, the second invocation discovers nothing."""
    first = windowed("on 429", requests=150)
    assert first.drive(horizon=25.0) is None
    window = first.controller.learnt()["window"]
    assert isinstance(window, dict)
    second = windowed("on 429", requests=150, now=25.0, memory=Memory(gates={}, window=window))  # type: ignore[arg-type]
    second.service.window = first.service.window

    assert second.drive() == Finished()
    assert second.controller.statistics().bursts <= 1  # at most the length, at its first boundary


# Windows that make no sense ------------------------------------------------------------


def test_others_never_shut_a_window_for_good() -> None:
    """However much others were said to take of a trailing window, after its length one may ask again."""
    window = Window()
    window.limit, window.length, window.trailing = 4, 10.0, True
    window.sent(at=0.0)
    window.answered(at=0.1)
    window.told(at=0.1, limit=60, remaining=2, resets_in=10.0)
    window.told(at=0.1, limit=4, remaining=None, resets_in=10.0)

    assert window.room(now=1.0) == 0
    assert window.opens_at(now=1.0) == 10.1
    assert window.room(now=10.1) == 1


def test_a_window_remembered_by_a_clock_set_back_opens_within_its_length() -> None:
    """A wall clock that was set back by hours between two invocations does not make a short window long."""
    window = Window()
    window.recall(limit=20, length=10.0, resets_at=7200.0, told=True, now=0.0)

    assert window.room(now=0.0) == 0
    assert window.opens_at(now=0.0) == 10.0
    assert window.room(now=10.0) > 0


@pytest.mark.parametrize(("resets_in", "stops"), [(899.0, False), (901.0, True), (86_400.0, True)])
def test_a_window_that_opens_in_a_day_stops_the_batch(resets_in: float, stops: bool) -> None:
    """What would meet a Retry-After beyond --max-retry-after is not waited for either: it stops."""
    controller = running()
    controller.receive(WindowTold(0.1, 0.0, limit=60, remaining=0, resets_in=resets_in))

    decision = controller.decide(now=0.1)

    if stops:
        assert isinstance(decision, Stop)
        assert decision.code == "RETRY_AFTER_TOO_LONG"
        assert f"{resets_in:,.0f} s" in decision.reason
    else:
        assert decision == WaitUntil(0.1 + resets_in, Bound.WINDOW)


def test_an_opening_that_is_only_computed_is_asked_for() -> None:
    """
    Hours away by a length that nobody has told, it neither stops the batch nor is slept on: one call goes
    alone. Let through, the batch goes on; told so by the service, it stops.
    """
    controller = running()
    window = controller.window
    for _ in range(2):
        window.sent(at=0.0)
        window.answered(at=0.0)
    window.refused(at=2000.0, limit=2, resets_in=10.0)
    assert (window.length, window.opening_told, window.opens_at(now=2000.0)) == (3600.0, True, 2010.0)
    for _ in range(2):
        window.sent(at=2020.0)
        window.answered(at=2020.0)
    assert (window.opening_told, window.opens_at(now=2020.0)) == (False, 2010.0 + 3600.0)

    asked = controller.decide(now=2020.0)

    assert asked == SubmitWave((0,))
    meanwhile = controller.decide(now=2020.0)
    assert isinstance(meanwhile, WaitUntil)
    assert meanwhile.bound is Bound.ROUND_TRIP
    controller.receive(
        Throttled(2020.1, 2020.0, Submission(0), Lane.RATE, 5000.0, 0.0, limit=2, resets_in=5000.0)
    )
    assert isinstance(controller.decide(now=2020.1), Stop)
