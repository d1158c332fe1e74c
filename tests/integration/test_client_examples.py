"""The examples, each run as its reader would, against the embedded service."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import ClientSession, web

from pacer.sandbox import SANDBOX_KEY, Latency, SandboxServer, Service, Settings

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Service]:
    """A service that the environment points to, and a directory of one's own."""
    latency = Latency(mean=0.05, shape="constant")
    service = Service(Settings(epoch=time.time(), capacity=80, workers=60, latency=latency))
    async with SandboxServer(service) as server:
        monkeypatch.setenv("AISEARCH_API_KEY", SANDBOX_KEY)
        monkeypatch.setenv("AISEARCH_BASE_URL", server.base_url)
        monkeypatch.setenv("JOURNAL", str(tmp_path / "service.pacer.db"))
        monkeypatch.chdir(tmp_path)
        yield service


async def run(name: str, *arguments: str) -> tuple[int | None, str]:
    """Run an example; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / name), *arguments, stdout=subprocess.PIPE
    )
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


def load(name: str) -> ModuleType:
    """Import an example."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_library(fake: Service) -> None:
    """Twelve captures are printed as they end; again, from the journal, at no cost."""
    for _ in range(2):
        code, printed = await run("library.py")
        assert code == 0
        assert len(printed.splitlines()) == len(set(printed.splitlines())) == 12
        assert all(line.endswith("completed") for line in printed.splitlines())
    assert sum(entry.what == "submit" for entry in fake.log) == 6


async def test_one_shot(fake: Service) -> None:
    """The shipped requests run to their end; a missing file and a refused key have their exit codes."""
    source = str(EXAMPLES / "captures.jsonl")
    code, printed = await run("one_shot.py", source, "nightly.pacer.db")
    assert (code, printed.split(",")[0]) == (0, "200 requests")
    assert (await run("one_shot.py", source, "nightly.pacer.db"))[0] == 0
    assert sum(entry.admitted for entry in fake.log) == 200


async def test_one_shot_with_a_refused_key(fake: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, as of the command."""
    monkeypatch.setenv("AISEARCH_API_KEY", "sk_wrong_one")
    assert (await run("one_shot.py", str(EXAMPLES / "captures.jsonl"), "x.pacer.db"))[0] == 3


async def test_aiohttp_service(fake: Service) -> None:
    """Thirty callers at once get their captures; bad requests their reason; health the queue."""
    runner = web.AppRunner(load("aiohttp_service").create_app(), handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as session:

        async def ask(body: dict[str, Any]) -> tuple[int, Any]:
            async with session.post(f"{url}/captures", json=body) as reply:
                return reply.status, await (reply.json() if reply.status == 200 else reply.text())

        answers = await asyncio.gather(
            *(ask({"id": f"q{n}", "query": f"q {n}", "surfaces": ["chatgpt"]}) for n in range(30))
        )
        assert all(status == 200 and captures[0]["status"] == "completed" for status, captures in answers)
        assert (await ask({"query": "x"}))[0] == 422
        assert (await ask({"query": "x", "surfaces": ["crystal_ball"]}))[0] == 422
        assert (await ask({"id": "q1", "query": "another", "surfaces": ["chatgpt"]}))[0] == 409
        async with session.get(f"{url}/health") as reply:
            assert (await reply.json())["capacity"] == 80
    await runner.cleanup()
    assert sum(entry.admitted for entry in fake.log) == 30


class Asgi:
    """Just enough of a server to call an ASGI application: its life, and one request at a time."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Asgi:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._life = asyncio.create_task(self._app(scope, self._inbox.get, self._outbox.put))
        assert await self._say("startup") == "lifespan.startup.complete"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert await self._say("shutdown") == "lifespan.shutdown.complete"
        await self._life

    async def _say(self, word: str) -> str:
        await self._inbox.put({"type": f"lifespan.{word}"})
        return str((await self._outbox.get())["type"])

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and parsed body."""
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "state": {},
            "headers": [(b"content-type", b"application/json")],
            "scheme": "http", "server": ("test", 80), "client": ("test", 1),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []
        received = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not received:
                await asyncio.Event().wait()  # the caller stays
            return received.pop()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


async def test_fastapi_service(fake: Service) -> None:
    """Submitted, fetched later, refused with reasons; a second process picks up what the first had sent."""
    body = {"id": "q1", "query": "quiet dishwasher", "surfaces": ["chatgpt", "claude"]}
    async with Asgi(load("fastapi_service").app) as service:
        status, job = await service.call("POST", "/jobs", body)
        assert status == 202
        assert len(job["children"]) == 2
        assert (await service.call("POST", "/jobs", body))[1] == job
        assert (await service.call("POST", "/jobs", body | {"query": "another"}))[0] == 409
        assert (await service.call("POST", "/jobs", {"query": "x"}))[0] == 422
        assert (await service.call("POST", "/jobs", {"query": "x", "surfaces": ["x"]}))[0] == 422
        assert (await service.call("GET", "/jobs/nobody"))[0] == 404
        answer: dict[str, Any] = {}
        for _ in range(200):
            _, answer = await service.call("GET", "/jobs/q1")
            if answer["done"]:
                break
            await asyncio.sleep(0.05)
        assert {each["surface"] for each in answer["captures"]} == {"chatgpt", "claude"}
    assert sum(entry.admitted for entry in fake.log) == 1


async def test_notebook(fake: Service) -> None:
    """Its cells run from top to bottom, in one name space, with awaits at the top level."""
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == []  # nothing of anybody's run is shipped
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        done = eval(compile("".join(cell["source"]), f"cell {number}", "exec", flags=flags), names)
        if inspect.iscoroutine(done):
            await done
    assert len(names["captures"]) == 6
    assert all(capture.completed for capture in names["captures"])


def test_every_example_is_listed() -> None:
    """The list in examples/README.md names each file, and no other."""
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall("`(.+?)`", row)}
    left_by_runs = (".pacer.db", ".results.jsonl")
    names = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert listed == {n for n in names if not any(end in n for end in left_by_runs)} - {"README.md"}
