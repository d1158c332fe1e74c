"""Strangers' text on its way to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.wire.text import printable


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_only_what_prints_comes_through_and_never_too_much(text: str, limit: int) -> None:
    """Whatever came in, the result is one printable line within the limit."""
    line = printable(text, limit)

    assert line.isprintable()
    assert len(line) <= limit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("two\nlines\tand  gaps", "two lines and gaps"),
        ("\x1b[2J\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link", "link"),
        ("a\u202eb", "a b"),
        ("cut \ud83d", "cut"),
        ("Größe 東京", "Größe 東京"),
        ("", ""),
    ],
)
def test_escapes_vanish_and_controls_become_spaces(text: str, expected: str) -> None:
    """Nothing that a terminal would obey is left, and nothing readable is lost."""
    assert printable(text, 100) == expected


def test_a_long_text_ends_with_an_ellipsis() -> None:
    """What was cut is seen to be cut."""
    assert printable("x" * 1000, 10) == "x" * 9 + "…"
