"""``pacer export``: from a journal of any standing to a file that is whole or not there."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pacer.cli import exporting
from pacer.cli.export import Format
from pacer.cli.exporting import Export, carry_out
from pacer.errors import JournalError, OutputLost, UsageError
from pacer.journal.entries import Rejected, Sent
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.views import Projection
from pacer.results import ResultsFile
from pacer.results.lines import render
from tests.contract.journal.builders import admitted, ended, record, take_in

ORDER = ["0b", "0a", None, "2a"]
"""The children of the journal below in the order of the input; they ended otherwise."""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Return a journal that a run has open: some captures have ended, one request has not been sent."""
    journal = SqliteJournal.open(tmp_path / "b.pacer.db", create=True)
    take_in(journal, *(record(index) for index in range(4)))
    journal.write(
        [
            *admitted(2, "2a", "2b"),
            ended(2, "2a", status="failed", error={"code": "C", "message": "m"}),
            *admitted(0, "0b", "0a"),
            ended(0, "0a"),
            Sent(1, 1.0),
            Rejected(1, 2.0, {"code": "C", "message": "m"}),
            ended(0, "0b"),
        ]
    )
    yield journal
    journal.close()


def export(folder: Path, out: str, form: Format | None = None, **options: bool) -> Path:
    target = folder / out
    assert carry_out(Export(folder / "b.pacer.db", str(target), form, **options)) == 0
    return target


def children(lines: bytes) -> list[str | None]:
    return [json.loads(line)["child"] for line in lines.splitlines()]


@pytest.mark.usefixtures("journal")
def test_lines_in_either_order(
    tmp_path: Path,
    journal: SqliteJournal,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As they ended, the lines are those of the results file; ordered, they are the same ones."""
    monkeypatch.setattr(exporting, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(exporting, "REQUESTS_AT_ONCE", 2)
    lines = export(tmp_path, "x.jsonl").read_bytes()
    ordered = export(tmp_path, "o.ndjson", ordered=True, quiet=True).read_bytes()

    assert lines == b"".join(map(render, journal.rows(after=0, limit=99)))
    assert children(ordered) == ORDER
    assert sorted(ordered.splitlines()) == sorted(lines.splitlines())
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        f"4 results of {tmp_path / 'b.pacer.db'} written to {tmp_path / 'x.jsonl'}.",
        "The batch is not finished: 3 of 5 captures have ended.",
    ]


@pytest.mark.usefixtures("journal")
def test_the_suffix_says_what_is_written(tmp_path: Path) -> None:
    """Lines, CSV, Parquet, compressed or not; --format has the last word; the file is its owner's alone."""
    assert children(gzip.decompress(export(tmp_path, "x.jsonl.gz", ordered=True).read_bytes())) == ORDER
    table = export(tmp_path, "x.CSV", ordered=True).read_text().splitlines()
    assert [row.split(",")[3] for row in table] == ["child", "0b", "0a", "", "2a"]
    assert gzip.decompress(export(tmp_path, "x.csv.gz").read_bytes()).startswith(b"request,index,job,")
    assert pq.read_table(export(tmp_path, "x.parquet", ordered=True)).column("child").to_pylist() == ORDER
    assert len(children(export(tmp_path, "x.txt", Format.JSONL).read_bytes())) == 4
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("x.*")} == {0o600}


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("x.xlsx", "the suffix says what to write"),
        ("x", "and none is not known"),
        ("x.parquet.gz", "compressed by itself"),
        ("no/x.csv", "There is no directory"),
        ("taken.csv", "--force"),
        (".", "the suffix says"),
        ("folder.csv", "is not a file"),
        ("b.pacer.db", "the suffix says"),
    ],
)
def test_where_nothing_can_be_written_is_said(tmp_path: Path, out: str, words: str) -> None:
    """What is there already stays as it is, and nothing is left beside it."""
    (tmp_path / "taken.csv").write_text("precious\n")
    (tmp_path / "folder.csv").mkdir()
    before = set(tmp_path.iterdir())

    with pytest.raises(UsageError, match=words):
        export(tmp_path, out)
    assert set(tmp_path.iterdir()) == before
    assert (tmp_path / "taken.csv").read_text() == "precious\n"


@pytest.mark.usefixtures("journal")
def test_force_overwrites_a_file_but_not_the_batch(tmp_path: Path, journal: SqliteJournal) -> None:
    """Not the journal, not its log, not its results, whatever name they are given."""
    (tmp_path / "taken.csv").write_text("old\n")
    (tmp_path / "link.csv").symlink_to("taken.csv")
    assert export(tmp_path, "link.csv", force=True).is_symlink()
    assert (tmp_path / "taken.csv").read_text().startswith("request,")

    results = ResultsFile(tmp_path / "b.results.jsonl", journal)
    results.open()
    results.flush()
    results.close()
    (tmp_path / "other.jsonl").symlink_to("b.results.jsonl")
    for name, words in (
        ("b.pacer.db", "the journal itself"),
        ("b.pacer.db-wal", "the journal itself"),
        ("b.results.jsonl", "the results file of this batch"),
        ("other.jsonl", "the results file of this batch"),
    ):
        with pytest.raises(UsageError, match=words):
            export(tmp_path, name, Format.JSONL, force=True)
    assert journal.projections()[str(tmp_path / "b.results.jsonl")] != Projection(path="")
    assert len(children((tmp_path / "b.results.jsonl").read_bytes())) == 4


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("out", ["x.jsonl", "x.csv.gz", "x.parquet"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_file_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, error: BaseException
) -> None:
    """Interrupted or out of space on its way, an export leaves nothing behind, and what was there stays."""
    (tmp_path / out).write_text("old")
    before = set(tmp_path.iterdir())

    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((KeyboardInterrupt, OutputLost)) as raised:
        export(tmp_path, out, force=True)
    assert set(tmp_path.iterdir()) == before
    assert (tmp_path / out).read_text() == "old"
    if isinstance(error, OSError):
        assert "No space left on device. The journal is as it was" in str(raised.value)


def test_what_came_about_meanwhile_is_not_overwritten(
    tmp_path: Path, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program's file of the same name, made while the export was under way, is not replaced."""
    synced = os.fsync

    def slow(descriptor: int) -> None:
        (tmp_path / "x.csv").write_text("theirs")
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(UsageError, match="--force"):
        export(tmp_path, "x.csv")
    assert (tmp_path / "x.csv").read_text() == "theirs"
    assert not list(tmp_path.glob(".x.csv*"))


def test_a_journal_without_a_batch(tmp_path: Path) -> None:
    """While the input is still being taken in there is nothing to export."""
    SqliteJournal.open(tmp_path / "b.pacer.db", create=True)
    with pytest.raises(JournalError, match="holds no batch yet"):
        export(tmp_path, "x.csv")
    assert not (tmp_path / "x.csv").exists()
