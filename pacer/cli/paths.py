"""
Where a batch's files are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pacer.errors import UsageError

STDIN = "-"
STDOUT = "-"

SANDBOX_URL = "sandbox:"
"""The base URL in the journal of a sandbox batch; no real service has it."""

RESULTS_SUFFIX = ".results.jsonl"
JOURNAL_SUFFIX = ".pacer.db"
COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite may keep beside a journal."""


@dataclass(frozen=True, slots=True)
class Files:
    """
    The files of one batch.

    Attributes:
        source: The input; None for standard input.

        out: The results; None for standard output.

        journal: The journal.
    """

    source: Path | None
    out: Path | None
    journal: Path

    @property
    def source_name(self) -> str:
        """What to call the input."""
        return "<stdin>" if self.source is None else str(self.source)


def files_of(source: str, out: str | None, journal: Path | None, *, sandbox: bool) -> Files:
    """
    Return the files of the batch of *source*, by name or by default beside it.

    Errors:
        UsageError: A name is missing, or one file would be two things.
    """
    infix = ".sandbox" if sandbox else ""
    if source == STDIN:
        if out is None or journal is None:
            raise UsageError(
                "Requests on standard input have no file name to derive others from: "
                "name the results with --out FILE and the journal with --journal FILE."
            )
        files = Files(None, None if out == STDOUT else Path(out), journal)
    else:
        path = Path(source)
        if not path.name:
            raise UsageError(f"{source!r} does not name a file.")
        beside = path.with_suffix("") if path.suffix.lower() == ".gz" else path
        if out is None:
            out = str(beside.with_suffix(infix + RESULTS_SUFFIX))
        files = Files(
            path,
            None if out == STDOUT else Path(out),
            beside.with_suffix(infix + JOURNAL_SUFFIX) if journal is None else journal,
        )
    _refuse_one_for_two(files)
    return files


def retry_files(files: Files, number: int) -> Files:
    """Return the files of the *number*-th retry of the batch of *files*, beside its own."""
    infix = f".retry-{number}"
    return replace(
        files,
        out=None if files.out is None else _with_infix(files.out, infix),
        journal=_with_infix(files.journal, infix),
    )


def _with_infix(path: Path, infix: str) -> Path:
    suffix = _suffix(path)
    return path.with_name(f"{path.name.removesuffix(suffix)}{infix}{suffix}")


def _suffix(path: Path) -> str:
    return next(
        (suffix for suffix in (RESULTS_SUFFIX, JOURNAL_SUFFIX) if path.name.endswith(suffix)), path.suffix
    )


def _refuse_one_for_two(files: Files) -> None:
    roles = {"the input": files.source, "--out": files.out, "--journal": files.journal}
    named = [(role, os.path.realpath(path)) for role, path in roles.items() if path is not None]
    for n, (role, path) in enumerate(named):
        for other, other_path in named[n + 1 :]:
            if path == other_path:
                raise UsageError(f"{other} and {role} are the same file, {path}; name another.")


def refuse_foreign_results(out: Path | None) -> None:
    """
    Make sure that a new batch may write its results to *out*.

    Errors:
        UsageError: Something is in it already, or it cannot be written.
    """
    if out is not None:
        _refuse_unwritable(
            out,
            "is not empty, and not the results of a batch in this journal. "
            "Move it away, or name another file with --out.",
        )


def refuse_to_overwrite(out: Path, *, force: bool) -> None:
    """
    Make sure that *out* can be written, and that nothing is lost by it unless *force* says so.

    Errors:
        UsageError: Something is in it already, or it cannot be written.
    """
    way_out = "is not empty. Overwrite it with --force, or name another file with --out."
    _refuse_unwritable(out, None if force else way_out)


def _refuse_unwritable(out: Path, if_filled: str | None) -> None:
    """Raise what is in the way; something in *out* is so, with these words about it, unless they are None."""
    try:
        if out.exists() and not out.is_file():
            raise UsageError(f"{out} is not a file. Name one with --out, or - for standard output.")
        if if_filled is not None and out.exists() and out.stat().st_size:
            raise UsageError(f"{out} {if_filled}")
        if not out.parent.is_dir():
            raise UsageError(f"There is no directory {out.parent} to write {out.name} in. Create it.")
        if not os.access(out if out.exists() else out.parent, os.W_OK):
            raise UsageError(f"{out} may not be written. Make it writable, or name another with --out.")
    except OSError as error:
        raise UsageError(f"{out} cannot be looked at: {error.strerror}.") from error


def set_aside(files: Files, created_at: float) -> dict[Path, Path]:
    """
    Rename results and journal of an ended batch to names with its date.

    Args:
        files: Its files; the journal is closed.

        created_at: When it was taken in, as wall time.

    Returns:
        The new names by the old.

    Errors:
        UsageError: They cannot be renamed.
    """
    stamp = datetime.fromtimestamp(created_at, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    renamed: dict[Path, Path] = {}
    wanted = [path for path in (files.out, files.journal) if path is not None and path.exists()]
    for path in wanted:  # results first: a journal without its file can write it again
        target = _free(path, stamp)
        try:
            for companion in COMPANIONS if path == files.journal else ():
                beside = path.with_name(path.name + companion)
                if beside.exists():
                    beside.rename(target.with_name(target.name + companion))
            path.rename(target)
        except OSError as error:
            raise UsageError(f"{path} cannot be renamed to {target}: {error.strerror}.") from error
        renamed[path] = target
    return renamed


def _free(path: Path, stamp: str) -> Path:
    """Return a name with *stamp* before the suffix that nothing has yet."""
    suffix = _suffix(path)
    stem = path.name.removesuffix(suffix)
    candidate, number = path.with_name(f"{stem}.{stamp}{suffix}"), 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{stem}.{stamp}-{number}{suffix}")
    return candidate
