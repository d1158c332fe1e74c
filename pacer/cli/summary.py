"""
How a run ended: its exit code, its closing words, its JSON document.

The document of ``pacer run --json``, version 1. Names are only ever added::

    {
      "document": "pacer.run", "version": 1, "pacer": "0.1.0",
      "outcome": "finished|stopped|interrupted|reported",
                            reported: it had ended before; nothing was sent
      "exit_code": 0,
      "code": "", "reason": "",            why it stopped: a fixed word, a sentence
      "batch": {"source", "base_url", "name", "created_at"},
      "requests": {"total", "pending", "in_doubt", "accepted", "done", "rejected"},
                            accepted: with captures still to collect
      "captures": {"expected": n, "by_status": {"completed": n, ...}},
      "too_long_in_doubt": ["id", ...],    not sent again: the first 20 of in_doubt
      "credits": {"at_most": n | null,     by the documented prices; null if not known any more
                  "unpriced_surfaces": [...],
                  "this_invocation": n},   of captures that completed in it, same prices
      "throttled": {"rate": n, ...},       429s by lane, this invocation
      "seconds": s,                        this invocation
      "account": {"drain": s, ...},        where they went, by bound
      "time": {                            of all invocations of the batch
        "seconds": s,
        "bounds": [{"bound", "seconds", "share", "flag"}, ...],
                            all of it, the most first; flag: the option that would change it, or null
        "invocations": [{"started_at", "outcome", "seconds", "account"}, ...]},
      "statistics": {...} | null,          what the pacer learnt; see pacer.pacing
      "files": {"results": path | "-", "journal": path},
      "notices": ["...", ...]
    }

Where a command cannot begin, or the disk fails under it, it is
``{"exit_code": n, "error": "..."}``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pacer.cli.exits import Exit
from pacer.cli.paths import SANDBOX_URL, Files
from pacer.cli.wording import FLAGS, count, span, time_shares
from pacer.intake import IntakeSummary
from pacer.journal.records import Batch
from pacer.journal.views import Counts
from pacer.report import Invocation, all_booked
from pacer.runner import Outcome
from pacer.version import __version__

MOST_INVOCATIONS = 5
"""Invocations whose time is told in the closing table; the JSON has them all."""

MOST_IN_DOUBT = 20
"""Requests too long in doubt that are named; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    Everything worth saying about a run that has ended.

    Attributes:
        outcome: None where the batch had ended before and nothing was done.

        counts: Where the batch stands now.

        in_doubt: Names of the first requests that are still in doubt.

        spent: Credits of the captures that completed in this invocation, by the
            documented prices.

        collect: Whether captures were to be collected.

        signum: The signal that interrupted it; 0 for none.

        invocations: All that worked on the batch, this one included.

        retrying: What failed in another batch was to be sent again.
    """

    batch: Batch
    counts: Counts
    outcome: Outcome | None
    taken: IntakeSummary | None
    in_doubt: tuple[str, ...]
    spent: int
    files: Files
    notices: tuple[str, ...]
    collect: bool
    signum: int
    invocations: tuple[Invocation, ...] = ()
    retrying: bool = False

    @property
    def kind(self) -> Literal["finished", "stopped", "interrupted", "reported"]:
        """How it ended."""
        return "reported" if self.outcome is None else self.outcome.kind

    @property
    def exit_code(self) -> int:
        """The exit code that says so."""
        if self.kind == "interrupted":
            return 128 + self.signum if self.signum else Exit.STOPPED
        if self.kind == "stopped":
            return Exit.STOPPED
        return Exit.OK if is_complete(self.counts, collect=self.collect) else Exit.INCOMPLETE


def is_complete(counts: Counts, *, collect: bool) -> bool:
    """Return whether all captures completed; uncollected, whether all requests were accepted."""
    if counts.pending or counts.sent or counts.rejected:
        return False
    if not collect:
        return True
    return not counts.accepted and counts.ended.get("completed", 0) == counts.captures


def document(summary: Summary) -> dict[str, Any]:
    """Return the JSON document of the module's docstring."""
    counts, outcome, taken = summary.counts, summary.outcome, summary.taken
    statistics = None if outcome is None else asdict(outcome.statistics)
    return {
        "document": "pacer.run",
        "version": 1,
        "pacer": __version__,
        "outcome": summary.kind,
        "exit_code": int(summary.exit_code),
        "code": "" if outcome is None else outcome.code,
        "reason": "" if outcome is None else outcome.reason,
        "batch": batch_part(summary.batch),
        "requests": requests_part(counts),
        "captures": {"expected": counts.captures, "by_status": dict(counts.ended)},
        "too_long_in_doubt": list(summary.in_doubt) if summary.kind in ("finished", "reported") else [],
        "credits": {
            "at_most": None if taken is None else taken.max_credits,
            "unpriced_surfaces": [] if taken is None else list(taken.unpriced_surfaces),
            "this_invocation": summary.spent,
        },
        "throttled": {} if statistics is None else statistics["throttled"],
        "seconds": 0.0 if outcome is None else round(outcome.seconds, 3),
        "account": {} if statistics is None else statistics["account"],
        "time": time_part(summary.invocations),
        "statistics": finite(statistics),
        "files": {
            "results": "-" if summary.files.out is None else str(summary.files.out),
            "journal": str(summary.files.journal),
        },
        "notices": list(summary.notices),
    }


