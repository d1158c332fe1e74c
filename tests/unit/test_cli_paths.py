"""
Where a batch's files are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pacer.cli.paths import Files, files_of, refuse_foreign_results, retry_files, set_aside
from pacer.errors import UsageError


@pytest.mark.parametrize(
    ("source", "sandbox", "out", "journal"),
    [
        ("a/b.jsonl", False, "a/b.results.jsonl", "a/b.pacer.db"),
        ("b.csv", False, "b.results.jsonl", "b.pacer.db"),
        ("b.2026.json", False, "b.2026.results.jsonl", "b.2026.pacer.db"),
        ("a/b.jsonl.gz", False, "a/b.results.jsonl", "a/b.pacer.db"),
        ("b.2026.CSV.GZ", False, "b.2026.results.jsonl", "b.2026.pacer.db"),
        ("b.parquet", False, "b.results.jsonl", "b.pacer.db"),
        ("b.jsonl", True, "b.sandbox.results.jsonl", "b.sandbox.pacer.db"),
    ],
)
def test_defaults(source: str, sandbox: bool, out: str, journal: str) -> None:
    """Results and journal are beside the input, with its suffix replaced; the sandbox has its own."""
    files = files_of(source, None, None, sandbox=sandbox)
    assert files == Files(Path(source), Path(out), Path(journal))


def test_standard_streams() -> None:
    """``-`` is standard input, which needs names for the others, and standard output."""
    files = files_of("-", "-", Path("j.db"), sandbox=False)
    assert files == Files(None, None, Path("j.db"))
    for out, journal in ((None, Path("j.db")), ("o.jsonl", None)):
        with pytest.raises(UsageError, match="--journal"):
            files_of("-", out, journal, sandbox=False)


@pytest.mark.parametrize(("out", "journal"), [("b.jsonl", None), (None, "./b.jsonl"), ("x", "x")])
def test_one_file_for_two(out: str | None, journal: str | None) -> None:
    """No file is overwritten because it was named twice."""
    with pytest.raises(UsageError, match="the same file"):
        files_of("b.jsonl", out, None if journal is None else Path(journal), sandbox=False)


def test_foreign_results(tmp_path: Path) -> None:
    """A new batch writes into no file that holds something."""
    out = tmp_path / "o.jsonl"
    refuse_foreign_results(out)
    out.touch()
    refuse_foreign_results(out)
    out.write_text("x")
    for wrong in (out, tmp_path, tmp_path / "no" / "o.jsonl"):
        with pytest.raises(UsageError):
            refuse_foreign_results(wrong)


def test_set_aside_overwrites_nothing(tmp_path: Path) -> None:
    """Two batches of one second are kept under two names, journal and log together."""
    files = Files(None, tmp_path / "b.results.jsonl", tmp_path / "b.pacer.db")
    for number in ("1", "2"):
        for name in ("b.results.jsonl", "b.pacer.db", "b.pacer.db-wal"):
            (tmp_path / name).write_text(number)
        set_aside(files, 0.0)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {
        "b.1970-01-01T00-00-00Z.results.jsonl": "1",
        "b.1970-01-01T00-00-00Z.pacer.db": "1",
        "b.1970-01-01T00-00-00Z.pacer.db-wal": "1",
        "b.1970-01-01T00-00-00Z-2.results.jsonl": "2",
        "b.1970-01-01T00-00-00Z-2.pacer.db": "2",
        "b.1970-01-01T00-00-00Z-2.pacer.db-wal": "2",
    }


def test_retries_have_files_of_their_own() -> None:
    """Beside those of the batch, by number, wherever those are."""
    files = files_of("a/b.jsonl", None, None, sandbox=False)
    assert retry_files(files, 2) == Files(
        Path("a/b.jsonl"), Path("a/b.retry-2.results.jsonl"), Path("a/b.retry-2.pacer.db")
    )
    named = Files(None, Path("o.jsonl"), Path("j.db"))
    assert retry_files(named, 1) == Files(None, Path("o.retry-1.jsonl"), Path("j.retry-1.db"))
    assert retry_files(Files(None, None, Path("j")), 1) == Files(None, None, Path("j.retry-1"))
