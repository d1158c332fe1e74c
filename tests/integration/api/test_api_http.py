"""What the client sends, what it makes of replies, and whose session it uses."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import aiohttp
import pytest

from pacer.api import SearchApi
from pacer.api.http import CONNECT_TIMEOUT, ESTABLISH_TIMEOUT, MAX_BODY, TOTAL_TIMEOUT
from pacer.clock import FakeClock
from pacer.errors import UsageError
from pacer.pacing.gates import Lane
from pacer.wire.replies import Admitted, Capture, Refused, Throttled, Unclear, Verdict

from .peer import ACCEPTED, KEY, calls, client, peer, response, submit


async def test_a_submission_is_exactly_these_bytes_in_async_mode() -> None:
    """The body arrives byte for byte, with mode=async, the key and its type, under the path prefix."""
    body = b'{"query":  "Gr\xc3\xb6\xc3\x9fe \\u0000", "idempotencyKey":"k1"}\n'

    async with peer(response("202 Accepted", ACCEPTED)) as service, client(f"{service.url}/edge/") as api:
        protocol: SearchApi = api
        reply = await protocol.submit(body)

    [request] = service.requests
    head, _, sent = request.partition(b"\r\n\r\n")
    assert reply.outcome == Admitted("job_1", ("job_1.claude.us",))
    assert sent == body
    assert head.startswith(b"POST /edge/v1/search?mode=async HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}".encode() in head.split(b"\r\n")
    assert b"Content-Type: application/json" in head.split(b"\r\n")
    assert b"\r\nUser-Agent: aisearch-pacer/" in head


@pytest.mark.parametrize(
    ("job_id", "path"),
    [
        ("job_k3m9", b"job_k3m9"),
        ("job_k3m9.claude.auto.FR", b"job_k3m9.claude.auto.FR"),
        ("a b?x=1#y%2e&;=", b"a%20b%3Fx%3D1%23y%252e%26%3B%3D"),
        ("jöb", b"j%C3%B6b"),
        ("@evil.example:80", b"%40evil.example%3A80"),
    ],
)
async def test_a_job_id_stays_one_segment_of_the_path(job_id: str, path: bytes) -> None:
    """Whatever an id holds, it is asked for under /v1/jobs/ on the configured host."""
    async with peer(response("404 Not Found")) as service, client(service.url) as api:
        await api.job(job_id)

    assert [request.split(b" HTTP")[0] for request in service.requests] == [b"GET /v1/jobs/" + path]


@pytest.mark.parametrize(
    "job_id", ["", "..", ".", "a/b", "../usage", "a\\b", "a\r\nHost: evil", "\ud83d", "x" * 999]
)
async def test_an_id_that_cannot_stand_in_a_url_is_never_asked_for(job_id: str) -> None:
    """Such an id leads to a named refusal, not to another endpoint."""
    async with peer(response("200 OK")) as service, client(service.url) as api:
        outcome = (await api.job(job_id)).outcome

    assert isinstance(outcome, Refused)
    assert (outcome.verdict, outcome.code) == (Verdict.MISSING, "UNUSABLE_ID")
    assert service.requests == []


async def test_one_connection_serves_call_after_call() -> None:
    """Connections are kept alive: the second call costs no second handshake."""
    async with peer(response("200 OK", b"{}")) as service, client(service.url) as api:
        for _ in range(3):
            await api.status()

    assert (service.connections, len(service.requests)) == (1, 3)


async def test_a_429_is_understood_with_its_headers() -> None:
    """Lane, Retry-After and window arrive; the HTTP-date is measured by the reply's own clock."""
    reply = response(
        "429 Too Many Requests",
        b'{"error": {"code": "QUEUE_CAPACITY_EXCEEDED", "message": "full"}}',
        "Date: Sun, 06 Nov 1994 08:49:37 GMT",
        "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT",
        "X-RateLimit-Limit: 60",
        "x-ratelimit-reset: 784111787",
    )
    async with peer(reply) as service, client(service.url) as api:
        answer = await api.submit(b"{}")

    assert answer.outcome == Throttled(Lane.QUEUE, "QUEUE_CAPACITY_EXCEEDED", 30.0)
    assert answer.window is not None
    assert (answer.window.limit, answer.window.resets_in) == (60, 10.0)


