"""
Results that were truncated, edited, deleted while the journal stayed; a journal that is in use.
"""

from __future__ import annotations

import json
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.scene import Scene, scene, settings

Harm = Callable[[Path, random.Random], object]


def truncate(path: Path, chance: random.Random) -> None:
    """Cut it anywhere, within a line most likely."""
    with path.open("r+b") as file:
        file.truncate(chance.randrange(path.stat().st_size))


def empty(path: Path, _: random.Random) -> None:
    """Leave nothing in it."""
    path.write_bytes(b"")


def edit(path: Path, chance: random.Random) -> None:
    """Change one letter."""
    text = bytearray(path.read_bytes())
    place = chance.randrange(len(text) // 2)
    text[place] ^= 1
    path.write_bytes(text)


def reorder(path: Path, chance: random.Random) -> None:
    """Sort it, as a tool might."""
    lines = path.read_text().splitlines(keepends=True)
    chance.shuffle(lines)
    path.write_text("".join(lines))


def add(path: Path, _: random.Random) -> None:
    """Append a line and a half."""
    with path.open("a") as file:
        file.write('{"request": "q0", "index": 0}\n{"request": ')


def delete(path: Path, _: random.Random) -> None:
    """Take it away."""
    path.unlink()


def replace(path: Path, _: random.Random) -> None:
    """Put another file of the same length in its place."""
    path.write_bytes(b"x" * path.stat().st_size)


async def half_done(one: Scene) -> None:
    """Kill a run of 40 requests of which all but the held ones are in the results, and on record."""
    one.write(40, (1, 2))
    ran = await one.run("--quiet", kill_when=lambda: one.listed() > 50 and one.recorded() == size(one))
    assert ran.code == -9, ran.err
    one.service.held = False


def size(one: Scene) -> int:
    """Return that of the results."""
    return one.out.stat().st_size


@pytest.mark.parametrize("harm", [truncate, empty, edit, reorder, add, delete, replace])
async def test_harmed_results(tmp_path: Path, harm: Harm) -> None:
    """
    Whatever was done to the results of a run that was killed, resumed they are complete and
    single, and no capture is paid again; what someone wrote into the file is kept beside it.
    """
    async with scene(tmp_path, settings(workers=8, latency=0.1), held=True) as one:
        await half_done(one)
        harm(one.out, random.Random(1))
        found = one.out.read_bytes() if one.out.exists() else b""
        ran = await one.run()
        assert ran.code == 0, ran.err
        assert one.violations() == []
        kept = list(tmp_path.glob("batch.results.jsonl.edited-*"))
        if harm in (edit, reorder, replace):
            assert [path.read_bytes() for path in kept] == [found]
            assert kept[0].name in ran.err
        assert stat.S_IMODE(one.out.stat().st_mode) == 0o600


async def test_harmed_after_the_end(tmp_path: Path) -> None:
    """When all has ended, results that went missing or were cut come back without a single call."""
    async with scene(tmp_path) as one:
        one.write(10)
        assert (await one.run("--quiet")).code == 0
        whole, calls = sorted(one.out.read_text().splitlines()), len(one.service.log)
        for harm in (truncate, delete, edit):
            harm(one.out, random.Random(2))
            assert (await one.run("--quiet")).code == 0
            assert sorted(one.out.read_text().splitlines()) == whole
        assert len(one.service.log) == calls


async def test_a_second_process(tmp_path: Path) -> None:
    """A second command on a journal in use ends with 2, names journal and process, and changes nothing."""
    async with scene(tmp_path, settings(endless=1.0)) as one:
        one.write(20)
        began = one.now()
        first = await one.start("run", "batch.jsonl", "--quiet")
        await one.until(lambda: len(one.submissions()) > 3, first)
        for words in ([], ["--repeat"], ["--abandon"]):
            second = await (await one.start("run", "batch.jsonl", *words)).ended()
            assert second.code == 2, second.err
            assert "batch.pacer.db" in second.err
            assert str(first.process.pid) in second.err
        assert first.process.returncode is None
        one.note(began, await first.kill(), one.now())
        assert one.violations(finished=False) == []


async def test_a_second_process_during_the_intake(tmp_path: Path) -> None:
    """While one command still reads its input, a second one on the same journal is refused as well."""
    async with scene(tmp_path) as one:
        one.write(3)
        words = ("run", "-", "--journal", "batch.pacer.db", "--out", "batch.results.jsonl")
        first = await one.start(*words, "--quiet")
        assert first.process.stdin is not None
        lines = (tmp_path / "batch.jsonl").read_bytes()
        first.process.stdin.write(lines)
        await one.until(one.journal.exists, first)
        second = await (await one.start("run", "batch.jsonl")).ended()
        assert second.code == 2, second.err
        assert str(first.process.pid) in second.err
        began = one.now()
        first.process.stdin.close()
        ran = await first.ended()
        one.note(began, ran)
        assert ran.code == 0, ran.err
        assert one.violations() == []


DIES_AT_RENAME = """
import os, signal, sys
number, left = int(sys.argv.pop(1)), [0]
rename = os.rename
def dying(*names, **more):
    if left[0] == number:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] += 1
    rename(*names, **more)
os.rename = dying
from pacer.__main__ import main
main()
"""
"""Runs pacer until just before its n-th renaming of a file, and kills it there."""


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_killed_between_two_batches(tmp_path: Path, number: int) -> None:
    """
    Killed anywhere while --repeat puts the old batch by, not one line of the old results is
    lost, and the same command again completes the new batch.
    """
    async with scene(tmp_path) as one:
        one.write(6)
        write_without_keys(tmp_path)
        assert (await one.run("--quiet")).code == 0
        old = sorted(one.out.read_text().splitlines())
        running = await one.start_python(DIES_AT_RENAME, str(number), "run", "batch.jsonl", "--repeat")
        assert (await running.ended()).code == -9
        ran = await one.run("--repeat", "--quiet")
        assert ran.code == 0, ran.err
        kept = [sorted(path.read_text().splitlines()) for path in tmp_path.glob("batch.2*.results.jsonl")]
        assert old in kept or sorted(one.out.read_text().splitlines()) == old
        assert len(one.lines()) == 6
        admitted = [entry.key for entry in one.submissions() if entry.admitted]
        assert len(admitted) == len(set(admitted)) == 12


def write_without_keys(folder: Path) -> None:
    """Let pacer make the keys of the batch: the same request again is then another capture."""
    requests = [json.loads(line) for line in (folder / "batch.jsonl").read_text().splitlines()]
    for request in requests:
        del request["idempotencyKey"]
    (folder / "batch.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))
