"""
What a crash test stands on: a service in this loop, pacer in processes of its own, a directory between them.

The test lives on when the process dies, and so does the service: its log is
looked at while things happen, and the whole is judged by the history checker.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from pacer.errors import PacerError
from pacer.journal.sqlite import SqliteJournal
from pacer.sandbox import Entry, Fault, Latency, SandboxServer, Service, Settings
from pacer.sandbox.exchange import Answer, Call
from tests.reliability.checker import Asked, Exchange, History, Invocation
from tests.reliability.checker.admissions import admissions
from tests.reliability.checker.check import secrets
from tests.reliability.checker.gates import gates
from tests.reliability.checker.results import results

KEY = "sk_test_marker_c41f7e09_for_nobody_else"
"""The API key: where this stands, it has leaked."""

IN_FLIGHT = 1.5
"""Seconds after a reply within which calls may still arrive that left before it was read: on a busy machine
either end may not run for a second."""

DURABLE = 0.3
"""Seconds within which what a process has read is on its disk; the promise is 0.2."""

Preparation: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass(slots=True)
class Running:
    """A command under way; what it says is taken in as it comes."""

    process: asyncio.subprocess.Process
    began: float
    out: asyncio.Task[bytes]
    err: asyncio.Task[bytes]

    async def ended(self, within: float = 60.0) -> Ran:
        """Wait for its end; one that takes longer is killed, and the test fails."""
        try:
            async with asyncio.timeout(within):
                await self.process.wait()
        finally:
            if self.process.returncode is None:
                self.process.kill()
                await self.process.wait()
            out, err = (await self.out).decode(), (await self.err).decode()
        return Ran(self.process.returncode or 0, out, err, time.monotonic() - self.began)

    async def signalled(self, signum: int) -> Ran:
        """Send *signum* and wait for the end; *seconds* are those since the signal."""
        sent = time.monotonic()
        self.process.send_signal(signum)
        ran = await self.ended()
        return replace(ran, seconds=time.monotonic() - sent)

    async def kill(self) -> Ran:
        """End it as a power cut would, if it has not ended; return when what it had sent has arrived."""
        with suppress(ProcessLookupError):
            self.process.kill()
        ran = await self.ended()
        await asyncio.sleep(0.1)
        return ran


class HeldService(Service):
    """
    A service whose first job does not end as long as it is held: nor does any batch meanwhile.

    Attributes:
        held: Its captures are shown as running, whatever they are.
    """

    held: bool = False

    def handle(self, call: Call, *, now: float) -> Answer:
        """Answer, and hold back."""
        answer = super().handle(call, now=now)
        job = next((entry.job for entry in self.log if entry.admitted), "")
        if self.held and job and call.path.startswith(f"/v1/jobs/{job}") and isinstance(answer.body, dict):
            answer.body = copy.deepcopy(answer.body)
            for part in (answer.body, *answer.body.get("children", ())):
                for told in (part, part.get("job", {})):
                    told["status"] = "processing"
        return answer


@dataclass
class Scene:
    """
    One batch, its files, and all that happens to them.

    Attributes:
        folder: Where the commands run.

        service: Its log is the judge's.

        url: Where pacer finds it.

        asked: The batch, once written.

        invocations: Every command that was started with :meth:`run`, on the service's clock.

        said: What the commands wrote to standard output and error.
    """

    folder: Path
    service: HeldService
    url: str
    now: Callable[[], float]
    asked: list[Asked] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        """The batch's journal."""
        return self.folder / "batch.pacer.db"

    @property
    def out(self) -> Path:
        """The batch's results."""
        return self.folder / "batch.results.jsonl"

    def write(self, number: int, fan_outs: Sequence[int] = (1,)) -> None:
        """Write ``batch.jsonl``, under keys of our own: the judge knows them without asking the journal."""
        made = [_request(n, fan_outs[n % len(fan_outs)]) for n in range(number)]
        (self.folder / "batch.jsonl").write_text("".join(json.dumps(request) + "\n" for request in made))
        self.asked = [
            Asked(request["id"], n, request["idempotencyKey"], fan_outs[n % len(fan_outs)])
            for n, request in enumerate(made)
        ]

    async def start(
        self, *words: str, limit: int | None = None, prepare: Preparation | None = None, **variables: str
    ) -> Running:
        """
        Start a command.

        Args:
            words: After ``pacer``.

            limit: The largest file, in bytes, that it may write.

            prepare: Runs in the new process before pacer does.

            variables: Of its environment.
        """
        return await self._start([sys.executable, "-m", "pacer", *words], limit, prepare, variables)

    async def start_python(self, program: str, *words: str, **variables: str) -> Running:
        """Start *program*, which runs pacer in a way of its own."""
        return await self._start([sys.executable, "-c", program, *words], None, None, variables)

    async def _start(
        self, command: list[str], limit: int | None, prepare: Preparation | None, variables: dict[str, str]
    ) -> Running:
        def first() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            if prepare is not None:
                prepare()

        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=environment(AISEARCH_BASE_URL=self.url, AISEARCH_API_KEY=KEY) | variables,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=first,
            limit=2**24,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        return Running(
            process,
            began,
            asyncio.create_task(process.stdout.read()),
            asyncio.create_task(process.stderr.read()),
        )

    async def run(
        self,
        *words: str,
        kill_after: float | None = None,
        kill_when: Callable[[], bool] | None = None,
        **options: Any,
    ) -> Ran:
        """
        Run the batch: ``pacer run batch.jsonl`` and *words*.

        Args:
            kill_after: SIGKILL that many seconds after its start.

            kill_when: SIGKILL as soon as this is so.

            options: See :meth:`start`.
        """
        began = self.now()
        running = await self.start("run", "batch.jsonl", *words, **options)
        if kill_after is not None:
            await asyncio.wait((running.out,), timeout=kill_after)
        elif kill_when is not None:
            await self.until(kill_when, running)
        killed_at = self.now()
        ran = await (running.kill() if kill_after is not None or kill_when else running.ended())
        self.note(began, ran, killed_at)
        return ran

    def note(self, began: float, ran: Ran, killed_at: float | None = None) -> None:
        """Keep for the judge that a command has run since *began*."""
        crashed = ran.code == -signal.SIGKILL
        ended = killed_at - DURABLE if crashed and killed_at is not None else self.now()
        self.invocations.append(Invocation(began, ended, crashed))
        self.said += [ran.out, ran.err]

    def gates(self) -> dict[str, float]:
        """Return the gates that the journal knows; empty as long as it knows none."""
        try:
            with closing(SqliteJournal.open(self.journal, read_only=True)) as journal:
                return dict(journal.gates())
        except PacerError:
            return {}

    def is_held_by(self, running: Running) -> bool:
        """Return whether *running* has opened the journal."""
        lock = self.journal.with_name(f"{self.journal.name}-lock")
        return lock.exists() and lock.read_text() == f"{running.process.pid}\n"

    def recorded(self) -> int:
        """Return how much of the results the journal has on record, in bytes."""
        try:
            with closing(SqliteJournal.open(self.journal, read_only=True)) as journal:
                return max((record.offset for record in journal.projections().values()), default=0)
        except PacerError:
            return 0

    async def until(
        self, condition: Callable[[], bool], running: Running | None = None, within: float = 60.0
    ) -> None:
        """Wait until *condition* holds or *running* has ended."""
        deadline = time.monotonic() + within
        while not condition() and (running is None or running.process.returncode is None):
            assert time.monotonic() < deadline, "what was waited for does not happen"
            await asyncio.sleep(0.005)

    def listed(self) -> int:
        """Return how many results there are so far; one may be half written."""
        return self.out.read_bytes().count(b"\n") if self.out.exists() else 0

    def lines(self, path: Path | None = None) -> list[dict[str, Any]]:
        """Return the results."""
        path = path or self.out
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def submissions(self) -> list[Entry]:
        """Return what was submitted so far."""
        return [entry for entry in self.service.log if entry.what == "submit"]

    def violations(self, *, finished: bool = True) -> list[str]:
        """
        Return every promise broken so far, as a sentence.

        Whether waves fit the headroom is not judged: only the process knew what
        it had read when it sent them. What shows instead is whether there was a 429.
        """
        history = History(
            asked=self.asked,
            exchanges=[exchange(entry) for entry in self.service.log],
            lines=self.lines(),
            invocations=self.invocations,
            finished=finished,
            secret=KEY,
            haystacks={path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
            | {f"what command {n} said": text.encode() for n, text in enumerate(self.said)},
        )
        return [*admissions(history), *results(history), *gates(history), *secrets(history)]


def exchange(entry: Entry) -> Exchange:
    """
    Return what is known of a call at the service's end of the wire.

    It left when it came at the latest, and what it was told is known
    :data:`IN_FLIGHT` later; a Retry-After counts from when the reply left.
    """
    if entry.retry_seconds is not None:
        entry = replace(entry, retry_seconds=max(0.0, entry.retry_seconds - IN_FLIGHT))
    return Exchange(entry, entry.at, entry.at + entry.delay + IN_FLIGHT, lost=bool(entry.cut))


def environment(**more: str) -> dict[str, str]:
    """Return this environment without anything that pacer reads from it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AISEARCH_", "PACER_"))}
    return {**kept, "NO_COLOR": "1", **more}


def settings(*, latency: float = 0.1, **changed: Any) -> Settings:
    """Return a small and quick service that takes our key."""
    values: dict[str, Any] = {"capacity": 40, "workers": 20, "retry_after": 1.0}
    return Settings(
        api_keys=frozenset({KEY}), epoch=time.time(), latency=Latency(mean=latency), **(values | changed)
    )


@asynccontextmanager
async def scene(
    folder: Path,
    chosen: Settings | None = None,
    faults: Iterable[Fault] = (),
    port: int = 0,
    *,
    held: bool = False,
) -> AsyncIterator[Scene]:
    """Serve, and clean up; *held*: no batch ends until ``service.held`` is taken back."""
    service = HeldService(chosen or settings(), seed=7, faults=tuple(faults))
    service.held = held
    began = time.monotonic()

    def now() -> float:
        return time.monotonic() - began

    async with SandboxServer(service, clock=now, port=port) as server:
        yield Scene(folder, service, server.base_url, now)


def _request(n: int, fan_out: int) -> dict[str, Any]:
    surfaces, regions = {1: (1, 1), 2: (2, 1), 4: (2, 2), 9: (3, 3)}[fan_out]
    return {
        "id": f"q{n}",
        "query": f"question {n}",
        "surfaces": ["chatgpt", "claude", "gemini"][:surfaces],
        "regions": ["US", "DE", "FR"][:regions],
        "idempotencyKey": f"key-{n:05}",
    }
