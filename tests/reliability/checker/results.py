"""
Every capture stands in the results once, and nothing else does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from tests.reliability.checker.history import Asked, History

Line: TypeAlias = Mapping[str, Any]

ENDED = frozenset({"completed", "partial", "failed", "canceled", "expired"})
"""What the service can say of a capture that has ended."""


def results(history: History) -> Iterator[str]:
    """The lines of the results file, against what the service admitted and showed."""
    by_request: dict[str, list[Line]] = defaultdict(list)
    known = {asked.id: asked for asked in history.asked}
    for line in history.lines:
        asked = known.get(line["request"])
        if asked is None or asked.index != line["index"]:
            yield f"a stranger in the results: request {line['request']!r}, index {line['index']}"
        else:
            by_request[asked.id].append(line)
    jobs = _jobs(history)
    shown = _shown(history)
    for asked in history.asked:
        yield from _of_request(history, asked, by_request[asked.id], jobs.get(asked.key), shown)


def ended_by_name(history: History) -> frozenset[str]:
    """Return the requests that have a line for themselves, not for their captures."""
    return frozenset(line["request"] for line in history.lines if line["child"] is None)


def _jobs(history: History) -> dict[str, str]:
    """The job that each key stands for."""
    return {e.entry.key: e.entry.job for e in history.exchanges if e.entry.admitted}


def _shown(history: History) -> dict[str, set[str]]:
    """The terminal states in which the client has read each child."""
    shown: dict[str, set[str]] = defaultdict(set)
    for exchange in history.exchanges:
        entry = exchange.entry
        if entry.what == "job" and entry.status == 200 and exchange.read_at is not None and not exchange.lost:
            shown[entry.job].add(entry.state)
    return shown


def _of_request(
    history: History, asked: Asked, lines: Sequence[Line], job: str | None, shown: Mapping[str, set[str]]
) -> Iterator[str]:
    name = f"request {asked.id}"
    whole = [line for line in lines if line["child"] is None]
    captures = [line for line in lines if line["child"] is not None]
    for line in whole:
        yield from _end_by_name(name, line, job)
    if len(whole) > 1 or (whole and captures):
        yield f"{name} has {len(whole)} lines of its own and {len(captures)} of captures"
    seen: set[str] = set()
    for line in captures:
        child = line["child"]
        if child in seen:
            yield f"capture {child} of {name} stands in the results more than once"
        seen.add(child)
        if line["job"] != job:
            yield f"capture {child} of {name} names the job {line['job']}, but it was admitted as {job}"
        yield from _capture(name, line, shown.get(child, set()))
    due = asked.fan_out if history.collect and not whole else 0
    if len(seen) > due:
        yield f"{name} has {len(seen)} captures in the results, more than its {due}"
    if history.finished and len(seen) < due and asked.id not in history.open_ended:
        yield f"{name} has {len(seen)} of its {due} captures in the results"


def _end_by_name(name: str, line: Line, job: str | None) -> Iterator[str]:
    error = line["error"]
    if not error or not error.get("code"):
        yield f"{name} ended without a name"
    if line["status"] not in ("rejected", "unknown"):
        yield f"{name} ended as {line['status']!r} without a capture"
    elif line["status"] == "rejected" and job is not None:
        yield f"{name} is said to be rejected, but the service admitted it as {job}"


def _capture(name: str, line: Line, shown: set[str]) -> Iterator[str]:
    child, status = line["child"], line["status"]
    if status == "unknown":
        if not line["error"] or not line["error"].get("code"):
            yield f"capture {child} of {name} ended without a name"
        return
    if status not in ENDED:
        yield f"capture {child} of {name} has the status {status!r}, which is no end"
    elif status not in shown:
        yield f"capture {child} of {name} is said to be {status}, which the service never showed"
    envelope = line["envelope"]
    if envelope is None:
        yield f"capture {child} of {name} is {status} without an Envelope"
    elif envelope["job"]["id"] != child:
        yield f"capture {child} of {name} has the Envelope of {envelope['job']['id']}"
