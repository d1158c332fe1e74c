"""Nothing that comes over the wire can raise: any status, any headers, any bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from pacer.pacing.capacity import CapacitySnapshot
from pacer.wire.parse import parse_job, parse_status, parse_submit
from pacer.wire.replies import Admitted, Capture, Parent, Refused, Reply, Throttled, Unclear

UNHAPPY = (Throttled, Refused, Unclear)

FIELDS = [
    "jobId",
    "job",
    "id",
    "children",
    "status",
    "error",
    "code",
    "message",
    "details",
    "path",
    "results",
    "admissionQueue",
    "depth",
    "capacity",
    "syncConcurrency",
    "limit",
    "running",
    "inflight",
    "total",
    "bySurface",
    "surface",
    "region",
    "country",
    "warnings",
    "answer",
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, -1, 2**63, 1.0, 1e300])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["completed", "failed", "job_1", "job_1.a.us", "QUOTA", "../x", "\ud83d", "\x1b[2J", ""]
    )
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=20,
)
LITERALS = st.sampled_from(
    [b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b'"\\ud83d"', b"[" * 5000, b"\xff", b""]
)
BODIES = (
    st.binary()
    | VALUES.map(
        lambda value: json.dumps(value).encode()
    )  # json.dumps escapes lone surrogates and writes NaN
    | st.builds(
        lambda field, literal: b'{"job":{"status":"failed","id":"a"},"%s":%s}' % (field.encode(), literal),
        st.sampled_from(FIELDS),
        LITERALS,
    )
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Retry-After", "Date", "Location", "Idempotent-Replayed", "X-RateLimit-Reset"])
        | st.text(),
        st.text() | st.integers().map(str) | st.just("Sun, 06 Nov 1994 08:49:37 GMT"),
    ),
    max_size=4,
).map(CIMultiDict)
STATUSES = st.sampled_from([200, 202, 200, 202, 400, 401, 403, 404, 409, 429, 500, 503]) | st.integers()


def is_sound(reply: Reply[Any], *happy: type) -> bool:
    """A reply of the expected kind whose texts are harmless and whose numbers are finite."""
    outcome = reply.outcome
    match outcome:
        case Throttled():
            harmless = outcome.code.isprintable() and (
                outcome.retry_after is None or outcome.retry_after >= 0
            )
        case Refused():
            harmless = outcome.code.isprintable() and outcome.message.isprintable() and bool(outcome.message)
        case Unclear():
            harmless = outcome.reason.isprintable() and bool(outcome.reason)
        case CapacitySnapshot():
            harmless = type(outcome.depth) is int and 0 <= outcome.depth <= 10**12
        case Capture():
            harmless = outcome.status.isprintable() and bool(json.dumps(outcome.envelope, allow_nan=False))
        case Admitted():
            harmless = all(each.isprintable() for each in (outcome.job, *outcome.children))
        case _:
            harmless = True
    return harmless and isinstance(outcome, (*happy, *UNHAPPY))


@given(STATUSES, HEADERS, BODIES)
@example(202, CIMultiDict(), b"[" * 100_000)
@example(202, CIMultiDict(), b'{"jobId":' * 100_000)
@example(400, CIMultiDict(), b'{"error":' + b"[" * 900 + b"]" * 900 + b"}")
@example(400, CIMultiDict(), b'{"error":{"code":' + b"9" * 5000 + b"}}")
def test_any_reply_to_a_submission_has_an_outcome(
    status: int, headers: CIMultiDict[str], body: bytes
) -> None:
    """A submission is admitted or ends in a typed failure, never in an exception."""
    assert is_sound(parse_submit(status, headers, body, now=1.9e9), Admitted)


@given(STATUSES, HEADERS, BODIES)
@example(200, CIMultiDict(), b'{"admissionQueue":{"depth":1e999}}')
@example(200, CIMultiDict(), b'{"admissionQueue":{"depth":' + b"9" * 4000 + b"}}")
def test_any_reply_to_a_status_read_has_an_outcome(
    status: int, headers: CIMultiDict[str], body: bytes
) -> None:
    """A snapshot is read whole or not at all."""
    assert is_sound(parse_status(status, headers, body, now=1.9e9), CapacitySnapshot)


@given(STATUSES, HEADERS, BODIES, st.sampled_from(["", "job_1", "job_1.a.us"]))
def test_any_reply_to_a_job_read_has_an_outcome(
    status: int, headers: CIMultiDict[str], body: bytes, asked: str
) -> None:
    """A job is a parent or a capture, or the read has failed."""
    assert is_sound(parse_job(status, headers, body, now=1.9e9, asked=asked), Parent, Capture)


@pytest.mark.parametrize("cut", range(0, 96, 3))
def test_a_truncated_admission_is_never_taken_for_one(cut: int) -> None:
    """However much of the body is missing, what is left is unclear."""
    body = b'{"jobId": "job_1", "status": "processing", "children": ["job_1.claude.fr", "job_1.gemini.fr"]}'

    outcome = parse_submit(202, {}, body[:cut], now=0.0).outcome

    assert isinstance(outcome, Unclear if cut < len(body) else Admitted)
