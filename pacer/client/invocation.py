"""
One open journal at work: the runner, the counter before it, and how both end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pacer.client.counter import Counter
from pacer.client.desk import Desk
from pacer.client.group import Group
from pacer.client.opening import OpenJournal
from pacer.client.party import Failure, Party, again
from pacer.errors import BatchStopped, PacerError, UsageError
from pacer.runner import Outcome, Runner


class Invocation:
    """
    Runs in two tasks of its own, whatever becomes of its callers.

    Attributes:
        groups: Calls under way that take many requests.

        opened: The journal.
    """

    def __init__(self, runner: Runner, desk: Desk, opened: OpenJournal, *, collect: bool) -> None:
        self.runner = runner
        self.desk = desk
        self.opened = opened
        self.groups: set[Group] = set()
        self.counter = Counter(desk, runner, opened, collect=collect)
        self._told = False
        self._finished = False
        self._running = asyncio.create_task(self._run(), name="pacer")
        self._serving = asyncio.create_task(self._serve(), name="pacer-counter")

    async def ready(self) -> None:
        """
        Wait until what was in doubt is on its way again.

        Errors:
            PacerError: The journal could not be read.
        """
        waiting = asyncio.create_task(self.runner.ready.wait())
        await asyncio.wait((waiting, self._running), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise what has ended the batch, if anything has."""
        if self.desk.failure is not None:
            raise self.desk.failure()

    def give_up(self, party: Party, waiting: Iterable[int], unsent: Iterable[int]) -> None:
        """
        End *party*'s waiting.

        Args:
            waiting: The requests it still waits for.

            unsent: Those of them that the service has not admitted: what nobody else
                waits for is taken back, if it was not sent yet.
        """
        party.gone = True
        for index in set(self.desk.leave(party, waiting)).intersection(unsent):
            self.runner.hold(index)

    async def drain(self) -> None:
        """
        Wait until all that was taken has ended; nothing more is taken.

        Errors:
            PacerError: The batch has stopped before that, and nobody was told yet.
        """
        await self.counter.settled()
        self.runner.close()
        await asyncio.wait((self._running,))
        if not self._finished and not self._told:
            self.raise_failure()

    async def stop(self) -> None:
        """Stop submitting, give what is in flight a moment, and leave the rest to the journal."""
        self.runner.interrupt("the Pacer was closed")
        try:
            await asyncio.wait((self._running,))
        finally:  # who is cancelled here is in a hurry
            self._running.cancel()
            self._serving.cancel()
            await asyncio.wait((self._running, self._serving))

    async def _run(self) -> None:
        try:
            outcome = await self.runner.run()
        except BaseException as error:
            self._fail(again(_cause(error)))
            if not isinstance(error, Exception):
                raise
        else:
            self._finished = outcome.kind == "finished"
            self._fail(again(_stopped(outcome)))

    async def _serve(self) -> None:
        try:
            await self.counter.serve()
        except Exception as error:  # noqa: BLE001 - a defect; whoever waits must hear of it
            self._fail(again(error))
            self.runner.interrupt("a defect")

    def _fail(self, failure: Failure) -> None:
        """Tell all who wait that nothing more will come."""

        def telling() -> BaseException:
            self._told = True
            return failure()

        self.desk.fail(telling)
        self.counter.fail(telling)
        for group in self.groups:
            group.fail(telling)


def _stopped(outcome: Outcome) -> PacerError:
    """Return why nothing more will come of a run that has ended like this."""
    match outcome.kind:
        case "finished":
            return UsageError("This Pacer is closed; make another one on the same journal to go on.")
        case _:
            return BatchStopped(outcome.code, outcome.reason)


def _cause(error: BaseException) -> BaseException:
    """Return the error at the heart of a task group's: ours, if there is one."""
    while isinstance(error, BaseExceptionGroup):
        ours = error.subgroup(PacerError)
        error = (error if ours is None else ours).exceptions[0]
    return error
