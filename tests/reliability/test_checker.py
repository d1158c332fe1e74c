"""
The checker itself: it finds each kind of wrong history, and nothing in a right one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from pacer.sandbox import Entry
from tests.reliability.checker import Asked, Exchange, History, Invocation, check, exchanges

Wrong: TypeAlias = Callable[[History], History]

RTT = 0.1


def call(sent_at: float, what: str, status: int = 200, **facts: Any) -> Exchange:
    """Return a call that left at *sent_at* and was answered a round trip later."""
    return Exchange(Entry(sent_at + RTT / 2, what, status, **facts), sent_at, sent_at + RTT)


def snapshot(sent_at: float, depth: int, capacity: int = 3) -> Exchange:
    """Return a status read."""
    return call(sent_at, "status", told_depth=depth, told_capacity=capacity)


def accepted(sent_at: float, number: int, **facts: Any) -> Exchange:
    """Return the admission of request *number*."""
    return call(sent_at, "submit", 202, key=f"key-{number}", job=f"job_{number}", admitted=True, **facts)


def refused(sent_at: float, number: int, gate: str = "queue", seconds: float = 5.0) -> Exchange:
    """Return a 429 to request *number*."""
    return call(sent_at, "submit", 429, key=f"key-{number}", gate=gate, retry_seconds=seconds)


def read(sent_at: float, child: str, state: str = "completed") -> Exchange:
    """Return the read of a capture."""
    return call(sent_at, "job", job=child, state=state)


def line(number: int, child: str | None, status: str = "completed", **other: Any) -> dict[str, Any]:
    """Return a line of the results."""
    return {
        "request": f"r{number}",
        "index": number,
        "job": None if child is None else f"job_{number}",
        "child": child,
        "status": status,
        "envelope": None if child is None else {"job": {"id": child}},
        "error": None,
    } | other


RIGHT = History(
    asked=[Asked("r0", 0, "key-0", 2), Asked("r1", 1, "key-1", 2)],
    exchanges=[
        snapshot(0.0, 0),
        accepted(0.1, 0),
        snapshot(0.3, 1),
        refused(0.4, 1),  # until 5.5
        snapshot(5.5, 0),
        accepted(5.6, 1),
        *(read(6.0, f"job_{number}.{child}") for number in (0, 1) for child in "ab"),
    ],
    lines=[line(number, f"job_{number}.{child}") for number in (0, 1) for child in "ab"],
    invocations=[Invocation(0.0, 7.0)],
    secret="sk_secret",
    haystacks={"the journal": b"nothing of note"},
)


def test_a_right_history_has_no_violations() -> None:
    """Nothing is found where nothing is wrong, and where nothing had ended yet."""
    assert check(RIGHT) == []
    assert check(replace(RIGHT, lines=[], finished=False)) == []


def more(*found: Exchange) -> Wrong:
    """Return what adds calls to a history."""
    return lambda history: replace(history, exchanges=[*history.exchanges, *found])


def lines(*found: dict[str, Any], without: int = 0) -> Wrong:
    """Return what adds lines to the results, and leaves the first ones out."""
    return lambda history: replace(history, lines=[*history.lines[without:], *found])


def later(began: float, *found: Exchange, crashed: bool = False, clock_offset: float = 0.0) -> Wrong:
    """Return what adds a second invocation and its calls; the first ended at *began*."""
    invocations = [Invocation(0.0, began, crashed), Invocation(began, 99.0, clock_offset=clock_offset)]
    return lambda history: replace(
        history, exchanges=[*history.exchanges, *found], invocations=invocations, finished=False
    )


def rejected(code: str = "VALIDATION_FAILED", status: str = "rejected") -> dict[str, Any]:
    """Return the line of a request that ended by name."""
    return line(0, None, status, error={"code": code} if code else {})


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        pytest.param(more(accepted(6.5, 0)), "r0 was admitted 2 times", id="paid twice"),
        pytest.param(more(accepted(6.5, 7)), "which nobody asked for", id="a foreign request"),
        pytest.param(
            lambda history: replace(history, asked=[*history.asked, Asked("r2", 2, "key-2", 1)]),
            "r2 was never admitted",
            id="a request lost",
        ),
        pytest.param(lines(without=1), "r0 has 1 of its 2 captures", id="a capture lost"),
        pytest.param(lines(line(1, "job_1.b")), "more than once", id="a capture twice"),
        pytest.param(lines(line(1, "job_1.c")), "more than its 2", id="a capture too many"),
        pytest.param(lines(line(7, "job_7.a")), "a stranger in the results", id="a foreign line"),
        pytest.param(
            lines(line(0, "job_0.a", job="job_9"), without=1), "names the job job_9", id="a job mixed up"
        ),
        pytest.param(lines(line(0, "job_0.a", "failed"), without=1), "never showed", id="an end made up"),
        pytest.param(lines(line(0, "job_0.a", "queued"), without=1), "which is no end", id="no end"),
        pytest.param(
            lines(line(0, "job_0.a", envelope=None), without=1), "without an Envelope", id="nothing in it"
        ),
        pytest.param(
            lines(line(0, "job_0.a", envelope={"job": {"id": "job_0.b"}}), without=1),
            "the Envelope of job_0.b",
            id="envelopes mixed up",
        ),
        pytest.param(
            lines(line(0, "job_0.a", "unknown"), without=1), "ended without a name", id="a nameless capture"
        ),
        pytest.param(lines(rejected(), without=2), "the service admitted it", id="rejected, yet paid"),
        pytest.param(lines(rejected("", "unknown"), without=2), "ended without a name", id="a nameless end"),
        pytest.param(lines(rejected("X", "failed"), without=2), "without a capture", id="a failed request"),
        pytest.param(lines(rejected("X", "unknown")), "1 lines of its own and 2", id="ended both ways"),
        pytest.param(more(refused(4.9, 1)), "inside the queue gate", id="queue gate"),
        pytest.param(
            more(refused(6.1, 1, "rate"), read(6.3, "job_0.a")),
            "inside the rate gate",
            id="rate gate, a read",
        ),
        pytest.param(
            more(refused(6.1, 1, ""), snapshot(6.3, 0)),
            "inside the rate gate",
            id="a 429 with an unknown code",
        ),
        pytest.param(
            more(call(6.1, "job", 503, retry_seconds=3.0), snapshot(6.3, 0)),
            "inside the rate gate",
            id="a 503 with Retry-After",
        ),
        pytest.param(
            later(6.5, refused(6.1, 1), snapshot(6.5, 0), accepted(6.7, 1)),
            "inside the queue gate",
            id="a gate forgotten by the next invocation",
        ),
        pytest.param(
            later(6.5, refused(6.1, 1), snapshot(10.0, 0), accepted(10.1, 1), clock_offset=1.0),
            "opens at 10.2",
            id="a gate forgotten in spite of the clock",
        ),
        pytest.param(more(accepted(0.15, 1)), "1 units beyond", id="a wave beyond the headroom"),
        pytest.param(
            later(6.5, accepted(6.6, 1)), "before any snapshot", id="no snapshot in this invocation"
        ),
        pytest.param(
            lambda history: replace(history, exchanges=[e for e in history.exchanges if e.sent_at != 5.5]),
            "without a read since the queue gate opened",
            id="no read after the gate",
        ),
        pytest.param(
            lambda history: replace(history, haystacks={"the log": b"Bearer sk_secret"}),
            "the key stands in the log",
            id="the key",
        ),
    ],
)
def test_it_finds_every_kind_of_wrong_history(wrong: Wrong, complaint: str) -> None:
    """Each promise, once broken, is complained of in its own words."""
    found = check(wrong(RIGHT))

    assert any(complaint in violation for violation in found), found


def throttled(sent_at: float) -> Exchange:
    """Return a read that is refused for five seconds."""
    return call(sent_at, "job", 429, gate="rate", retry_seconds=5.0)


def failures(first: float, status: int = 500, times: int = 5) -> list[Exchange]:
    """Return status reads that brought nothing."""
    return [call(first + n * 0.1, "status", status) for n in range(times)]


@pytest.mark.parametrize(
    "excused",
    [
        pytest.param(more(throttled(6.1), read(6.15, "job_0.a")), id="in flight when the 429 was read"),
        pytest.param(
            later(6.2, throttled(6.1), snapshot(6.2, 0), crashed=True),
            id="a 429 read in the moment of death",
        ),
        pytest.param(
            later(6.5, throttled(6.1), snapshot(9.3, 0), clock_offset=2.0),
            id="the clock was set forward between two invocations",
        ),
        pytest.param(more(call(6.1, "job", 429, gate="concurrency", retry_seconds=9.0)), id="the sync lane"),
        pytest.param(
            more(*failures(6.2), refused(6.75, 1), refused(6.76, 1)), id="reactive: reads keep failing"
        ),
        pytest.param(
            more(*failures(6.2, 404, 1), refused(6.4, 1), refused(6.41, 1)), id="reactive: no endpoint"
        ),
        pytest.param(
            more(snapshot(6.1, 3), call(6.3, "submit", 202, key="key-1", replayed=True)), id="a replay"
        ),
    ],
)
def test_what_no_client_can_help_is_no_violation(excused: Wrong) -> None:
    """In flight at the 429, read at the moment of death, replays, reactive pacing: all excused."""
    assert check(excused(RIGHT)) == []


def test_a_request_larger_than_the_queue_may_go_alone() -> None:
    """What costs more than the whole capacity is excused where it goes alone, and only there."""
    asked = [Asked("r0", 0, "key-0", 9), Asked("r1", 1, "key-1", 2)]
    alone = History(
        asked=asked,
        exchanges=[snapshot(0.0, 0), accepted(0.1, 0)],
        lines=[],
        invocations=[Invocation(0.0, 7.0)],
        finished=False,
    )

    assert check(alone) == []
    assert check(replace(alone, exchanges=[*alone.exchanges, accepted(0.1, 1)]))


def test_exchanges_of_a_log_know_the_round_trip() -> None:
    """From a log alone: each call left half a round trip before, its reply was read half one after."""
    log = [
        Entry(1.0, "submit", 202, delay=2.0),
        Entry(1.5, "submit", tenant=True),
        Entry(2.0, "job", cut="after"),
    ]

    own = exchanges(log, rtt=RTT)

    assert [(e.sent_at, e.read_at, e.lost) for e in own] == [(0.95, 3.05, False), (1.95, 2.05, True)]
