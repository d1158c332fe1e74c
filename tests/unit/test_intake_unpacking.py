"""Compressed files, and text in UTF-16: the same records, or a sentence about the file."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.errors import UsageError
from pacer.intake import SUFFIXES, input_sha256, read
from pacer.intake.unpacking import AsUtf8, Gunzipped
from tests.unit.test_intake_reading import GOOD, Dribble, outcome, read_as

CONTENT = {
    ".jsonl": GOOD + b"\n{nope\n" + GOOD,
    ".ndjson": GOOD,
    ".json": b"[" + GOOD + b",\n{}]",
    ".csv": b"query,surfaces\nq,claude\n,gemini\n",
    ".tsv": b"query\tsurfaces\nq\tclaude\n",
}
WHOLE = gzip.compress(CONTENT[".jsonl"], mtime=0)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_a_compressed_file_is_the_file(suffix: str, tmp_path: Path) -> None:
    """Same records, same faults, same lines; in one member or several, as appended files have them."""
    content = CONTENT[suffix]
    path = tmp_path / f"batch{suffix.upper()}.gz"
    for packed in (gzip.compress(content), gzip.compress(content[:9]) + gzip.compress(content[9:])):
        path.write_bytes(packed)
        assert [outcome(item) for item in read(path)] == read_as(suffix, content)
    assert input_sha256(path) != input_sha256(_written(tmp_path / f"batch{suffix}", content))


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (CONTENT[".jsonl"], "is not gzip. Name it without .gz"),
        (WHOLE[:-9], "is cut off"),
        (WHOLE[:20], "is cut off"),
        (WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:], "is damaged"),
        (WHOLE[:12] + b"\xff\xff" + WHOLE[14:], "is damaged"),
        (WHOLE + b"more", "is damaged"),
    ],
    ids=["not gzip", "cut off", "cut off early", "wrong sum", "changed", "something after it"],
)
def test_what_is_wrong_with_a_compressed_file_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    """Cut off, changed, or not compressed at all: a sentence with the file's name."""
    path = _written(tmp_path / "batch.jsonl.gz", data)

    with pytest.raises(UsageError, match=words) as raised:
        list(read(path))
    assert str(path) in str(raised.value)


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)), st.integers(1, 50))
def test_any_bytes_for_gzip_are_text_or_a_named_problem(junk: bytes, kept: int, step: int) -> None:
    """No compressed file, however broken, ends in another exception."""
    for data in (junk, WHOLE[:kept] + junk, WHOLE + junk):
        with suppress(UsageError):
            outcomes = [outcome(item) for item in SUFFIXES[".jsonl"](Gunzipped(Dribble(data, step), "x.gz"))]
            assert outcomes == read_as(".jsonl", gzip.decompress(data))


def test_a_bomb_is_unpacked_a_little_at_a_time() -> None:
    """However much comes out of a small file, no more is handed out than was asked for."""
    stream = Gunzipped(Dribble(zlib.compress(b"\n" * (64 << 20), wbits=31), 1 << 30), "bomb")
    total = 0
    while block := stream.read(1 << 18):
        assert len(block) <= 1 << 18
        total += len(block)
    assert total == 64 << 20


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(["utf-16-le", "utf-16-be"]),
    st.integers(1, 9),
)
def test_utf_16_with_its_mark_is_read(text: str, encoding: str, step: int) -> None:
    """However its bytes arrive, what a spreadsheet writes as UTF-16 is the same text in UTF-8."""
    stream = AsUtf8(Dribble(("\ufeff" + text).encode(encoding), step))

    assert text.encode() == b"".join(iter(lambda: stream.read(4), b""))


def test_broken_utf_16_is_refused_where_it_breaks() -> None:
    """Half a character is a fault on its line, and no other line's."""
    good = "\ufeffquery,surfaces\nq,claude\n"

    for data in (
        (good + "q\ud800,claude\n").encode("utf-16-le", "surrogatepass"),
        (good + "q,claude").encode("utf-16-le") + b"x",
    ):
        second, third = read_as(".csv", data)
        assert second[0] == 2
        assert third[0] == 3
        assert isinstance(third[1], list)
        assert third[1][0][1].startswith("not UTF-8")


@given(st.binary(max_size=60), st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff"]), st.integers(1, 5))
def test_any_bytes_are_read_to_their_end(data: bytes, mark: bytes, step: int) -> None:
    """No bytes end in an exception, and what is not UTF-16 passes unchanged."""
    stream = AsUtf8(Dribble(mark + data, step))
    passed = b"".join(iter(lambda: stream.read(8), b""))

    if not (mark + data).startswith((b"\xff\xfe", b"\xfe\xff")):
        assert passed == data
