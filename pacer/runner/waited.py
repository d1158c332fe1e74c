"""
Sync captures: sent for callers that wait, under the same gates as everything else.

A capture goes into the journal first, like any request. Where its reply is lost,
or comes too late (504 ``SURFACE_TIMEOUT``), it is in doubt and goes the way of all
requests in doubt: sent again as an async submission with the same bytes and key,
and collected. Nobody pays twice, and nothing that was paid for is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import anyio

from pacer.api.protocol import SearchApi
from pacer.clock import Clock
from pacer.journal.entries import Returned, Sent
from pacer.journal.records import Record
from pacer.pacing.controller import PacingController
from pacer.pacing.events import SyncCapture, Unasked
from pacer.runner.calls import Timing, Verdicts, sync_captured
from pacer.runner.writer import JournalWriter
from pacer.wire.replies import Reply, SubmitOutcome
from pacer.wire.requests import most_credits

RECOUNT = 5.0
"""Seconds between snapshots while other clients of the key hold the whole lane."""


class Shop(Protocol):
    """What the runner does for a sync capture."""

    def is_wanted(self, record: Record) -> bool:
        """Return whether somebody waits for it still; if not, it is given back."""
        ...

    def queue(self, records: list[Record]) -> None:
        """Hand them to the admission queue instead."""
        ...

    def ask_status(self) -> None:
        """Have the snapshot read."""
        ...

    async def next_event(self, *, at: float) -> None:
        """Wait until something has happened, at most until *at*."""
        ...

    def settle_sync(
        self, record: Record, reply: Reply[SubmitOutcome], verdicts: Verdicts, timing: Timing
    ) -> bool:
        """Pass on what came of it; return whether it must be sent again."""
        ...


class Waited:
    """Sends sync captures one after the other as the lane has room, and waits for each."""

    def __init__(
        self,
        api: SearchApi,
        controller: PacingController,
        writer: JournalWriter,
        shop: Shop,
        *,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._api = api
        self._controller = controller
        self._writer = writer
        self._shop = shop
        self._clock = clock
        self._jitter = jitter
        self._turn = anyio.Lock()

    async def capture(self, record: Record) -> None:
        """
        Bring *record*, which the journal has, through the lane.

        Errors:
            PacerError: The journal is lost.
        """
        again, call = True, SyncCapture(most_credits(record.surfaces, record.fan_out))
        while again:
            async with self._turn:
                if not await self._room(record, call):
                    return
                self._controller.capturing(call, now=self._clock.monotonic())
            again = await self._send(record, call)

    async def _room(self, record: Record, call: SyncCapture) -> bool:
        """Wait for room; return whether the capture is still wanted then."""
        controller, clock = self._controller, self._clock
        recount_at = clock.monotonic()
        while self._shop.is_wanted(record):
            if controller.exceeds_limits(call):
                self._shop.queue([record])  # behind all others, where the batch ends
                return False
            now = clock.monotonic()
            at = controller.capture_at(now=now)
            if at <= now:
                return True
            if not controller.sync.has_room and not controller.sync.running:
                if now >= recount_at:
                    self._shop.ask_status()
                    recount_at = now + RECOUNT
                at = min(at, recount_at)
            await self._shop.next_event(at=at)
        return False

    async def _send(self, record: Record, call: SyncCapture) -> bool:
        """Send it, its intent first; return whether it must be sent again."""
        await self._writer.commit(Sent(record.index, self._clock.wall()))
        sent_at = self._clock.monotonic()
        if not self._controller.may_send(now=sent_at, submission=False):
            self._writer.add(Returned(record.index))
            self._controller.receive(Unasked(sent_at, call))
            return True
        reply = await self._api.capture(record.body)
        timing = Timing(sent_at, self._clock.monotonic(), self._clock.wall())
        verdicts = sync_captured(
            reply.outcome, record.index, timing, call, window=reply.window, jitter=self._jitter
        )
        return self._shop.settle_sync(record, reply, verdicts, timing)
