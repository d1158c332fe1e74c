"""
The commands besides ``run``, and ``run --sandbox``.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.processes import Command, Sandbox, environment, submissions, write_batch
from tests.patience import in_time

Start = Callable[..., Sandbox]
Point = Callable[[Sandbox], Command]

EXAMPLE = Path(__file__).parents[2] / "examples" / "captures.jsonl"


def test_the_example_in_the_sandbox(pacer: Command) -> None:
    """
    The example ends in the sandbox within twenty seconds, without a key, with 0,
    and shows waves and an honoured Retry-After; run again, it starts anew.
    """
    shutil.copy(EXAMPLE, pacer.folder / "captures.jsonl")
    ran = pacer("run", "captures.jsonl", "--sandbox", "--json")
    assert ran.code == 0, ran.err
    assert "wave 1: " in ran.err
    assert "429 " in ran.err
    assert "going on after" in ran.err
    said = json.loads(ran.out)
    assert in_time(said["seconds"], 20)
    assert said["throttled"].keys() == {"rate"}
    assert said["captures"]["by_status"] == {"completed": said["captures"]["expected"]}
    names = {path.name for path in pacer.folder.iterdir()}
    assert names == {"captures.jsonl", "captures.sandbox.pacer.db", "captures.sandbox.results.jsonl"}

    process = pacer.start("run", "captures.jsonl", "--sandbox", "--log-format", "json")
    assert process.stderr is not None
    started = json.loads(process.stderr.readline())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert started["event"] == "run.started"
    assert started["pending"] == 200


def test_the_sandbox_discards_nothing_real(sandbox: Start, pacer_at: Point) -> None:
    """--sandbox refuses to start anew in the journal of a real batch."""
    pacer = pacer_at(sandbox("--latency", "0.05"))
    write_batch(pacer.folder, 2)
    assert pacer("run", "batch.jsonl").code == 0
    ran = pacer("run", "batch.jsonl", "--sandbox", "--journal", "batch.pacer.db")
    assert ran.code == 2
    assert "--sandbox would discard it" in ran.err
    assert pacer("run", "batch.jsonl").code == 0


def test_plan(sandbox: Start, pacer_at: Point) -> None:
    """A plan counts requests, captures, credits and waves, with one status read and nothing else sent."""
    service = sandbox("--capacity", "10")
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 30, (1, 2))
    ran = pacer("plan", "batch.jsonl", "--json", "--unit", "children")
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert said["requests"] == 30
    assert said["captures"] == captures == 45
    assert said["credits"] == {"at_most": 30 * 5 + 15 * 6, "unpriced_surfaces": []}
    assert said["fan_outs"] == {"1": 15, "2": 15}
    assert said["queue_fills"] == 5
    assert [entry["what"] for entry in service.stop()] == ["status"]
    assert [path.name for path in pacer.folder.iterdir()] == ["batch.jsonl"]


def test_plan_without_a_key(pacer: Command) -> None:
    """A plan needs no key, and names surfaces without a published price."""
    (pacer.folder / "batch.jsonl").write_text('{"query": "a", "surfaces": ["google_news", "chatgpt"]}\n')
    ran = pacer("plan", "batch.jsonl")
    assert ran.code == 0, ran.err
    assert "at most 5, and what google_news cost" in ran.out


def test_plan_waits_five_seconds_at_most(sandbox: Start, pacer_at: Point) -> None:
    """A service that does not answer holds a plan up for five seconds."""
    pacer = pacer_at(sandbox("--fault", "delay:on=status,seconds=60"))
    write_batch(pacer.folder, 3)
    ran = pacer("plan", "batch.jsonl")
    assert ran.code == 0
    assert "no answer within" in ran.out
    assert in_time(ran.seconds, 9)


def test_status(sandbox: Start, pacer_at: Point) -> None:
    """The status shows the snapshot and the headroom of each lane; a refused key ends it with 3."""
    pacer = pacer_at(sandbox("--capacity", "40", "--set", "sync_limit=7"))
    said = json.loads(pacer("status", "--json").out)
    assert said["queue"] == {"depth": 0, "capacity": 40, "reserve": 0, "headroom": 40}
    kept_free = json.loads(pacer("status", "--json", "--reserve", "25%").out)["queue"]
    assert (kept_free["reserve"], kept_free["headroom"]) == (10, 30)
    assert said["sync"] == {"running": 0, "limit": 7, "headroom": 7}
    shown = pacer("status")
    assert shown.code == 0
    assert "async queue" in shown.out
    pacer.variables["AISEARCH_API_KEY"] = "sk_test_another_key"
    refused = pacer("status")
    assert refused.code == 3
    assert "AUTH_INVALID" in refused.err


def test_report(sandbox: Start, pacer_at: Point) -> None:
    """A report tells counts, waves, waits, 429s and failures, for each invocation."""
    service = sandbox("--latency", "0.1", "--rate-limit", "25", "--rate-window", "2", "--set", "failed=0.2")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 30)
    assert pacer("run", "batch.jsonl").code == 1
    ran = pacer("report", "batch.pacer.db", "--json")
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    failed = said["captures"]["by_status"]["failed"]
    assert said["finished"] is True
    assert sum(said["failures"].values()) == failed
    [invocation] = said["invocations"]
    assert invocation["outcome"] == "finished"
    assert invocation["requests"] >= 30
    assert sum(invocation["throttled"].values()) == len([e for e in service.stop() if e["status"] == 429])
    assert abs(sum(invocation["account"].values()) - invocation["seconds"]) < 0.002  # seconds are rounded
    shown = pacer("report", "batch.pacer.db")
    assert shown.code == 0
    assert "30 done" in shown.out


def test_what_is_no_journal(pacer: Command) -> None:
    """A report on a file that is none, or is missing, ends with 2 and a sentence."""
    (pacer.folder / "x.db").write_text("hello " * 1000)
    for name in ("x.db", "none.db"):
        ran = pacer("report", name)
        assert ran.code == 2
        assert name in ran.err
        assert "Traceback" not in ran.err


def test_json_log(sandbox: Start, pacer_at: Point) -> None:
    """With --log-format json standard error is one JSON object a line, errors included."""
    pacer = pacer_at(sandbox("--latency", "0.05"))
    write_batch(pacer.folder, 5)
    ran = pacer("run", "batch.jsonl", "--log-format", "json")
    events = [json.loads(line) for line in ran.err.splitlines()]
    names = [event["event"] for event in events]
    assert names[0] == "run.started"
    assert names[-1] == "run.ended"
    assert names.count("capture.ended") == 5
    wrong = pacer("run", "none.jsonl", "--log-format", "json")
    assert [json.loads(line)["event"] for line in wrong.err.splitlines()] == ["error"]


def test_quiet(sandbox: Start, pacer_at: Point) -> None:
    """With --quiet a run that goes well says nothing at all."""
    service = sandbox("--latency", "0.05")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 5)
    ran = pacer("run", "batch.jsonl", "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert len(submissions(service.stop())) == 5


def test_the_version_imports_nothing_heavy() -> None:
    """A command imports what it needs when it needs it: the version needs none of the big libraries."""
    heavy = ("aiohttp", "pydantic", "sqlite3", "structlog", "pacer.runner", "pacer.sandbox")
    script = f"import sys, pacer.cli.app; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment(), check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "[]"
