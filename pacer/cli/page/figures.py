"""
Everything the page shows, in words and numbers: what the template has only to lay out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pacer.cli.page import charts
from pacer.cli.page.words import HELD_BY, clean, duration, lane, moment, share, time_of_day, unbroken
from pacer.cli.wording import count, why
from pacer.report import Captures, Report, Timeline
from pacer.report.latency import Durations

MOST_BARS = 12
"""Rows of a picture; the table beside it goes on."""

MOST_LINES = 200
"""Rows of a table."""

UNTOLD = ("not told: killed, or running", "an invocation tells at its end what held it")


@dataclass(frozen=True, slots=True)
class Table:
    """
    One table.

    Attributes:
        heads: Of the columns. The first column is words, the others are figures unless named in *words*.

        left_out: Rows beyond those that are shown.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset({0})
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """
    One picture with what it says in words, and its figures.

    Attributes:
        name: Its id in the page.

        legend: Role (a class of the style sheet) and word of each colour.
    """

    name: str
    title: str
    text: str
    spec: charts.Spec | None
    legend: tuple[tuple[str, str], ...] = ()
    table: Table | None = None


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
    account = account_of(report)
    return Page(
        headline=unbroken(headline(report, account)),
        facts=_facts(report),
        tiles=_tiles(report, captures),
        sections=(
            ("Where the time went", "", (_account(report, account),)),
            (
                "The run over time",
                _over_time(report, timeline),
                (_queue(timeline), _waves(report, timeline), _waits(timeline)),
            ),
            ("How long captures took", _latency_text(captures), _latency(captures)),
            ("What went wrong", "", (_failures(captures), _refusals(report))),
        ),
        invocations=_invocations(report),
    )


def account_of(report: Report) -> dict[str, float]:
    """Return seconds by bound over all invocations; what one without an end did not tell is under ``""``."""
    account: Counter[str] = Counter()
    for invocation in report.invocations:
        if invocation.account:
            account.update(invocation.account)
        elif invocation.seconds > 0:
            account[""] += invocation.seconds  # type: ignore[assignment]  # a Counter adds floats as well
    return dict(sorted(account.items(), key=lambda entry: -entry[1]))


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
    told = {bound: seconds for bound, seconds in account.items() if bound}
    if told and whole:
        bound = max(told, key=lambda name: told[name])
        text += f"; {share(told[bound], whole)} of it {HELD_BY.get(bound, clean(bound))}"
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


# Over time --------------------------------------------------------------------------------


def _over_time(report: Report, timeline: Timeline) -> str:
    text = "Time worked runs from left to right"
    if len(report.invocations) > 1:
        text += (
            f", over {count(len(report.invocations), 'invocation')}; the pauses between them are cut out. "
            "A dotted line is the start of the next"
        )
    if timeline.readings.width > 0.05:
        text += f". What fell within {duration(timeline.readings.width)} stands in one point"
    return f"{text}."


def _starts(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {
            "x": start.x,
            "label": f"invocation {start.number}, after a pause of {duration(start.pause)}",
            "when": time_of_day(start.at),
        }
        for start in timeline.starts
    ]


def _queue(timeline: Timeline) -> Picture:
    title = "The queue: depth, capacity and headroom, in its units"
    legend = [("depth", "depth"), ("capacity", "capacity"), ("headroom", "headroom: what pacer could use")]
    points = timeline.readings.points()
    if not points:
        return Picture("queue", title, "No snapshot was read.", None)
    starts = [start.x for start in timeline.starts]
    values = [
        {
            "x": x,
            "run": bisect_right(starts, x),
            "when": time_of_day(reading.at),
            "depth": reading.depth,
            "lowest": reading.lowest,
            "highest": reading.highest,
            "capacity": reading.capacity,
            "headroom": reading.headroom,
            "snapshots": reading.snapshots,
        }
        for x, reading in points
    ]
    highest = max(reading.highest for _, reading in points)
    if any(reading.snapshots > 1 for _, reading in points):
        legend.append(("spread", "between its lowest and highest"))
    last = points[-1][1]
    known = "unknown" if last.capacity is None else f"{last.capacity:,}"
    empty = sum(reading.lowest == 0 for _, reading in points)
    text = (
        f"The depth rose to {highest:,}; the capacity was {known} at the end. "
        f"{empty:,} of {count(len(points), 'point')} saw the queue empty."
    )
    rows = [
        (
            time_of_day(reading.at),
            f"{reading.depth:,}",
            "" if reading.capacity is None else f"{reading.capacity:,}",
            f"{reading.headroom:,}",
            f"{reading.snapshots:,}",
        )
        for _, reading in points
    ]
    table = _table(("At", "Depth", "Capacity", "Headroom", "Snapshots"), rows)
    spec = charts.queue(values, _starts(timeline), timeline.length)
    return Picture("queue", title, text, spec, tuple(legend), table)


