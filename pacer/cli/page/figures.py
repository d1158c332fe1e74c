"""
Everything the page shows, in words and numbers: what the template has only to lay out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pacer.cli.page import overtime, sums
from pacer.cli.page.parts import Picture, Table, table_of
from pacer.cli.page.words import clean, duration, moment, unbroken
from pacer.cli.wording import SHARES, count, share
from pacer.report import UNTOLD, Captures, Report, Timeline, all_booked


@dataclass(frozen=True, slots=True)
class Page:
    """The page from top to bottom. Sections have a title, a sentence and pictures."""

    headline: str
    facts: tuple[tuple[str, str], ...]
    tiles: tuple[tuple[str, str, str], ...]
    sections: tuple[tuple[str, str, tuple[Picture, ...]], ...]
    invocations: Table


def page_of(report: Report, timeline: Timeline, captures: Captures) -> Page:
    """Return the page of a batch."""
    account = all_booked(report.invocations)
    return Page(
        headline=unbroken(headline(report, account)),
        facts=_facts(report),
        tiles=_tiles(report, captures),
        sections=(
            ("Where the time went", "", (sums.account_picture(report, account),)),
            (
                "The run over time",
                overtime.introduction(report, timeline),
                (overtime.queue(timeline), overtime.waves(report, timeline), overtime.waits(timeline)),
            ),
            ("How long captures took", sums.latency_text(captures), sums.latency(captures)),
            ("What went wrong", "", (sums.failures(captures), sums.refusals(report))),
        ),
        invocations=_invocations(report),
    )


def headline(report: Report, account: Mapping[str, float]) -> str:
    """Return the batch in one sentence."""
    counts = report.counts
    if counts.captures:
        done = f"{counts.ended.get('completed', 0):,} of {count(counts.captures, 'capture')} completed"
    else:
        done = f"No capture: {counts.rejected:,} of {count(counts.requests, 'request')} rejected"
    if not report.invocations:
        return f"{done}: nobody has worked on this batch yet"
    whole = sum(account.values())
    text = f"{done} in {duration(sum(invocation.seconds for invocation in report.invocations))}"
    told = {bound: seconds for bound, seconds in account.items() if bound != UNTOLD}
    if told and whole:
        bound = max(told, key=lambda name: told[name])
        text += f"; {share(told[bound], whole)} of it: {SHARES.get(bound, clean(bound))}"
    return text


def _facts(report: Report) -> tuple[tuple[str, str], ...]:
    batch = report.batch
    facts = [
        ("Input", clean(batch.source)),
        ("Service", clean(batch.base_url)),
        ("Taken in", moment(batch.created_at)),
        ("State", "finished" if report.finished else "unfinished: the command that began it resumes it"),
    ]
    if batch.name:
        facts.insert(1, ("Batch", clean(batch.name)))
    return tuple(facts)


def _tiles(report: Report, captures: Captures) -> tuple[tuple[str, str, str], ...]:
    counts, invocations = report.counts, report.invocations
    completed = counts.ended.get("completed", 0)
    others = [f"{number:,} {status}" for status, number in counts.ended.items() if status != "completed"]
    open_ = counts.captures - sum(counts.ended.values())
    others += [f"{open_:,} open"] if open_ > 0 else []
    requests = [
        f"{number:,} {word}"
        for number, word in (
            (counts.rejected, "rejected"),
            (counts.accepted, "with the service"),
            (counts.sent, "in doubt"),
            (counts.pending, "not sent"),
        )
        if number
    ]
    refusals = sum(sum(invocation.throttled.values()) for invocation in invocations)
    tiles = [
        ("Captures completed", f"{completed:,}", ", ".join(map(clean, others)) or f"of {counts.captures:,}"),
        ("Requests done", f"{counts.done:,}", ", ".join(requests) or f"of {counts.requests:,}"),
        (
            "Time worked",
            duration(sum(invocation.seconds for invocation in invocations)),
            f"in {count(len(invocations), 'invocation')}",
        ),
        (
            "Waves",
            f"{sum(invocation.waves for invocation in invocations):,}",
            f"on {count(sum(invocation.snapshots for invocation in invocations), 'snapshot')}",
        ),
        ("429s", f"{refusals:,}", _breakable(sorted({c for i in invocations for c in i.throttled}))),
    ]
    if captures.timed.number:
        tiles.append(
            (
                "Median capture",
                duration(captures.timed.quantile(0.5)),
                f"95 % within {duration(captures.timed.quantile(0.95))}",
            )
        )
    return tuple(tiles)


def _breakable(codes: Iterable[str]) -> str:
    """Return *codes* as words that a narrow tile may break at their underscores."""
    return ", ".join(clean(code).replace("_", "_\u200b") for code in codes) or "none met"


def _invocations(report: Report) -> Table:
    rows = [
        (
            f"{n:,}",
            moment(invocation.started_at),
            f"{invocation.outcome} ({clean(invocation.code)})" if invocation.code else invocation.outcome,
            duration(invocation.seconds),
            f"{invocation.requests:,}",
            f"{invocation.captures:,}",
            f"{invocation.waves:,}",
            f"{invocation.snapshots:,}",
            f"{sum(invocation.throttled.values()):,}",
        )
        for n, invocation in enumerate(report.invocations, 1)
    ]
    heads = ("No.", "Started", "Ended", "Took", "Requests", "Captures", "Waves", "Snapshots", "429s")
    return table_of(heads, rows, words={0, 1, 2})
