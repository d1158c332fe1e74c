"""
Where the key may go: over verified TLS, or in the clear to this machine, or where the user insists.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import pytest

from tests.crash.scene import KEY, scene

CERTIFICATE = Path(__file__).parent.parent / "integration" / "api" / "localhost.pem"
"""Self-signed for localhost, trusted by no one."""


async def test_a_self_signed_service(tmp_path: Path) -> None:
    """
    A server whose certificate nobody vouches for gets no request: exit 3 at once, and the
    sentence says what is wrong and names SSL_CERT_FILE. Named there, it is believed.
    """
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.write(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=tls)
    async with server, scene(tmp_path) as one:
        one.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        one.write(3)
        ran = await one.run("--json")
        assert ran.code == 3, ran.err
        assert json.loads(ran.out)["seconds"] < 30
        assert "TLS certificate of localhost is not trusted" in ran.err
        assert "SSL_CERT_FILE" in ran.err
        assert "Traceback" not in ran.err
        assert b"".join(heard) == b""
        ran = await one.run(SSL_CERT_FILE=str(CERTIFICATE))
        assert ran.code == 3, ran.err
        assert heard[-1].startswith(b"GET /v1/async/status")


@pytest.mark.parametrize(
    "url", ["http://example.invalid", "http://192.0.2.1", "http://127.0.0.1.example.invalid", "http://[::2]"]
)
async def test_plain_http_to_a_stranger(tmp_path: Path, url: str) -> None:
    """Plain http to anything but this machine is refused: exit 2, --allow-http is named, no file is made."""
    async with scene(tmp_path) as one:
        one.url = url
        one.write(3)
        for words in (["run", "batch.jsonl"], ["status"], ["plan", "batch.jsonl"]):
            ran = await (await one.start(*words)).ended()
            assert ran.code == 2, ran.err
            assert "--allow-http" in ran.err
        assert [path.name for path in tmp_path.iterdir()] == ["batch.jsonl"]


async def test_plain_http_that_is_allowed(tmp_path: Path) -> None:
    """With --allow-http the same address is taken; here it leads nowhere, and that is said."""
    async with scene(tmp_path) as one:
        one.url = "http://pacer-test.invalid"
        one.write(3)
        ran = await (await one.start("status", "--allow-http")).ended()
        assert ran.code == 3, ran.err
        assert "pacer-test.invalid" in ran.err


@pytest.mark.parametrize("url", ["http://{}@127.0.0.1:9", "https://user:{}@example.invalid", "{}"])
async def test_a_key_in_the_wrong_place(tmp_path: Path, url: str) -> None:
    """A key that was pasted into the base URL is refused without being repeated."""
    async with scene(tmp_path) as one:
        one.url = url.format(KEY)
        one.write(3)
        ran = await one.run()
        assert ran.code == 2, ran.err
        assert KEY not in ran.err + ran.out
