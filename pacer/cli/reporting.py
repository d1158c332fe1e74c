"""
A report as tables, and as a JSON document.

The document of ``pacer report --json``, version 1::

    {
      "document": "pacer.report", "version": 1, "pacer": "0.1.0", "journal": path,
      "batch": ..., "requests": ..., "captures": ...,   as in pacer.cli.summary
      "finished": true,
      "failures": {"CODE": n, ...},
      "time": ...,                                      as in pacer.cli.summary
      "invocations": [{"started_at", "last_at", "outcome", "code", "reason", "seconds", "waves",
                       "requests", "captures", "snapshots", "snapshots_failed", "waits", "throttled",
                       "rejected", "outage_seconds", "account", "statistics"}, ...]
    }
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pacer.cli.summary import batch_part, finite, requests_part, time_part
from pacer.cli.tables import show_rows
from pacer.cli.wording import count, share, span, why
from pacer.report import Invocation, Report, all_booked
from pacer.version import __version__


def document(report: Report, journal: Path) -> dict[str, Any]:
    """Return the JSON document of the module's docstring."""
    return {
        "document": "pacer.report",
        "version": 1,
        "pacer": __version__,
        "journal": str(journal),
        "batch": batch_part(report.batch),
        "requests": requests_part(report.counts),
        "captures": {"expected": report.counts.captures, "by_status": dict(report.counts.ended)},
        "finished": report.finished,
        "failures": dict(report.failures),
        "time": time_part(report.invocations),
        "invocations": [finite(asdict(invocation)) for invocation in report.invocations],
    }


def show(report: Report) -> None:
    """Print the report as tables on standard output."""
    counts, batch = report.counts, report.batch
    name = f", named {batch.name}" if batch.name else ""
    rows = [
        ("Batch", f"{batch.source} → {batch.base_url}{name}, taken in {_when(batch.created_at)}"),
        ("State", "finished" if report.finished else "unfinished: the command that began it resumes it"),
        (
            "Requests",
            f"{counts.requests:,}: {counts.done:,} done, {counts.accepted:,} with the service, "
            f"{counts.rejected:,} rejected, {counts.sent:,} in doubt, {counts.pending:,} not sent",
        ),
        ("Captures", f"{counts.captures:,}: {_numbers(counts.ended) or 'none ended'}"),
    ]
    if report.failures:
        rows.append(("Failures", _numbers(report.failures)))
    for number, invocation in enumerate(report.invocations, 1):
        rows += _invocation(number, invocation)
    if len(report.invocations) > 1:
        rows += _times("Time in all", all_booked(report.invocations), {})
    show_rows(rows)


def _invocation(number: int, invocation: Invocation) -> list[tuple[str, str]]:
    end = f"{invocation.outcome} after {span(invocation.seconds)}"
    if invocation.reason:
        end += f": {invocation.reason} ({invocation.code})"
    rows = [
        (f"Invocation {number}", f"{_when(invocation.started_at)}, {end}"),
        (
            "Sent",
            f"{count(invocation.requests, 'request')} ({count(invocation.captures, 'capture')}) "
            f"in {count(invocation.waves, 'wave')}, what had to be sent again included, "
            f"on {count(invocation.snapshots, 'snapshot')}"
            + (f", {invocation.snapshots_failed:,} more failed" if invocation.snapshots_failed else ""),
        ),
        ("429s", _numbers(invocation.throttled) or "none"),
    ]
    if invocation.rejected:
        rows.append(("Rejected", _numbers(invocation.rejected)))
    if invocation.outage_seconds:
        rows.append(("Outages", span(invocation.outage_seconds)))
    return rows + _times("Time", invocation.booked, invocation.waits)


def _times(title: str, booked: Mapping[str, float], waits: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return a row for each bound, the longest first: seconds, share, how many waits, and why."""
    total = sum(booked.values())
    rows: list[tuple[str, str]] = []
    for bound in sorted(booked.keys() | waits.keys(), key=lambda bound: -booked.get(bound, 0.0)):
        seconds = booked.get(bound)
        parts = [] if seconds is None else [span(seconds), share(seconds, total)]
        if bound in waits:
            parts.append(count(waits[bound], "wait"))
        rows.append(("" if rows else title, f"{', '.join(parts)}: {why(bound)}"))
    return rows


def _numbers(by_name: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in by_name.items() if number)


def _when(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")
