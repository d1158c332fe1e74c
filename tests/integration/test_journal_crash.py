"""The journal and the results when the process dies or the disk gives out: real processes, real files."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pacer.errors import JournalLocked
from pacer.journal.records import Batch, Record
from pacer.journal.sqlite import SqliteJournal
from pacer.results import ResultsFile

PRELUDE = """
import os, resource, sys, time
from pathlib import Path
from pacer.errors import JournalError, JournalLost, OutputLost
from pacer.journal.entries import *
from pacer.journal.records import *
from pacer.journal.sqlite import SqliteJournal
from pacer.results import ResultsFile

path, out = Path(sys.argv[1]), Path(sys.argv[2])

def say(*words):
    print(*words, flush=True)

def most_bytes(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

def envelope(index):
    return {"n": index, "pad": os.urandom(400).hex()}

def whole(index):
    return [
        Sent(index, 1.0),
        Accepted(index, 2.0, f"job-{index}", ("a",)),
        CaptureEnded(index, "a", 3.0, "chatgpt", "US", "completed", envelope(index), None),
    ]
"""

REQUESTS = 3000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "batch.pacer.db"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the results are."""
    return tmp_path / "batch.results.jsonl"


@pytest.fixture
def child(path: Path, out: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Runs a script in a process of its own, with the paths of journal and results."""
    children: list[subprocess.Popen[str]] = []

    def start(script: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PRELUDE + script, str(path), str(out)]
        children.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return children[-1]

    yield start
    for process in children:
        process.kill()
        process.communicate()


def records(count: int) -> list[Record]:
    """Return small records."""
    return [Record(n, f"id-{n}", f"key-{n}", b"{}", 1, ("chatgpt",), n + 1) for n in range(count)]


def take_in(journal: SqliteJournal, count: int = REQUESTS) -> None:
    """Commit a batch."""
    with journal.intake() as writer:
        writer.add(records(count))
        writer.commit(Batch(token="t", source="s", input_sha256="", base_url="u", created_at=1.0))


def said(process: subprocess.Popen[str]) -> str:
    """Return the next line that *process* prints, without its line feed."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_another_process_is_locked_out_until_it_dies(
    path: Path, child: Callable[[str], subprocess.Popen[str]]
) -> None:
    """A second process is refused with the first one's number; kill -9 frees the journal at once."""
    holder = child("""
journal = SqliteJournal.open(path, create=True)
say("open")
sys.stdin.read()
""")
    assert said(holder) == "open"
    with pytest.raises(JournalLocked, match=f"in use by process {holder.pid}"):
        SqliteJournal.open(path)

    holder.send_signal(signal.SIGKILL)
    holder.wait()
    SqliteJournal.open(path).close()


def test_an_intake_that_was_killed_never_was(
    path: Path, child: Callable[[str], subprocess.Popen[str]]
) -> None:
    """After kill -9 in mid-intake there is no batch, and the journal can be used or is cleared away."""
    taking = child("""
with SqliteJournal.open(path, create=True).intake() as writer:
    for n in range(10**9):
        writer.add([Record(n, f"id-{n}", f"key-{n}", b"x" * 1000, 1, ("chatgpt",), n + 1)])
        if n % 20_000 == 19_999:
            say(n)  # more than the cache holds: part of it is in the files
""")
    said(taking)
    taking.send_signal(signal.SIGKILL)
    taking.wait()
    assert path.stat().st_size + path.with_name(f"{path.name}-wal").stat().st_size > 2**23

    with closing(SqliteJournal.open(path, create=True)) as journal:
        assert journal.batch() is None
        assert journal.pending(after=-1, limit=1) == []
    assert list(path.parent.iterdir()) == []


def test_what_was_written_survives_kill_9_and_stands_in_the_results_once(
    path: Path, out: Path, child: Callable[[str], subprocess.Popen[str]]
) -> None:
    """Killed at any moment, again and again: all that was confirmed is there, whole, and each line once."""
    with closing(SqliteJournal.open(path, create=True)) as journal:
        take_in(journal)
    chance = random.Random(7)
    confirmed = -1
    for _ in range(8):
        writing = child("""
journal = SqliteJournal.open(path)
results = ResultsFile(out, journal)
results.open()
while page := journal.pending(after=-1, limit=5):
    journal.write([entry for request in page for entry in whole(request.index)])
    say(page[-1].index)
    results.flush()
""")
        for _ in range(chance.randrange(1, 25)):
            confirmed = int(said(writing))
        writing.send_signal(signal.SIGKILL)
        confirmed = max([confirmed, *map(int, writing.communicate()[0].split())])

        with closing(SqliteJournal.open(path)) as journal:
            counts = journal.counts()
            assert counts.done >= confirmed + 1
            assert (counts.sent, counts.accepted) == (0, 0)  # one write is all or nothing
    with closing(SqliteJournal.open(path)) as journal:
        results = ResultsFile(out, journal)
        assert results.open() is None
        results.flush()
        results.close()
        done = journal.counts().done
        lines = [json.loads(line) for line in out.read_bytes().splitlines()]
        assert [line["envelope"]["n"] for line in lines] == list(range(done))


def test_a_full_disk_ends_the_run_and_not_the_journal(
    path: Path, child: Callable[[str], subprocess.Popen[str]]
) -> None:
    """When no more can be written the write fails by name and as a whole; what was confirmed before stays."""
    with closing(SqliteJournal.open(path, create=True)) as journal:
        take_in(journal)
    filling = child("""
journal = SqliteJournal.open(path)
most_bytes(2**20)
for index in range(10**9):
    try:
        journal.write(whole(index))
    except JournalLost as error:
        say(index, error)
        break
try:
    journal.write([Noted(1.0, "still full", {"pad": "x" * 2**20})])
except JournalLost:
    say("again")
say(journal.counts().done)
most_bytes(resource.RLIM_INFINITY)
journal.write(whole(index))
journal.close()
""")
    done, sentence = said(filling).split(" ", 1)
    assert sentence.startswith(f"The journal {path} can no longer be written")
    assert "run the same command again" in sentence
    assert said(filling) == "again"
    assert said(filling) == done
    filling.communicate()
    assert filling.returncode == 0
    with closing(SqliteJournal.open(path)) as journal:
        assert journal.counts().done == int(done) + 1


def test_an_intake_that_does_not_fit_leaves_nothing(
    path: Path, child: Callable[[str], subprocess.Popen[str]]
) -> None:
    """A disk that is full before the batch is taken in is a sentence, and no journal remains."""
    filling = child("""
most_bytes(2**20)
journal = SqliteJournal.open(path, create=True)
try:
    with journal.intake() as writer:
        for n in range(10**9):
            writer.add([Record(n, f"id-{n}", f"key-{n}", b"x" * 1000, 1, ("chatgpt",), n + 1)])
except JournalLost as error:
    say(error)
journal.close()
""")
    assert "can no longer be written" in said(filling)
    filling.communicate()
    assert filling.returncode == 0
    assert list(path.parent.iterdir()) == []


def test_results_on_a_full_disk_are_whole_lines_and_go_on_later(
    path: Path, out: Path, child: Callable[[str], subprocess.Popen[str]]
) -> None:
    """The results stop with a sentence; with room again they are completed."""
    with closing(SqliteJournal.open(path, create=True)) as journal:
        take_in(journal, 400)
    filling = child("""
journal = SqliteJournal.open(path)
for index in range(400):
    journal.write(whole(index))
results = ResultsFile(out, journal)
results.open()
most_bytes(100_000)
for _ in range(2):
    try:
        results.flush()
    except OutputLost as error:
        say(error)
most_bytes(300_000)
try:
    results.flush()
except OutputLost as error:
    say(error)
most_bytes(resource.RLIM_INFINITY)
sys.stdin.read(1)
say(results.flush())
""")
    for _ in range(3):
        assert said(filling).startswith(f"The results can no longer be written to {out}: File too large.")
    filling.communicate("x")
    assert filling.returncode == 0
    assert [json.loads(line)["index"] for line in out.read_bytes().splitlines()] == list(range(400))


@pytest.fixture
def locked_away() -> Iterator[Path]:
    """A directory that every user can reach, for what a child without rights may only read."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)
        os.chmod(directory, 0o755)


def without_rights(script: str, path: Path, *, directory: int = 0o555) -> str:
    """Run *script* as a user who may only read *path*, in a directory of that mode; return what it says."""
    drop = "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    command = [sys.executable, "-c", PRELUDE + drop + script, str(path), "unused"]
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(directory)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_journal_that_may_only_be_read_is_refused_for_a_run_and_good_for_a_report(
    locked_away: Path,
) -> None:
    """A run needs to write and says so; a report reads it all the same."""
    path = locked_away / "batch.pacer.db"
    with closing(SqliteJournal.open(path, create=True)) as journal:
        take_in(journal)
    output = without_rights(
        """
try:
    SqliteJournal.open(path, create=True)
except JournalError as error:
    say(error)
say(SqliteJournal.open(path, read_only=True).counts().pending)
""",
        path,
    )
    assert output.splitlines()[0].startswith(f"The journal {path} cannot be opened: Permission denied.")
    assert output.splitlines()[1:] == [str(REQUESTS)]


def test_a_journal_that_cannot_be_written_is_refused_before_anything_is_sent(locked_away: Path) -> None:
    """In a directory that can be written the file itself must be writable too, and that shows at opening."""
    path = locked_away / "batch.pacer.db"
    with closing(SqliteJournal.open(path, create=True)) as journal:
        take_in(journal)
    output = without_rights(
        """
try:
    SqliteJournal.open(path)
except JournalError as error:
    say(error)
""",
        path,
        directory=0o777,
    )
    assert "Make the file and its directory writable" in output


def test_a_cut_off_journal_on_a_read_only_disk_is_not_misread(
    locked_away: Path, child: Callable[[str], subprocess.Popen[str]]
) -> None:
    """Where the log of a killed run cannot be merged, a report says so; it never shows a state without it."""
    path = locked_away / "batch.pacer.db"
    with closing(SqliteJournal.open(path, create=True)) as journal:
        take_in(journal)
    killed = child(f"""
journal = SqliteJournal.open(Path({str(path)!r}))
journal.write(whole(0))
say("written")
sys.stdin.read()
""")
    assert said(killed) == "written"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    path.with_name(f"{path.name}-shm").unlink()

    output = without_rights(
        """
try:
    say(SqliteJournal.open(path, read_only=True).counts().done)
except JournalError as error:
    say(error)
""",
        path,
    )
    assert "Copy it and batch.pacer.db-wal to a directory that can be written" in output
