"""
``pacer run``: its options.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pacer.cli.exits import end
from pacer.cli.options import (
    AllowHttp,
    BaseUrl,
    Config,
    Json,
    LogFormat,
    MaxCredits,
    MaxRequests,
    MetricsHost,
    MetricsPort,
    ReserveOption,
    Unit,
)
from pacer.pacing.policy import UnitChoice

EPILOG = """
[b]Examples[/b]: see it work; the real thing (again: it resumes); from cron, until six; what failed; in a pipe

pacer run captures.jsonl --sandbox

AISEARCH_API_KEY=sk_live_... pacer run captures.jsonl

pacer run nightly.jsonl --repeat --quiet --deadline 06:00 --max-credits 5000

pacer run captures.jsonl --retry-failed

make-requests | pacer run - --journal b.pacer.db --out - | load-results

[b]Exit codes[/b]: 0 all captures completed; 1 ended, but not everything was; 2 usage or bad input;
3 stopped early, resumable; 70 a defect of pacer; 130 and 143 interrupted, resumable
"""


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Requests: .jsonl, .json (an array), .csv, .tsv, each also with .gz; .parquet; "
            "or - for JSON Lines on standard input.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="The results; - for standard output. [dim]Default: INPUT.results.jsonl[/dim]",
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal", metavar="FILE", help="What a resume needs. [dim]Default: INPUT.pacer.db[/dim]"
        ),
    ] = None,
    base_url: BaseUrl = None,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox", help="Against the embedded service: no key, nothing charged, anew each time."
        ),
    ] = False,
    repeat: Annotated[
        bool,
        typer.Option(
            "--repeat", help="For schedules: a finished batch is run anew, its results kept by their date."
        ),
    ] = False,
    abandon: Annotated[
        bool,
        typer.Option(
            "--abandon", allow_from_autoenv=False, help="Give up an unfinished batch, and start a new one."
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            allow_from_autoenv=False,
            help="Of a finished batch, send only the captures that failed, under new keys, as a batch beside "
            "it: retry-1, then retry-2 of what failed in that...",
        ),
    ] = False,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            metavar="NAME",
            help="Derive keys from NAME, ids and bodies: safe even where the journal's disk can be lost.",
        ),
    ] = None,
    unit: Unit = UnitChoice.AUTO,
    probe: Annotated[
        bool, typer.Option("--probe", help="Find out what the queue counts if need be. May cost some 429s.")
    ] = False,
    reserve: ReserveOption = "0",
    max_credits: MaxCredits = None,
    max_requests: MaxRequests = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            "--deadline",
            metavar="WHEN",
            help="Submit nothing new after 90m, 06:00 or 2026-12-01T06:00; what is out is collected.",
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", metavar="N", min=1, max=1024, help="Most submissions in flight.")
    ] = 64,
    no_collect: Annotated[
        bool, typer.Option("--no-collect", help="Only submit; you fetch the captures (a webhook, say).")
    ] = False,
    max_retry_after: Annotated[
        float,
        typer.Option(
            "--max-retry-after", metavar="SECONDS", min=1, help="A longer Retry-After stops the batch."
        ),
    ] = 900,
    capture_timeout: Annotated[
        float,
        typer.Option(
            "--capture-timeout", metavar="SECONDS", min=1, help="A capture that takes longer is given up."
        ),
    ] = 3600,
    resend_in_doubt: Annotated[
        bool,
        typer.Option(
            "--resend-in-doubt",
            allow_from_autoenv=False,
            help="Send again also what has been in doubt for 24 hours. May be charged twice.",
        ),
    ] = False,
    allow_http: AllowHttp = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="How the log on standard error is written.")
    ] = LogFormat.TEXT,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = "127.0.0.1",
    config: Config = None,
) -> None:
    """
    Submit a batch, paced, and collect every capture.

    The same command again resumes what is unfinished; when the batch has ended
    it says how, and sends nothing.
    """

    def body() -> int:
        from datetime import datetime

        from pacer.cli.deadlines import read_deadline
        from pacer.cli.running import Command, carry_out
        from pacer.pacing.policy import Policy
        from pacer.pacing.reserve import read_reserve

        now = datetime.now().astimezone()
        until = None if deadline is None else read_deadline(deadline, now=now).timestamp()
        kept_free = read_reserve(reserve)
        policy = Policy(
            unit=unit,
            probe=probe,
            reserve=kept_free.units,
            reserve_share=kept_free.share,
            max_credits=max_credits,
            max_requests=max_requests,
            concurrency=concurrency,
            initial_concurrency=min(concurrency, Policy().initial_concurrency),
            collect=not no_collect,
            max_retry_after=max_retry_after,
            capture_timeout=capture_timeout,
        )
        return carry_out(
            Command(
                source=source,
                out=out,
                journal=journal,
                base_url=base_url,
                sandbox=sandbox,
                repeat=repeat,
                abandon=abandon,
                retry_failed=retry_failed,
                batch=batch,
                resend_in_doubt=resend_in_doubt,
                allow_http=allow_http,
                as_json=as_json,
                quiet=quiet,
                log_format=log_format,
                metrics_port=metrics_port,
                metrics_host=metrics_host,
                policy=policy,
                deadline=until,
            )
        )

    end(body, as_json=as_json, log_json=log_format is LogFormat.JSON)
