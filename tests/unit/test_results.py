"""The results: each line to the letter, each line once, and no one else's file touched."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer.errors import OutputLost, UsageError
from pacer.journal.entries import Accepted, CaptureEnded, Rejected, Sent
from pacer.journal.memory import MemoryJournal
from pacer.journal.records import Batch, Record
from pacer.journal.views import ResultRow
from pacer.results import ResultsFile
from pacer.results.lines import render

MOST = 600


@pytest.fixture
def journal() -> MemoryJournal:
    """A batch, nothing of which has been sent."""
    return a_journal()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the results are."""
    return tmp_path / "batch.results.jsonl"


def a_journal() -> MemoryJournal:
    """Return a journal with a batch in it."""
    journal = MemoryJournal()
    with journal.intake() as writer:
        writer.add([Record(n, f"id-{n}", f"key-{n}", b"{}", 1, ("claude",), n + 1) for n in range(MOST)])
        writer.commit(Batch(token="t", source="s", input_sha256="", base_url="u", created_at=1.0))
    return journal


def end(journal: MemoryJournal, *indexes: int) -> None:
    """End the only capture of each of these requests."""
    for n in indexes:
        envelope = {"n": n, "text": "é" * (n % 50)}
        journal.write(
            [
                Sent(n, 1.0),
                Accepted(n, 2.0, f"job_{n}", (f"job_{n}.claude.us",)),
                CaptureEnded(n, f"job_{n}.claude.us", 3.0, "claude", "US", "completed", envelope, None),
            ]
        )


def expected(journal: MemoryJournal) -> bytes:
    """Return what a complete results file holds."""
    return b"".join(map(render, journal.rows(after=0, limit=10 * MOST)))


def invocation(journal: MemoryJournal, out: Path) -> Path | None:
    """Open the results, bring them up to the journal, close them; return what was moved aside."""
    results = ResultsFile(out, journal)
    moved_to = results.open()
    results.flush()
    results.close()
    return moved_to


# The line -------------------------------------------------------------------


def test_a_capture_is_the_documented_line() -> None:
    """Keys and their order, compact JSON, UTF-8 as it is, one line feed."""
    row = ResultRow(7, "né", 3, "job_1", "job_1.claude.us", "claude", "US", "partial", {"a": [1, "ü"]}, None)
    assert render(row).decode() == (
        '{"request":"né","index":3,"job":"job_1","child":"job_1.claude.us","surface":"claude","region":"US",'
        '"status":"partial","envelope":{"a":[1,"ü"]},"error":null}\n'
    )


def test_a_rejected_request_is_a_line_without_a_capture(journal: MemoryJournal, out: Path) -> None:
    """Job, child, surface, region and envelope are null; the error says why."""
    journal.write([Sent(1, 1.0), Rejected(1, 2.0, {"code": "VALIDATION_FAILED", "message": "no"})])
    invocation(journal, out)
    assert out.read_text() == (
        '{"request":"id-1","index":1,"job":null,"child":null,"surface":null,"region":null,'
        '"status":"rejected","envelope":null,"error":{"code":"VALIDATION_FAILED","message":"no"}}\n'
    )


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        # A pair of surrogates that meet is one character once it has been through JSON.
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.sampled_from(["\ud800", "\u2028\r\n\x00", "x\udfff"]),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
        ),
    )
)
def test_any_envelope_is_one_line_that_reads_back(envelope: Any) -> None:
    """Whatever JSON holds, lone surrogates included, comes back from a line in valid UTF-8."""
    line = render(ResultRow(1, "r", 0, "j", "c", None, None, "completed", envelope, None))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line.decode("utf-8"))["envelope"] == envelope


def test_numbers_that_json_does_not_have_become_null() -> None:
    """NaN and infinities, which json.loads lets in, do not get out."""
    envelope = json.loads('{"a":[NaN,1.5,{"b":-Infinity}]}')
    line = render(ResultRow(1, "r", 0, "j", "c", None, None, "completed", envelope, {"x": float("inf")}))
    assert b'"envelope":{"a":[null,1.5,{"b":null}]},"error":{"x":null}' in line


# The file -------------------------------------------------------------------


