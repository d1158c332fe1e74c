"""
Every request was admitted once: no more, no less, and no other.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.reliability.checker.history import History
from tests.reliability.checker.results import ended_by_name


def admissions(history: History) -> Iterator[str]:
    """What was admitted, against what was asked for; replays are no admissions."""
    known = {asked.key: asked for asked in history.asked}
    times: dict[str, list[float]] = {key: [] for key in known}
    for exchange in history.exchanges:
        entry = exchange.entry
        if entry.what != "submit":
            continue
        if entry.key not in known:
            yield f"a submission under the key {entry.key!r}, which nobody asked for, at {entry.at:.3f}"
        elif entry.admitted:
            times[entry.key].append(entry.at)
    named = ended_by_name(history)
    for asked in history.asked:
        admitted = times[asked.key]
        if len(admitted) > 1:
            moments = ", ".join(f"{at:.3f}" for at in admitted)
            yield f"request {asked.id} was admitted {len(admitted)} times: at {moments}"
        excused = asked.id in named or asked.id in history.open_ended
        if history.finished and not admitted and not excused:
            yield f"request {asked.id} was never admitted, nor ended by name"
