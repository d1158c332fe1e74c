"""
From a batch that has ended to the requests that ask once more for what failed, and for nothing else.

A request becomes ``surfaces x regions`` captures. Where some of them failed, it is
split into requests whose products cover exactly those: what was paid for is not
asked for again. Results keep the name and the number of the record that the user wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pacer.errors import JournalError
from pacer.intake.keys import KeyMaker
from pacer.intake.taking import Intake, IntakeSummary
from pacer.journal.protocol import IntakeWriter, Journal
from pacer.journal.records import Origin
from pacer.journal.views import End, Fallen
from pacer.wire.problems import Refusal
from pacer.wire.requests import CaptureRequest, read_json

PAGE = 500
"""Requests read at once."""

MENDABLE = frozenset({"IDEMPOTENCY_CONFLICT", "REFUSED_REPEATEDLY"})
"""Codes of refused requests that a new key or another time may mend. Others would be refused again."""

Pair: TypeAlias = tuple[int, int]
"""Positions of a surface and of a region in a request."""

Rectangle: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""Positions of surfaces and of regions: all pairs of them."""


@dataclass(slots=True)
class LeftOut:
    """
    What is not asked for again.

    Attributes:
        rejected: Requests that would be refused again, by code.

        untold: Captures that failed, where nothing tells them from one that completed: two
            regions of a request in one country.
    """

    rejected: Counter[str] = field(default_factory=Counter)
    untold: int = 0


def take_in_failures(
    journal: Journal, writer: IntakeWriter, *, keys: KeyMaker, source: str
) -> tuple[IntakeSummary | None, LeftOut]:
    """
    Read what failed in *journal* into *writer*; commit it if there is anything.

    Errors:
        JournalError: It is damaged.
    """
    intake, left_out = Intake(writer, keys=keys, source=source), LeftOut()
    origin, number = None, 0
    for fallen in _fallen(journal):
        if fallen.record.origin is None or fallen.record.origin != origin:
            origin = fallen.record.origin or Origin(fallen.record.id, fallen.record.index)
            number = 0
        for request in retries(fallen, left_out):
            number += 1
            named = request.model_copy(update={"id": f"{origin.id} [{number}]", "idempotency_key": None})
            intake.add(fallen.record.line, named, origin=origin)
    return intake.finish() if intake.records else None, left_out


def _fallen(journal: Journal) -> Iterator[Fallen]:
    page = journal.fallen(after=-1, limit=PAGE)
    while page:
        yield from page
        page = journal.fallen(after=page[-1].record.index, limit=PAGE)


def retries(fallen: Fallen, left_out: LeftOut) -> list[CaptureRequest]:
    """Return requests that ask for what failed of *fallen*; what is not asked for goes into *left_out*."""
    request = read_json(fallen.record.body)
    if isinstance(request, Refusal):
        raise JournalError(f"The request {fallen.record.id} in the journal cannot be read: it is damaged.")
    return [
        request.model_copy(
            update={
                "surfaces": [request.surfaces[s] for s in surfaces],
                "regions": [request.regions[r] for r in regions],
            }
        )
        for surfaces, regions in rectangles(failed_pairs(request, fallen.ends, left_out))
    ]


def failed_pairs(request: CaptureRequest, ends: Sequence[End], left_out: LeftOut) -> set[Pair]:
    """
    Return the pairs of *request* that did not bring a completed capture.

    A capture names its surface and its country. One that was given up names
    neither: it is one of those that nothing is known of.
    """
    groups: dict[tuple[str, str], list[Pair]] = {}
    for s, surface in enumerate(request.surfaces):
        for r, region in enumerate(request.regions):
            groups.setdefault((surface, region.country), []).append((s, r))
    whole = [end for end in ends if end.child is None]
    if whole:
        if all(end.status == "rejected" and end.code not in MENDABLE for end in whole):
            left_out.rejected[whole[0].code] += 1
            return set()
        return {pair for group in groups.values() for pair in group}
    return _told_apart(groups, ends, left_out)


def _told_apart(
    groups: dict[tuple[str, str], list[Pair]], ends: Sequence[End], left_out: LeftOut
) -> set[Pair]:
    completed: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    nameless: Counter[bool] = Counter()
    for end in ends:
        name = (end.surface or "", (end.region or "").upper())
        if name not in groups:
            nameless[end.status == "completed"] += 1
        elif end.status == "completed":
            completed[name] += 1
        else:
            failed[name] += 1
    if not completed and not nameless[True]:
        return {pair for group in groups.values() for pair in group}
    missing = {name: max(0, len(group) - completed[name] - failed[name]) for name, group in groups.items()}
    if nameless[True] or nameless[False] != sum(missing.values()):
        left_out.untold += nameless[False]
        missing = dict.fromkeys(missing, 0)
    pairs: set[Pair] = set()
    for name, group in groups.items():
        lost = failed[name] + missing[name]
        if not completed[name] and lost >= len(group):
            pairs.update(group)
        else:
            left_out.untold += lost
    return pairs


def rectangles(pairs: Iterable[Pair]) -> list[Rectangle]:
    """Cover exactly *pairs*, each once: what has the same partners is put together, on the better side."""
    found = sorted(pairs)
    by_surface = _grouped(found)
    by_region = [(surfaces, regions) for regions, surfaces in _grouped([(r, s) for s, r in found])]
    return min(by_surface, by_region, key=len)


def _grouped(pairs: Iterable[Pair]) -> list[Rectangle]:
    """Put together what has the same partners."""
    partners: dict[int, list[int]] = {}
    for one, other in pairs:
        partners.setdefault(one, []).append(other)
    alike: dict[tuple[int, ...], list[int]] = {}
    for one in sorted(partners):
        alike.setdefault(tuple(sorted(partners[one])), []).append(one)
    return [(tuple(ones), others) for others, ones in alike.items()]
