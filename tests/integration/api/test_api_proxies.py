"""
The environment's proxies and CA bundles, over real connections: CONNECT, TLS behind it, whole batches.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from pacer.sandbox import SANDBOX_KEY, Latency, SandboxServer, Service, Settings
from pacer.wire.replies import Admitted, Refused, Unclear
from tests.acceptance.processes import environment, write_batch
from tests.integration.api.peer import ACCEPTED, KEY, peer, response, submit

HOST = "service.example"
"""Resolved by no one: whoever gets there went through the proxy."""

LOCALHOST = Path(__file__).parent / "localhost.pem"
HASHED = "ce275665.0"
"""Its subject's hash, as ``openssl rehash`` names files for SSL_CERT_DIR."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says nothing yet."""
    for name in (*PROXIES, *map(str.lower, PROXIES), *BUNDLES):
        monkeypatch.delenv(name, raising=False)


@dataclass
class Tunnel:
    """
    A proxy that takes every CONNECT to one port of this machine.

    Attributes:
        heads: The requests it was asked, byte for byte; what goes through the tunnel is not among them.
    """

    port: int
    url: str = ""
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await joined(reader, writer, self.port)


async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Carry bytes between a connection and a port of this machine until both have had enough."""
    there, back = await asyncio.open_connection("127.0.0.1", port)

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()

    await asyncio.gather(carry(reader, back), carry(there, writer))


@asynccontextmanager
async def tunnel(port: int) -> AsyncIterator[Tunnel]:
    one = Tunnel(port)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://user:pw@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield one
    finally:
        server.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A CA of a company's own."""
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """What the service shows, signed by it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    return context


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    """The CA as a file."""
    path = tmp_path / "company.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
async def test_a_tunnel(
    variable: str, tls: ssl.SSLContext, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is asked for a tunnel, with its password; the key goes through it, to whom the CA knows."""
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    async with (
        peer(response("202 Accepted", ACCEPTED), tls=tls) as service,
        tunnel(int(service.url.rpartition(":")[2])) as proxy,
    ):
        monkeypatch.setenv(variable, proxy.url)
        outcome = await submit(f"https://{HOST}")
    assert outcome == Admitted("job_1", ("job_1.claude.us",))
    [head] = proxy.heads
    assert head.startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic dXNlcjpwdw==" in head
    assert KEY.encode() not in head
    [request] = service.requests
    assert KEY.encode() in request
    assert b"Proxy-Authorization" not in request


async def test_behind_a_proxy_certificates_are_verified(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tunnel to somebody whom nobody vouches for gets no request."""
    async with (
        peer(response("202 Accepted", ACCEPTED), tls=tls) as service,
        tunnel(int(service.url.rpartition(":")[2])) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        outcome = await submit(f"https://{HOST}")
    assert isinstance(outcome, Refused)
    assert outcome.code == "TLS_CERTIFICATE"
    assert service.requests == []


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("names", [HOST, ".example", "other.test, service.example", "*"])
async def test_what_no_proxy_names_goes_straight(
    variable: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, by domain, in a list, or everything: the proxy is not asked."""
    monkeypatch.setenv(variable, names)
    async with tunnel(9) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        outcome = await submit(f"https://{HOST}")
    assert isinstance(outcome, Unclear)
    assert proxy.heads == []


async def test_a_folder_of_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_DIR is a folder in which OpenSSL looks certificates up by their hashes."""
    (tmp_path / HASHED).write_bytes(LOCALHOST.read_bytes())
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(LOCALHOST)
    async with peer(response("202 Accepted", ACCEPTED), tls=context) as service:
        assert await submit(service.url) == Admitted("job_1", ("job_1.claude.us",))


async def test_a_whole_batch_through_a_proxy(tls: ssl.SSLContext, bundle: str, tmp_path: Path) -> None:
    """The command, behind a proxy and a company's CA, brings a batch to its end; the doctor finds both."""
    latency = Latency(mean=0.1, shape="constant")
    captures = write_batch(tmp_path, 20, (1, 2))
    async with SandboxServer(Service(Settings(capacity=20, latency=latency))) as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        service = await asyncio.start_server(lambda r, w: joined(r, w, port), "127.0.0.1", 0, ssl=tls)
        async with service, tunnel(service.sockets[0].getsockname()[1]) as proxy:
            variables = {
                "HTTPS_PROXY": proxy.url,
                "REQUESTS_CA_BUNDLE": bundle,
                "AISEARCH_BASE_URL": f"https://{HOST}",
                "AISEARCH_API_KEY": SANDBOX_KEY,
            }
            code, _, log = await run(tmp_path, variables, "run", "batch.jsonl")
            assert code == 0, log
            assert len((tmp_path / "batch.results.jsonl").read_text().splitlines()) == captures
            _, found, _ = await run(tmp_path, variables, "doctor")
    assert "proxy: http://***@127.0.0.1:" in found
    assert f"certificates: REQUESTS_CA_BUNDLE: {bundle}" in found
    assert "service: accepts the key" in found
    assert SANDBOX_KEY.encode() not in b"".join(proxy.heads)


async def run(folder: Path, variables: dict[str, str], *words: str) -> tuple[int | None, str, str]:
    """Run the command; return its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pacer", *words),
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()
