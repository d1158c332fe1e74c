"""
What the notes tell over time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pacer.instrumentation import happening
from pacer.journal.entries import Noted
from pacer.report.series import MOST_LANES, MOST_STARTS, Start, read_timeline


def note(at: float, kind: str, **facts: object) -> Noted:
    """Return a note."""
    return Noted(at, kind, facts)


def started(at: float) -> Noted:
    """Return the note of an invocation's start."""
    return note(at, happening.RUN_STARTED)


def ended(at: float) -> Noted:
    """Return the note of an invocation's end."""
    return note(at, happening.RUN_ENDED, outcome="finished")


def wait(at: float, bound: str, seconds: float) -> Noted:
    """Return the note of a wait that begins."""
    return note(at, happening.WAIT_BEGAN, bound=bound, until=at + seconds, seconds=seconds)


def wave(at: float, captures: int = 5) -> Noted:
    """Return the note of a wave."""
    return note(at, happening.WAVE_SENT, number=1, requests=1, captures=captures)


def reading(at: float, depth: int = 7) -> Noted:
    """Return the note of a snapshot."""
    return note(at, happening.SNAPSHOT_READ, depth=depth, capacity=100, headroom=100 - depth, inflight={})


def test_nothing_was_done() -> None:
    """A batch that nobody has worked on has an empty timeline; its intake is not in it."""
    timeline = read_timeline([note(1.0, "batch.taken_in")])
    assert timeline.length == 0
    assert timeline.readings.points() == []


def test_pauses_are_cut_out() -> None:
    """A resume the next morning goes on where the last note was, and says how long the pause was."""
    notes = [started(100.0), reading(101.0), reading(104.0, 9), started(90_104.0), wave(90_106.0)]
    timeline = read_timeline(notes)
    assert timeline.length == 6.0
    assert timeline.starts == [Start(4.0, 90_104.0, 2, 90_000.0)]
    assert [(x, r.depth) for x, r in timeline.readings.points()] == [(1.0, 7), (4.0, 9)]
    assert [(x, w.captures) for x, w in timeline.waves.points()] == [(6.0, 5)]


@pytest.mark.parametrize("bound", ["gate", "window", "outage"])
def test_a_deadline_ends_a_wait(bound: str) -> None:
    """A wait with a deadline lasts until then, or until something is done before."""
    assert spans([started(0.0), wait(1.0, bound, 3.0), wave(9.0)], bound) == [(1.0, 4.0)]
    assert spans([started(0.0), wait(1.0, bound, 3.0), wave(2.0)], bound) == [(1.0, 2.0)]


def test_other_waits_last_until_something_is_done() -> None:
    """A wait on the service lasts until a wave, another wait or the end, whatever was expected."""
    assert spans([started(0.0), wait(1.0, "drain", 1.0), reading(3.0), wave(5.0)], "drain") == [(1.0, 5.0)]
    assert spans([started(0.0), wait(1.0, "drain", 9.0), wait(2.0, "gate", 9.0)], "drain") == [(1.0, 2.0)]
    assert spans([started(0.0), wait(1.0, "captures", 60.0), ended(2.5)], "captures") == [(1.0, 2.5)]


def test_a_killed_invocation_stops_waiting_with_its_last_note() -> None:
    """What a killed process would have waited for does not reach into the next invocation."""
    notes = [started(0.0), wait(1.0, "gate", 50.0), reading(2.0), started(500.0), reading(520.0)]
    assert spans(notes, "gate") == [(1.0, 2.0)]


def spans(notes: list[Noted], bound: str) -> list[tuple[float, float]]:
    """Return when it waited for *bound*."""
    return list(read_timeline(notes).waits[bound])


def test_a_clock_that_was_set_back() -> None:
    """Moments never lead back, whatever the machine's clock does."""
    notes = [started(100.0), reading(110.0), reading(50.0), started(20.0), reading(21.0)]
    xs = [x for x, _ in read_timeline(notes).readings.points()]
    assert xs == sorted(xs)
    assert read_timeline(notes).length == 11.0


def test_a_long_history_is_bounded() -> None:
    """Tens of thousands of notes of a thousand invocations become a picture's worth of points."""

    def history() -> Iterator[Noted]:
        for run in range(1000):
            at = 1000.0 * run
            yield started(at)
            for n in range(0, 40, 4):
                yield reading(at + n, n)
                yield wave(at + n + 1)
                yield wait(at + n + 2, f"bound {run % 40}", 1.0)
                yield note(at + n + 3, happening.THROTTLED, code=f"C{run}", retry_after=1.0)

    timeline = read_timeline(history())
    assert len(timeline.readings.points()) <= 400
    assert len(timeline.refusals.points()) <= 400
    assert len(timeline.waits) == MOST_LANES
    assert len(timeline.starts) == MOST_STARTS
    assert sum(w.captures for _, w in timeline.waves.points()) == 50_000
    assert sum(r.number for _, r in timeline.refusals.points()) == 10_000


def test_a_refusal_without_a_time() -> None:
    """A 429 that named no time is one that named none; merged with others, the longest named counts."""
    facts: dict[str, Any] = {"code": "RATE_LIMIT_EXCEEDED"}
    notes = [started(0.0), note(1.0, happening.THROTTLED, retry_after=None, **facts)]
    [(_, alone)] = read_timeline(notes).refusals.points()
    assert alone.retry_after is None
    notes += [note(1.0, happening.THROTTLED, retry_after=t, **facts) for t in (4.0, 2.0)]
    [(_, merged)] = read_timeline(notes).refusals.points()
    assert (merged.retry_after, merged.codes) == (4.0, {"RATE_LIMIT_EXCEEDED": 3})
