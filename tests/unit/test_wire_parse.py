"""Successful submissions and status reads, in every shape they come in."""

from __future__ import annotations

import json
import resource
from typing import Any

import pytest

from pacer.pacing.capacity import CapacitySnapshot
from pacer.wire.parse import parse_job, parse_status, parse_submit
from pacer.wire.replies import Admitted, Capture, Unclear

ENVELOPE = {
    "job": {"id": "job_1.claude.us", "status": "completed", "surface": "claude", "region": "US"},
    "provenance": {"surfacePresent": True},
    "answer": {"text": "Yes."},
    "evidence": {"sources": []},
}
CAPTURE = Capture("job_1.claude.us", "completed", True, "claude", "US", None, ENVELOPE)
RUNNING = {"job": {"id": "job_1.gemini.us", "status": "processing"}}


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


def submitted(value: Any, status: int = 202) -> Any:
    return parse_submit(status, {}, raw(value), now=0.0).outcome


def told(value: Any) -> Any:
    return parse_status(200, {}, raw(value), now=0.0).outcome


# Submissions ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "children"),
    [
        ({"jobId": "job_1", "status": "processing", "children": ["a.b", "a.c"]}, ("a.b", "a.c")),
        ({"jobId": "job_1", "children": [{"id": "a.b", "status": "queued"}]}, ("a.b",)),
        ({"jobId": "job_1", "children": [ENVELOPE, "a.c"]}, ("job_1.claude.us", "a.c")),
        ({"jobId": "job_1", "children": ["a", "a"]}, ("a",)),
        ({"jobId": "job_1", "children": []}, ()),
        ({"jobId": "job_1", "children": None, "new": {"field": 1}}, ()),
        ({"jobId": "job_1"}, ()),
        ({"job": {"id": "job_1", "status": "processing", "children": ["a.b"]}}, ("a.b",)),
        ({"job": {"id": "job_1"}, "children": ["a.b"]}, ("a.b",)),
    ],
)
def test_a_202_is_an_admission(body: Any, children: tuple[str, ...]) -> None:
    """The parent and its children are found, as strings or as objects, each child once."""
    assert submitted(body) == Admitted("job_1", children)
    assert submitted(body, status=200) == Admitted("job_1", children)


def test_a_replay_is_marked_as_one() -> None:
    """``Idempotent-Replayed`` is read from the headers."""
    reply = parse_submit(
        202, {"Idempotent-Replayed": "true"}, raw({"jobId": "j", "children": ["j.a"]}), now=0.0
    )

    assert reply.outcome == Admitted("j", ("j.a",), replayed=True)


@pytest.mark.parametrize(
    ("body", "children", "captures"),
    [
        (ENVELOPE, ("job_1.claude.us",), (CAPTURE,)),
        ([ENVELOPE, RUNNING], ("job_1.claude.us", "job_1.gemini.us"), (CAPTURE,)),
        ({"results": [ENVELOPE]}, ("job_1.claude.us",), (CAPTURE,)),
        (
            {"job": {"id": "job_1"}, "children": [ENVELOPE, RUNNING]},
            ("job_1.claude.us", "job_1.gemini.us"),
            (CAPTURE,),
        ),
        (RUNNING, ("job_1.gemini.us",), ()),
    ],
)
def test_a_200_may_bring_the_captures_at_once(
    body: Any, children: tuple[str, ...], captures: tuple[Capture, ...]
) -> None:
    """One Envelope or a container of several is an admission whose ended children are already captured."""
    assert submitted(body, status=200) == Admitted("job_1", children, False, captures)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"<html>", "not JSON"),
        (b'{"jobId": "job_', "not JSON"),
        (b"{}", "jobId: missing"),
        (b"[]", "jobId: missing"),
        (b"7", "jobId: missing"),
        (b'{"jobId": null}', "jobId: not a string"),
        (b'{"jobId": 7}', "jobId: not a string"),
        (b'{"jobId": ""}', "jobId: empty"),
        (b'{"jobId": "' + b"x" * 300 + b'"}', "jobId: too long"),
        (b'{"jobId": "../../v1/usage"}', "jobId: not usable as an id"),
        (b'{"jobId": ".."}', "jobId: not usable as an id"),
        (b'{"jobId": "a\\\\b"}', "jobId: not usable as an id"),
        (b'{"jobId": "a\\u0000b"}', "jobId: not usable as an id"),
        (b'{"jobId": "a\\r\\nHost: b"}', "jobId: not usable as an id"),
        (b'{"jobId": "j", "children": "j.a"}', "children: not a list"),
        (b'{"jobId": "j", "children": ["j.a", null]}', "children.1: no id"),
        (b'{"jobId": "j", "children": [{"status": "queued"}]}', "children.0: no id"),
        (b'{"error": {"code": "X", "message": "no"}}', "jobId: missing"),
        (b'{"jobId": "j", "children": [' + b'"a", ' * 10_000 + b'"b"]}', "children: more than 10,000"),
        (b'{"jobId": "j", "children": [' + b"[], " * 500_000 + b"[]]}", "children.0: no id"),
        (b"[" + b"[], " * 500_000 + b"[]]", "0: no id"),
    ],
)
def test_a_202_without_a_usable_job_is_unclear_and_says_why(body: bytes, reason: str) -> None:
    """An admission that cannot be followed up is in doubt, and the offending field is named."""
    outcome = parse_submit(202, {}, body, now=0.0).outcome

    assert isinstance(outcome, Unclear)
    assert outcome.reason.startswith(f"202 with an unusable body: {reason}")
    assert (outcome.status, outcome.sent) == (202, True)


