"""
From the command line to a journal that holds the batch.

Nothing is sent here. A command that ends in here leaves the files as they were:
refused or interrupted input leaves no journal.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pacer.cli.paths import SANDBOX_URL, Files, refuse_foreign_results, set_aside
from pacer.cli.signals import Signals
from pacer.cli.standing import Step, Wish, next_step
from pacer.errors import JournalLost, OutputLost, UsageError
from pacer.intake import IntakeSummary, input_sha256, named_keys, new_token, random_keys, take_in
from pacer.intake.source import Hashed
from pacer.journal.entries import Noted
from pacer.journal.records import Batch
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.sqlite.opening import remove
from pacer.journal.views import Counts
from pacer.results import ResultsFile

TAKEN_IN = "batch.taken_in"
"""Kind of the note that keeps the sums of an intake: the fields of ``IntakeSummary``."""


@dataclass(slots=True)
class Opening:
    """
    A batch, ready to run or to be reported.

    Attributes:
        journal: Open, locked, and holding the batch.

        results: Open as well.

        step: ANEW was done: the batch is fresh.

        counts: Where it stands.

        taken: What its intake summed up; None if that was lost to a crash.

        files: Where the batch is.

        notices: What the user should know, a sentence each.
    """

    journal: SqliteJournal
    results: ResultsFile
    step: Step
    counts: Counts
    taken: IntakeSummary | None
    files: Files
    notices: list[str] = field(default_factory=list)


@contextmanager
def opened(
    files: Files, wish: Wish, signals: Signals, *, how: Callable[[Files, Wish, Signals], Opening]
) -> Iterator[Opening]:
    """
    Open the journal of *files*, take the batch in unless it is there, and open the results.

    The cheap checks come first, the whole input next; a batch that is replaced
    stays where it is until the new one has been taken in.

    Args:
        how: :func:`open_batch`, or what opens another batch that is made of it.

    Errors:
        UsageError: The input, the files or the options will not do; nothing has changed.
        Interrupted: A signal came while the input was read; nothing has changed either.
    """
    with _as_usage():
        opening = how(files, wish, signals)
    try:
        yield opening
    finally:
        opening.results.close()
        opening.journal.close()


def open_batch(files: Files, wish: Wish, signals: Signals) -> Opening:
    """Open the batch of *files*; see :func:`opened`."""
    journal = SqliteJournal.open(files.journal, create=True)
    try:
        batch = journal.batch()
        if batch is not None and wish.base_url == SANDBOX_URL:
            journal = _anew_in_sandbox(files, journal, batch)
            batch = None
        if batch is None:
            refuse_foreign_results(files.out)
            return fresh(files, journal, take_batch_in(files, wish, journal, signals), signals)
        counts = journal.counts()
        step = next_step(batch, counts, wish, files.journal, digest_of(files.source, signals))
        if step is not Step.ANEW:
            return found(files, journal, step, signals)
        if not _is_ours(files.out, journal):
            refuse_foreign_results(files.out)
        taken = _take_beside(files, wish, signals)
        notices = put_by(files, journal, batch, counts)
        _beside(files.journal).rename(files.journal)
        journal = SqliteJournal.open(files.journal)
        return fresh(files, journal, taken, signals, notices)
    except BaseException:
        journal.close()
        raise


def take_batch_in(files: Files, wish: Wish, journal: SqliteJournal, signals: Signals) -> IntakeSummary:
    """Take the batch into *journal*; all or nothing."""
    token = new_token()
    keys = random_keys(token) if wish.name is None else named_keys(wish.name)
    source = sys.stdin.buffer if files.source is None else files.source
    with journal.intake() as writer:
        with signals.raising():
            taken = take_in(source, writer, keys=keys)
        batch = Batch(
            token=token,
            source=files.source_name,
            input_sha256=taken.sha256,
            base_url=wish.base_url,
            created_at=time.time(),
            name=wish.name,
        )
        writer.commit(batch)
    journal.write([Noted(batch.created_at, TAKEN_IN, asdict(taken))])
    return taken


def _take_beside(files: Files, wish: Wish, signals: Signals) -> IntakeSummary:
    """Take the batch into a journal beside the one it replaces, which stays until all has been read."""
    path = _beside(files.journal)
    remove(path)  # what a command that was killed in here left
    with closing(SqliteJournal.open(path, create=True)) as journal:
        return take_batch_in(files, wish, journal, signals)


def _beside(journal: Path) -> Path:
    return journal.with_name(journal.name + ".new")


def found(
    files: Files, journal: SqliteJournal, step: Step, signals: Signals, notices: Sequence[str] = ()
) -> Opening:
    """Return the batch that *journal* held before."""
    said = list(notices)
    results = _results(files, journal, said, signals)
    return Opening(journal, results, step, journal.counts(), _recalled(journal), files, said)


def fresh(
    files: Files, journal: SqliteJournal, taken: IntakeSummary, signals: Signals, notices: Sequence[str] = ()
) -> Opening:
    """Return the batch that *journal* has just taken in."""
    said = list(notices)
    if taken.unknown_surfaces:
        names = ", ".join(taken.unknown_surfaces)
        said.append(f"Surfaces that the documentation does not name are passed on as they are: {names}.")
    results = _results(files, journal, said, signals)
    return Opening(journal, results, Step.ANEW, journal.counts(), taken, files, said)


def put_by(files: Files, journal: SqliteJournal, batch: Batch, counts: Counts) -> list[str]:
    """Close *journal*, rename it and its results by their date, and return what to say of it."""
    notices = []
    if counts.pending or counts.sent or counts.accepted:
        sent = counts.requests - counts.pending
        notices.append(
            f"Gave up the unfinished batch of {batch.source}: {sent:,} of its {counts.requests:,} requests "
            "had been sent and may be charged."
        )
    ours = files if _is_ours(files.out, journal) else replace(files, out=None)
    journal.close()
    renamed = set_aside(ours, batch.created_at)
    return notices + [f"Kept {old} as {new.name}." for old, new in renamed.items()]


def _anew_in_sandbox(files: Files, journal: SqliteJournal, batch: Batch) -> SqliteJournal:
    """
    Delete what the last sandbox run of this input left, and return an empty journal.

    Errors:
        UsageError: The journal is another service's.
    """
    if batch.base_url != SANDBOX_URL:
        raise UsageError(
            f"{files.journal} holds a batch for {batch.base_url}; --sandbox would discard it. "
            "Name another journal, or leave --journal out."
        )
    if files.out is not None and _is_ours(files.out, journal):
        files.out.unlink(missing_ok=True)
    journal.close()
    remove(files.journal)
    return SqliteJournal.open(files.journal, create=True)


def _is_ours(out: Path | None, journal: SqliteJournal) -> bool:
    """Return whether *out* is a results file that *journal* has written."""
    return out is not None and os.path.abspath(out) in journal.projections()


def digest_of(source: Path | None, signals: Signals) -> Callable[[], str | None]:
    """Return what reads the input for its digest."""

    def digest() -> str | None:
        with signals.raising():
            if source is not None:
                return input_sha256(source)
            stream = Hashed(sys.stdin.buffer, "<stdin>")
            return stream.sha256() if stream.read(1) else None

    return digest


def _results(files: Files, journal: SqliteJournal, notices: list[str], signals: Signals) -> ResultsFile:
    """Open the results and bring them up to the journal: lines may be missing after a crash."""
    results = ResultsFile("-" if files.out is None else files.out, journal)
    try:
        if moved_to := results.open():
            notices.append(f"{files.out} had been changed; it is now {moved_to.name}, and written anew.")
        with signals.raising():
            results.flush()
    except BaseException:
        results.close()
        raise
    return results


def _recalled(journal: SqliteJournal) -> IntakeSummary | None:
    """Return the sums that this batch's intake left in the notes: the first of them."""
    note = next(journal.notes(), None)
    if note is None or note.kind != TAKEN_IN:
        return None
    sums = dict(note.data)
    sums["fan_outs"] = {int(fan_out): n for fan_out, n in sums["fan_outs"].items()}
    return IntakeSummary(**sums)


@contextmanager
def _as_usage() -> Iterator[None]:
    """A disk that fails before anything was sent is a file that will not do."""
    try:
        yield
    except (JournalLost, OutputLost) as error:
        raise UsageError(str(error)) from error
