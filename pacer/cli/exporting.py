"""
``pacer export``: from a journal to a file or a pipe, a page of rows at a time.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pacer.cli.exits import complain
from pacer.cli.export import Format
from pacer.cli.paths import COMPANIONS, STDOUT, refuse_to_overwrite
from pacer.cli.signals import Signals
from pacer.cli.wording import count
from pacer.errors import JournalError, OutputLost, UsageError
from pacer.journal.files import sync_directory
from pacer.journal.protocol import Journal
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.views import ResultRow
from pacer.results.formats import Bytes, Csv, JsonLines, Parquet, Writer

ROWS_AT_ONCE = 128
REQUESTS_AT_ONCE = 16
"""A page: some 100 Envelopes of 5 kB; 16 requests of the widest fan-out have 1,440."""

SUFFIXES = {".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".csv": Format.CSV, ".parquet": Format.PARQUET}
GZIP = ".gz"


@dataclass(frozen=True, slots=True)
class Export:
    """What was typed."""

    journal: Path
    out: str
    form: Format | None
    ordered: bool = False
    exact: bool = False
    force: bool = False
    quiet: bool = False

    @property
    def target(self) -> Path | None:
        """The file; None for standard output."""
        return None if self.out == STDOUT else Path(self.out)


def carry_out(export: Export) -> int:
    """
    Write the export and return its exit code.

    Errors:
        UsageError: The journal, the file or the options will not do; no file has changed.
        OutputLost: The disk is full, say; no file has changed either.
        BrokenPipeError: Whoever read standard output has gone.
    """
    with (
        Signals() as signals,
        signals.raising(),
        closing(SqliteJournal.open(export.journal, read_only=True)) as journal,
    ):
        if journal.batch() is None:
            raise JournalError(f"{export.journal} holds no batch yet: its input is still being taken in.")
        form, packed = _form(export)
        if export.target is not None:
            _refuse_own(export.target, export.journal, journal)
            refuse_to_overwrite(export.target, force=export.force)
        elif form is Format.PARQUET and sys.stdout.isatty():
            raise UsageError("Parquet is nothing for a terminal. Name a file with --out.")
        rows = 0
        with _output(export) as output, _packed(output, packed) as sink:
            writer = _writer(form, sink, journal, exact=export.exact)
            try:
                for page in pages(journal, ordered=export.ordered):
                    writer.write(page)
                    rows += len(page)
                writer.finish()
            except BaseException:
                writer.abandon()
                raise
        if not export.quiet:
            _say(export, rows, journal)
    return 0


def pages(journal: Journal, *, ordered: bool) -> Iterator[list[ResultRow]]:
    """Yield all result rows as they ended, or in the order of the input, some at a time."""
    after = -1 if ordered else 0
    while True:
        if ordered:
            page, after = journal.rows_by_request(after=after, limit=REQUESTS_AT_ONCE)
        else:
            page = journal.rows(after=after, limit=ROWS_AT_ONCE)
            after = page[-1].seq if page else after
        if not page:
            return
        yield page


def _form(export: Export) -> tuple[Format, bool]:
    """Return the format, and whether it is compressed."""
    if export.target is None:
        return export.form or Format.JSONL, False
    packed = export.target.suffix.lower() == GZIP
    named = export.target.with_suffix("") if packed else export.target
    form = export.form or SUFFIXES.get(named.suffix.lower())
    if form is None:
        raise UsageError(
            f"{export.out}: the suffix says what to write, and {named.suffix or 'none'} is not known. "
            f"Known: {', '.join(SUFFIXES)}; or say it with --format."
        )
    if packed and form is Format.PARQUET:
        raise UsageError(f"{export.out}: Parquet is compressed by itself. Leave {GZIP} out.")
    return form, packed


def _refuse_own(target: Path, path: Path, journal: Journal) -> None:
    """Refuse, whatever --force says, to write over what a resume needs."""
    real = os.path.realpath(target)
    if real in {os.path.realpath(path) + companion for companion in ("", *COMPANIONS)}:
        raise UsageError(f"{target} is the journal itself. Name another file with --out.")
    if real in map(os.path.realpath, journal.projections()):
        raise UsageError(f"{target} is the results file of this batch. Name another file with --out.")


def _writer(form: Format, sink: Bytes, journal: Journal, *, exact: bool) -> Writer:
    match form:
        case Format.JSONL:
            return JsonLines(sink)
        case Format.CSV:
            return Csv(sink, journal, exact=exact)
        case Format.PARQUET:
            return Parquet(sink, journal)


@contextmanager
def _packed(output: BinaryIO, packed: bool) -> Iterator[BinaryIO]:
    if not packed:
        yield output
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=output, mtime=0) as file:
        yield file  # type: ignore[misc] # all that is done with it is writing


@contextmanager
def _output(export: Export) -> Iterator[BinaryIO]:
    """Return where to write; a file takes its name when all is in it, or never."""
    try:
        if export.target is None:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        else:
            with _beside(export.target, force=export.force) as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        where = "standard output" if export.target is None else export.out
        raise OutputLost(
            f"The export cannot be written to {where}: {error.strerror}. "
            "The journal is as it was; see to the disk and run the same command again."
        ) from error


@contextmanager
def _beside(target: Path, *, force: bool) -> Iterator[BinaryIO]:
    real = Path(os.path.realpath(target))  # a link keeps pointing where it points
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{real.name[:100]}.", suffix=".part", dir=real.parent)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}. Name another file with --out."
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as file:  # created 0600
            yield file
            file.flush()
            os.fsync(file.fileno())
        refuse_to_overwrite(target, force=force)  # it may have come about meanwhile
        os.replace(name, real)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    sync_directory(real.parent)


def _say(export: Export, rows: int, journal: Journal) -> None:
    counts = journal.counts()
    sentences = []
    if export.target is not None:
        sentences.append(f"{count(rows, 'result')} of {export.journal} written to {export.out}.")
    if counts.pending or counts.sent or counts.accepted:
        ended = sum(counts.ended.values())
        sentences.append(f"The batch is not finished: {ended:,} of {counts.captures:,} captures have ended.")
    if sentences:
        complain("\n".join(sentences))