def test_a_long_list_of_faults_costs_little_memory() -> None:
    """Half a million children without an id, and as many surfaces, are not each described."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children: list[dict[str, Any]] = [{}] * 500_000
    surfaces = {str(n): -1 for n in range(500_000)}
    submitted({"jobId": "j", "children": children})
    parse_job(200, {}, raw({"job": {"status": "processing"}, "children": children}), now=0.0)
    told({"admissionQueue": {"depth": 1}, "inflight": {"bySurface": surfaces}})
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert grown < 400 * 1024, f"{grown:,} KiB"


# Snapshots -----------------------------------------------------------------


def test_a_whole_snapshot_is_read_whole() -> None:
    """Every field of the documented reply arrives, and the window with it."""
    body = {
        "admissionQueue": {"depth": 31, "capacity": 150},
        "syncConcurrency": {"limit": 4, "running": 1},
        "inflight": {"total": 9, "bySurface": {"claude": 5, "gemini": 4}, "byRegion": {"FR": 9}},
    }
    reply = parse_status(200, {"X-RateLimit-Remaining": "3"}, raw(body), now=0.0)

    assert reply.outcome == CapacitySnapshot(
        depth=31,
        capacity=150,
        sync_limit=4,
        sync_running=1,
        inflight=9,
        by_surface={"claude": 5, "gemini": 4},
    )
    assert reply.window is not None
    assert reply.window.remaining == 3


@pytest.mark.parametrize(
    ("queue", "depth", "capacity"),
    [
        ({"depth": 0, "capacity": 0}, 0, 0),
        ({"depth": 3.0, "capacity": 5e1}, 3, 50),
        ({"depth": 3, "capacity": None}, 3, None),
        ({"depth": 3}, 3, None),
    ],
)
def test_a_depth_is_enough(queue: Any, depth: int, capacity: int | None) -> None:
    """Capacity may be withheld, and 3.0 is as good a number as 3."""
    assert told({"admissionQueue": queue}) == CapacitySnapshot(depth=depth, capacity=capacity)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "admissionQueue: missing"),
        ({"admissionQueue": None}, "admissionQueue: not an object"),
        ({"admissionQueue": {}}, "admissionQueue.depth: missing"),
        ({"admissionQueue": {"depth": None}}, "admissionQueue.depth: null"),
        ({"admissionQueue": {"depth": -1}}, "admissionQueue.depth: negative"),
        ({"admissionQueue": {"depth": True}}, "admissionQueue.depth: not a whole number"),
        ({"admissionQueue": {"depth": 1.5}}, "admissionQueue.depth: not a whole number"),
        ({"admissionQueue": {"depth": "3"}}, "admissionQueue.depth: not a whole number"),
        ({"admissionQueue": {"depth": 10**400}}, "admissionQueue.depth: absurdly large"),
        ({"admissionQueue": {"depth": 1, "capacity": -1}}, "admissionQueue.capacity: negative"),
        ([], "not an object"),
    ],
)
def test_a_snapshot_without_a_true_depth_is_no_reading(body: Any, reason: str) -> None:
    """Missing, null, negative or non-numeric fields of the queue fail the read and are named."""
    assert told(body) == Unclear(f"200 with an unusable body: {reason}", 200)


@pytest.mark.parametrize(
    "wrong", [None, 3, [], {"total": -1, "bySurface": {"claude": None}}, {"bySurface": [1]}]
)
def test_what_pacing_can_do_without_spoils_no_reading(wrong: Any) -> None:
    """A wrong inflight or sync section counts as absent."""
    body = {"admissionQueue": {"depth": 1, "capacity": 2}, "inflight": wrong, "syncConcurrency": wrong}

    assert told(body) == CapacitySnapshot(depth=1, capacity=2)
