"""
What a person sees of a run.
"""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pacer.cli.display.live import LiveDisplay
from pacer.cli.display.narrator import LINES_A_MINUTE, Narrator
from pacer.cli.display.pace import Pace
from pacer.cli.display.plain import JsonDisplay, PlainDisplay, standing
from pacer.cli.display.protocol import Look
from pacer.cli.wording import FLAGS, SHARES, WAITS, clock, sentence, span
from pacer.instrumentation import happening
from pacer.instrumentation.happening import Happening
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Bound
from pacer.report import UNTOLD
from pacer.runner import Progress

T0 = 1_780_000_000.0


def throttled(at: float, until: float) -> Happening:
    """Return a 429 of the rate window."""
    facts = {"lane": "rate", "code": "RATE", "retry_after": until - at, "until": until, "call": "Submission"}
    return Happening(at, happening.THROTTLED, facts)


def progress() -> Progress:
    """Return a run in its middle."""
    return Progress(
        requests=200,
        captures=700,
        accepted=120,
        rejected=2,
        in_doubt=1,
        ended={"completed": 300, "failed": 4},
        throttled=3,
        snapshot=CapacitySnapshot(depth=80, capacity=120, inflight=140),
        waiting_for="gate",
        waiting_until=T0,
    )


def test_every_bound_has_words() -> None:
    """There is no reason to wait that a person could not be told."""
    bounds = {bound.value for bound in Bound} | {UNTOLD}
    assert WAITS.keys() == SHARES.keys() == bounds
    assert FLAGS.keys() <= bounds


@pytest.mark.parametrize("name", [getattr(happening, name) for name in dir(happening) if name.isupper()])
def test_every_happening_has_words(name: object) -> None:
    """Every name has a sentence of its own: none is shown as a bare record."""
    from pacer.cli.wording import _PHRASES

    if isinstance(name, str):
        assert name in _PHRASES


@given(st.text())
def test_no_happening_is_obeyed(text: str) -> None:
    """Whatever the service writes, a line about it is one line of characters that print."""
    told = Happening(T0, happening.REQUEST_REJECTED, {"request": text, "code": text, "message": text})
    assert sentence(told).isprintable()


def test_a_burst_is_told_once() -> None:
    """A burst of 429s is one line, the wait has a beginning and an end, and the end counts the burst."""
    narrator = Narrator(details=False)
    said = [line for n in range(40) for line in narrator.lines(throttled(T0 + n / 100, T0 + 5))]
    assert len(said) == 1
    wait = Happening(T0 + 1, happening.WAIT_BEGAN, {"bound": "gate", "until": T0 + 5, "seconds": 4.0})
    assert len(narrator.lines(wait)) == 1
    early = Happening(T0 + 3, happening.CAPTURE_ENDED, {"status": "completed"})
    assert narrator.lines(early) == []
    late = Happening(T0 + 5.1, happening.CAPTURE_ENDED, {"status": "completed"})
    assert narrator.lines(late) == ["going on after 4.1 s; 39 more 429s came meanwhile"]
    assert narrator.lines(late) == []


def test_a_later_gate_is_told_again() -> None:
    """A 429 that moves the deadline is told."""
    narrator = Narrator(details=False)
    assert narrator.lines(throttled(T0, T0 + 5))
    assert narrator.lines(throttled(T0 + 1, T0 + 30))


def test_a_flood_is_cut() -> None:
    """What can come once a request is told a few times a minute, not half a million times."""
    narrator = Narrator(details=False)
    facts = {"request": "q", "code": "X", "message": "no"}
    said = [
        line
        for n in range(10_000)
        for line in narrator.lines(Happening(T0 + n / 1000, happening.REQUEST_REJECTED, facts))
    ]
    assert len(said) == LINES_A_MINUTE
    assert narrator.lines(Happening(T0 + 61, happening.REQUEST_REJECTED, facts))


