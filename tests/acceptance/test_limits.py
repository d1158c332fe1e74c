"""
Limits that a person sets, and batches made of what failed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.processes import Command, Sandbox, assert_once_each, submissions, write_batch

Start = Callable[..., Sandbox]
Point = Callable[[Sandbox], Command]


def test_max_requests(sandbox: Start, pacer_at: Point) -> None:
    """Eight are sent and collected, whatever is run again; with a larger limit the batch goes on."""
    service = sandbox("--latency", "0.05")
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 20, (1, 2))
    first = pacer("run", "batch.jsonl", "--max-requests", "8")
    assert first.code == 3, first.err
    assert "Stopped (MAX_REQUESTS)" in first.err
    assert "larger --max-requests" in first.err
    assert len(pacer.results()) == 12
    again = pacer("run", "batch.jsonl", "--max-requests", "8", "--json")
    assert again.code == 3
    said = json.loads(again.out)
    assert (said["code"], said["requests"]["done"], said["requests"]["pending"]) == ("MAX_REQUESTS", 8, 12)
    assert pacer("run", "batch.jsonl", "--max-requests", "20").code == 0
    assert_once_each(pacer.results(), service.stop(), captures)


def test_max_credits(sandbox: Start, pacer_at: Point) -> None:
    """A budget holds over resumes; surfaces of unknown price are named; a plan says what it buys."""
    service = sandbox("--latency", "0.05")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 20)
    with (pacer.folder / "batch.jsonl").open("a") as file:
        file.write('{"query": "news", "surfaces": ["google_news"]}\n')
    plan = json.loads(pacer("plan", "batch.jsonl", "--json", "--max-credits", "42").out)
    assert plan["within_limits"] == {"requests": 8, "captures": 8, "credits": 40}
    for _ in range(2):
        ran = pacer("run", "batch.jsonl", "--max-credits", "42", "--json")
        assert ran.code == 3, ran.err
        said = json.loads(ran.out)
        assert (said["code"], said["requests"]["done"]) == ("MAX_CREDITS", 8)
        assert "google_news" in ran.err
    assert len(submissions(service.stop())) == 8


def test_deadline(sandbox: Start, pacer_at: Point) -> None:
    """After it nothing is sent, what is out is collected, and the same command without it goes on."""
    service = sandbox("--capacity", "4", "--workers", "2", "--latency", "0.5")
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 40)
    ran = pacer("run", "batch.jsonl", "--deadline", "3s", "--json")
    assert ran.code == 3, ran.err
    said = json.loads(ran.out)
    requests = said["requests"]
    assert said["code"] == "DEADLINE"
    assert requests["accepted"] == requests["in_doubt"] == 0, "all that was out has come in"
    assert requests["done"] == len(pacer.results()) < 40
    assert pacer("run", "batch.jsonl", "--deadline", "1h").code == 0
    assert_once_each(pacer.results(), service.stop(), captures)


@pytest.mark.parametrize("when", ["yesterday", "0s", "2020-01-01T00:00", "25:00"])
def test_no_deadline(pacer: Command, when: str) -> None:
    """What is no moment to come is refused with a sentence, before anything is touched."""
    write_batch(pacer.folder, 1)
    ran = pacer("run", "batch.jsonl", "--sandbox", "--deadline", when)
    assert ran.code == 2
    assert f"--deadline {when}" in ran.err
    assert [path.name for path in pacer.folder.iterdir()] == ["batch.jsonl"]


def pairs(lines: list[dict[str, Any]], *, failed: bool) -> list[tuple[Any, ...]]:
    """Return which captures of which records are in *lines*, or those of them that failed."""
    return sorted(
        (line["request"], line["index"], line["surface"], line["region"])
        for line in lines
        if not failed or line["status"] != "completed"
    )


def test_retry_failed(sandbox: Start, pacer_at: Point) -> None:
    """
    Only what failed is asked for once more, under new keys and the records' own
    names; each retry has its own files, and the batch's own stay as they are.
    """
    service = sandbox("--latency", "0.05", "--set", "failed=0.4")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 30, (4, 1, 9))
    assert pacer("run", "batch.jsonl").code == 1
    before = (pacer.folder / "batch.results.jsonl").read_bytes()
    lines, number, codes = pacer.results(), 0, [1]
    while codes[-1] == 1:
        number += 1
        ran = pacer("run", "batch.jsonl", "--retry-failed", "--json")
        codes.append(ran.code)
        wanted, name = pairs(lines, failed=True), f"batch.retry-{number}.results.jsonl"
        lines = pacer.results(name)
        assert pairs(lines, failed=False) == wanted
        assert json.loads(ran.out)["files"]["results"] == name
        assert number < 20
    assert codes[-1] == 0
    assert (pacer.folder / "batch.results.jsonl").read_bytes() == before
    none = pacer("run", "batch.jsonl", "--retry-failed")
    assert none.code == 0
    assert "Nothing failed" in none.err
    assert not (pacer.folder / f"batch.retry-{number + 1}.pacer.db").exists()
    keys = [entry["key"] for entry in submissions(service.stop())]
    assert len(set(keys)) == len(keys)


def test_retry_of_an_unfinished_batch(sandbox: Start, pacer_at: Point) -> None:
    """What failed is not known before its end; a batch that was never run has none."""
    pacer = pacer_at(sandbox("--latency", "0.05"))
    write_batch(pacer.folder, 5)
    never = pacer("run", "batch.jsonl", "--retry-failed")
    assert (never.code, "without --retry-failed" in never.err) == (2, True)
    assert pacer("run", "batch.jsonl", "--max-requests", "2").code == 3
    unfinished = pacer("run", "batch.jsonl", "--retry-failed")
    assert (unfinished.code, "unfinished" in unfinished.err) == (2, True)
    assert pacer("run", "batch.jsonl", "--retry-failed", "--sandbox").code == 2


def test_a_retry_is_resumed_and_one_of_an_older_batch_is_put_by(sandbox: Start, pacer_at: Point) -> None:
    """A retry that was stopped goes on with the same command; a new batch begins its own at number one."""
    service = sandbox("--latency", "0.05", "--set", "failed=1")
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 6, (2,))
    assert pacer("run", "batch.jsonl").code == 1
    assert pacer("run", "batch.jsonl", "--retry-failed", "--max-requests", "2").code == 3
    assert len(pacer.results("batch.retry-1.results.jsonl")) == 4
    assert pacer("run", "batch.jsonl", "--retry-failed").code == 1
    assert len(pacer.results("batch.retry-1.results.jsonl")) == captures
    assert not (pacer.folder / "batch.retry-2.pacer.db").exists()
    assert pacer("run", "batch.jsonl", "--repeat").code == 1
    ran = pacer("run", "batch.jsonl", "--retry-failed")
    assert ran.code == 1
    assert "Kept batch.retry-1.results.jsonl as batch.retry-1.2" in ran.err
    assert "Retry 1: 12 captures" in ran.err


def test_where_the_time_went(sandbox: Start, pacer_at: Point) -> None:
    """Every invocation accounts for all of its time, and the batch for that of all of them."""
    pacer = pacer_at(sandbox("--latency", "0.1"))
    write_batch(pacer.folder, 12)
    assert pacer("run", "batch.jsonl", "--max-requests", "4").code == 3
    ran = pacer("run", "batch.jsonl", "--json")
    assert ran.code == 0, ran.err
    assert "2 invocations" in ran.err
    time = json.loads(ran.out)["time"]
    for invocation in time["invocations"]:
        assert sum(invocation["account"].values()) == pytest.approx(invocation["seconds"], abs=2e-3)
    assert sum(invocation["seconds"] for invocation in time["invocations"]) == pytest.approx(
        time["seconds"], abs=0.01
    )
    assert sum(bound["share"] for bound in time["bounds"]) == pytest.approx(1.0)
    flags = {bound["bound"]: bound["flag"] for bound in time["bounds"]}
    assert flags["max_requests"] == "--max-requests"
    assert flags["captures"] is None
    assert json.loads(pacer("report", "batch.pacer.db", "--json").out)["time"] == time
    assert "(--max-requests)" in pacer("run", "batch.jsonl").err
