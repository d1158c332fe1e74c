"""
``docs/events.md`` lists what runs tell: names, levels and fields, no more and no less.
"""

from __future__ import annotations

import re
from pathlib import Path

from pacer.instrumentation import happening
from pacer.instrumentation.log import level_of
from tests.reliability.faults import plan_of
from tests.reliability.world import run

PAGE = Path(__file__).parents[2] / "docs" / "events.md"

SEEDS = (8, 4, 56, *range(100))
"""Batches in which everything goes wrong once; the first three usually will do."""


def listed() -> dict[str, tuple[str, set[str]]]:
    """Return level and fields by name, as the page has them."""
    rows = re.findall(
        r"^\| `(\w+(?:\.\w+)?)` \| (debug|info|warning) \|(.*?)\| ", PAGE.read_text(), re.MULTILINE
    )
    return {name: (level, set(re.findall(r"`(\w+)`", fields))) for name, level, fields in rows}


def names() -> set[str]:
    """Return all names that there are."""
    return {
        getattr(happening, word)
        for word in dir(happening)
        if isinstance(getattr(happening, word), str) and word.isupper()
    }


def test_the_page_lists_every_event() -> None:
    """Each name stands there once, with the level that it is logged at."""
    assert {name: level for name, (level, _) in listed().items()} == {
        name: level_of(name) for name in names()
    }


def test_events_have_the_fields_that_the_page_lists() -> None:
    """In batches in which everything goes wrong, every event is told, with exactly its fields."""
    page, seen = listed(), set[str]()
    for seed in SEEDS:
        for told in run(plan_of(seed)).happened:
            seen.add(told.name)
            assert set(told.facts) == page[told.name][1], told
        if seen == names():
            return
    raise AssertionError(f"never told: {names() - seen}")