@pytest.mark.parametrize("width", [80, 140])
def test_the_picture_fits(width: int) -> None:
    """At 80 and at 140 columns every row fits, and all that a person asks for is there."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=24, force_terminal=True, color_system=None)
    display = LiveDisplay("pacer  b.jsonl → \x1b[31mhttps://api.example.org", console)
    for n in range(30):
        display.hear(Happening(T0 + n, happening.WAVE_SENT, wave(n)))
    console.print(display.picture(Look(progress(), None)))
    text = out.getvalue()
    rows = text.splitlines()
    assert all(len(row) <= width for row in rows)
    assert len(rows) <= 24
    assert "\x1b[31m" not in text
    for wanted in (
        "122 of 200",
        "1 in doubt",
        "300 of 700",
        "6 failed",
        "80 of 120",
        "Retry-After",
        "wave 29",
    ):
        assert wanted in text


def test_markup_is_not_obeyed() -> None:
    """Brackets in an id are brackets."""
    out = io.StringIO()
    console = Console(file=out, width=120, height=40, force_terminal=True, color_system=None)
    display = LiveDisplay("[bold]x[/bold]", console)
    facts = {"request": "[red]q[/red]", "code": "X", "message": "[/]"}
    display.hear(Happening(T0, happening.REQUEST_REJECTED, facts))
    display.note("[blink]n")
    console.print(display.picture(Look(progress(), None)))
    for text in ("[bold]x[/bold]", "[red]q[/red]: rejected: X: [/]", "[blink]n"):
        assert text in out.getvalue()


def test_plain_lines() -> None:
    """Without a terminal a happening is a line with its time; a log that nobody reads ends nothing."""
    out = io.StringIO()
    display = PlainDisplay(out)
    display.hear(Happening(T0, happening.WAVE_SENT, wave(1)))
    assert out.getvalue() == f"{clock(T0)} wave 1: 1 request, 3 captures\n"
    out.close()
    display.hear(Happening(T0, happening.WAVE_SENT, wave(2)))


def wave(number: int, *, continued: bool = False) -> dict[str, object]:
    return {"number": number, "requests": 1, "captures": 3, "continued": continued}


def test_a_wave_that_a_wait_cut_in_two() -> None:
    """Its second part is told as what it is, not as a second wave of the same number."""
    out = io.StringIO()
    display = PlainDisplay(out)
    display.hear(Happening(T0, happening.WAVE_SENT, wave(4)))
    display.hear(Happening(T0, happening.WAVE_SENT, wave(4, continued=True)))
    assert [line[9:] for line in out.getvalue().splitlines()] == [
        "wave 4: 1 request, 3 captures",
        "wave 4 goes on: 1 request, 3 captures",
    ]


def test_json_lines() -> None:
    """As JSON a happening is one object with its name, its level, its moment and its facts."""
    out = io.StringIO()
    display = JsonDisplay(out)
    display.hear(throttled(T0, T0 + 5))
    display.note("x\ny")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["level"], first["lane"]) == ("throttled", "warning", "rate")
    assert first["at"] == "2026-05-28T20:26:40.000Z"
    assert second["message"] == "x\ny"


def test_standing() -> None:
    """The line of progress has the totals, the queue and the wait."""
    line = standing(Look(progress(), None), Pace())
    for wanted in (
        "122 of 200 requests",
        "304 of 700 captures",
        "4 failed",
        "3 429s",
        "queue 80/120",
        "until",
    ):
        assert wanted in line


def test_pace() -> None:
    """The rate is that of the last half minute, and the time to go follows from it."""
    pace, run = Pace(), Progress(requests=10, captures=1_000, accepted=10, rejected=0, in_doubt=0)
    begun = PacingController(now=0.0).statistics()
    assert pace.to_go(Look(run, begun)) is None
    for second in range(100):
        run.ended = {"completed": second * (1 if second < 50 else 2)}
        pace.see(Look(run, begun), now=float(second))
    assert pace.per_second == pytest.approx(2.0)
    assert pace.to_go(Look(run, begun)) == pytest.approx((1_000 - 198) / 2)


def test_pace_leaves_out_what_came_before() -> None:
    """What earlier invocations collected is not counted as the speed of this one."""
    pace, run = Pace(), Progress(requests=0, captures=0, accepted=0, rejected=0, in_doubt=0)
    pace.see(Look(run, None), now=0.0)
    run.ended = {"completed": 500}
    begun = PacingController(now=0.0).statistics()
    pace.see(Look(run, begun), now=1.0)
    run.ended = {"completed": 510}
    pace.see(Look(run, begun), now=11.0)
    assert pace.per_second == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.9, "9.9 s"),
        (12.2, "12 s"),
        (61, "1:01"),
        (3_725, "1:02:05"),
        (float("inf"), "unknown"),
    ],
)
def test_span(seconds: float, text: str) -> None:
    """Lengths of time are as exact as they are short."""
    assert span(seconds) == text
