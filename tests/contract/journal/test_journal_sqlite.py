"""What the SQLite journal promises about its file: whose it is, who may read it, what if it has changed."""

from __future__ import annotations

import os
import random
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from pacer.errors import JournalError, JournalLocked, JournalLost
from pacer.journal.entries import Noted, Sent
from pacer.journal.sqlite import SqliteJournal, opening
from pacer.journal.sqlite.statements import SCHEMA, SQL
from tests.contract.journal.builders import BATCH, admitted, ended, everything, record, take_in


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal will be: a name that a URI has to quote."""
    return tmp_path / "what? 100% #1.pacer.db"


def batch_at(path: Path, requests: int = 3) -> None:
    """Leave a journal with a bit of everything at *path*."""
    with closing(SqliteJournal.open(path, create=True)) as journal:
        take_in(journal, *(record(index, body=b"x" * 300) for index in range(requests)))
        journal.write([Noted(1.0, "wave", {"size": 1}), Sent(2, 1.0)])
        journal.write([*admitted(0, "a", "b"), ended(0, "a", envelope={"text": "y" * 500})])


# The statements -------------------------------------------------------------


def test_every_statement_compiles_and_none_scans_a_table() -> None:
    """Each named statement fits the schema, and whatever is read during a run is found by an index."""
    whole = {
        "begin_progress",
        "begin_totals",
        "batch",
        "totals",
        "ended",
        "gates",
        "learnt",
        "projections",
        "bought",
    }
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        for name, statement in SQL.items():
            values = ["[1]"] * len(set(re.findall(r"\?\d", statement)))
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            scans = [step for step in plan if re.match(r"SCAN (?!json_each|CONSTANT)", step)]
            assert name in whole or not scans, (name, plan)


# Creating and removing ------------------------------------------------------


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_only_the_owner_can_read_any_of_the_files(path: Path, umask: int) -> None:
    """Journal, log, shared memory and lock are made 0600, whatever the umask."""
    before = os.umask(umask)
    try:
        with closing(SqliteJournal.open(path, create=True)) as journal:
            take_in(journal, record(0))
            journal.write([Sent(0, 1.0)])
            files = sorted(path.parent.iterdir())
            assert [file.name.removeprefix(path.name) for file in files] == ["", "-lock", "-shm", "-wal"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


def test_a_closed_journal_is_one_file(path: Path) -> None:
    """Log and lock are gone after closing, so that the file can be moved or copied by itself."""
    batch_at(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_refused_intake_leaves_no_file(path: Path) -> None:
    """Closing without a committed batch removes what opening has made."""
    journal = SqliteJournal.open(path, create=True)
    with journal.intake() as writer:
        writer.add([record(0)])
    journal.close()

    assert list(path.parent.iterdir()) == []


def test_a_batch_stays_whoever_opens_it(path: Path) -> None:
    """Opening a batch with create=True and closing it keeps it."""
    batch_at(path)
    SqliteJournal.open(path, create=True).close()
    with closing(SqliteJournal.open(path)) as journal:
        assert journal.batch() == BATCH


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    """A file that was made beforehand (mktemp) is taken."""
    path.touch()
    with pytest.raises(JournalError, match="is empty"):
        SqliteJournal.open(path)
    batch_at(path)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_missing_journal_is_not_made(path: Path, read_only: bool) -> None:
    """Without create a missing journal is an error, and nothing is left behind."""
    with pytest.raises(JournalError, match="There is no journal at"):
        SqliteJournal.open(path, read_only=read_only)
    assert list(path.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A missing directory, a directory in the file's place: a sentence with the path."""
    with pytest.raises(JournalError, match=r"missing/x\.db cannot be opened: No such file"):
        SqliteJournal.open(tmp_path / "missing" / "x.db", create=True)
    with pytest.raises(JournalError, match="is a directory"):
        SqliteJournal.open(tmp_path, create=True)


def test_a_file_system_without_wal_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite cannot share memory (network file systems) the journal says so, and leaves nothing."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda file, **rest: connect(f"{file}&vfs=unix-dotfile", **rest))
    with pytest.raises(JournalError, match="WAL mode needs shared memory"):
        SqliteJournal.open(path, create=True)
    assert list(path.parent.iterdir()) == []


