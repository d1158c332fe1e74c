"""
The garbage collector of a process that does nothing but run a batch.

Each wave makes some hundred objects that live until its replies have come. By default the collector
looks at them after some hundreds, finds all of them alive and moves them on, until it looks at everything
that was ever imported: a tenth of the CPU of a busy run. A library may not decide this for its host.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 20_000
"""Objects made, over those gone, before the collector looks: beyond the largest wave, some MB."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Pass over what exists by now, and look seldom at what comes, until the context is left."""
    threshold = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *threshold[1:])
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()