async def test_a_reply_without_a_date_is_measured_by_the_clock_given() -> None:
    """The wall time comes from the injected clock."""
    clock = FakeClock(epoch=784_111_777.0 - asyncio.get_running_loop().time())  # wall: 08:49:37
    reply = response("429 Slow Down", b"", "Retry-After: Sun, 06 Nov 1994 09:49:37 GMT")
    async with peer(reply) as service, client(service.url, clock=clock) as api:
        outcome = (await api.status()).outcome

    assert isinstance(outcome, Throttled)
    assert outcome.retry_after == pytest.approx(3600, abs=5)


async def test_a_compressed_envelope_is_read() -> None:
    """gzip is undone before the body is parsed."""
    body = gzip.compress(b'{"job": {"status": "completed", "surface": "claude"}}')
    async with (
        peer(response("200 OK", body, "Content-Encoding: gzip")) as service,
        client(service.url) as api,
    ):
        outcome = (await api.job("job_1.claude.us")).outcome

    assert isinstance(outcome, Capture)
    assert (outcome.child, outcome.surface) == ("job_1.claude.us", "claude")


async def test_a_gigantic_body_is_not_read_to_its_end() -> None:
    """A body beyond the limit, even a small one that unpacks to it, ends as an unclear reply."""
    bomb = gzip.compress(b" " * (MAX_BODY + 1))
    async with peer(response("202 Accepted", bomb, "Content-Encoding: gzip")) as service:
        outcome = await submit(service.url)

    assert outcome == Unclear("202 with a lost body: more than 16 MiB", 202)


FLOODS = {
    "headers": (b"", b"X-A: b\r\n" * 1000),
    "one header": (b"X: ", b"b" * 65_536),
    "trailers": (b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n" * 1000),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
    "a body": (b"Content-Length: 104857600\r\n\r\n", b" " * 65_536),
    "a body of any length": (b"Connection: close\r\n\r\n", b" " * 65_536),
}


@pytest.mark.parametrize("status", ["202 Accepted", "400 Bad", "500 Oops"])
@pytest.mark.parametrize("flood", FLOODS)
async def test_what_comes_without_end_is_cut_off(flood: str, status: str) -> None:
    """Headers, chunks, bodies and trailers that never end are given up early: an unclear reply."""
    start, more = FLOODS[flood]
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 {status}\r\n".encode() + start)
        while sent < 2**28:
            sent += len(more)
            writer.write(more)
            await writer.drain()

    async with peer(pour) as service:
        outcome = await submit(service.url)

    assert isinstance(outcome, Unclear)
    assert sent < 2**27


@pytest.mark.parametrize("call", ["submit", "status", "job"])
@pytest.mark.parametrize("status", ["200 OK", "403 No", "503 Busy"])
async def test_no_word_of_the_service_takes_megabytes(call: str, status: str) -> None:
    """A snapshot and an error of two MiB are no such thing; only Envelopes may be large."""
    large = b'{"job": {"id": "a", "status": "processing"}, "x": "' + b"x" * 2**21 + b'"}'
    async with peer(response(status, large)) as service, client(service.url) as api:
        outcome = (await calls(api)[call]()).outcome

    if status == "200 OK" and call != "status":
        assert isinstance(outcome, Admitted | Capture)
    else:
        assert isinstance(outcome, Unclear)


async def test_a_session_given_is_used_and_left_open() -> None:
    """Its own defaults (raise_for_status, time-outs, redirects) do not change what a reply means."""
    session = aiohttp.ClientSession(raise_for_status=True, timeout=aiohttp.ClientTimeout(total=0.000_001))
    async with session, peer(response("302 Found", b"", "Location: /")) as service:
        async with client(service.url, session=session) as api:
            outcome = (await api.submit(b"{}")).outcome

        assert isinstance(outcome, Refused)
        assert outcome.code == "HTTP_302"
        assert not session.closed


async def test_a_session_with_credentials_of_its_own_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A netrc entry would collide with the key: the sentence says so, without a key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        aiohttp.ClientSession(trust_env=True) as session,
        client("http://127.0.0.1:9", session=session) as api,
    ):
        with pytest.raises(UsageError, match="session") as caught:
            await api.submit(b"{}")

    assert caught.value.__suppress_context__
    assert KEY not in str(caught.value)


async def test_a_client_that_was_not_entered_says_so() -> None:
    """The error names the missing ``async with``."""
    with pytest.raises(RuntimeError, match="async with"):
        await client("http://127.0.0.1:9").submit(b"{}")


async def test_the_time_outs_are_in_a_sensible_order() -> None:
    """A connection may fail, or be slow, and its call still have the minute that edges allow."""
    assert CONNECT_TIMEOUT + 60.0 < TOTAL_TIMEOUT
    assert ESTABLISH_TIMEOUT < TOTAL_TIMEOUT
