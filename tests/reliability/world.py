"""
One batch in a world of a seed's making: invocation after invocation, until it has ended.

Everything is real but the network, the clock and the service: runner, core,
journal (SQLite, on a disk of memory), results file, parsers.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pacer.instrumentation.happening import Happening
from pacer.intake import random_keys, take_in_requests
from pacer.journal.records import Batch, Json
from pacer.journal.sqlite import SqliteJournal
from pacer.pacing.policy import UnitChoice
from pacer.runner import Outcome
from pacer.sandbox import SANDBOX_KEY, Service
from tests.reliability.checker import Asked, History, Invocation, check
from tests.reliability.network import Network
from tests.reliability.plan import HEALED, End, Plan
from tests.reliability.process import Process, Stuck
from tests.reliability.virtual import VirtualLoop

MOST_INVOCATIONS = 80
AFTER_A_STOP = (5.0, 60.0, 300.0, 1800.0)
"""Seconds until someone runs it again after a stop; the last for ever."""

TOKEN = "reliability-test-batch"


@dataclass(slots=True)
class Report:
    """
    What became of a run.

    Attributes:
        violations: Broken promises.

        outcomes: How each invocation ended.

        happened: What each of them told.

        history: What it was judged by.
    """

    violations: list[str]
    outcomes: list[str]
    happened: list[Happening]
    history: History

    @property
    def seconds(self) -> float:
        """Virtual time it took."""
        return self.history.invocations[-1].ended


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a directory in memory, where there is one: an fsync costs nothing there."""
    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="pacer-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def run(plan: Plan) -> Report:
    """Run *plan* in virtual time; the same plan always gives the same report."""
    loop = VirtualLoop()
    try:
        with scratch() as place:
            return loop.run_until_complete(World(plan, place).run())
    finally:
        loop.close()