def batch_part(batch: Batch) -> dict[str, Any]:
    """Return what documents say of the batch itself."""
    return {
        "source": batch.source,
        "base_url": batch.base_url,
        "name": batch.name,
        "created_at": batch.created_at,
    }


def requests_part(counts: Counts) -> dict[str, int]:
    """Return what documents say of the requests."""
    return {
        "total": counts.requests,
        "pending": counts.pending,
        "in_doubt": counts.sent,
        "accepted": counts.accepted,
        "done": counts.done,
        "rejected": counts.rejected,
    }


def time_part(invocations: Sequence[Invocation]) -> dict[str, Any]:
    """Return what documents say of where the time went."""
    booked = all_booked(invocations)
    total = sum(booked.values())
    return {
        "seconds": round(total, 3),
        "bounds": [
            {
                "bound": bound,
                "seconds": seconds,
                "share": seconds / total if total else 0.0,
                "flag": FLAGS.get(bound),
            }
            for bound, seconds in booked.items()
        ],
        "invocations": [
            {
                "started_at": invocation.started_at,
                "outcome": invocation.outcome,
                "seconds": invocation.seconds,
                "account": invocation.booked,
            }
            for invocation in invocations
        ],
    }


def finite(value: Any) -> Any:
    """Return *value* as JSON has it: no infinity, no NaN."""
    if isinstance(value, dict):
        return {name: finite(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


RAISED = {"MAX_CREDITS": FLAGS["max_credits"], "MAX_REQUESTS": FLAGS["max_requests"]}
"""Limits that must be raised to go on, by the code of the stop."""


def closing_rows(summary: Summary) -> list[tuple[str, str]]:
    """Return the closing table: a word and its value a row."""
    counts, outcome = summary.counts, summary.outcome
    ended = sum(counts.ended.values())
    captures = f"{counts.ended.get('completed', 0):,} of {counts.captures:,} completed"
    others = [
        f"{number:,} {status}" for status, number in sorted(counts.ended.items()) if status != "completed"
    ]
    if counts.captures > ended:
        others.append(f"{counts.captures - ended:,} open")
    rows = [
        ("Requests", ", ".join(_requests(counts))),
        ("Captures", ", ".join([captures, *others])),
    ]
    if outcome is not None:
        statistics = outcome.statistics
        rows.append(("Waves", f"{statistics.waves:,}, on {count(statistics.reads, 'snapshot')}"))
        rows.append(("429s", _throttled(statistics.throttled)))
        rows.append(("Time", _time(outcome.seconds, statistics.account)))
    if len(summary.invocations) > 1 or (outcome is None and summary.invocations):
        booked = all_booked(summary.invocations)
        rows.append(("Time in all", f"{_time(sum(booked.values()), booked)}{_each(summary.invocations)}"))
    rows.append(("Credits", _credits(summary)))
    rows.append(("Results", "standard output" if summary.files.out is None else str(summary.files.out)))
    rows.append(("Journal", str(summary.files.journal)))
    return rows


def closing_sentences(summary: Summary) -> list[str]:
    """Return what to say besides the table: why it ended, and what to do next."""
    counts, outcome = summary.counts, summary.outcome
    in_sandbox = summary.batch.base_url == SANDBOX_URL
    again = "In the sandbox each run starts anew." if in_sandbox else "Run the same command again to resume."
    if outcome is not None and outcome.code.startswith("AUTH"):
        again = "Set the right key in AISEARCH_API_KEY, then run the same command again to resume."
    if outcome is not None and outcome.code in RAISED and not in_sandbox:
        again = f"To go on, run the command again with a larger {RAISED[outcome.code]}."
    if outcome is not None and outcome.kind == "interrupted":
        return [
            f"Interrupted: {_sent(counts):,} of {count(counts.requests, 'request')} sent, "
            f"{counts.sent:,} in doubt. {again}"
        ]
    if outcome is not None and outcome.kind == "stopped":
        return [f"Stopped ({outcome.code}): {outcome.reason.rstrip('.')}. {again}"]
    said = []
    if outcome is None and not summary.retrying:
        said.append("This batch had ended before; nothing was sent. Use --repeat to run it anew.")
    if summary.exit_code == Exit.INCOMPLETE and _failed(counts) and not (summary.retrying or in_sandbox):
        said.append("To send once more only the captures that failed: the same command with --retry-failed.")
    if summary.retrying and summary.kind == "finished" and _failed(counts):
        said.append("Some failed again; the same command once more retries only those.")
    if outcome is not None and outcome.statistics.starved_by_unit:
        said.append(
            "Room was left unused because what the queue counts is not known: --unit parents (or children), "
            "or --probe, may make the next run faster."
        )
    if counts.sent:
        names = ", ".join(summary.in_doubt)
        more = counts.sent - len(summary.in_doubt)
        said.append(
            f"In doubt for more than 24 hours, and so not sent again: {names}"
            f"{f' and {more:,} more' if more > 0 else ''}. The service may have them; sending them again "
            "may be charged twice. --resend-in-doubt does it."
        )
    return said


def _failed(counts: Counts) -> int:
    """Return how many captures ended otherwise than completed."""
    return sum(counts.ended.values()) - counts.ended.get("completed", 0)


def _sent(counts: Counts) -> int:
    return counts.requests - counts.pending


def _requests(counts: Counts) -> list[str]:
    parts = [f"{counts.done:,} of {counts.requests:,} done"]
    for number, word in (
        (counts.accepted, "with the service"),
        (counts.rejected, "rejected"),
        (counts.sent, "in doubt"),
        (counts.pending, "not sent"),
    ):
        if number:
            parts.append(f"{number:,} {word}")
    return parts


def _throttled(by_lane: dict[str, int]) -> str:
    if not by_lane:
        return "none"
    return ", ".join(f"{number:,} ({lane})" for lane, number in by_lane.items())


def _time(seconds: float, account: dict[str, float]) -> str:
    shares = time_shares(account)
    return f"{span(seconds)}: {shares}" if shares else span(seconds)


def _each(invocations: Sequence[Invocation]) -> str:
    """Return how long each of several invocations took, of many the last."""
    if len(invocations) == 1:
        return ""
    told = ", ".join(span(invocation.seconds) for invocation in invocations[-MOST_INVOCATIONS:])
    more = "..., " if len(invocations) > MOST_INVOCATIONS else ""
    return f"; {count(len(invocations), 'invocation')}: {more}{told}"


def _credits(summary: Summary) -> str:
    taken = summary.taken
    text = f"about {summary.spent:,} in this run"
    if taken is None:
        return text
    text += f", at most {taken.max_credits:,} for the batch"
    if taken.unpriced_surfaces:
        text += f"; no published price: {', '.join(taken.unpriced_surfaces)}"
    return text
