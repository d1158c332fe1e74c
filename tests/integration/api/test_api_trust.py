"""Where the client lets itself be led, whom it believes, and that the key stays its own."""

from __future__ import annotations

import asyncio
import logging
import ssl
import traceback
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from pacer.api import AiohttpSearchApi
from pacer.errors import UsageError
from pacer.wire.replies import Admitted, Refused, Unclear, Verdict

from .peer import ACCEPTED, KEY, calls, client, cut, peer, response, submit, then_close

CERTIFICATE = Path(__file__).parent / "localhost.pem"
"""A self-signed certificate for localhost, made for these tests and trusted by no one."""


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(status: int) -> None:
    """The batch stops, the target is not asked, and the key does not go there."""
    async with (
        peer(response("202 Accepted", ACCEPTED)) as other,
        peer(response(f"{status} Moved", b"", f"Location: {other.url}/v1/search")) as service,
    ):
        outcome = await submit(service.url)

    assert isinstance(outcome, Refused)
    assert outcome.verdict is Verdict.BATCH
    assert other.requests == []


@pytest.fixture
def tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_an_untrusted_certificate_stops_the_batch(tls: ssl.SSLContext) -> None:
    """TLS is verified; the sentence says what is wrong and what to do, and nothing was sent."""
    async with peer(response("202 Accepted", ACCEPTED), tls=tls) as service:
        outcome = await submit(service.url)

    assert isinstance(outcome, Refused)
    assert (outcome.verdict, outcome.status, outcome.code) == (Verdict.BATCH, 0, "TLS_CERTIFICATE")
    assert "self-signed certificate" in outcome.message
    assert "SSL_CERT_FILE" in outcome.message
    assert service.requests == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
async def test_a_ca_bundle_from_the_environment_is_trusted(
    variable: str, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the variables that other tools read names the CAs."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(CERTIFICATE))

    async with peer(response("202 Accepted", ACCEPTED), tls=tls) as service:
        assert await submit(service.url) == Admitted("job_1", ("job_1.claude.us",))


async def test_plain_http_where_tls_was_asked_for_is_a_failed_handshake() -> None:
    """A server that speaks no TLS gets no request, and the sentence says that TLS failed."""
    heard = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1 << 16))
        writer.write(response("400 Bad Request"))
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        outcome = await submit(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    assert outcome == Unclear("TLS handshake with 127.0.0.1 failed: wrong version number", sent=False)
    assert b"POST" not in b"".join(heard)


async def test_a_proxy_from_the_environment_carries_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is used with its credentials, NO_PROXY and loopback go straight."""
    async with peer(response("202 Accepted", ACCEPTED)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:pw@"))
        monkeypatch.setenv("no_proxy", "direct.invalid")
        async with client("http://service.invalid", allow_http=True) as api:
            proxied = (await api.submit(b"{}")).outcome
        async with client("http://direct.invalid", allow_http=True) as api:
            direct = (await api.submit(b"{}")).outcome
        async with peer(response("202 Accepted", ACCEPTED)) as service:
            await submit(service.url)

    assert isinstance(proxied, Admitted)
    [request] = proxy.requests
    assert request.startswith(b"POST http://service.invalid/v1/search?mode=async HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpwdw==" in request
    assert isinstance(direct, Unclear)
    assert len(service.requests) == 1


async def test_through_a_proxy_tls_hides_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """To an https service the proxy sees a CONNECT, not the key; its refusal means that nothing was sent."""
    async with peer(response("407 Proxy Authentication Required")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        outcome = await submit("https://service.invalid")

    assert outcome == Unclear("the proxy refused a tunnel to service.invalid: HTTP 407", sent=False)
    assert proxy.requests[0].startswith(b"CONNECT service.invalid:443 ")
    assert KEY.encode() not in proxy.requests[0]


async def test_the_key_is_in_no_log_repr_outcome_or_exception(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, in asyncio's debug mode, through failures of all kinds and an echo: the key is nowhere."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    echo = f"Bearer {KEY}".encode()
    script = (
        response("400 Bad", b'{"error": {"code": "X", "message": "you sent ' + echo + b'"}}'),
        response("200 OK", b'{"job": {"status": "failed", "error": "' + echo + b'"}}'),
        response("302 Found", echo, f"Location: https://login.example/{KEY}"),
        then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
        then_close(b"nonsense\r\n\r\n"),
        cut,
    )
    async with peer(*script) as service, client(service.url) as api:
        told = [repr(api)]
        for call in 2 * ("submit", "job", "submit", "status", "submit", "job"):
            told += [repr(await calls(api)[call]())]

    told += [record.getMessage() for record in caplog.records]
    assert len(service.requests) == 12
    assert KEY not in "\n".join(told)


async def test_the_key_is_in_no_traceback_with_locals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a defect inside aiohttp, printed with the locals of every frame, shows stars."""

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("defect")

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", fail)
    async with client("http://127.0.0.1:9") as api:
        with pytest.raises(RuntimeError) as caught:
            await api.submit(b"{}")

    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "'**********'" in shown
    assert KEY not in shown


@pytest.mark.parametrize("key", ["", "two words", "line\n", "\tTab", "schlüssel", "\ud83d", "nul\0"])
def test_an_impossible_key_is_refused_without_being_shown(key: str) -> None:
    """The sentence names the variable to look at, not what is in it."""
    with pytest.raises(UsageError, match="AISEARCH_API_KEY") as caught:
        AiohttpSearchApi("https://api.example", SecretStr(key))

    assert not key or key not in str(caught.value)
    assert caught.value.__context__ is None
