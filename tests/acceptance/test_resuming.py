"""
The same command again: resumed, reported, repeated, given up.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
import subprocess
from collections.abc import Callable

from tests.acceptance.processes import (
    Command,
    Sandbox,
    assert_once_each,
    journalled,
    submissions,
    wait_until,
    write_batch,
)

Start = Callable[..., Sandbox]
Point = Callable[[Sandbox], Command]


def begin(pacer: Command, *, lines: int, words: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a run and wait until it has written so many results."""
    path = pacer.folder / "batch.results.jsonl"
    process = pacer.start("run", "batch.jsonl", "--quiet", *words)
    wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= lines, process)
    return process


def kill(process: subprocess.Popen[str]) -> None:
    """End it as a power cut would."""
    process.kill()
    process.communicate()


def test_killed_and_run_again(sandbox: Start, pacer_at: Point) -> None:
    """Killed three times and run again each time, the batch is complete, with nothing twice."""
    service = sandbox("--capacity", "20", "--workers", "8", "--latency", "0.2")
    pacer = pacer_at(service)
    captures = write_batch(pacer.folder, 80, (1, 2, 4))
    for lines in (0, 40, 90):
        kill(begin(pacer, lines=lines))
    ran = pacer("run", "batch.jsonl")
    assert ran.code == 0, ran.err
    assert_once_each(pacer.results(), service.stop(), captures)


def test_ended_and_run_again(sandbox: Start, pacer_at: Point) -> None:
    """After its end the same command sends nothing and ends with the same code; lost results come back."""
    service = sandbox("--latency", "0.05", "--set", "failed=1")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 10)
    assert pacer("run", "batch.jsonl").code == 1
    results = pacer.folder / "batch.results.jsonl"
    before = results.read_bytes()
    results.unlink()
    service.stop()  # whatever were sent now would be an outage
    again = pacer("run", "batch.jsonl", "--json")
    assert again.code == 1, again.err
    assert json.loads(again.out)["outcome"] == "reported"
    assert results.read_bytes() == before


def test_another_input_or_address(sandbox: Start, pacer_at: Point) -> None:
    """
    An unfinished batch takes no other input and no other address. Given up, it
    says what it had sent, and its files are kept under its date.
    """
    service = sandbox("--latency", "0.3", "--capacity", "5", "--workers", "2")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 60)
    kill(begin(pacer, lines=1))

    elsewhere = pacer("run", "batch.jsonl", "--base-url", "http://127.0.0.1:9")
    assert elsewhere.code == 2
    assert service.base_url in elsewhere.err

    write_batch(pacer.folder, 3)
    changed = pacer("run", "batch.jsonl")
    assert changed.code == 2
    assert "--abandon" in changed.err

    given_up = pacer("run", "batch.jsonl", "--abandon")
    assert given_up.code == 0, given_up.err
    assert "of its 60 requests" in given_up.err
    assert len(pacer.results()) == 3
    assert len(list(pacer.folder.glob("batch.2*.pacer.db"))) == 1
    assert len(list(pacer.folder.glob("batch.2*.results.jsonl"))) == 1


def test_repeat(sandbox: Start, pacer_at: Point) -> None:
    """--repeat resumes what is unfinished, else starts anew under new keys and keeps the old results."""
    service = sandbox("--latency", "0.3", "--capacity", "5", "--workers", "2")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 30)
    kill(begin(pacer, lines=1, words=("--repeat",)))
    assert pacer("run", "batch.jsonl", "--repeat").code == 0
    assert not list(pacer.folder.glob("batch.2*"))
    first = pacer.results()
    assert pacer("run", "batch.jsonl", "--repeat").code == 0
    [kept] = pacer.folder.glob("batch.2*.results.jsonl")
    assert pacer.results(kept.name) == first
    history = service.stop()
    keys = {entry["key"] for entry in submissions(history) if entry["admitted"]}
    assert len(keys) == 60


