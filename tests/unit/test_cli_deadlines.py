"""``--deadline``: lengths of time and moments, by the local clock."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.cli.deadlines import read_deadline
from pacer.errors import UsageError

NOW = datetime(2026, 11, 26, 22, 0, 0).astimezone()


@pytest.mark.parametrize(
    ("text", "after"),
    [("90m", 5400), ("2h", 7200), ("45s", 45), ("1h30m", 5400), ("1h0m5s", 3605), (" 10m ", 600)],
)
def test_lengths(text: str, after: int) -> None:
    """They count from now."""
    assert read_deadline(text, now=NOW) == NOW + timedelta(seconds=after)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("23:30", datetime(2026, 11, 26, 23, 30)),
        ("22:00:01", datetime(2026, 11, 26, 22, 0, 1)),
        ("06:00", datetime(2026, 11, 27, 6, 0)),
        ("22:00", datetime(2026, 11, 27, 22, 0)),
        ("2026-12-01T06:00", datetime(2026, 12, 1, 6, 0)),
        ("2026-12-01 06:00:30", datetime(2026, 12, 1, 6, 0, 30)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    """A time of day is the next that is so called; a date and time is the local clock's."""
    assert read_deadline(text, now=NOW) == moment.astimezone()


def test_a_moment_with_an_offset() -> None:
    """It means the same everywhere."""
    assert read_deadline("2030-01-01T06:00Z", now=NOW) == datetime(2030, 1, 1, 6, tzinfo=UTC)
    assert read_deadline("2030-01-01T06:00+02:00", now=NOW) == datetime(2030, 1, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "0s", "90", "m", "1.5h", "30m1h", "-5m", "25:00", "6:00", "06", "2026-12-01", "2026-02-30T06:00",
     "2020-01-01T06:00", "tomorrow", "5 m", "99999h"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    """A sentence says what is wrong with it; so with a moment that is over."""
    with pytest.raises(UsageError, match="--deadline"):
        read_deadline(text, now=NOW)


@given(st.integers(0, 9999), st.integers(0, 59), st.integers(0, 59))
def test_any_length(hours: int, minutes: int, seconds: int) -> None:
    """Whatever its parts, it is their sum."""
    total = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    parts = [f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if n]
    if parts:
        assert read_deadline("".join(parts), now=NOW) == NOW + total


@given(st.text(max_size=20))
def test_any_text(text: str) -> None:
    """It is a moment to come, or a sentence."""
    with suppress(UsageError):
        assert read_deadline(text, now=NOW) > NOW
