"""
What all captures of a batch tell together.
"""

from __future__ import annotations

from statistics import quantiles
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.journal.views import ResultRow
from pacer.report.captures import MOST_GROUPS, OTHERS, Captures
from pacer.report.latency import Durations, capture_seconds

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MOMENTS = JSON | st.datetimes(timezones=st.none() | st.timezones()).map(lambda at: at.isoformat())


def envelope(began: object, ended: object) -> dict[str, Any]:
    """Return an Envelope with these moments."""
    return {"job": {"requestedAt": began, "completedAt": ended}}


def row(surface: str | None, region: str | None, *, status: str = "completed", **more: Any) -> ResultRow:
    """Return a line of the results."""
    told = envelope("2026-08-02T10:00:00Z", "2026-08-02T10:00:12.500Z")
    return ResultRow(
        1, more.get("request", "q"), 0, "j", "c", surface, region, status, told, more.get("error")
    )


@given(JSON | st.builds(envelope, MOMENTS, MOMENTS))
def test_any_envelope(told: Any) -> None:
    """Whatever a service put into an Envelope, it is a duration of this world or none."""
    seconds = capture_seconds(told)
    assert seconds is None or 0 <= seconds <= 367 * 86_400


@pytest.mark.parametrize(
    ("began", "ended", "seconds"),
    [
        ("2026-08-02T10:00:00Z", "2026-08-02T10:00:12.5Z", 12.5),
        ("2026-08-02T10:00:00.000Z", "2026-08-02T12:00:00+02:00", 0.0),
        ("2026-08-02T10:00:00", "2026-08-02T10:00:01Z", 1.0),
        ("2026-08-02T10:00:01Z", "2026-08-02T10:00:00Z", None),
        ("2026-08-02T10:00:01Z", None, None),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", None),
    ],
)
def test_moments(began: str, ended: str | None, seconds: float | None) -> None:
    """Moments are ISO 8601, in any zone and UTC without one; what ends before it began tells nothing."""
    assert capture_seconds(envelope(began, ended)) == seconds


@given(st.lists(st.floats(0.001, 1e5), min_size=1, max_size=200))
def test_quantiles(seconds: list[float]) -> None:
    """The extremes and the median are within a percent of the exact ones."""
    durations = Durations()
    for one in seconds:
        durations.add(one)
    assert durations.quantile(0) == pytest.approx(min(seconds), rel=0.011)
    assert durations.quantile(1) == pytest.approx(max(seconds), rel=0.011)
    exact = sorted(seconds)[(len(seconds) - 1) // 2]
    assert durations.quantile(0.5) == pytest.approx(exact, rel=0.011)


def test_quantiles_of_many() -> None:
    """Of a hundred thousand durations the memory is some hundred counts, and the quantiles are right."""
    durations, all_of_them = Durations(), [0.5 + n / 1000 for n in range(100_000)]
    for one in all_of_them:
        durations.add(one)
    assert len(durations._counts) < 400
    assert durations.quantile(0.95) == pytest.approx(quantiles(all_of_them, n=20)[-1], rel=0.011)


def test_no_durations() -> None:
    """Of nothing the quantile is nothing."""
    assert Durations().quantile(0.5) == 0.0


def test_groups() -> None:
    """Completed and partial captures are timed, by surface, by region and by both; failed ones are not."""
    captures = Captures()
    for surface, region, status in (
        ("chatgpt", "US", "completed"),
        ("chatgpt", "DE", "partial"),
        ("claude", "US", "failed"),
        (None, None, "completed"),
    ):
        captures.take(row(surface, region, status=status))
    assert {name: d.number for name, d in captures.by_surface.items()} == {"chatgpt": 2, "unknown": 1}
    assert {name: d.number for name, d in captures.by_region.items()} == {"US": 1, "DE": 1, "unknown": 1}
    assert captures.by_pair.keys() == {("chatgpt", "US"), ("chatgpt", "DE"), ("unknown", "unknown")}
    assert captures.timed.number == 3
    assert captures.timed.quantile(0.5) == pytest.approx(12.5, rel=0.011)


def test_failures() -> None:
    """What did not complete is told by code, with the first request that met it and what was said then."""
    captures = Captures()
    blocked = {"code": "SURFACE_BLOCKED", "message": "the surface refused"}
    captures.take(row("chatgpt", "US", status="failed", error=blocked, request="first"))
    captures.take(row("claude", "US", status="failed", error={**blocked, "message": "again"}, request="next"))
    captures.take(row(None, None, status="rejected", error={"code": "VALIDATION_FAILED"}))
    captures.take(row("claude", "US", status="expired"))
    failure = captures.failures["SURFACE_BLOCKED"]
    assert (failure.captures, failure.request, failure.message) == (2, "first", "the surface refused")
    assert failure.surfaces == {"chatgpt": 1, "claude": 1}
    assert {code: f.captures for code, f in captures.failures.items()} == {
        "SURFACE_BLOCKED": 2,
        "VALIDATION_FAILED": 1,
        "EXPIRED": 1,
    }


def test_names_without_end_are_bounded() -> None:
    """New surfaces, regions and codes each time do not fill the memory, and all of them are counted."""
    captures = Captures()
    for n in range(2000):
        captures.take(row(f"s{n}", f"r{n}", status="partial", error={"code": f"C{n}"}))
    for groups in (captures.by_surface, captures.by_region, captures.by_pair, captures.failures):
        assert len(groups) <= MOST_GROUPS + 1
    assert captures.by_surface[OTHERS].number == 2000 - MOST_GROUPS
    assert sum(failure.captures for failure in captures.failures.values()) == 2000
