"""The garbage collector during a run: seldom at work, and afterwards as it was."""

from __future__ import annotations

import gc

from pacer.cli.garbage import YOUNG, seldom_collected


def test_it_is_left_as_it_was_found() -> None:
    """A run that ends, in whatever way, changes nothing for whoever called it."""
    before = gc.get_threshold(), gc.get_freeze_count()
    try:
        with seldom_collected():
            assert gc.get_threshold()[0] == YOUNG
            assert gc.get_freeze_count() > before[1]
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_what_comes_is_collected_still() -> None:
    """Cycles do not pile up: they are found after some thousand objects, not never."""
    with seldom_collected():
        before = gc.get_stats()[0]["collections"]
        for _ in range(3 * YOUNG):
            cycle: list[object] = []
            cycle.append(cycle)
        assert gc.get_stats()[0]["collections"] > before
