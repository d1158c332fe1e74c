"""
Watching a run from outside: metrics over HTTP, events as JSON.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.request
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.processes import KEY, Command, Sandbox, submissions, write_batch
from tests.unit.test_events import listed

Start = Callable[..., Sandbox]
Point = Callable[[Sandbox], Command]

STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""To loopback, whatever the environment's proxy."""


def scrape(url: str) -> tuple[str, dict[str, float]]:
    """Return the page, and its samples summed up over all labels."""
    with STRAIGHT.open(url, timeout=10) as reply:
        assert reply.headers["Content-Type"].startswith("text/plain; version=")
        page = reply.read().decode()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return page, sums


def url_of(process: subprocess.Popen[str]) -> str:
    """Read the log until it says where the metrics are."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"metrics: (http://\S+/metrics)$", line):
            return found[1]
    raise AssertionError("the log does not say where the metrics are")


def test_metrics_of_a_run(sandbox: Start, pacer_at: Point) -> None:
    """While a run runs its metrics can be scraped, and they are true; there is no key in them."""
    service = sandbox("--capacity", "20", "--workers", "5", "--latency", "0.5")
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 30, (1, 2))
    process = pacer.start("run", "batch.jsonl", "--metrics-port", "0")
    url = url_of(process)
    seen: dict[str, float] = {}
    pages = ""
    while seen.get("pacer_captures_ended_total", 0) < 5:
        page, seen = scrape(url)
        pages += page
        assert process.poll() is None, "the run ended before its captures were seen"
    assert seen["pacer_batch_requests"] == 30
    assert seen["pacer_batch_captures"] == captures
    assert seen["pacer_queue_capacity"] == 20
    assert seen["pacer_queue_depth"] + seen["pacer_headroom"] <= 20
    assert seen["pacer_waves_total"] >= 1
    assert seen["pacer_throttled_total"] == 0
    assert seen["pacer_run_started_timestamp_seconds"] > 1.7e9
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert KEY not in pages
    assert len(submissions(service.stop())) == 30
    with socket.socket() as free:  # the server is gone
        assert free.connect_ex(("127.0.0.1", int(url.split(":")[2].split("/")[0]))) != 0


def test_a_port_that_is_taken(sandbox: Start, pacer_at: Point) -> None:
    """It ends the command with 2 and a way out; nothing has been sent, and no file made."""
    service = sandbox()
    pacer = pacer_at(service)
    write_batch(pacer.folder, 3)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = pacer("run", "batch.jsonl", "--metrics-port", str(port))
    assert ran.code == 2
    assert f"port {port}" in ran.err
    assert "--metrics-port" in ran.err
    assert service.stop() == []
    assert [path.name for path in pacer.folder.iterdir()] == ["batch.jsonl"]


def test_without_the_extra(pacer: Command) -> None:
    """Where prometheus-client is missing the command that installs it is named."""
    missing = pacer.folder.parent / "missing"
    missing.mkdir()
    (missing / "prometheus_client.py").write_text("raise ModuleNotFoundError(name='prometheus_client')\n")
    pacer.variables["PYTHONPATH"] = str(missing)
    write_batch(pacer.folder, 3)
    ran = pacer("run", "batch.jsonl", "--sandbox", "--metrics-port", "0")
    assert ran.code == 2
    assert "pip install 'aisearch-pacer[metrics]'" in ran.err
    assert [path.name for path in pacer.folder.iterdir()] == ["batch.jsonl"]


def test_the_json_log_has_every_event(sandbox: Start, pacer_at: Point) -> None:
    """Each line is an event that the documentation lists, with its level and exactly its fields."""
    service = sandbox(
        *("--latency", "0.2", "--capacity", "10"),
        *("--fault", "error:on=submit,status=429,retry_after=1,calls=[6]"),
        *(
            "--fault",
            "error:on=submit,status=500,calls=[2]",
            "--fault",
            "error:on=submit,status=422,calls=[4]",
        ),
        *(
            "--fault",
            "error:on=job,status=500,calls=[3]",
            "--fault",
            "null:on=status,path=admissionQueue.depth,calls=[2]",
        ),
    )
    pacer = pacer_at(service)
    write_batch(pacer.folder, 30)
    ran = pacer("run", "batch.jsonl", "--log-format", "json", "--metrics-port", "0")
    assert ran.code == 1, ran.err
    page, told = listed(), set()
    for line in ran.err.splitlines():
        event = json.loads(line)
        name = event.pop("event")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("at"))
        told.add(name)
        level, fields = page.get(name, ("info", {"message"}))
        assert event.pop("level") == level
        assert event.keys() == fields, line
    assert told >= {
        *("note", "run.started", "run.ended", "snapshot.read", "wave.sent", "capture.ended"),
        *("throttled", "wait.began", "request.doubted", "request.rejected", "read.failed"),
    }
    assert KEY not in ran.err
