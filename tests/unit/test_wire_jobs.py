"""Envelopes and parents' summaries, in every shape they come in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pacer.wire.parse import parse_job
from pacer.wire.replies import Capture, ChildState, Parent, Unclear

ENVELOPE = {
    "job": {"id": "job_1.claude.us", "status": "completed", "surface": "claude", "region": "US"},
    "provenance": {"surfacePresent": True},
    "answer": {"text": "Yes."},
    "evidence": {"sources": []},
}
CAPTURE = Capture("job_1.claude.us", "completed", True, "claude", "US", None, ENVELOPE)


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


def job(body: bytes, asked: str = "job_1.claude.us") -> Any:
    return parse_job(200, {}, body, now=0.0, asked=asked).outcome


def test_an_envelope_is_a_capture() -> None:
    """Status, surface and region are read, and the Envelope is kept as it came."""
    assert job(raw(ENVELOPE)) == CAPTURE


def test_the_id_that_was_asked_for_is_the_captures() -> None:
    """The two generations spell child ids differently, so what the body says does not matter."""
    four_parts = {"job": {"id": "job_1.claude.auto.US", "status": "completed"}}

    assert job(raw(four_parts)).child == "job_1.claude.us"
    assert job(raw({"job": {"status": "completed"}})).child == "job_1.claude.us"


@pytest.mark.parametrize(
    ("status", "read", "terminal"),
    [
        ("completed", "completed", True),
        ("partial", "partial", True),
        ("FAILED", "failed", True),
        ("canceled", "canceled", True),
        ("cancelled", "canceled", True),
        ("expired", "expired", True),
        ("queued", "queued", False),
        ("processing", "processing", False),
        ("hibernating", "hibernating", False),
        ("", "unknown", False),
    ],
)
def test_only_the_five_documented_ends_are_ends(status: str, read: str, terminal: bool) -> None:
    """A word we do not know means not yet, never done."""
    capture = job(raw({"job": {"status": status}}))

    assert (capture.status, capture.terminal) == (read, terminal)


@pytest.mark.parametrize(
    ("envelope", "error"),
    [
        (
            {"error": {"code": "SURFACE_TIMEOUT", "message": "slow"}},
            {"code": "SURFACE_TIMEOUT", "message": "slow"},
        ),
        ({"error": {"type": "blocked"}}, {"code": "blocked", "message": "blocked"}),
        ({"error": {"message": "it\x1b[31m broke"}}, {"code": "CAPTURE_FAILED", "message": "it broke"}),
        ({"error": "SURFACE_TIMEOUT"}, {"code": "SURFACE_TIMEOUT", "message": "SURFACE_TIMEOUT"}),
        ({"error": "it broke"}, {"code": "CAPTURE_FAILED", "message": "it broke"}),
        ({"warnings": ["surface_down"]}, {"code": "CAPTURE_FAILED", "message": "surface_down"}),
        ({"warnings": [7, {"code": "W1", "message": "m"}]}, {"code": "W1", "message": "m"}),
        ({"error": None, "warnings": None}, None),
        ({"error": {}}, None),
        ({}, None),
    ],
)
def test_a_failed_captures_cause_is_found_wherever_it_stands(envelope: Any, error: Any) -> None:
    """Object or string, error or warning: code and message come out; nothing is made up."""
    assert job(raw({"job": {"status": "failed", **envelope}})).error == error


def test_an_error_beside_the_job_section_counts_too() -> None:
    """The error object may stand where those of other replies stand."""
    body = {"job": {"status": "expired"}, "error": {"code": "EXPIRED", "message": "too old"}}

    assert job(raw(body)).error == {"code": "EXPIRED", "message": "too old"}


def test_a_completed_capture_has_no_error_whatever_its_warnings() -> None:
    """An absent surface is a completed capture with a warning, not a failure."""
    assert job(raw({"job": {"status": "completed", "warnings": ["surface_absent"]}})).error is None


def test_a_parents_summary_lists_its_children() -> None:
    """Children are objects, bare ids or Envelopes; a region may be the object that was sent."""
    body = {
        "job": {"id": "job_1", "status": "processing"},
        "children": [
            {"id": "job_1.a", "surface": "claude", "region": "FR", "status": "queued"},
            {"id": "job_1.b", "surface": "gemini", "region": {"country": "JP"}, "status": "failed"},
            "job_1.c",
            ENVELOPE,
        ],
    }

    assert job(raw(body), asked="job_1") == Parent(
        "job_1",
        "processing",
        False,
        (
            ChildState("job_1.a", "claude", "FR", "queued", False),
            ChildState("job_1.b", "gemini", "JP", "failed", True),
            ChildState("job_1.c", None, None, "unknown", False),
            ChildState("job_1.claude.us", "claude", "US", "completed", True),
        ),
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "job: missing"),
        ({"job": "job_1"}, "job: not an object"),
        ({"job": {}}, "job.status: missing"),
        ({"job": {"status": None}}, "job.status: not a string"),
        ({"job": {"status": "queued"}, "children": [7]}, "children.0: not an object"),
        ({"job": {"status": "queued"}, "children": [{"status": "queued"}]}, "children.0.id: missing"),
    ],
)
def test_a_job_without_a_status_is_unclear(body: Any, reason: str) -> None:
    """What is missing is named."""
    assert job(raw(body)) == Unclear(f"200 with an unusable body: {reason}", 200)


@pytest.mark.parametrize(
    "text",
    [
        b'"cut \\ud83d"',
        b'"bad \xff\xfe utf-8"',
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"[1.0e400, {}]",
        b'"Infinity"',
    ],
)
def test_an_envelope_that_strict_parsers_refuse_is_still_a_result(text: bytes) -> None:
    """A half emoji or an overflowing number costs no paid capture, and what is kept is sound JSON."""
    capture = job(b'\xef\xbb\xbf{"job": {"status": "completed"}, "answer": ' + text + b"}")

    assert isinstance(capture, Capture)
    assert json.dumps(capture.envelope, allow_nan=False, ensure_ascii=False).encode()
