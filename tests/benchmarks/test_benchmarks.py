"""
The programs of ``benchmarks/`` run, their judge is fair, and what they print is what they have measured.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from benchmarks.arena import play
from benchmarks.cost import deciding, intake, memory, start_up, submissions
from benchmarks.judging import SLACK, inside_gate, judge
from benchmarks.keeping import RESULTS, kept
from benchmarks.rendering import PROJECT_README, README, plots, readme, targets_page, with_block
from benchmarks.rivals import PACER
from benchmarks.scenarios import EVERY, SMOKE

RTT = 0.04


def call(at: float, **more: Any) -> dict[str, Any]:
    """Return a call as the server tells of it: an accepted submission, unless *more* says otherwise."""
    plain = {
        "what": "submit",
        "status": 202,
        "gate": "",
        "retry_seconds": None,
        "query": None,
        "reached": True,
    }
    return {"at": at, **plain, **more}


def refusal(at: float, gate: str, seconds: float) -> dict[str, Any]:
    """Return a call that met a 429."""
    return call(at, status=429, gate=gate, retry_seconds=seconds)


def test_the_pages_show_what_was_measured() -> None:
    """Every figure in both READMEs, and the table of targets, are made from the kept results."""
    assert targets_page(kept("targets")) == (RESULTS / "targets.md").read_text()
    assert readme() == README.read_text()
    text = PROJECT_README.read_text()
    assert with_block(text) == text


def test_every_plot_is_shown() -> None:
    """No plot is drawn that no page shows, and none is shown that is not drawn."""
    shown = README.read_text()
    assert shown.count(".svg)") == len(plots())
    assert all(f"(results/{plot.name})" in shown for plot in plots())


def test_what_was_on_its_way_is_not_inside_the_gate() -> None:
    """What a client sent before it could have read the 429 is forgiven, and what it sends on the deadline."""
    refused = refusal(1.0, "queue", 2.0)
    assert inside_gate([refused, call(1.0 + RTT)], rtt=RTT) == 0
    assert inside_gate([refused, call(1.0 + RTT + SLACK + 0.01)], rtt=RTT) == 1
    assert inside_gate([refused, call(3.0)], rtt=RTT) == 0


def test_a_queue_429_forbids_submissions_only() -> None:
    """Reading the snapshot is allowed inside a queue gate, and forbidden inside a rate gate."""
    read = call(2.0, what="status", status=200)
    assert inside_gate([refusal(1.0, "queue", 5.0), read], rtt=RTT) == 0
    assert inside_gate([refusal(1.0, "rate", 5.0), read], rtt=RTT) == 1


def test_a_429_whose_reply_was_lost_forbids_nothing() -> None:
    """Nobody can honour what never reached it."""
    lost = refusal(1.0, "queue", 5.0) | {"reached": False}
    assert inside_gate([lost, call(2.0)], rtt=RTT) == 0


def test_copies_and_the_unaware_are_counted() -> None:
    """A request accepted twice is doubled once; what was accepted unknown to the client is lost to it."""
    calls = [call(0.1, query="a"), call(0.2, query="a"), call(0.3, query="b")]
    met = {"calls": calls, "last_end": 1.0, "tenant_429s": 0, "tenant_admitted": 0}
    verdict = judge("smoke", "x", EVERY[SMOKE].scenario, met, ended=True, told=1)
    assert (verdict.admitted, verdict.doubled, verdict.unaware) == (2, 1, 1)
    assert verdict.seconds is None


@pytest.mark.parametrize("client", [PACER, "pause of 15 s"])
async def test_a_client_over_a_real_socket(client: str) -> None:
    """A client submits the whole batch once, and is judged."""
    verdict = await play(SMOKE, client)
    assert verdict.ended
    assert (verdict.admitted, verdict.doubled, verdict.unaware, verdict.refused) == (12, 0, 0, 0)


@pytest.mark.parametrize(
    ("measure", "figure"),
    [
        (partial(submissions.measure, requests=20, rounds=1), "cpu_ratio"),
        (partial(intake.measure, requests=20, rounds=1), "ratio"),
        (partial(deciding.measure, backlogs=(10, 20), decisions=30), "growth"),
        (partial(start_up.measure, rounds=1), "ratio"),
        (partial(memory.measure, sizes=(10,)), "growth"),
    ],
    ids=["submissions", "intake", "deciding", "start_up", "memory"],
)
def test_a_cost_program_runs(measure: Callable[[], dict[str, Any]], figure: str) -> None:
    """Each measurement comes to an end with a figure, however little it measures."""
    assert measure()[figure] > 0