# One at a time --------------------------------------------------------------


def test_a_second_opening_is_refused_by_name(path: Path) -> None:
    """While one has the journal, another is told which process that is; afterwards it may."""
    with closing(SqliteJournal.open(path, create=True)) as journal:
        take_in(journal, record(0))
        with pytest.raises(JournalLocked, match=f"in use by process {os.getpid()}"):
            SqliteJournal.open(path)
    SqliteJournal.open(path).close()


def test_a_link_to_a_journal_is_that_journal(path: Path, tmp_path: Path) -> None:
    """The lock cannot be got round by another name."""
    batch_at(path)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with closing(SqliteJournal.open(path)), pytest.raises(JournalLocked):
        SqliteJournal.open(link)


def test_a_lock_file_left_behind_means_nothing(path: Path) -> None:
    """A stale lock file, with whatever in it, does not keep anyone out."""
    batch_at(path)
    path.with_name(f"{path.name}-lock").write_text("1\n")
    SqliteJournal.open(path).close()


# Reading only ---------------------------------------------------------------


def test_a_report_reads_while_a_run_writes(path: Path) -> None:
    """A reader needs no lock, sees what is committed, holds up no write, and cannot write itself."""
    batch_at(path)
    with closing(SqliteJournal.open(path)) as run:
        with closing(SqliteJournal.open(path, read_only=True)) as report:
            assert everything(report) == everything(run)
            run.write([ended(0, "b")])
            assert report.counts().done == 1
            with pytest.raises(JournalLost):
                report.write([Noted(1.0, "x")])
        run.write([Noted(2.0, "wave")])
    assert list(path.parent.iterdir()) == [path]


# Files that are not as they should be ---------------------------------------


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"query": "what?"}\n' * 100, "no pacer journal, nor any SQLite"),
        (b"one line of notes\n", "no pacer journal, nor any SQLite"),
        (b"SQLite format 3\x00" + b"\xff" * 4080, "no pacer journal|damaged"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_of_another_kind_is_left_alone(
    path: Path, content: bytes, complaint: str, read_only: bool
) -> None:
    """What is not an SQLite file is refused and not touched, even where a journal may be made."""
    path.write_bytes(content)
    with pytest.raises(JournalError, match=complaint):
        SqliteJournal.open(path, create=True, read_only=read_only)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("read_only", [False, True])
def test_a_database_of_another_program_is_left_alone(path: Path, read_only: bool) -> None:
    """An SQLite file that is not ours is refused and not changed by a byte."""
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE photos (id)")
    content = path.read_bytes()
    with pytest.raises(JournalError, match="database of another program"):
        SqliteJournal.open(path, create=True, read_only=read_only)
    assert path.read_bytes() == content


@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_of_a_newer_schema_is_left_alone(path: Path, read_only: bool) -> None:
    """What a newer pacer wrote is refused with the way out: upgrade."""
    batch_at(path)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {opening.VERSION + 1}")
    content = path.read_bytes()
    with pytest.raises(JournalError, match=r"another version of pacer .*upgrade"):
        SqliteJournal.open(path, read_only=read_only)
    assert path.read_bytes() == content


def test_a_damaged_page_is_a_sentence_wherever_it_is(path: Path) -> None:
    """Any page overwritten, any byte changed: it works, or says that the journal is damaged, nothing else."""
    batch_at(path, requests=60)
    content = path.read_bytes()
    page = 4096
    chance = random.Random(5)
    damages = [(start, chance.randbytes(page)) for start in range(page, len(content), page)]
    damages += [(chance.randrange(len(content)), chance.randbytes(1)) for _ in range(150)]
    complaints = 0
    for start, garbage in damages:
        path.write_bytes(content[:start] + garbage + content[start + len(garbage) :])
        complaints += not _works(path)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert complaints > len(content) / page / 2


def _works(path: Path) -> bool:
    try:
        with closing(SqliteJournal.open(path)) as journal:
            everything(journal)
            journal.write([Noted(1.0, "wave"), Sent(5, 1.0), ended(0, "b")])
    except JournalError:
        return False
    return True
