"""What every unhappy status means at each of the three calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pacer.pacing.gates import Lane
from pacer.wire.parse import parse_job, parse_status, parse_submit
from pacer.wire.replies import Refused, Throttled, Unclear, Verdict

PAGE = b"<html><h1>Sorry, you have been blocked</h1></html>"


def error(code: str, message: str = "no", **more: Any) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, **more}}).encode()


def outcome(call: str, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Any:
    parse: Any = {"submit": parse_submit, "status": parse_status, "job": parse_job}[call]
    return parse(status, headers or {}, body, now=0.0).outcome


@pytest.mark.parametrize("call", ["submit", "status", "job"])
@pytest.mark.parametrize(
    ("body", "lane", "code"),
    [
        (error("RATE_LIMIT_EXCEEDED"), Lane.RATE, "RATE_LIMIT_EXCEEDED"),
        (error("QUEUE_CAPACITY_EXCEEDED"), Lane.QUEUE, "QUEUE_CAPACITY_EXCEEDED"),
        (error("CONCURRENCY_LIMIT_EXCEEDED"), Lane.SYNC, "CONCURRENCY_LIMIT_EXCEEDED"),
        (error("SLOW_DOWN"), Lane.RATE, "SLOW_DOWN"),
        (error("", "hm"), Lane.RATE, "HTTP_429"),
        (b'{"error": {"code": 7}}', Lane.RATE, "HTTP_429"),
        (PAGE, Lane.RATE, "HTTP_429"),
        (b"", Lane.RATE, "HTTP_429"),
    ],
)
def test_a_429_closes_the_lane_that_its_code_names(call: str, body: bytes, lane: Lane, code: str) -> None:
    """The three documented codes have their lanes; anything else closes them all."""
    assert outcome(call, 429, body, {"Retry-After": "7"}) == Throttled(lane, code, 7.0)


BATCH, REQUEST, ASIDE = Verdict.BATCH, Verdict.REQUEST, Verdict.ASIDE
CONFLICT, MISSING = Verdict.CONFLICT, Verdict.MISSING


@pytest.mark.parametrize(
    ("status", "body", "verdicts"),
    [
        # status, body, verdict for (submit, status, job)
        (301, b"", (BATCH, BATCH, BATCH)),
        (304, b"", (BATCH, BATCH, BATCH)),
        (307, PAGE, (BATCH, BATCH, BATCH)),
        (401, error("AUTH_INVALID"), (BATCH, BATCH, BATCH)),
        (401, PAGE, (BATCH, BATCH, BATCH)),
        (402, b"", (BATCH, BATCH, BATCH)),
        (403, error("FORBIDDEN"), (BATCH, BATCH, BATCH)),
        (403, PAGE, (ASIDE, ASIDE, ASIDE)),
        (400, error("INSUFFICIENT_CREDITS"), (BATCH, BATCH, BATCH)),
        (422, error("balance_too_low"), (BATCH, BATCH, BATCH)),
        (429, error("insufficient_quota"), (BATCH, BATCH, BATCH)),
        (429, error("PAYMENT_REQUIRED"), (BATCH, BATCH, BATCH)),
        (400, error("VALIDATION_FAILED"), (REQUEST, REQUEST, REQUEST)),
        (413, error("BODY_TOO_LARGE"), (REQUEST, REQUEST, REQUEST)),
        (415, error("NOT_JSON"), (REQUEST, REQUEST, REQUEST)),
        (422, error("METHOD_UNSERVABLE"), (REQUEST, REQUEST, REQUEST)),
        (418, error("TEAPOT"), (REQUEST, REQUEST, REQUEST)),
        (400, PAGE, (BATCH, REQUEST, REQUEST)),
        (400, b'{"detail": "nope"}', (BATCH, REQUEST, REQUEST)),
        (422, b"", (BATCH, REQUEST, REQUEST)),
        (404, error("JOB_NOT_FOUND"), (BATCH, MISSING, MISSING)),
        (404, PAGE, (BATCH, MISSING, MISSING)),
        (405, error("METHOD_NOT_ALLOWED"), (BATCH, MISSING, REQUEST)),
        (409, error("IDEMPOTENCY_CONFLICT"), (CONFLICT, REQUEST, REQUEST)),
        (409, b"", (CONFLICT, REQUEST, REQUEST)),
        (410, error("GONE"), (REQUEST, REQUEST, MISSING)),
        (501, b"", (None, MISSING, None)),
        (408, error("TIMEOUT"), (None, None, None)),
        (425, b"", (None, None, None)),
        (500, error("INTERNAL"), (None, None, None)),
        (502, PAGE, (None, None, None)),
        (504, error("SURFACE_TIMEOUT"), (None, None, None)),
        (522, PAGE, (None, None, None)),
        (101, b"", (None, None, None)),
        (600, b"", (None, None, None)),
        (999, error("X"), (None, None, None)),
        (0, b"", (None, None, None)),
        (-1, b"", (None, None, None)),
    ],
)
def test_how_far_a_refusal_reaches(status: int, body: bytes, verdicts: tuple[Verdict | None, ...]) -> None:
    """Each status has its verdict at each call; None stands for an unclear reply."""
    outcomes = [outcome(call, status, body) for call in ("submit", "status", "job")]

    assert tuple(one.verdict if isinstance(one, Refused) else None for one in outcomes) == verdicts
    assert all(isinstance(one, Refused | Unclear) for one in outcomes)


def test_a_refusal_carries_the_services_words_made_harmless() -> None:
    """Code, message and details reach the user, without anything a terminal would obey."""
    body = error(
        "VALIDATION_FAILED",
        "bad\x1b[2J body\n",
        details=[{"path": ["regions", 0], "message": "no"}, {"path": "query"}, "also this", 7, {}],
    )

    assert outcome("submit", 400, body) == Refused(
        REQUEST,
        400,
        "VALIDATION_FAILED",
        "bad body",
        ({"path": "regions.0", "message": "no"}, {"path": "query"}, {"message": "also this"}),
    )


def test_a_long_message_and_many_details_are_cut() -> None:
    """A service that sends a megabyte of reasons does not fill the journal with them."""
    refused = outcome("submit", 400, error("C" * 999, "m" * 10**6, details=["d" * 10**4] * 1000))

    assert (len(refused.code), len(refused.message), len(refused.details)) == (64, 300, 20)
    assert len(refused.details[0]["message"]) == 300


def test_a_redirect_says_where_to_and_what_to_do() -> None:
    """Only scheme and host of the target are shown: the rest may hold anything."""
    refused = outcome("submit", 308, b"", {"Location": "https://u:p@www.example.com/login?token=secret"})

    assert refused.message == (
        "HTTP 308: redirected to https://www.example.com, which is never followed; check the base URL"
    )
    assert "redirected," in outcome("submit", 302, b"", {"Location": "http://[broken"}).message


@pytest.mark.parametrize(
    ("status", "retry_after"), [(503, 20.0), (500, 20.0), (504, 20.0), (408, None), (999, None)]
)
def test_a_5xx_that_names_a_time_is_heeded(status: int, retry_after: float | None) -> None:
    """Retry-After on any 5xx is carried along; elsewhere it has no meaning."""
    assert outcome("submit", status, b"", {"Retry-After": "20"}) == Unclear(
        f"HTTP {status}", status, retry_after
    )


def test_an_unclear_reply_names_the_services_code() -> None:
    """The log shows more than a number where the service said more."""
    assert outcome("submit", 504, error("SURFACE_TIMEOUT")).reason == "HTTP 504 SURFACE_TIMEOUT"