def test_bad_input_leaves_the_old_batch(sandbox: Start, pacer_at: Point) -> None:
    """A repeat whose input is refused leaves results and journal of the last batch where they were."""
    pacer = pacer_at(sandbox("--latency", "0.05"))
    write_batch(pacer.folder, 3)
    assert pacer("run", "batch.jsonl", "--repeat").code == 0
    (pacer.folder / "batch.jsonl").write_text("{}\n")
    assert pacer("run", "batch.jsonl", "--repeat").code == 2
    assert len(pacer.results()) == 3
    names = {path.name for path in pacer.folder.iterdir()}
    assert names == {"batch.jsonl", "batch.pacer.db", "batch.results.jsonl"}


def test_journal_lost_under_a_name(sandbox: Start, pacer_at: Point) -> None:
    """With --batch a lost journal costs nothing: the same keys come again, and the service replays."""
    service = sandbox("--latency", "0.05")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 10)
    assert pacer("run", "batch.jsonl", "--batch", "monday").code == 0
    (pacer.folder / "batch.pacer.db").unlink()
    (pacer.folder / "batch.results.jsonl").unlink()
    assert pacer("run", "batch.jsonl", "--batch", "monday").code == 0
    assert len(pacer.results()) == 10
    assert len([entry for entry in submissions(service.stop()) if entry["admitted"]]) == 10


def test_two_at_once(sandbox: Start, pacer_at: Point) -> None:
    """A second process on the same journal ends with 2; a report can be read meanwhile."""
    pacer = pacer_at(sandbox("--latency", "60", "--capacity", "5", "--workers", "2"))
    write_batch(pacer.folder, 60)
    process = begin(pacer, lines=0)
    second = pacer("run", "batch.jsonl")
    assert second.code == 2
    assert "in use" in second.err
    report = pacer("report", "batch.pacer.db", "--json")
    assert report.code == 0, report.err
    said = json.loads(report.out)
    assert said["finished"] is False
    assert said["invocations"][0]["outcome"] == "running"
    kill(process)


def test_files_are_private(sandbox: Start, pacer_at: Point) -> None:
    """Journal and results can be read by their owner alone."""
    pacer = pacer_at(sandbox("--latency", "0.05"))
    write_batch(pacer.folder, 2)
    assert pacer("run", "batch.jsonl").code == 0
    for name in ("batch.pacer.db", "batch.results.jsonl"):
        assert stat.S_IMODE((pacer.folder / name).stat().st_mode) == 0o600


def test_gate_outlives_a_kill(sandbox: Start, pacer_at: Point) -> None:
    """Killed while a Retry-After runs, the next invocation sends nothing before its time."""
    service = sandbox("--latency", "0.05", "--fault", "error:status=429,retry_after=6,calls=[1]")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 2)
    process = pacer.start("run", "batch.jsonl", "--quiet")
    wait_until(lambda: journalled(pacer.folder / "batch.pacer.db")[1], process)
    kill(process)
    ran = pacer("run", "batch.jsonl")
    assert ran.code == 0, ran.err
    history = service.stop()
    assert history[0]["status"] == 429
    assert float(history[1]["at"]) >= float(history[0]["at"]) + 6


def test_too_long_in_doubt(sandbox: Start, pacer_at: Point) -> None:
    """
    What has been in doubt for more than a day is not sent again but listed, with
    exit code 1; --resend-in-doubt sends it.
    """
    service = sandbox("--latency", "0.05", "--fault", "delay:on=submit,calls=[1],seconds=60")
    pacer = pacer_at(service)
    write_batch(pacer.folder, 4)
    process = begin(pacer, lines=3)
    kill(process)
    with contextlib.closing(sqlite3.connect(pacer.folder / "batch.pacer.db")) as journal:
        journal.execute(
            "UPDATE progress SET sent_at = sent_at - 90000, first_sent_at = first_sent_at - 90000"
        )
        journal.commit()
    ran = pacer("run", "batch.jsonl", "--json")
    assert ran.code == 1, ran.err
    said = json.loads(ran.out)
    assert len(said["too_long_in_doubt"]) == 1
    assert "--resend-in-doubt" in ran.err
    assert pacer("run", "batch.jsonl", "--resend-in-doubt").code == 0
    assert len(submissions(service.stop())) == 5
