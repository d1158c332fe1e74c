"""
The pictures, as Vega-Lite specifications.

Strangers' text (codes, surfaces, regions) is data in them and nothing else:
never a field's name, never an expression. Colours are the page's CSS variables,
so that light and dark need no second picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias

Spec: TypeAlias = dict[str, Any]
Values: TypeAlias = Sequence[dict[str, Any]]

LABELS_WIDTH: Final = 84
"""Pixels left of what is drawn over time; the same everywhere, so that moments stand above each other."""

ROW: Final = 46
"""Pixels of a row that has its words above its bar: readable at any width."""

TICK_STEPS: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)
DAY: Final = 86_400


def queue(values: Values, starts: Values, length: float) -> Spec:
    """
    Return depth, capacity and headroom over time.

    Args:
        values: ``x`` (seconds worked), ``run``, ``when``, ``depth``, ``lowest``, ``highest``,
            ``capacity``, ``headroom``, ``snapshots``.

        starts: ``x``, ``label`` of each later invocation.

        length: Seconds worked.
    """

    def line(field: str, **mark: Any) -> Spec:
        encoding = {"x": _time(length), "y": _amount(field), "detail": {"field": "run"}}
        return {"mark": {"type": "line", **mark}, "encoding": encoding}

    encoding = {"x": _time(length), "y": _amount("lowest"), "y2": {"field": "highest"}}
    spread = {"type": "area", "color": "var(--depth)", "opacity": 0.25}
    capacity = line("capacity", color="var(--capacity)", strokeWidth=1.5, interpolate="step-after")
    layers = [
        *([capacity] if any(value["capacity"] is not None for value in values) else []),
        {"mark": spread, "encoding": {**encoding, "detail": {"field": "run"}}},
        line("headroom", color="var(--headroom)", strokeWidth=1.5, strokeDash=[5, 3]),
        line("depth", color="var(--depth)", strokeWidth=2),
        *_starts(starts, length),
        _hover(
            values,
            length,
            {
                "when": "At",
                "depth": "Depth",
                "capacity": "Capacity",
                "headroom": "Headroom",
                "snapshots": "Snapshots",
            },
        ),
    ]
    return _chart("Depth, capacity and headroom of the queue over time", 220, layers, values)


def waves(values: Values, starts: Values, length: float) -> Spec:
    """
    Return what was submitted over time.

    Args:
        values: ``x``, ``when``, ``captures``, ``requests``, ``waves``.
    """
    encoding = {"x": _time(length), "y": _amount("captures")}
    layers = [
        {"mark": {"type": "bar", "width": 4, "color": "var(--wave)"}, "encoding": encoding},
        *_starts(starts, length),
        _hover(
            values,
            length,
            {"when": "At", "captures": "Captures sent", "requests": "Requests", "waves": "Waves"},
        ),
    ]
    return _chart("Captures submitted in each wave over time", 120, layers, values)


def waits(values: Values, refusals: Values, starts: Values, length: float) -> Spec:
    """
    Return what held the pacer when, and when it was refused.

    Args:
        values: ``x``, ``end``, ``lane``, ``why``, ``seconds`` (in words).

        refusals: ``x``, ``lane``, ``when``, ``number``, ``codes``, ``retry_after``.
    """
    lanes = list(dict.fromkeys(value["lane"] for value in (*refusals, *values)))
    y = {
        "field": "lane",
        "type": "nominal",
        "sort": None,
        "scale": {"domain": lanes},
        "axis": _left(ticks=False, labelLimit=LABELS_WIDTH - 8, grid=True, tickBand="extent"),
    }
    spans = {
        "x": _time(length),
        "x2": {"field": "end"},
        "y": y,
        "tooltip": _tips({"why": "Waited for", "seconds": "For"}),
    }
    marks = {
        "x": _time(length),
        "y": y,
        "tooltip": _tips(
            {"when": "At", "number": "429s", "codes": "Codes", "retry_after": "Longest Retry-After"}
        ),
    }
    layers: list[Spec] = [
        {
            "data": {"values": values},
            "mark": {"type": "bar", "color": "var(--wait)", "height": 12, "minBandSize": 2},
            "encoding": spans,
        },
        {
            "data": {"values": refusals},
            "mark": {"type": "tick", "color": "var(--refusal)", "thickness": 3, "size": 16},
            "encoding": marks,
        },
        *_starts(starts, length),
    ]
    return _chart("Waits by reason, and 429s, over time", 26 * max(len(lanes), 1), layers)


def bars(description: str, values: Values, color: str) -> Spec:
    """
    Return one bar a row, its words above it.

    Args:
        values: ``row`` (an id), ``name``, ``amount``, ``shown`` (the amount in words).
    """
    y = _row(values)
    amount = {
        "field": "amount",
        "type": "quantitative",
        "axis": None,
        "scale": {"domainMin": 0, "nice": False},
    }
    tips = _tips({"name": "What", "shown": "Figure"})
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "height": 10, "color": color, "yOffset": 8, "cornerRadiusEnd": 2},
            "encoding": {"x": amount, "y": y, "tooltip": tips},
        },
        *_words(y),
    ]
    return _chart(description, ROW * len(values), layers, values)


def ranges(description: str, values: Values, longest: float) -> Spec:
    """
    Return one range a row: 5 % to 95 % as a line, the middle half as a bar, the median as a mark.

    Args:
        values: ``row``, ``name``, ``shown``, and ``p5``, ``p25``, ``p50``, ``p75``, ``p95`` in seconds;
            ``spread``, ``middle`` in words.

        longest: The end of the axis, in seconds.
    """
    y = _row(values)
    axis = {"title": "seconds", "grid": True, "tickCount": 5, "format": "~g"}

    def x(field: str) -> Spec:
        scale = {"domain": [0, longest], "nice": True}
        return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}

    tips = _tips({"name": "Captures", "shown": "Median", "middle": "Middle half", "spread": "5 % to 95 %"})
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "color": "var(--depth)", "strokeWidth": 1.5, "yOffset": 8},
            "encoding": {"x": x("p5"), "x2": {"field": "p95"}, "y": y, "tooltip": tips},
        },
        {
            "mark": {"type": "bar", "color": "var(--depth)", "height": 10, "yOffset": 8},
            "encoding": {"x": x("p25"), "x2": {"field": "p75"}, "y": y, "tooltip": tips},
        },
        {
            "mark": {"type": "tick", "color": "var(--fg)", "thickness": 3, "size": 16, "yOffset": 8},
            "encoding": {"x": x("p50"), "y": y, "tooltip": tips},
        },
        *_words(y),
    ]
    return _chart(description, ROW * len(values), layers, values)


# Parts ------------------------------------------------------------------------------------


def _chart(description: str, height: int, layers: list[Spec], values: Values | None = None) -> Spec:
    chart: Spec = {
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "layer": layers,
    }
    if values is not None:
        chart["data"] = {"values": values}
    return chart


def _time(length: float) -> Spec:
    steps = [*TICK_STEPS, *(DAY * n for n in (1, 2, 5, 10, 30, 100))]
    step = next((step for step in steps if length / step <= 8), steps[-1] * 10)
    if length < 120:
        label = "datum.value + ' s'"
    elif length <= 3600:
        label = "utcFormat(datum.value * 1000, '%-M:%S min')"
    elif length <= DAY:
        label = "utcFormat(datum.value * 1000, '%-H:%M h')"
    else:
        label = f"floor(datum.value / {DAY}) + ' d ' + utcFormat(datum.value * 1000, '%-H:%M')"
    ticks = [step * n for n in range(int(length / step) + 1)]
    axis = {"title": None, "values": ticks, "labelExpr": label, "grid": False, "labelOverlap": "greedy"}
    scale = {"domain": [0, max(length, 0.001)], "nice": False, "padding": 0}
    return {"field": "x", "type": "quantitative", "scale": scale, "axis": axis}


def _amount(field: str) -> Spec:
    axis = _left(tickCount=4, format=",d")
    return {"field": field, "type": "quantitative", "axis": axis, "scale": {"domainMin": 0}}


def _left(**more: Any) -> Spec:
    return {"title": None, "minExtent": LABELS_WIDTH, "maxExtent": LABELS_WIDTH, **more}


def _starts(starts: Values, length: float) -> list[Spec]:
    if not starts:
        return []
    rule = {"type": "rule", "color": "var(--muted)", "strokeDash": [2, 3]}
    return [
        {
            "data": {"values": starts},
            "mark": rule,
            "encoding": {"x": _time(length), "tooltip": _tips({"label": "Start", "when": "At"})},
        }
    ]


def _hover(values: Values, length: float, fields: dict[str, str]) -> Spec:
    """Return a layer that shows the nearest point's figures wherever the pointer is."""
    middles = [(one["x"] + other["x"]) / 2 for one, other in pairwise(values)]
    near = zip(values, [0.0, *middles], [*middles, length], strict=True)
    cells = [{**value, "from": begin, "to": end} for value, begin, end in near]
    select = {"type": "point", "on": "pointerover", "clear": "pointerout"}
    return {
        "data": {"values": cells},
        "params": [{"name": "near", "select": select}],
        "mark": {"type": "rect", "color": "var(--fg)"},
        "encoding": {
            "x": {**_time(length), "field": "from"},
            "x2": {"field": "to"},
            "opacity": {"condition": {"param": "near", "empty": False, "value": 0.1}, "value": 0},
            "tooltip": _tips(fields),
        },
    }


def _tips(fields: dict[str, str]) -> list[Spec]:
    return [{"field": field, "type": "nominal", "title": title} for field, title in fields.items()]


def _row(values: Values) -> Spec:
    scale = {"domain": [value["row"] for value in values], "padding": 0}
    return {"field": "row", "type": "nominal", "sort": None, "scale": scale, "axis": None}


def _words(y: Spec) -> list[Spec]:
    """Return the name above a row's bar on the left, its figure on the right."""
    text = {"type": "text", "baseline": "middle", "yOffset": -9, "fontSize": 12}
    return [
        {
            "mark": {
                **text,
                "align": "left",
                "color": "var(--fg)",
                "limit": {"expr": "max(width - 118, 60)"},
            },
            "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "name", "type": "nominal"}},
        },
        {
            "mark": {**text, "align": "right", "color": "var(--muted)"},
            "encoding": {"x": {"value": "width"}, "y": y, "text": {"field": "shown", "type": "nominal"}},
        },
    ]