def test_lines_are_appended_as_captures_end(journal: MemoryJournal, out: Path) -> None:
    """Each flush writes what is new, says how much, and records where the file ends."""
    results = ResultsFile(out, journal)
    assert results.open() is None
    assert results.flush() == 0
    end(journal, 0, 1)
    assert results.flush() == 2
    assert results.flush() == 0
    end(journal, *range(2, 300))
    assert results.flush() == 298

    assert out.read_bytes() == expected(journal)
    record = journal.projections()[str(out)]
    assert (record.seq, record.offset) == (300, out.stat().st_size)
    results.close()
    results.close()


def test_a_flush_waits_for_the_disk_once(
    journal: MemoryJournal, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many lines, one fsync; with nothing new, none."""
    results = ResultsFile(out, journal)
    results.open()
    end(journal, *range(500))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    results.flush()
    results.flush()
    assert len(synced) == 1
    results.close()


def test_the_file_is_its_owners(journal: MemoryJournal, out: Path) -> None:
    """It is made 0600 whatever the umask."""
    before = os.umask(0)
    try:
        invocation(journal, out)
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@settings(deadline=None, max_examples=60)
@given(
    ends=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    lost=st.lists(st.booleans(), min_size=8, max_size=8),
    kept=st.lists(st.floats(0, 1), min_size=8, max_size=8),
)
def test_a_crash_between_any_two_steps_doubles_and_loses_nothing(
    ends: list[int], lost: list[bool], kept: list[float]
) -> None:
    """Whatever part of a flush had reached the disk, recorded or not, the next one makes the file exact."""
    journal = a_journal()
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out.jsonl"
        done = 0
        for count, is_lost, part in zip(ends, lost, kept, strict=False):
            end(journal, *range(done, done + count))
            done += count
            results = ResultsFile(out, journal)
            assert results.open() is None
            before = journal.projections()[str(out)]
            results.flush()
            results.close()
            if is_lost:
                journal.project(before)
                os.truncate(out, before.offset + int((out.stat().st_size - before.offset) * part))
        assert invocation(journal, out) is None
        assert out.read_bytes() == expected(journal)


def test_a_deleted_file_is_written_again(journal: MemoryJournal, out: Path) -> None:
    """The journal has every line."""
    end(journal, *range(300))
    invocation(journal, out)
    out.unlink()
    assert invocation(journal, out) is None
    assert out.read_bytes() == expected(journal)


def test_an_emptied_file_is_written_again(journal: MemoryJournal, out: Path) -> None:
    """There is nothing in it to move aside."""
    end(journal, 0)
    invocation(journal, out)
    os.truncate(out, 0)
    assert invocation(journal, out) is None
    assert out.read_bytes() == expected(journal)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"id-1", b"id-X"),
        lambda content: b"{}\n" + content,
        lambda content: content[content.index(b"\n") + 1 :],
    ],
    ids=["last byte", "half", "edited", "line before", "line removed"],
)
def test_a_changed_file_is_moved_aside_and_written_again(
    journal: MemoryJournal, out: Path, change: Any
) -> None:
    """What someone has made of it is kept under a dated name; the results are exact."""
    end(journal, 0, 1, 2)
    invocation(journal, out)
    changed = change(out.read_bytes())
    out.write_bytes(changed)

    moved_to = invocation(journal, out)
    assert moved_to is not None
    assert re.fullmatch(re.escape(out.name) + r"\.edited-\d{8}T\d{6}", moved_to.name)
    assert moved_to.read_bytes() == changed
    assert out.read_bytes() == expected(journal)


def test_two_files_moved_aside_do_not_meet(journal: MemoryJournal, out: Path) -> None:
    """Within one second a second name is found."""
    end(journal, 0)
    names = set()
    for n in range(3):
        invocation(journal, out)
        out.write_text(f"edit {n}")
        names.add(invocation(journal, out))
    assert len({path.read_text() for path in names if path is not None}) == 3


def test_what_follows_the_recorded_end_is_cut_off(journal: MemoryJournal, out: Path) -> None:
    """A torn tail of our own is removed before anything is appended."""
    end(journal, 0)
    invocation(journal, out)
    with out.open("ab") as file:
        file.write(b'{"request":"id-1","ind')
    end(journal, 1)
    assert invocation(journal, out) is None
    assert out.read_bytes() == expected(journal)


def test_another_file_is_refused_and_left_alone(journal: MemoryJournal, out: Path) -> None:
    """A file with something in it that this journal knows nothing of: exit 2, unchanged."""
    end(journal, 0)
    out.write_text("my notes\n")
    with pytest.raises(UsageError, match=r"is not empty, and not the results of this journal.*--out"):
        ResultsFile(out, journal).open()
    assert out.read_text() == "my notes\n"
    assert journal.projections() == {}


def test_another_file_in_the_place_of_one_never_written_is_kept(journal: MemoryJournal, out: Path) -> None:
    """A record that says "nothing yet" does not make a stranger's file ours to cut."""
    invocation(journal, out)
    out.write_text("my notes\n")
    moved_to = invocation(journal, out)
    assert moved_to is not None
    assert moved_to.read_text() == "my notes\n"


def test_an_empty_file_is_taken(journal: MemoryJournal, out: Path) -> None:
    """A file that was made beforehand (mktemp) is used."""
    out.touch()
    end(journal, 0)
    invocation(journal, out)
    assert out.read_bytes() == expected(journal)


def test_a_batch_that_was_moved_is_known_by_its_content(
    journal: MemoryJournal, out: Path, tmp_path: Path
) -> None:
    """Journal and results under another directory, a container's mount say, go on where they were."""
    end(journal, 0, 1)
    invocation(journal, out)
    (tmp_path / "mounted").mkdir()
    moved = out.rename(tmp_path / "mounted" / out.name)
    inode = moved.stat().st_ino
    end(journal, 2)

    assert invocation(journal, moved) is None
    assert moved.read_bytes() == expected(journal)
    assert moved.stat().st_ino == inode


def test_two_files_can_be_kept(journal: MemoryJournal, out: Path, tmp_path: Path) -> None:
    """Another --out gets everything, and going back to the first one adds what is missing there."""
    other = tmp_path / "other.jsonl"
    end(journal, 0)
    invocation(journal, out)
    end(journal, 1)
    invocation(journal, other)
    assert other.read_bytes() == expected(journal)
    invocation(journal, out)
    assert out.read_bytes() == expected(journal)


@pytest.mark.parametrize("place", ["missing/out.jsonl", "a-directory", "a-pipe"])
def test_a_place_that_is_no_file_is_refused(journal: MemoryJournal, tmp_path: Path, place: str) -> None:
    """A missing directory, a directory, a pipe: a sentence, at once, before anything is sent."""
    (tmp_path / "a-directory").mkdir()
    os.mkfifo(tmp_path / "a-pipe")
    with pytest.raises(UsageError, match=re.escape(str(tmp_path / place))):
        ResultsFile(tmp_path / place, journal).open()


def test_a_file_cut_short_during_the_run_is_noticed(journal: MemoryJournal, out: Path) -> None:
    """The run stops with a sentence rather than leave a gap, and the next one writes the file again."""
    results = ResultsFile(out, journal)
    results.open()
    end(journal, 0, 1)
    results.flush()
    os.truncate(out, 10)
    end(journal, 2)
    with pytest.raises(OutputLost, match="cut short while the batch ran"):
        results.flush()
    results.close()

    invocation(journal, out)
    assert out.read_bytes() == expected(journal)


# Standard output ------------------------------------------------------------


def test_the_outputs_of_successive_invocations_make_a_whole(
    journal: MemoryJournal, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Each invocation prints what none before it was recorded to have printed."""
    end(journal, 0, 1)
    results = ResultsFile("-", journal)
    assert results.open() is None
    assert results.flush() == 2
    results.close()
    end(journal, 2)
    again = ResultsFile("-", journal)
    again.open()
    assert again.flush() == 1

    assert capfdbinary.readouterr().out == expected(journal)
    assert set(journal.projections()) == {"-"}


def test_a_reader_that_leaves_is_a_sentence_and_loses_nothing() -> None:
    """A closed pipe stops the output by name; the lines stay unprinted for the next invocation."""
    script = """
import sys, os
sys.path.insert(0, sys.argv[1])
import test_results as t
from pacer.errors import OutputLost
from pacer.results import ResultsFile
journal = t.a_journal()
t.end(journal, *range(t.MOST))
results = ResultsFile("-", journal)
results.open()
sys.stdin.read()
try:
    results.flush()
except OutputLost as error:
    print(error, journal.projections()["-"].seq, file=sys.stderr)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(Path(__file__).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stdin is not None
    process.stdin.close()
    assert process.stderr is not None
    complaint = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 0
    assert complaint.startswith("The results can no longer be written to standard output: Broken pipe.")
    assert complaint.rstrip().endswith(" 0")