class World:
    """
    A service, a disk, and one process after the other.
    """

    def __init__(self, plan: Plan, place: Path) -> None:
        self.plan = plan
        self.journal_path = place / "batch.pacer.db"
        self.results_path = place / "batch.results.jsonl"
        self.service = Service(plan.service, seed=plan.seed, faults=plan.faults)
        self.network = Network(self.service, rtt=plan.rtt, late=plan.late, seed=plan.seed)
        self.clock_offset = plan.clock_offset
        self.asked: list[Asked] = []
        self.invocations: list[Invocation] = []
        self.outcomes: list[str] = []
        self.happened: list[Happening] = []
        self.violations: list[str] = []
        self.finished = False

    async def run(self) -> Report:
        """Invoke pacer until the batch has ended, and judge."""
        self._take_in()
        ends = iter(self.plan.ends)
        stops = 0
        try:
            while not self.finished and not self._given_up(stops):
                end = next(ends, End())
                outcome = await self._invoke(end)
                stops += outcome is not None and outcome.kind == "stopped"
                self._tear(end)
                self._tamper(end)
                self.clock_offset += end.clock_step
                await asyncio.sleep(self._pause(end, outcome, stops))
        except Stuck as stuck:
            self.violations.append(str(stuck))
        history = self._history()
        self.violations += check(history)
        return Report(self.violations, self.outcomes, self.happened, history)

    def _take_in(self) -> None:
        journal = SqliteJournal.open(self.journal_path, create=True)
        with journal.intake() as writer:
            take_in_requests(self.plan.requests, writer, keys=random_keys(TOKEN))
            created_at = self.service.settings.epoch
            writer.commit(
                Batch(token=TOKEN, source="x", input_sha256="", base_url="mem:", created_at=created_at)
            )
        self.asked = [
            Asked(request.id, request.index, request.key, request.fan_out)
            for request in journal.pending(after=-1, limit=10_000)
        ]
        journal.close()

    # One process ------------------------------------------------------------------------

    async def _invoke(self, end: End) -> Outcome | None:
        """Let one process work until it ends by itself or is killed (None)."""
        loop = asyncio.get_running_loop()
        number, began = len(self.invocations), loop.time()
        self.invocations.append(Invocation(began, float("inf"), clock_offset=self.clock_offset))
        process = Process(
            plan=replace(self.plan, resend_in_doubt=self.plan.resend_in_doubt or self._insists(began)),
            journal=self.journal_path,
            results=self.results_path,
            network=self.network,
            epoch=self._epoch,
            number=number,
            end=end,
            happened=self.happened,
        )
        outcome = await process.live()
        ended = loop.time()
        self.invocations[-1] = Invocation(began, ended, outcome is None, self.clock_offset)
        self._judge(outcome, end, ended - began)
        return outcome

    @property
    def _epoch(self) -> float:
        """What the machine's wall clock showed at time 0, by its present setting."""
        return self.service.settings.epoch + self.clock_offset

    def _judge(self, outcome: Outcome | None, end: End, seconds: float) -> None:
        """Whether it ended as this plan allows."""
        if outcome is None:
            self.outcomes.append(f"crashed after {seconds:,.3f} s")
            return
        self.outcomes.append(f"{outcome.kind} {outcome.code} after {seconds:,.3f} s")
        self.finished = outcome.kind == "finished"
        booked = sum(outcome.statistics.account.values())
        if abs(booked - outcome.seconds) > 1e-6 * max(1.0, outcome.seconds):
            self.violations.append(f"its account adds up to {booked:.6f} s of {outcome.seconds:.6f} s")
        if outcome.kind == "stopped" and outcome.code not in self.plan.may_stop:
            self.violations.append(
                f"stopped with {outcome.code} ({outcome.reason}), for which there was no cause"
            )
        if end.interrupt is not None and outcome.kind == "interrupted" and seconds > end.interrupt + 5.0:
            self.violations.append(f"it took {seconds - end.interrupt:.1f} s to stop when asked to")

    # Between two processes -----------------------------------------------------------------

    def _given_up(self, stops: int) -> bool:
        """Whether nothing more will happen, which only a request that always fails may cause."""
        if len(self.invocations) >= MOST_INVOCATIONS:
            raise Stuck(f"not finished after {MOST_INVOCATIONS} invocations; the last: {self.outcomes[-3:]}")
        healed = asyncio.get_running_loop().time() > HEALED
        last = [outcome.split()[1] for outcome in self.outcomes[-3:]]
        stuck = stops >= 4 and {*last} <= {"NO_PROGRESS", "OUTAGE"}
        return bool(self.plan.open_ended) and healed and stuck

    def _insists(self, now: float) -> bool:
        """Whether the user, whom other clients have held up for a day, has what is in doubt sent again."""
        return len(self.outcomes) > len(self.plan.ends) + 1 and now > 86_400.0

    def _pause(self, end: End, outcome: Outcome | None, stops: int) -> float:
        if outcome is None or outcome.kind == "interrupted":
            return end.pause
        if outcome.kind == "finished":
            return 0.0
        if outcome.code == "RETRY_AFTER_TOO_LONG" and stops > 3:
            return max(0.0, self._opens_at() - asyncio.get_running_loop().time())
        return AFTER_A_STOP[min(stops, len(AFTER_A_STOP)) - 1]

    def _opens_at(self) -> float:
        """When the last of the gates that the journal knows opens, in the world's time."""
        journal = SqliteJournal.open(self.journal_path, read_only=True)
        try:
            return max(journal.gates().values(), default=self._epoch) - self._epoch
        finally:
            journal.close()

    def _tear(self, end: End) -> None:
        """A crash leaves any part of what was being appended to the results."""
        if end.tear >= 1.0 or not self.results_path.exists():
            return
        journal = SqliteJournal.open(self.journal_path, read_only=True)
        try:
            records = journal.projections()
        finally:
            journal.close()
        recorded = max((record.offset for record in records.values()), default=0)
        size = self.results_path.stat().st_size
        os.truncate(self.results_path, recorded + int((size - recorded) * end.tear))

    def _tamper(self, end: End) -> None:
        """Someone meddles with the results."""
        match end.tamper:
            case "delete":
                self.results_path.unlink()
            case "truncate":
                os.truncate(self.results_path, self.results_path.stat().st_size // 2)
            case "edit":
                text = self.results_path.read_text()
                self.results_path.write_text(text.replace("completed", "perfected", 1))

    # Afterwards -----------------------------------------------------------------------------

    def _history(self) -> History:
        lines = self._lines()
        return History(
            asked=self.asked,
            exchanges=self.network.exchanges(),
            lines=lines,
            invocations=self.invocations,
            finished=self.finished or bool(self.plan.open_ended),
            collect=self.plan.policy.collect,
            unit=self._unit(),
            reserve=self.plan.policy.reserve,
            probe=self.plan.policy.probe,
            open_ended=frozenset(self.plan.open_ended),
            secret=SANDBOX_KEY,
            haystacks=self._haystacks(),
        )

    def _unit(self) -> str:
        """
        What its waves are judged by.

        Where others submit, captures stay in flight for ever, the number of workers changes, or
        snapshots are old, they lie about what our requests add to depth, and no client can know the
        unit for sure: then by the least of all.
        """
        service = self.plan.service
        lies = service.tenants or service.endless or any(c.field == "workers" for c in service.schedule)
        lies = lies or any(fault.kind == "stale" for fault in self.plan.faults)
        guessed = self.plan.policy.unit is UnitChoice.AUTO
        return "parents" if lies and guessed else self.plan.service.unit

    def _lines(self) -> list[dict[str, Json]]:
        text = self.results_path.read_text() if self.results_path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def _haystacks(self) -> dict[str, bytes]:
        found = {path.name: path.read_bytes() for path in self.journal_path.parent.iterdir()}
        journal = SqliteJournal.open(self.journal_path, read_only=True)
        try:
            rows: list[Any] = [*journal.rows(after=0, limit=10_000), *journal.notes()]
        finally:
            journal.close()
        return found | {
            "the journal's rows": repr(rows).encode(),
            "what was told": repr(self.happened).encode(),
            "the outcomes": repr(self.outcomes).encode(),
        }
