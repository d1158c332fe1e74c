"""
A disk that is full, in each place where that can hurt: said in a sentence, and made good once there is room.
"""

from __future__ import annotations

from pathlib import Path

from tests.crash.disks import obey_permissions, small_disk
from tests.crash.scene import Scene, scene


async def test_no_room_for_the_journal(tmp_path: Path) -> None:
    """
    The journal's disk fills up in mid-run: exit 3, the journal named, nothing more is sent;
    with room again the same command completes the batch, nothing twice.
    """
    async with scene(tmp_path) as one:
        one.write(150, (4,))
        with small_disk(tmp_path / "disk", kib=400) as disk:
            journal = str(disk.path / "batch.pacer.db")
            ran = await one.run("--journal", journal, limit=disk.limit)
            assert ran.code == 3, ran.err
            assert journal in ran.err
            assert "run the same command again" in ran.err
            assert "Traceback" not in ran.err
            assert 0 < one.service.log.admitted < 150
            assert one.violations(finished=False) == []
            disk.make_room()
            ran = await one.run("--journal", journal)
        assert ran.code == 0, ran.err
        assert one.violations() == []


async def test_no_room_for_the_results(tmp_path: Path) -> None:
    """
    The results' disk fills up in mid-run: exit 3, the file named; with room again all
    lines are there, each once and whole.
    """
    async with scene(tmp_path) as one:
        one.write(60, (4,))
        with small_disk(tmp_path / "disk", kib=64) as disk:
            out = disk.path / "batch.results.jsonl"
            ran = await one.run("--out", str(out), limit=disk.limit)
            assert ran.code == 3, ran.err
            assert str(out) in ran.err
            assert "run the same command again" in ran.err
            assert "Traceback" not in ran.err
            disk.make_room()
            ran = await one.run("--out", str(out))
            assert ran.code == 0, ran.err
            one.out.write_bytes(out.read_bytes())
        assert one.violations() == []


async def test_no_room_for_the_intake(tmp_path: Path) -> None:
    """The journal's disk is too small for the batch: exit 2, nothing sent, no journal; with room it goes."""
    async with scene(tmp_path) as one:
        one.write(4000)
        with small_disk(tmp_path / "disk", kib=200) as disk:
            journal = disk.path / "batch.pacer.db"
            ran = await one.run("--journal", str(journal), limit=disk.limit)
            assert ran.code == 2, ran.err
            assert str(journal) in ran.err
            assert list(disk.path.iterdir()) == []
            assert len(one.service.log) == 0
            disk.make_room()
            one.write(10)
            ran = await one.run("--journal", str(journal))
        assert ran.code == 0, ran.err
        assert one.violations() == []


async def unwritable(one: Scene, path: Path, *words: str) -> str:
    """Take the right to write *path* away, run, and return the complaint: nothing was sent or changed."""
    mode = path.stat().st_mode
    before = _contents(one.folder, path)
    path.chmod(mode & ~0o222)
    try:
        calls = len(one.service.log)
        ran = await one.run(*words, prepare=obey_permissions)
    finally:
        path.chmod(mode)
    assert ran.code == 2, ran.err
    assert "Traceback" not in ran.err
    assert len(one.service.log) == calls
    assert _contents(one.folder, path) == before
    return ran.err


def _contents(folder: Path, touched: Path) -> dict[Path, bytes]:
    """Return every file but a journal that may be written, which merges its log when it is opened."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files if path == touched or ".db" not in path.name}


async def test_what_may_not_be_written(tmp_path: Path) -> None:
    """
    A directory, a journal, a results file that may only be read: exit 2 with its name before
    anything is sent; once it may be written the batch goes on.
    """
    async with scene(tmp_path) as one:
        one.write(8)
        (tmp_path / "locked").mkdir()
        for words in (["--journal", "locked/b.pacer.db"], ["--out", "locked/b.results.jsonl"]):
            assert words[1] in await unwritable(one, tmp_path / "locked", *words)
        assert not one.journal.exists()
        await one.run("--quiet", kill_when=lambda: len(one.submissions()) > 2)
        assert "batch.pacer.db" in await unwritable(one, one.journal)
        one.out.touch()
        assert "batch.results.jsonl" in await unwritable(one, one.out)
        assert (await one.run("--quiet")).code == 0
        assert one.violations() == []
