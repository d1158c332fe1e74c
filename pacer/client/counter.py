"""
Where requests come in: looked up in the journal, then sent, waited for or answered from it.

One task serves all callers, a page at a time and in the order in which they
asked: a thousand calls of ``submit`` at once are one look into the journal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pacer.client.desk import Desk, Watch, tell_all
from pacer.client.job import Job
from pacer.client.opening import OpenJournal
from pacer.client.outcomes import CaptureResult
from pacer.client.party import Ended, Failure, Party, again
from pacer.errors import PacerError, UsageError
from pacer.intake import random_keys, to_record
from pacer.journal.entries import Rejected
from pacer.journal.records import Record
from pacer.journal.views import Standing
from pacer.runner import Runner
from pacer.wire.problems import shown
from pacer.wire.requests import CaptureRequest, keyed

PAGE = 500
"""Requests looked up at once."""

STALE = {
    "code": "IN_DOUBT",
    "message": "sent more than 24 hours ago and never answered; resend_in_doubt=True sends it again",
}


class Asked(NamedTuple):
    """A request somebody wants to wait for; *sync*: through the sync lane."""

    request: CaptureRequest
    party: Party
    sync: bool


@dataclass(frozen=True, slots=True)
class Late:
    """
    A party that joins a request which somebody asked for before.

    Attributes:
        in_hand: The runner had it when the party joined, and will bring it to its end.
    """

    watch: Watch
    record: Record
    in_hand: bool


class Counter:
    """
    Turns what is asked into records of the journal, each id and each key once.

    Args:
        opened: The journal. Its token is the stem of keys and of the ids that pacer makes.

        collect: Whether captures are read; without it a request has ended once it is admitted.
    """

    def __init__(
        self,
        desk: Desk,
        runner: Runner,
        opened: OpenJournal,
        *,
        collect: bool,
    ) -> None:
        self._desk = desk
        self._runner = runner
        self._journal = opened.journal
        self._run_blocking = opened.run_blocking
        self._token = opened.token
        self._keys = random_keys(opened.token)
        self._next_index = opened.requests
        self._collect = collect
        self._asked: list[Asked] = []
        self._page: list[Asked] = []
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def ask(self, request: CaptureRequest, party: Party, *, sync: bool = False) -> None:
        """Take a request in; *party* will hear."""
        self._asked.append(Asked(request, party, sync))
        self._filled.set()
        self._idle.clear()

    async def settled(self) -> None:
        """Wait until all that was asked has reached the runner or its party."""
        await self._idle.wait()

    async def serve(self) -> None:
        """Serve for ever; cancel it to end."""
        while True:
            await self._filled.wait()
            self._page, self._asked = self._asked[:PAGE], self._asked[PAGE:]
            try:
                await self._place(self._page)
            except PacerError as error:  # the journal is lost, and with it the batch
                fail_all(self._page, again(error))
            self._page = []
            if not self._asked:
                self._filled.clear()
                self._idle.set()

    async def join(self, ids: Sequence[str]) -> list[Job]:
        """Return a job for each of these requests, which earlier invocations have sent."""
        late = []
        jobs = []
        for standing in await self._run_blocking(lambda: self._journal.find(ids, ())):
            record, job = standing.record, Job()
            watch = self._desk.watch(job, record.index, record.id, record.fan_out, late=True)
            assert watch is not None, "a job joins once"
            late.append(Late(watch, record, self._runner.keep(record.index)))
            jobs.append(job)
        await self._catch_up(late)
        return jobs

    def fail(self, failure: Failure) -> None:
        """Turn away all who have asked and have not been told anything yet."""
        asked, self._asked = self._page + self._asked, []
        fail_all(asked, failure)
        self._idle.set()

    async def _place(self, page: Sequence[Asked]) -> None:
        known = await self._known(page)
        late: list[Late] = []
        settled: list[tuple[Party, Standing]] = []
        for asked in page:
            if asked.party.gone:
                continue
            if self._desk.failure is not None:
                asked.party.fail(self._desk.failure)
                continue
            standing = known.find(asked.request)
            if standing is None:
                known.add(self._send(asked))
            elif (complaint := _difference(asked.request, standing.record)) is not None:
                _refuse(asked, complaint)
            elif standing.state in ("done", "rejected"):
                settled.append((asked.party, standing))
            else:
                record = standing.record
                watch = self._desk.watch(asked.party, record.index, record.id, record.fan_out, late=True)
                if watch is not None:
                    late.append(Late(watch, record, self._runner.keep(record.index)))
        await self._answer(settled)
        await self._catch_up(late)

    def _send(self, asked: Asked) -> Record:
        """Give the request its number, and let the runner have it."""
        request, index = asked.request, self._next_index
        self._next_index += 1
        if request.id is None:
            request = request.model_copy(update={"id": f"{self._token}-{index}"})
        record = to_record(request, index=index, line=index + 1, keys=self._keys)
        self._desk.watch(asked.party, index, record.id, record.fan_out)
        self._runner.add(record, sync=asked.sync)
        return record

    async def _known(self, page: Sequence[Asked]) -> Known:
        """Return what the journal has under the ids and keys that were given."""
        ids = [asked.request.id for asked in page if asked.request.id is not None]
        keys = [asked.request.idempotency_key for asked in page if asked.request.idempotency_key is not None]
        if not (ids or keys) or not self._next_index:
            return Known(())
        await self._runner.flush()  # what was added before must be found
        return Known(await self._run_blocking(lambda: self._journal.find(ids, keys)))

    async def _answer(self, settled: Sequence[tuple[Party, Standing]]) -> None:
        """Answer from the journal what has ended already."""
        wanted = [
            (party, standing)
            for party, standing in settled
            if party.join(standing.record.index, standing.record.id, standing.record.fan_out)
        ]
        rows = await self._rows([standing for _, standing in wanted])
        for party, standing in wanted:
            tell_all(party, standing, rows[standing.record.index])

    async def _catch_up(self, late: Sequence[Late]) -> None:
        """Tell those who join what was before; send again what nobody has in hand."""
        if not late:
            return
        await self._runner.flush()
        ids = [each.record.id for each in late]
        found = await self._run_blocking(lambda: self._journal.find(ids, ()))
        now = {standing.record.index: standing for standing in found}
        rows = await self._rows(list(now.values()))
        for each in late:
            index = each.record.index
            each.watch.catch_up(now[index], rows[index])
            self._go_on(each, now[index])

    def _go_on(self, late: Late, standing: Standing) -> None:
        """See to it that a request which somebody has joined comes to its end."""
        party, index = late.watch.party, standing.record.index
        match standing.state:
            case "done" | "rejected":
                self._desk.leave(party, [index])
            case "accepted" if not self._collect:
                party.hear(index, Ended())
                self._desk.leave(party, [index])
            case "pending" if not (late.in_hand or party.gone or self._runner.keep(index)):
                self._runner.resume(standing.record)
            case "sent" if not late.in_hand:
                self._desk.rejected(index, Rejected(index, 0.0, STALE, "unknown"))

    async def _rows(self, standings: Sequence[Standing]) -> dict[int, list[CaptureResult]]:
        indexes = [standing.record.index for standing in standings]
        rows: dict[int, list[CaptureResult]] = {index: [] for index in indexes}
        if indexes:
            for row in await self._run_blocking(lambda: self._journal.rows_of(indexes)):
                rows[row.index].append(CaptureResult.of_row(row))
        return rows


class Known:
    """What stands in the journal already, by id and by key."""

    def __init__(self, standings: Sequence[Standing]) -> None:
        self._by_id = {standing.record.id: standing for standing in standings}
        self._by_key = {standing.record.key: standing for standing in standings}

    def find(self, request: CaptureRequest) -> Standing | None:
        """Return what has the request's id, else what has its key."""
        standing = None if request.id is None else self._by_id.get(request.id)
        if standing is None and request.idempotency_key is not None:
            standing = self._by_key.get(request.idempotency_key)
        return standing

    def add(self, record: Record) -> None:
        """Take note of a record that has just been made."""
        self._by_id[record.id] = self._by_key[record.key] = Standing(record, "pending", None, ())


def fail_all(page: Sequence[Asked], failure: Failure) -> None:
    """Tell all who asked that it cannot be done."""
    for asked in page:
        asked.party.fail(failure)


def _refuse(asked: Asked, complaint: str) -> None:
    asked.party.fail(lambda: UsageError(complaint))


def _difference(request: CaptureRequest, record: Record) -> str | None:
    """Return why *request* is not the one in the journal, or None if it is."""
    if request.id is not None and request.id != record.id:
        key = shown(request.idempotency_key or "")
        return f"The idempotencyKey {key} belongs to the request {shown(record.id)} of this journal."
    key = record.key if request.idempotency_key is None else request.idempotency_key
    body = keyed(request.unkeyed_body(), key)
    # Another version of pacer may have spelled the same body otherwise.
    if body == record.body or json.loads(body) == json.loads(record.body):
        return None
    return (
        f"The request {shown(record.id)} stands in this journal with another body. "
        "Give the new one another id, or use another journal."
    )