def _waves(report: Report, timeline: Timeline) -> Picture:
    title = "Waves: captures sent"
    points = timeline.waves.points()
    if not points:
        return Picture("waves", title, "Nothing was submitted.", None)
    values = [
        {
            "x": x,
            "when": time_of_day(wave.at),
            "captures": wave.captures,
            "requests": wave.requests,
            "waves": wave.waves,
        }
        for x, wave in points
    ]
    text = (
        f"{count(sum(i.waves for i in report.invocations), 'wave')} took "
        f"{count(sum(i.requests for i in report.invocations), 'request')} with "
        f"{count(sum(i.captures for i in report.invocations), 'capture')}, what was sent again included."
    )
    rows = [
        (time_of_day(wave.at), f"{wave.waves:,}", f"{wave.requests:,}", f"{wave.captures:,}")
        for _, wave in points
    ]
    table = _table(("At", "Waves", "Requests", "Captures"), rows)
    spec = charts.waves(values, _starts(timeline), timeline.length)
    merged = any(wave.waves > 1 for _, wave in points)
    word = f"captures in {duration(timeline.waves.width)}" if merged else "captures in a wave"
    return Picture("waves", title, text, spec, (("wave", word),), table)


def _waits(timeline: Timeline) -> Picture:
    title = "Waits of half a second or longer, and 429s"
    spans = [
        {
            "x": begin,
            "end": end,
            "lane": lane(bound),
            "why": why(clean(bound)),
            "seconds": duration(end - begin),
        }
        for bound, stretches in timeline.waits.items()
        for begin, end in stretches
    ]
    refusals = [
        {
            "x": x,
            "lane": "429s",
            "when": time_of_day(refusal.at),
            "number": refusal.number,
            "codes": _numbers(refusal.codes),
            "retry_after": "none" if refusal.retry_after is None else duration(refusal.retry_after),
        }
        for x, refusal in timeline.refusals.points()
    ]
    if not spans and not refusals:
        return Picture("waits", title, "It never waited that long, and met no 429.", None)
    by_lane = {
        lane(bound): sum(end - begin for begin, end in stretches)
        for bound, stretches in timeline.waits.items()
    }
    longest = sorted(by_lane.items(), key=lambda entry: -entry[1])[:3]
    text = "Longest in all: " + ", ".join(f"{name} {duration(seconds)}" for name, seconds in longest) + "."
    spec = charts.waits(spans, refusals, _starts(timeline), timeline.length)
    legend = (("wait", "a wait"), ("refusal", "a 429")) if refusals else (("wait", "a wait"),)
    return Picture("waits", title, text if longest else "", spec, legend)


# Sums -------------------------------------------------------------------------------------


def _account(report: Report, account: Mapping[str, float]) -> Picture:
    title = "Seconds by what held pacer"
    if not account:
        return Picture("account", title, "No invocation has ended yet.", None)
    whole = sum(account.values())
    waits: Counter[str] = Counter()
    for invocation in report.invocations:
        waits.update(invocation.waits)
    told = [
        (*((HELD_BY.get(bound, clean(bound)), why(clean(bound))) if bound else UNTOLD), bound, seconds)
        for bound, seconds in account.items()
    ]
    values = [
        {"row": n, "name": name, "amount": seconds, "shown": f"{duration(seconds)} · {share(seconds, whole)}"}
        for n, (name, _, _, seconds) in enumerate(told[:MOST_BARS])
    ]
    rows = [
        (name, f"{seconds:,.1f}", share(seconds, whole), f"{waits[bound]:,}" if bound else "", sentence)
        for name, sentence, bound, seconds in told
    ]
    text = f"{duration(whole)} in all: each second stands under what kept pacer from doing more then."
    table = _table(("Held by", "Seconds", "Share", "Waits", "Which means"), rows, words={0, 4})
    return Picture("account", title, text, charts.bars(title, values, "var(--wait)"), (), table)


def _latency_text(captures: Captures) -> str:
    if not captures.timed.number:
        return "No capture has told how long it took."
    text = (
        f"From the service's own moments in {count(captures.timed.number, 'Envelope')}: from the request "
        "to the end of the capture, its time in the queue included"
    )
    return f"{text}. {captures.untimed:,} more did not tell." if captures.untimed else f"{text}."


