"""
Sums over the whole batch: where the time went, how long captures took, what went wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pacer.cli.page import charts
from pacer.cli.page.parts import MOST_BARS, Picture, numbers, table_of
from pacer.cli.page.words import clean, duration
from pacer.cli.wording import SHARES, count, share, why
from pacer.report import Captures, Report
from pacer.report.latency import Durations


def account_picture(report: Report, account: Mapping[str, float]) -> Picture:
    """Return where the time went; *account* is seconds by bound."""
    title = "Seconds by what held pacer"
    if not account:
        return Picture("account", title, "No invocation has ended yet.", None)
    whole = sum(account.values())
    waits: Counter[str] = Counter()
    for invocation in report.invocations:
        waits.update(invocation.waits)
    told = [
        (SHARES.get(bound, clean(bound)), why(clean(bound)), bound, seconds)
        for bound, seconds in account.items()
    ]
    values = [
        {"row": n, "name": name, "amount": seconds, "shown": f"{duration(seconds)} · {share(seconds, whole)}"}
        for n, (name, _, _, seconds) in enumerate(told[:MOST_BARS])
    ]
    rows = [
        (name, f"{seconds:,.1f}", share(seconds, whole), f"{waits[bound]:,}", sentence)
        for name, sentence, bound, seconds in told
    ]
    text = f"{duration(whole)} in all: each second stands under what kept pacer from doing more then."
    table = table_of(("Held by", "Seconds", "Share", "Waits", "Which means"), rows, words={0, 4})
    return Picture("account", title, text, charts.bars(title, values, "var(--wait)"), (), table)


def latency_text(captures: Captures) -> str:
    """Return what the durations are of."""
    if not captures.timed.number:
        return "No capture has told how long it took."
    text = (
        f"From the service's own moments in {count(captures.timed.number, 'Envelope')}: from the request "
        "to the end of the capture, its time in the queue included"
    )
    return f"{text}. {captures.untimed:,} more did not tell." if captures.untimed else f"{text}."


def latency(captures: Captures) -> tuple[Picture, ...]:
    """Return the durations by surface, by region, and by both."""
    if not captures.timed.number:
        return ()
    groups = {"surface": captures.by_surface, "region": captures.by_region}
    longest = max(d.quantile(0.95) for group in groups.values() for d in group.values())
    by_surface, by_region = (_ranges(name, group, longest) for name, group in groups.items())
    pairs = sorted(captures.by_pair.items())
    rows = [(clean(surface), clean(region), *_quantiles(d)) for (surface, region), d in pairs]
    heads = ("Surface", "Region", "Captures", "Median", "95 % within")
    both = Picture("pairs", "By surface and region", "", None, (), table_of(heads, rows, words={0, 1}))
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
    table = table_of((name.capitalize(), "Captures", "Median", "95 % within"), rows)
    legend = (("tick", "median"), ("depth", "the middle half"), ("line", "5 % to 95 %"))
    spec = charts.ranges(f"Duration of captures by {name}", values, longest)
    return Picture(f"by-{name}", f"By {name}", f"{text}.", spec, legend, table)


def _quantiles(durations: Durations) -> tuple[str, str, str]:
    return (
        f"{durations.number:,}",
        duration(durations.quantile(0.5)),
        duration(durations.quantile(0.95)),
    )


def failures(captures: Captures) -> Picture:
    """Return what ended otherwise than completed, by code."""
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
            numbers(dict(failure.surfaces.most_common(8))) or "not admitted",
            clean(failure.request),
            clean(failure.message),
        )
        for code, failure in entries
    ]
    heads = ("Code", "Number", "On", "First met by", "What was said then")
    table = table_of(heads, rows, words={0, 2, 3, 4})
    text = f"{whole:,} in all, of {count(len(entries), 'code')}."
    return Picture("failures", title, text, charts.bars(title, values, "var(--refusal)"), (), table)


def refusals(report: Report) -> Picture:
    """Return the 429s by code."""
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
    return Picture("refusals", title, text, spec, (), table_of(("Code", "429s"), rows))
