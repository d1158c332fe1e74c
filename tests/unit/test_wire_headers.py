"""Retry-After, the window and the replay mark, as headers tell them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from pacer.wire.headers import LONGEST, replayed, retry_after, window
from pacer.wire.replies import WindowReading

NOON = "Sun, 06 Nov 1994 12:00:00 GMT"
NOON_EPOCH = 784_123_200.0
ELSEWHEN = 1.9e9
"""Our clock, far from the service's."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 30 ", 30.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("+5", 5.0),
        ("31536000", 31_536_000.0),
        ("9" * 400, LONGEST),
        ("5, 10", 10.0),
        ("Sun, 06 Nov 1994 12:01:30 GMT", 90.0),
        ("Sunday, 06-Nov-94 12:01:30 GMT", 90.0),
        ("Sun Nov  6 12:01:30 1994", 90.0),
        ("Sun, 06 Nov 1994 11:00:00 GMT", 0.0),
        ("Sun, 06 Nov 2094 12:00:00 GMT", 3_155_760_000.0),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("1e3", None),
        ("0x10", None),
        ("1_000", None),
        ("٣", None),
        ("Sun, 99 Nov 1994 12:00:00 GMT", None),
    ],
)
def test_retry_after_in_every_form_it_comes_in(value: str, seconds: float | None) -> None:
    """Seconds and all three HTTP-dates are understood by the reply's Date, nonsense is None."""
    assert retry_after(CIMultiDict({"Retry-After": value, "Date": NOON}), now=ELSEWHEN) == seconds


def test_a_date_is_measured_against_our_clock_only_where_the_reply_has_none() -> None:
    """A reply without a usable Date is taken to have been made just now."""
    later = "Sun, 06 Nov 1994 12:01:30 GMT"

    assert retry_after({"Retry-After": later}, now=NOON_EPOCH + 30) == 60.0
    assert retry_after({"Retry-After": later, "Date": "yesterday"}, now=NOON_EPOCH + 30) == 60.0


def test_of_repeated_headers_the_longest_delay_counts() -> None:
    """Two Retry-After headers are both promises, so the later one is kept."""
    headers = CIMultiDict([("Retry-After", "5"), ("retry-after", "60"), ("Retry-After", "soon")])

    assert retry_after(headers, now=0.0) == 60.0


def test_without_the_header_there_is_no_delay() -> None:
    """Absent is None, not zero."""
    assert retry_after({}, now=0.0) is None


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("784123260", 60.0),
        ("784123260.5", 60.5),
        ("784123260000", 60.0),
        ("784123100", 0.0),
        ("45", 45.0),
        ("45, 45;w=60", 45.0),
        ("0", 0.0),
        ("-3", 0.0),
        ("784300000", None),
        ("200000", None),
        ("9" * 400, None),
        ("noon", None),
        ("", None),
    ],
)
def test_reset_is_understood_by_the_replys_own_date(reset: str, seconds: float | None) -> None:
    """Epoch seconds, milliseconds and delta-seconds come out as a duration; absurdity as None."""
    headers = CIMultiDict({"X-RateLimit-Reset": reset, "X-RateLimit-Limit": "60", "Date": NOON})

    assert window(headers, now=ELSEWHEN) == WindowReading(60, None, seconds)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("60", 60),
        (" 60 ", 60),
        ("60, 60;w=60", 60),
        ("0", 0),
        ("-1", None),
        ("1.5", None),
        ("9" * 5000, None),
    ],
)
def test_limit_and_remaining_are_whole_numbers_or_nothing(value: str, count: int | None) -> None:
    """A count that makes no sense is None and spoils nothing else."""
    headers = {"X-RateLimit-Limit": value, "X-RateLimit-Remaining": value, "X-RateLimit-Reset": "10"}

    assert window(headers, now=0.0) == WindowReading(count, count, 10.0)


def test_no_window_header_means_no_window() -> None:
    """The trio may come on 429s only; its absence is not a reading."""
    assert window({"Date": NOON}, now=0.0) is None


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), (" TRUE", True), ("false", False), ("1", False)]
)
def test_a_replay_says_so(value: str, expected: bool) -> None:
    """Only ``true`` marks a replay."""
    assert replayed(CIMultiDict({"idempotent-replayed": value})) is expected


HEADER_NAMES = ("Retry-After", "Date", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
DATE_LIKE = st.text(alphabet="MonSunJaFebNv 0123456789,:-+GMT", max_size=40)


@given(
    st.lists(st.tuples(st.sampled_from(HEADER_NAMES), st.text() | DATE_LIKE | st.integers().map(str))),
    st.floats(min_value=0, max_value=1e11),
)
def test_any_headers_give_finite_durations_or_none(pairs: list[tuple[str, str]], now: float) -> None:
    """No header can crash the reading or bring in a negative, infinite or undefined duration."""
    headers = CIMultiDict(pairs)

    delay = retry_after(headers, now=now)
    reading = window(headers, now=now)

    assert delay is None or 0 <= delay <= LONGEST
    if reading is not None and reading.resets_in is not None:
        assert 0 <= reading.resets_in <= 86_400
