"""
``pacer run --retry-failed``: a batch made of what failed in one that has ended.

A retry has files of its own, numbered, beside those of the batch; it is resumed
like any other. The next one retries what failed in it.
"""

from __future__ import annotations

import itertools
import time
from contextlib import closing
from dataclasses import asdict

from pacer.cli.opening import TAKEN_IN, Opening, digest_of, found, fresh, put_by
from pacer.cli.paths import Files, refuse_foreign_results, retry_files
from pacer.cli.signals import Signals
from pacer.cli.standing import Step, Wish, has_ended, refuse_another
from pacer.cli.wording import count
from pacer.errors import UsageError
from pacer.intake import (
    IntakeSummary,
    LeftOut,
    is_retry_of,
    named_keys,
    random_keys,
    retry_name,
    retry_token,
    take_in_failures,
)
from pacer.journal.entries import Noted
from pacer.journal.records import Batch
from pacer.journal.sqlite import SqliteJournal


def open_retry(files: Files, wish: Wish, signals: Signals) -> Opening:
    """
    Open the retry of the batch of *files* that is unfinished, or begin the next.

    Where nothing failed that could be sent again, the last one is reported.

    Errors:
        UsageError: There is no such batch, or it has not ended.
    """
    last, before = files, _ended_batch(files, wish, signals)
    notices: list[str] = []
    for number in itertools.count(1):
        this = retry_files(files, number)
        if not this.journal.exists():
            break
        journal = SqliteJournal.open(this.journal, create=True)
        try:
            batch = journal.batch()
            if batch is None:  # it was killed while it was being made
                journal.close()
                break
            counts = journal.counts()
            if not is_retry_of(batch.token, before.token):  # of a batch that has been replaced since
                notices += put_by(this, journal, batch, counts)
                break
            if not has_ended(counts, collect=True):
                return found(this, journal, Step.RESUME, signals, notices)
            journal.close()
            last, before = this, batch
        except BaseException:
            journal.close()
            raise
    return _begin(last, this, before, number, signals, notices)


def _ended_batch(files: Files, wish: Wish, signals: Signals) -> Batch:
    """Return the batch of *files*, which has ended."""
    if not files.journal.exists():
        raise UsageError(
            f"There is no journal {files.journal}: --retry-failed is for a batch that has ended. "
            "Run it first without --retry-failed."
        )
    with closing(SqliteJournal.open(files.journal, read_only=True)) as journal:
        batch, counts = journal.batch(), journal.counts()
    if batch is None or not has_ended(counts, collect=True):
        raise UsageError(
            f"{files.journal} holds an unfinished batch: what failed in it is not known before its end. "
            "Finish it first, with the same command without --retry-failed."
        )
    refuse_another(batch, wish, files.journal, digest_of(files.source, signals)(), ended=True)
    return batch


def _begin(
    last: Files, this: Files, before: Batch, number: int, signals: Signals, notices: list[str]
) -> Opening:
    """Take in what failed in the batch of *last*; report that one if it is nothing."""
    refuse_foreign_results(this.out)
    journal = SqliteJournal.open(this.journal, create=True)
    try:
        taken, left_out = _taken(last, journal, before, number, signals)
    except BaseException:
        journal.close()
        raise
    if taken is None:
        journal.close()
        notices += ["Nothing failed that could be sent again.", *_said_of(left_out)]
        return found(last, SqliteJournal.open(last.journal), Step.REPORT, signals, notices)
    notices.append(
        f"Retry {number}: {count(taken.captures, 'capture')} that failed, in "
        f"{count(taken.requests, 'request')} under new keys."
    )
    return fresh(this, journal, taken, signals, [*notices, *_said_of(left_out)])


def _taken(
    last: Files, journal: SqliteJournal, before: Batch, number: int, signals: Signals
) -> tuple[IntakeSummary | None, LeftOut]:
    token, name = retry_token(before.token), retry_name(before.name, number)
    keys = random_keys(token) if name is None else named_keys(name)
    with (
        closing(SqliteJournal.open(last.journal, read_only=True)) as ended,
        journal.intake() as writer,
    ):
        with signals.raising():
            taken, left_out = take_in_failures(ended, writer, keys=keys, source=str(last.journal))
        if taken is None:
            return None, left_out
        batch = Batch(
            token=token,
            source=before.source,
            input_sha256=before.input_sha256,
            base_url=before.base_url,
            created_at=time.time(),
            name=name,
        )
        writer.commit(batch)
    journal.write([Noted(batch.created_at, TAKEN_IN, asdict(taken))])
    return taken, left_out


def _said_of(left_out: LeftOut) -> list[str]:
    said = []
    if left_out.rejected:
        codes = ", ".join(f"{number:,} {code}" for code, number in left_out.rejected.most_common())
        number = left_out.rejected.total()
        said.append(
            f"Left out: {count(number, 'request')} that would be refused again ({codes}). Correct them in "
            "the input, and run it as a new batch."
        )
    if left_out.untold:
        said.append(
            f"Left out: {count(left_out.untold, 'capture')} that cannot be told from completed ones: the "
            "same surface and country in one request."
        )
    return said
