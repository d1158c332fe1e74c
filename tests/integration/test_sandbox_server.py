"""
The sandbox behind a real socket: replies as the model gives them, real cuts, exact virtual time.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from pacer.sandbox import SANDBOX_KEY, Fault, Latency, SandboxServer, Service, Settings

BODY = {"query": "running shoes", "surfaces": ["chatgpt"], "regions": [{"country": "US"}]}


@asynccontextmanager
async def sandbox(*faults: Fault, rtt: float = 0.0, **settings: Any) -> AsyncIterator["Client"]:
    settings.setdefault("latency", Latency(mean=30.0, shape="constant"))
    service = Service(Settings(**settings), seed=7, faults=faults)
    headers = {"Authorization": f"Bearer {SANDBOX_KEY}"}
    async with (
        SandboxServer(service, rtt=rtt) as server,
        aiohttp.ClientSession(server.base_url, headers=headers) as session,
    ):
        yield Client(service, server, session)


class Client:
    def __init__(self, service: Service, server: SandboxServer, session: aiohttp.ClientSession) -> None:
        self.service, self.server, self.session = service, server, session

    async def submit(self, **fields: Any) -> tuple[int, Any]:
        async with self.session.post("/v1/search?mode=async", json={**BODY, **fields}) as reply:
            return reply.status, await reply.json()

    async def status(self) -> tuple[int, Any]:
        async with self.session.get("/v1/async/status") as reply:
            return reply.status, await reply.json()

    async def job(self, job: str) -> Any:
        async with self.session.get(f"/v1/jobs/{job}") as reply:
            return await reply.json()


async def test_a_search_goes_over_a_real_socket() -> None:
    """
    Status, headers and body arrive as the model gave them, for every endpoint.
    """
    async with sandbox(capacity=3) as client:
        async with client.session.post("/v1/search?mode=async", json=BODY) as reply:
            body = await reply.json()
            assert reply.status == 202
            assert reply.headers["Location"] == f"/v1/jobs/{body['jobId']}"
            assert reply.headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
        assert (await client.status())[1] == client.service.snapshot()
        assert (await client.job(body["children"][0]))["job"]["status"] == "processing"
        async with client.session.get("/v1/nowhere") as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.looptime
async def test_a_capture_of_half_a_minute_is_seen_at_once() -> None:
    """
    In virtual time a 30 s capture ends exactly 30 s after its submission, and takes no time to wait for.
    """
    started = time.perf_counter()
    async with sandbox() as client:
        _, job = await client.submit()
        child = job["children"][0]
        await asyncio.sleep(29.99)
        assert (await client.job(child))["job"]["status"] == "processing"
        await asyncio.sleep(0.01)
        assert (await client.job(child))["job"]["status"] == "completed"
    assert time.perf_counter() - started < 20.0


@pytest.mark.looptime
async def test_a_sync_capture_is_answered_when_it_ends() -> None:
    """
    The reply comes one latency and one round trip after the request, to the millisecond.
    """
    loop = asyncio.get_running_loop()
    async with sandbox(rtt=0.5) as client:
        before = loop.time()
        async with client.session.post("/v1/search?mode=sync", json=BODY) as reply:
            assert (await reply.json())["job"]["status"] == "completed"
        assert loop.time() - before == pytest.approx(30.5, abs=1e-3)


@pytest.mark.looptime
async def test_half_a_round_trip_passes_on_each_way() -> None:
    """
    The service sees a call half a round trip after it was sent, and the caller the reply another half later.
    """
    loop = asyncio.get_running_loop()
    async with sandbox(rtt=0.8) as client:
        before = loop.time()
        await asyncio.gather(*(client.status() for _ in range(20)))
        assert loop.time() - before == pytest.approx(0.8, abs=1e-3)
        assert [entry.at for entry in client.service.log] == pytest.approx([0.4] * 20, abs=1e-3)


@pytest.mark.parametrize("fault", [Fault("refuse"), Fault("cut")])
async def test_a_cut_before_the_work_is_a_dead_connection(fault: Fault) -> None:
    """
    The client sees its connection reset, the log shows no admission, and the next call gets through.
    """
    once = Fault(fault.kind, calls=(1,))
    async with sandbox(once) as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.submit(idempotencyKey="k1")
        assert client.service.log.admitted == 0
        assert (await client.submit(idempotencyKey="k1"))[0] == 202


async def test_a_cut_is_a_reset_and_not_an_orderly_end() -> None:
    """
    On the bare socket the peer gets ECONNRESET before a single byte of a reply.
    """
    async with sandbox(Fault("cut")) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(client))
        writer.write(b"GET /v1/health HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_a_cut_after_the_work_hides_an_admission() -> None:
    """
    The connection dies the same way, but the job is there: the resend is a replay.
    """
    async with sandbox(Fault("cut", on="submit", committed=True, calls=(1,))) as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.submit(idempotencyKey="k1")
        assert client.service.log.admitted == 1
        async with client.session.post(
            "/v1/search?mode=async", json={**BODY, "idempotencyKey": "k1"}
        ) as reply:
            assert reply.headers["Idempotent-Replayed"] == "true"
        assert client.service.log.admitted == 1


async def test_a_truncated_body_ends_before_its_length() -> None:
    """
    The headers promise the whole body, half of it comes, then the connection is closed.
    """
    async with sandbox(Fault("truncate", on="status", calls=(1,))) as client:
        async with client.session.get("/v1/async/status") as reply:
            assert reply.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await reply.read()
        assert (await client.status())[0] == 200

    async with sandbox(Fault("truncate", on="health")) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(client))
        writer.write(b"GET /v1/health HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        whole = json.dumps({"status": "ok", "schemaVersion": "1.0"}).encode()
        assert f"Content-Length: {len(whole)}".encode() in head
        assert body == whole[: len(whole) // 2]
        writer.close()


@pytest.mark.looptime
async def test_a_slow_body_pauses_in_the_middle() -> None:
    """
    Status and headers are there at once, the body is whole only after the pause.
    """
    loop = asyncio.get_running_loop()
    async with sandbox(Fault("slow_body", on="status", seconds=20.0)) as client:
        async with client.session.get("/v1/async/status") as reply:
            assert loop.time() == pytest.approx(0.0, abs=1e-3)
            assert await reply.json() == client.service.snapshot()
        assert loop.time() == pytest.approx(20.0, abs=1e-3)


@pytest.mark.looptime
async def test_a_delay_outlasts_an_impatient_client() -> None:
    """
    A client that gives up before a delayed reply has submitted all the same.
    """
    async with sandbox(Fault("delay", on="submit", seconds=60.0, calls=(1,))) as client:
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(5.0):
                await client.submit()
        assert client.service.log.admitted == 1
        assert (await client.status())[1]["inflight"]["total"] == 1


async def test_pages_and_redirects_arrive_as_such() -> None:
    """
    HTML stays HTML, and a redirect is not followed by the sandbox's side.
    """
    async with sandbox(
        Fault("page", status=502, calls=(1,)), Fault("redirect", calls=(2,)), Fault("garble")
    ) as client:
        async with client.session.get("/v1/async/status") as reply:
            assert (reply.status, reply.content_type) == (502, "text/html")
        async with client.session.get("/v1/async/status", allow_redirects=False) as reply:
            assert (reply.status, reply.headers["Location"][:26]) == (307, "https://elsewhere.invalid/")
        async with client.session.get("/v1/async/status") as reply:
            assert reply.content_type == "application/json"
            with pytest.raises(ValueError, match="line 1"):
                await reply.json()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.10", "example.com", ""])
def test_nothing_but_loopback_is_served(host: str) -> None:
    """
    Any other address is refused before anything is bound.
    """
    with pytest.raises(ValueError, match="loopback only"):
        SandboxServer(Service(), host=host)


async def test_a_server_without_an_address_says_so() -> None:
    """
    Before it is entered and after it is left there is no base URL to hand out.
    """
    server = SandboxServer(Service())
    with pytest.raises(RuntimeError, match="enter it first"):
        _ = server.base_url
    async with server:
        assert server.base_url.startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError, match="enter it first"):
        _ = server.base_url


async def test_a_taken_port_is_an_error_of_the_system() -> None:
    """
    A second server on the same port raises OSError and leaves nothing behind.
    """
    async with SandboxServer(Service()) as server:
        port = int(server.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match=r"(?i)address already in use"):
            await SandboxServer(Service(), port=port).__aenter__()


async def test_leaving_does_not_wait_for_what_is_under_way() -> None:
    """
    In the middle of a reply that takes half a minute, the server is gone long before.
    """
    async with (
        sandbox(Fault("slow_body", on="submit", seconds=30.0)) as client,
        client.session.post("/v1/search?mode=async", json=BODY) as reply,
    ):
        started = time.perf_counter()
        await client.server.__aexit__(None, None, None)
        assert time.perf_counter() - started < 20.0
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()


def port_of(client: Client) -> int:
    return int(client.server.base_url.rpartition(":")[2])
