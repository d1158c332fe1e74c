"""
Whole batches against a service that is a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.acceptance.processes import Command, Sandbox, assert_once_each, submissions, write_batch

Start = Callable[..., Sandbox]
Point = Callable[[Sandbox], Command]


def test_three_hundred_requests_in_a_queue_of_twenty(sandbox: Start, pacer_at: Point) -> None:
    """
    As sole tenant of a queue of twenty: no 429, no sync capture, each capture once.

    How long it takes is asserted where time is exact: ``integration/test_runner_virtual.py``.
    """
    service = sandbox(
        "--capacity",
        "20",
        "--workers",
        "12",
        "--latency",
        "0.1",
        "--set",
        "latency.shape=constant",
    )
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 300, (1, 2, 1, 4))
    ran = pacer("run", "batch.jsonl", "--quiet")
    assert ran.code == 0, ran.err
    history = service.stop()
    assert_once_each(pacer.results(), history, captures)
    assert {entry["status"] for entry in submissions(history)} == {202}
    assert not [entry for entry in history if entry["status"] == 429]


@pytest.mark.parametrize("release", ["start", "end"])
@pytest.mark.parametrize("unit", ["parents", "children", "both"])
def test_whatever_depth_counts(sandbox: Start, pacer_at: Point, unit: str, release: str) -> None:
    """Whatever the service counts, and whenever it lets go, the batch ends complete and without a 429."""
    service = sandbox(
        "--capacity",
        "30",
        "--workers",
        "20",
        "--latency",
        "0.1",
        "--unit",
        unit,
        "--set",
        f"release={release}",
    )
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 60, (1, 4, 2))
    ran = pacer("run", "batch.jsonl", "--quiet")
    assert ran.code == 0, ran.err
    history = service.stop()
    assert_once_each(pacer.results(), history, captures)
    assert not [entry for entry in history if entry["status"] == 429]


HARDSHIPS = {
    "an item larger than the queue": (["--capacity", "12"], (1, 30, 2)),
    "capacity falling in mid-run": (["--capacity", "40", "--change", "1:capacity=6"], (1, 2, 4)),
    "another client of the key": (
        ["--capacity", "20", "--retry-after", "2", "--tenant", "steady:demand=20"],
        (1, 2, 4),
    ),
    "no status endpoint": (
        ["--capacity", "60", "--retry-after", "2", "--set", "status_endpoint=false"],
        (1, 2),
    ),
    "lost replies": (["--fault", "cut:on=submit,share=0.1,committed=true"], (1, 2)),
    "a rate window told on 429s only": (["--rate-limit", "60", "--rate-window", "2"], (1,)),
}


@pytest.mark.parametrize("kind", HARDSHIPS)
def test_hardships(sandbox: Start, pacer_at: Point, kind: str) -> None:
    """Whatever the service is like, the batch ends complete, each capture once, and every gate is kept."""
    options, fan_outs = HARDSHIPS[kind]
    service = sandbox("--workers", "20", "--latency", "0.1", *options)
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 60, fan_outs)
    ran = pacer("run", "batch.jsonl", within=100)
    assert ran.code == 0, ran.err
    history = service.stop()
    assert_once_each(pacer.results(), history, captures)
    assert_gates_kept([entry for entry in history if not entry["tenant"]])


def assert_gates_kept(history: list[dict[str, object]], in_flight: float = 1.2) -> None:
    """After a 429 nothing that it gates comes before its time, but for what was in flight then."""
    for n, entry in enumerate(history):
        wait = entry["retry_seconds"]
        if entry["status"] != 429 or not isinstance(wait, float | int):
            continue
        at = float(str(entry["at"]))
        for later in history[n + 1 :]:
            inside = at + in_flight < float(str(later["at"])) < at + wait - 0.05
            gated = entry["gate"] == "rate" or later["what"] == "submit"
            assert not (inside and gated), f"{later} within the gate of {entry}"


def test_rejected_and_failed(sandbox: Start, pacer_at: Point) -> None:
    """A request that is rejected and captures that fail end the command with 1; each has its line."""
    service = sandbox(
        "--latency",
        "0.05",
        "--set",
        "failed=0.3",
        "--fault",
        "error:on=submit,status=422,code=PIN,matching=question 3",
    )
    pacer = pacer_at(service)
    write_batch(pacer.folder, 20)
    ran = pacer("run", "batch.jsonl", "--json")
    assert ran.code == 1, ran.err
    said = json.loads(ran.out)
    assert said["exit_code"] == 1
    assert said["requests"]["rejected"] == 1
    lines = pacer.results()
    assert len(lines) == 20
    [rejected] = [line for line in lines if line["status"] == "rejected"]
    assert rejected["request"] == "q3"
    assert rejected["error"]["code"] == "PIN"
    assert rejected["child"] is rejected["job"] is rejected["surface"] is rejected["region"] is None
    assert {line["status"] for line in lines} == {"rejected", "failed", "completed"}


def test_no_collect(sandbox: Start, pacer_at: Point) -> None:
    """With --no-collect the command ends with 0 once all is accepted; collecting can follow."""
    service = sandbox("--latency", "0.05")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 20)
    assert pacer("run", "batch.jsonl", "--no-collect").code == 0
    assert pacer.results() == []
    assert pacer("run", "batch.jsonl").code == 0
    assert len(pacer.results()) == 20
    assert len(submissions(service.stop())) == 20


def test_results_and_json_on_standard_output(sandbox: Start, pacer_at: Point) -> None:
    """``--out -`` puts result lines and nothing else on standard output; ``-`` reads standard input."""
    service = sandbox("--latency", "0.05")
    pacer = pacer_at(service)
    typed = "".join(json.dumps({"query": f"{n}", "surfaces": ["claude"]}) + "\n" for n in range(5))
    ran = pacer("run", "-", "--journal", "b.pacer.db", "--out", "-", typed=typed)
    assert ran.code == 0, ran.err
    assert sorted(json.loads(line)["index"] for line in ran.out.splitlines()) == [0, 1, 2, 3, 4]
