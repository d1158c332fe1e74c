"""
``pacer run``: from its options to its exit code.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from pacer.api import AiohttpSearchApi, SearchApi
from pacer.cli import summary as summaries
from pacer.cli.closing import show_closing
from pacer.cli.display import Display, display_for
from pacer.cli.driving import Spending, drive, the_sandbox
from pacer.cli.exits import complain, write_json
from pacer.cli.metering import metered
from pacer.cli.opening import Opening, open_batch, opened
from pacer.cli.options import LogFormat, required_key, service_address
from pacer.cli.paths import SANDBOX_URL, Files, files_of
from pacer.cli.retrying import open_retry
from pacer.cli.signals import Signals
from pacer.cli.standing import Step, Wish
from pacer.cli.summary import MOST_IN_DOUBT, Summary
from pacer.errors import UsageError
from pacer.pacing.policy import Policy
from pacer.report import read_invocations
from pacer.runner import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """
    What was typed.

    Attributes:
        deadline: As wall time; None for none.
    """

    source: str
    out: str | None
    journal: Path | None
    base_url: str | None
    sandbox: bool
    repeat: bool
    abandon: bool
    retry_failed: bool
    batch: str | None
    resend_in_doubt: bool
    allow_http: bool
    as_json: bool
    quiet: bool
    log_format: LogFormat
    metrics_port: int | None
    metrics_host: str
    policy: Policy
    deadline: float | None


def carry_out(command: Command) -> int:
    """
    Run the command and return its exit code.

    Errors:
        PacerError, Interrupted: See ``pacer.cli.exits``.
    """
    with Signals() as signals:
        _refuse_contradictions(command)
        files = files_of(command.source, command.out, command.journal, sandbox=command.sandbox)
        base_url = (
            SANDBOX_URL
            if command.sandbox
            else service_address(command.base_url, allow_http=command.allow_http)
        )
        key = None if command.sandbox else required_key()
        wish = Wish(
            base_url=base_url,
            name=command.batch,
            repeat=command.repeat,
            abandon=command.abandon,
            collect=command.policy.collect,
        )
        shown = display_for(
            _title(files, base_url),
            quiet=command.quiet,
            log_format=command.log_format,
            lines_on_stdout=files.out is None,
        )
        how = open_retry if command.retry_failed else open_batch
        with (
            metered(shown, command.metrics_port, command.metrics_host) as display,
            opened(files, wish, signals, how=how) as opening,
        ):
            opening.notices += _unpriced(command, opening)
            for notice in opening.notices:
                display.note(notice)
            spending = Spending()
            outcome = None
            if opening.step is not Step.REPORT:
                outcome = asyncio.run(
                    drive(
                        opening,
                        _service(command, base_url, key),
                        policy=_with_deadline(command),
                        display=display,
                        spending=spending,
                        signals=signals,
                        resend_in_doubt=command.resend_in_doubt,
                    )
                )
            summary = _summed_up(command, opening, outcome, spending, signals)
        return _say(command, summary, display)


def _refuse_contradictions(command: Command) -> None:
    if command.as_json and command.out == "-":
        raise UsageError("--json and --out - both write to standard output; leave one out.")
    if command.repeat and command.abandon:
        raise UsageError("--repeat resumes an unfinished batch, --abandon gives it up; leave one out.")
    if command.retry_failed and (
        command.repeat or command.abandon or not command.policy.collect or command.sandbox
    ):
        raise UsageError(
            "--retry-failed sends once more what failed in a finished batch: it does not go with --repeat, "
            "--abandon, --no-collect (which cannot tell what failed) or --sandbox (which starts anew each "
            "time). Leave one of them out."
        )
    if command.batch is not None and not command.batch.strip():
        raise UsageError("--batch needs a name.")


def _title(files: Files, base_url: str) -> str:
    service = "the sandbox" if base_url == SANDBOX_URL else base_url
    return f"pacer  {files.source_name} → {service}"


def _service(
    command: Command, base_url: str, key: SecretStr | None
) -> AbstractAsyncContextManager[SearchApi]:
    limit = 2 * command.policy.concurrency + 1  # submissions, reads of jobs, and one of the snapshot
    if key is None:
        return the_sandbox(limit=limit)
    return AiohttpSearchApi(base_url, key, allow_http=command.allow_http, limit=limit)


def _with_deadline(command: Command) -> Policy:
    """Return the policy with its deadline as the core counts: from the start of the run, which is now."""
    if command.deadline is None:
        return command.policy
    return replace(command.policy, deadline=max(0.0, command.deadline - time.time()))


def _unpriced(command: Command, opening: Opening) -> list[str]:
    """Say what --max-credits cannot count."""
    if command.policy.max_credits is None or opening.taken is None or not opening.taken.unpriced_surfaces:
        return []
    names = ", ".join(opening.taken.unpriced_surfaces)
    return [f"--max-credits counts captures of these surfaces as 0, their price is not published: {names}."]


def _summed_up(
    command: Command,
    opening: Opening,
    outcome: Outcome | None,
    spending: Spending,
    signals: Signals,
) -> Summary:
    journal = opening.journal
    batch = journal.batch()
    assert batch is not None, "a batch was opened"
    in_doubt = journal.in_doubt(after=-1, limit=MOST_IN_DOUBT)
    return Summary(
        batch=batch,
        counts=journal.counts(),
        outcome=outcome,
        taken=opening.taken,
        in_doubt=tuple(request.id for request in in_doubt),
        spent=spending.credits,
        files=opening.files,
        invocations=read_invocations(journal),
        retrying=command.retry_failed,
        notices=tuple(opening.notices),
        collect=command.policy.collect,
        signum=signals.received,
    )


def _say(command: Command, summary: Summary, display: Display) -> int:
    """Say how it ended, to whom it was asked for, and return the exit code."""
    sentences = summaries.closing_sentences(summary)
    if summary.kind in ("stopped", "interrupted") or summary.counts.sent:
        complain("\n".join(sentences), as_json=command.log_format is LogFormat.JSON)
    elif not command.quiet:
        for sentence in sentences:
            display.note(sentence)
    if not command.quiet and command.log_format is LogFormat.TEXT:
        show_closing(summary)
    if command.as_json:
        write_json(summaries.document(summary))
    return summary.exit_code
