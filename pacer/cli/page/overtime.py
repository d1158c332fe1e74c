"""
The run over time: the queue, the waves, and what it waited for.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from pacer.cli.page import charts
from pacer.cli.page.parts import Picture, numbers, table_of
from pacer.cli.page.words import clean, duration, lane, time_of_day
from pacer.cli.wording import count, why
from pacer.report import Report, Timeline


def introduction(report: Report, timeline: Timeline) -> str:
    """Return how to read these pictures."""
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


def queue(timeline: Timeline) -> Picture:
    """Return depth, capacity and headroom."""
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
    table = table_of(("At", "Depth", "Capacity", "Headroom", "Snapshots"), rows)
    spec = charts.queue(values, _starts(timeline), timeline.length)
    return Picture("queue", title, text, spec, tuple(legend), table)


def waves(report: Report, timeline: Timeline) -> Picture:
    """Return what was submitted."""
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
    table = table_of(("At", "Waves", "Requests", "Captures"), rows)
    spec = charts.waves(values, _starts(timeline), timeline.length)
    merged = any(wave.waves > 1 for _, wave in points)
    word = f"captures in {duration(timeline.waves.width)}" if merged else "captures in a wave"
    return Picture("waves", title, text, spec, (("wave", word),), table)


def waits(timeline: Timeline) -> Picture:
    """Return what it waited for when, and when it was refused."""
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
            "codes": numbers(refusal.codes),
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
