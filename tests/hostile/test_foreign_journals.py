"""
What is no journal, or no longer one: refused with a sentence, and left as it was.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.scene import Scene, scene, settings

Stranger = Callable[[Path], object]


def text(path: Path) -> None:
    """Someone's notes."""
    path.write_text("precious\n" * 1000)


def almost_sqlite(path: Path) -> None:
    """A file that begins like a database and is none."""
    path.write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 40)


def another_program(path: Path) -> None:
    """Another program's database."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript("CREATE TABLE orders (id); INSERT INTO orders VALUES (1), (2)")


def newer(path: Path) -> None:
    """A journal that a later pacer has written."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            f"CREATE TABLE batch (x); PRAGMA application_id = {0x70616372}; PRAGMA user_version = 99"
        )


def directory(path: Path) -> None:
    """A directory."""
    path.mkdir()


def pipe(path: Path) -> None:
    """A named pipe: opening it to read waits for a writer."""
    os.mkfifo(path)


def device(path: Path) -> None:
    """A way to a device."""
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    """A symbolic link to itself."""
    path.symlink_to(path)


STRANGERS: dict[Stranger, tuple[str, ...]] = {
    text: ("no pacer journal", "--journal"),
    almost_sqlite: ("foreign.db",),
    another_program: ("another program", "--journal"),
    newer: ("schema 99", "upgrade"),
    directory: ("directory", "--journal"),
    pipe: ("a pipe", "--journal"),
    device: ("a device", "--journal"),
    loop: ("--journal",),
}


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_stranger_as_the_journal(tmp_path: Path, stranger: Stranger) -> None:
    """
    Whatever stands where the journal should be: exit 2 within seconds, its name, what to do,
    nothing sent, and not a byte of it changed. A report of it ends the same way.
    """
    path = tmp_path / "foreign.db"
    stranger(path)
    before = _state(path)
    async with scene(tmp_path) as one:
        one.write(3)
        files = sorted(tmp_path.iterdir())
        for words in (("run", "batch.jsonl", "--journal", "foreign.db"), ("report", "foreign.db")):
            ran = await (await one.start(*words)).ended()
            assert ran.code == 2, ran.err
            assert "foreign.db" in ran.err
            assert "Traceback" not in ran.err
            if words[0] == "run":
                for words_of_advice in STRANGERS[stranger]:
                    assert words_of_advice in ran.err
            assert _state(path) == before
            assert sorted(tmp_path.iterdir()) == files
        assert len(one.service.log) == 0


def _state(path: Path) -> object:
    """Return what must not change."""
    if path.is_file():
        return path.read_bytes()
    return os.lstat(path).st_mode


WORKERS = 2
"""So few that the batch of :func:`_killed` takes seconds: it is never over before the kill."""


async def _killed(one: Scene) -> None:
    """Kill a run in its midst: some captures are in the results, most are not."""
    one.write(40, (1, 2))
    ran = await one.run("--quiet", kill_when=lambda: one.out.exists() and one.out.stat().st_size > 0)
    assert ran.code == -9
    assert one.out.read_bytes().count(b"\n") < sum(asked.fan_out for asked in one.asked)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_damaged_page(tmp_path: Path, seed: int) -> None:
    """
    A page of the journal of a killed run turns to noise: the command either ends with a
    sentence that calls it damaged, or completes the batch with nothing twice. Never a defect.
    """
    async with scene(tmp_path, settings(workers=WORKERS)) as one:
        await _killed(one)
        with closing(sqlite3.connect(one.journal)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        chance = random.Random(seed)
        pages = one.journal.stat().st_size // 4096
        with one.journal.open("r+b") as file:
            file.seek(chance.randrange(1, pages) * 4096)
            file.write(chance.randbytes(4096))
        ran = await one.run()
        assert "Traceback" not in ran.err
        if ran.code == 0:
            assert one.violations() == []
        else:
            assert ran.code in (2, 3), ran.err
            assert "batch.pacer.db is damaged" in ran.err
            assert "Put a copy" in ran.err


async def test_a_journal_without_its_log(tmp_path: Path) -> None:
    """
    Of a killed run only the database was copied, not the log beside it: the copy is an older
    state of the batch, or none; what it sends again the service replays, so nothing is twice.
    """
    async with scene(tmp_path, settings(workers=WORKERS)) as one:
        await _killed(one)
        Path(f"{one.journal}-wal").unlink()
        Path(f"{one.journal}-shm").unlink()
        ran = await one.run()
        assert ran.code in (0, 2), ran.err
        if ran.code == 2:  # the batch itself was only in the log
            assert "batch.results.jsonl" in ran.err
            one.out.unlink()
            ran = await one.run()
        assert ran.code == 0, ran.err
        assert one.violations() == []
