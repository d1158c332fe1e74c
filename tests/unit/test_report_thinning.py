"""
Series and spans stay bounded, and what is merged is not lost.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pacer.report.series import Reading, Refusal, Wave
from pacer.report.thinning import Spans, Thinned

GAPS = st.lists(st.floats(0, 1e6), min_size=1, max_size=300)


def moments(gaps: list[float]) -> list[float]:
    """Return moments that are *gaps* apart."""
    now, made = 0.0, []
    for gap in gaps:
        now += gap
        made.append(now)
    return made


@given(GAPS)
def test_waves_keep_their_sums(gaps: list[float]) -> None:
    """However a series is thinned it stays within its bound, in order, and its sums are what was added."""
    series: Thinned[Wave] = Thinned(most=20)
    for n, x in enumerate(moments(gaps)):
        series.add(x, Wave(x, requests=n, captures=3))
        assert len(series.points()) <= 20
    points = series.points()
    assert sum(wave.captures for _, wave in points) == 3 * len(gaps)
    assert sum(wave.requests for _, wave in points) == sum(range(len(gaps)))
    assert sum(wave.waves for _, wave in points) == len(gaps)
    assert [x for x, _ in points] == sorted(x for x, _ in points)


@given(GAPS, st.data())
def test_depth_keeps_its_extremes(gaps: list[float], data: st.DataObject) -> None:
    """The highest and the lowest depth, and the last one told, survive thinning."""
    depths = data.draw(st.lists(st.integers(0, 10**6), min_size=len(gaps), max_size=len(gaps)))
    series: Thinned[Reading] = Thinned(most=10)
    for x, depth in zip(moments(gaps), depths, strict=True):
        series.add(x, Reading(x, depth, depth, depth, 100, 100 - depth))
    readings = [reading for _, reading in series.points()]
    assert max(reading.highest for reading in readings) == max(depths)
    assert min(reading.lowest for reading in readings) == min(depths)
    assert (readings[-1].depth, readings[-1].headroom) == (depths[-1], 100 - depths[-1])
    assert sum(reading.snapshots for reading in readings) == len(depths)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=100))
def test_refusals_keep_their_number(codes: list[str]) -> None:
    """Refusals of any codes at one moment are one point that counts them all and names a bounded number."""
    series: Thinned[Refusal] = Thinned()
    for n, code in enumerate(codes):
        series.add(1.0, Refusal(1.0, {code: 1}, float(n) if n % 2 else None))
    [(_, refusal)] = series.points()
    assert refusal.number == len(codes)
    assert len(refusal.codes) <= 21


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), max_size=200))
def test_spans_cover_what_was_added(steps: list[tuple[float, float]]) -> None:
    """Stretches stay within their bound, apart from each other, and cover all that was added."""
    spans, now, added = Spans(most=15), 0.0, []
    for gap, length in steps:
        begin, now = now + gap, now + gap + length
        spans.add(begin, now)
        added.append((begin, now))
    kept = list(spans)
    assert len(kept) <= 15
    assert all(end < begin for (_, end), (begin, _) in pairwise(kept))
    for begin, end in added:
        assert end <= begin or any(first <= begin and end <= last for first, last in kept)