def _latency(captures: Captures) -> tuple[Picture, ...]:
    if not captures.timed.number:
        return ()
    groups = {"surface": captures.by_surface, "region": captures.by_region}
    longest = max(d.quantile(0.95) for group in groups.values() for d in group.values())
    by_surface, by_region = (_ranges(name, group, longest) for name, group in groups.items())
    pairs = sorted(captures.by_pair.items())
    rows = [(clean(surface), clean(region), *_quantiles(d)) for (surface, region), d in pairs]
    heads = ("Surface", "Region", "Captures", "Median", "95 % within")
    both = Picture("pairs", "By surface and region", "", None, (), _table(heads, rows, words={0, 1}))
    return by_surface, by_region, both


def _ranges(name: str, group: Mapping[str, Durations], longest: float) -> Picture:
    entries = sorted(group.items(), key=lambda entry: -entry[1].number)
    drawn = sorted(entries[:MOST_BARS], key=lambda entry: -entry[1].quantile(0.5))
    values = []
    for n, (member, durations) in enumerate(drawn):
        quantiles = {f"p{p}": durations.quantile(p / 100) for p in (5, 25, 50, 75, 95)}
        low, first, middle, third, high = quantiles.values()
        values.append(
            {
                "row": n,
                "name": clean(member),
                **quantiles,
                "shown": duration(middle),
                "middle": f"{duration(first)} to {duration(third)}",
                "spread": f"{duration(low)} to {duration(high)}",
            }
        )
    slowest, quickest = drawn[0], drawn[-1]
    text = f"{clean(slowest[0])} took longest, {duration(slowest[1].quantile(0.5))} in the median"
    if len(drawn) > 1:
        text += f"; {clean(quickest[0])} was quickest, {duration(quickest[1].quantile(0.5))}"
    if len(entries) > len(drawn):
        text += f". Drawn are the {len(drawn)} of {len(entries)} {name}s with most captures"
    rows = [(clean(member), *_quantiles(durations)) for member, durations in entries]
    table = _table((name.capitalize(), "Captures", "Median", "95 % within"), rows)
    legend = (("tick", "median"), ("depth", "the middle half"), ("line", "5 % to 95 %"))
    spec = charts.ranges(f"Duration of captures by {name}", values, longest)
    return Picture(f"by-{name}", f"By {name}", f"{text}.", spec, legend, table)


def _quantiles(durations: Durations) -> tuple[str, str, str]:
    return (
        f"{durations.number:,}",
        duration(durations.quantile(0.5)),
        duration(durations.quantile(0.95)),
    )


def _failures(captures: Captures) -> Picture:
    title = "Captures and requests that did not complete, by code"
    if not captures.failures:
        return Picture("failures", title, "None.", None)
    entries = sorted(captures.failures.items(), key=lambda entry: -entry[1].captures)
    whole = sum(failure.captures for _, failure in entries)
    values = [
        {
            "row": n,
            "name": clean(code),
            "amount": failure.captures,
            "shown": f"{failure.captures:,} · {share(failure.captures, whole)}",
        }
        for n, (code, failure) in enumerate(entries[:MOST_BARS])
    ]
    rows = [
        (
            clean(code),
            f"{failure.captures:,}",
            _numbers(dict(failure.surfaces.most_common(8))) or "not admitted",
            clean(failure.request),
            clean(failure.message),
        )
        for code, failure in entries
    ]
    heads = ("Code", "Number", "On", "First met by", "What was said then")
    table = _table(heads, rows, words={0, 2, 3, 4})
    text = f"{whole:,} in all, of {count(len(entries), 'code')}."
    return Picture("failures", title, text, charts.bars(title, values, "var(--refusal)"), (), table)


def _refusals(report: Report) -> Picture:
    title = "429s by code"
    codes: Counter[str] = Counter()
    for invocation in report.invocations:
        codes.update(invocation.throttled)
    if not codes:
        return Picture("refusals", title, "None.", None)
    rows = [(clean(code), f"{number:,}") for code, number in codes.most_common()]
    values = [
        {"row": n, "name": clean(code), "amount": number, "shown": f"{number:,}"}
        for n, (code, number) in enumerate(codes.most_common(MOST_BARS))
    ]
    text = f"{count(codes.total(), 'refusal')}. What was refused was sent again; nothing is lost."
    spec = charts.bars(title, values, "var(--refusal)")
    return Picture("refusals", title, text, spec, (), _table(("Code", "429s"), rows))


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
    return _table(heads, rows, words={0, 1, 2})


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], words: Iterable[int] = (0,)) -> Table:
    kept = tuple(rows)
    return Table(heads, kept[:MOST_LINES], frozenset(words), max(len(kept) - MOST_LINES, 0))


def _numbers(by_name: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {clean(name)}" for name, number in by_name.items())
