"""Whatever the network or the other side does, a call ends with an outcome, in time, sent once."""

from __future__ import annotations

import asyncio

import pytest

from pacer.api.http import TOTAL_TIMEOUT
from pacer.pacing.gates import Lane
from pacer.wire.replies import Admitted, Throttled, Unclear

from .peer import ACCEPTED, Script, calls, client, cut, peer, response, submit, then_close, then_silence


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (response("202 Accepted", ACCEPTED[:-5]), Unclear),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 99\r\n\r\n{", Unclear),
        (b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Unclear),
        (b"HTTP/1.1 202 Accepted\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain", Unclear),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}", Unclear),
        (b"HTTP/1.1 202 Accepted\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", Unclear),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: -1\r\n\r\n", Unclear),
        (b"HTTP/9.9 abc\r\n\r\n", Unclear),
        (b"SSH-2.0-OpenSSH\r\n", Unclear),
        (b"\x00\xff\r\n\r\n", Unclear),
        (b"\r\n", Unclear),
        (b"", Unclear),
        (response("999 What"), Unclear),
        (response("204 No Content"), Unclear),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Unclear),
        (response("500 Oops", b"<html>"), Unclear),
        (
            response("202 Accepted", ACCEPTED, "Set-Cookie: a=\x01;;;=", "Content-Type: \x7f;;charset=?"),
            Admitted | Unclear,
        ),
        (response("202 Accepted", ACCEPTED, "Connection: close"), Admitted),
        (b"HTTP/1.0 202 Accepted\r\n\r\n" + ACCEPTED, Admitted),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + response("202 Accepted", ACCEPTED), Admitted),
    ],
)
async def test_whatever_bytes_come_back_end_as_an_outcome(reply: bytes, outcome: type) -> None:
    """Truncated, malformed, oversized or foreign replies raise nothing, and a POST goes out once."""
    async with peer(then_close(reply)) as service:
        assert isinstance(await submit(service.url), outcome)

    assert len(service.requests) == 1


@pytest.mark.parametrize("call", ["submit", "status", "job"])
@pytest.mark.parametrize("kept", [False, True])
async def test_a_cut_connection_is_unclear_and_nothing_is_sent_twice(call: str, kept: bool) -> None:
    """Neither a POST nor a GET is repeated behind our back, on a fresh connection or on a kept one."""
    script = (response("200 OK", b"{}"), cut) if kept else (cut,)
    async with peer(*script) as service, client(service.url) as api:
        if kept:
            await api.status()
        outcome = (await calls(api)[call]()).outcome

    assert isinstance(outcome, Unclear)
    assert outcome.sent
    assert (service.connections, len(service.requests)) == (1, len(script))


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("429 Slow Down", Throttled(Lane.RATE, "HTTP_429", 40.0)),
        ("503 Busy", Unclear("HTTP 503", 503, 40.0)),
        ("400 Bad", Unclear("400 with a lost body: reply cut off", 400)),
        ("401 No", Unclear("401 with a lost body: reply cut off", 401)),
        ("202 Accepted", Unclear("202 with a lost body: reply cut off", 202)),
    ],
)
async def test_a_retry_after_counts_although_the_body_was_lost(reply: str, outcome: object) -> None:
    """What the headers said is law; what only the body could have said is in doubt."""
    half = f"HTTP/1.1 {reply}\r\nRetry-After: 40\r\nContent-Length: 99\r\n\r\n{{".encode()
    async with peer(then_close(half)) as service:
        assert await submit(service.url) == outcome


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (then_silence(b""), "timed out: no complete reply"),
        (then_silence(b"HTTP/1.1 202 Accepted\r\nContent-Length: 99\r\n\r\n{"), "202 with a lost body"),
    ],
)
async def test_silence_ends_at_the_time_out(script: Script, reason: str) -> None:
    """A service that says nothing more is given up after 75 s, and the request is in doubt."""
    loop = asyncio.get_running_loop()
    async with peer(script) as service:
        started = loop.time()
        outcome = await submit(service.url)

    assert isinstance(outcome, Unclear)
    assert outcome.reason.startswith(reason)
    assert outcome.sent
    assert loop.time() - started == pytest.approx(TOTAL_TIMEOUT, abs=2)


@pytest.mark.looptime
async def test_a_trickle_ends_at_the_time_out() -> None:
    """A body that comes byte by byte for ever is given up after 75 s."""

    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 9999\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(30)

    loop = asyncio.get_running_loop()
    async with peer(trickle) as service:
        started = loop.time()
        outcome = await submit(service.url)

    assert outcome == Unclear("202 with a lost body: timed out: no complete reply", 202)
    assert loop.time() - started == pytest.approx(TOTAL_TIMEOUT, abs=2)


async def test_a_refused_connection_never_left() -> None:
    """Where nobody listens it is certain that nothing was sent."""
    async with peer(b"") as service:
        pass

    assert await submit(service.url) == Unclear("cannot connect to 127.0.0.1: Connection refused", sent=False)


async def test_a_name_that_does_not_resolve_never_left() -> None:
    """The sentence names the host; nothing was sent."""
    outcome = await submit("https://nowhere.invalid")

    assert isinstance(outcome, Unclear)
    assert outcome.reason.startswith("cannot resolve nowhere.invalid: ")
    assert not outcome.sent


async def test_a_cancelled_call_is_cancelled() -> None:
    """Cancellation passes through at once, and the client works on."""
    async with (
        peer(then_silence(b""), response("202 Accepted", ACCEPTED)) as service,
        client(service.url) as api,
    ):
        call = asyncio.ensure_future(api.submit(b"{}"))
        await service.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        assert isinstance((await api.submit(b"{}")).outcome, Admitted)
