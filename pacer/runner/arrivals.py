"""
What a serving run takes in while it works: new requests, held ones, sync captures.
"""

from __future__ import annotations

from anyio.abc import TaskGroup

from pacer.clock import Clock
from pacer.errors import PacerError
from pacer.journal.entries import Appended, Rejected
from pacer.journal.records import Record
from pacer.pacing.controller import PacingController
from pacer.pacing.events import Adopted
from pacer.runner.bell import Bell
from pacer.runner.calling import Calling
from pacer.runner.calls import Timing, Verdicts, ended_with
from pacer.runner.ends import Ends
from pacer.runner.feeder import Feeder
from pacer.runner.hand import InHand
from pacer.runner.notebook import Notebook
from pacer.runner.observer import Observer
from pacer.runner.progress import Progress
from pacer.runner.waited import Waited
from pacer.runner.writer import JournalWriter
from pacer.wire.replies import Admitted, Refused, Reply, SubmitOutcome, Throttled, Unclear, Verdict


class Arrivals:
    """Brings requests from callers to the core, durably and in order."""

    def __init__(
        self,
        hand: InHand,
        controller: PacingController,
        writer: JournalWriter,
        notebook: Notebook,
        observer: Observer,
        ends: Ends,
        calling: Calling,
        feeder: Feeder,
        progress: Progress,
        bell: Bell,
        *,
        clock: Clock,
        collect: bool,
    ) -> None:
        self._hand = hand
        self._controller = controller
        self._writer = writer
        self._notebook = notebook
        self._observer = observer
        self._ends = ends
        self._calling = calling
        self._feeder = feeder
        self._progress = progress
        self._bell = bell
        self._clock = clock
        self._collect = collect
        self._arrived: list[Record] = []
        self._to_capture: list[Record] = []
        self._resumed: list[Record] = []

    # From callers -----------------------------------------------------------------------

    def add(self, record: Record, *, sync: bool) -> None:
        """Take one more request; through the sync lane if *sync*."""
        self._writer.add(Appended(record))
        (self._to_capture if sync else self._arrived).append(record)
        self._hand.incoming.add(record.index)
        self._bell.ring()

    def resume(self, record: Record) -> None:
        """Send a request that stands in the journal as pending and is not in hand."""
        self._resumed.append(record)
        self._hand.incoming.add(record.index)
        self._bell.ring()

    def hold(self, index: int) -> None:
        """Do not send this request now, unless that is done already."""
        if self._ends.is_queued(index):
            self._ends.give_back(index)
            self._bell.ring()
        else:
            self._hand.held.add(index)

    def keep(self, index: int) -> bool:
        """Take a :meth:`hold` back; return whether the request is in hand."""
        self._hand.held.discard(index)
        return index in self._hand.requests or index in self._hand.incoming

    def ask_status(self) -> None:
        """Read the snapshot as soon as gates and window allow it."""
        self._controller.want_snapshot(now=self._clock.monotonic())
        self._bell.ring()

    # To the core ------------------------------------------------------------------------

    def bring(self, calls: TaskGroup, waited: Waited) -> None:
        """Start what has come since the last look."""
        if self._arrived:
            records, self._arrived = self._arrived, []
            calls.start_soon(self._take, records)
        while self._to_capture:
            calls.start_soon(self._capture, self._to_capture.pop(), waited)
        if self._resumed:
            records, self._resumed = self._resumed, []
            self.queue(records)

    async def _take(self, records: list[Record]) -> None:
        """Make what has arrived durable, all in one transaction, then queue it in order."""
        try:
            await self._writer.commit()
        except PacerError:
            return  # the run ends on the writer's failure
        self._count(*records)
        self.queue(records)

    def queue(self, records: list[Record]) -> None:
        """Hand over what stands in the journal, but for what was given up meanwhile."""
        self._feeder.take([record for record in records if self.is_wanted(record)])
        self._hand.incoming.difference_update(record.index for record in records)
        self._bell.ring()

    def _count(self, *records: Record) -> None:
        self._progress.requests += len(records)
        self._progress.captures += sum(record.fan_out for record in records)

    # Sync captures ------------------------------------------------------------------------

    async def _capture(self, record: Record, waited: Waited) -> None:
        try:
            await self._writer.commit()
            self._count(record)
            await waited.capture(record)
        except PacerError:
            return  # the run ends on the writer's failure

    def is_wanted(self, record: Record) -> bool:
        """Return whether somebody waits for it still; if not, it is pending again."""
        if record.index not in self._hand.held:
            return True
        self._hand.held.discard(record.index)
        self._hand.incoming.discard(record.index)
        self._observer.held(record.index)
        self._bell.ring()
        return False

    async def next_event(self, *, at: float) -> None:
        """Wait until something has happened, at most until *at*."""
        await self._bell.rings_next(within=at - self._clock.monotonic())

    def settle_sync(
        self, record: Record, reply: Reply[SubmitOutcome], verdicts: Verdicts, timing: Timing
    ) -> bool:
        """Pass on what came of a sync capture; return whether it must be sent again."""
        self._calling.end_call(verdicts, reply, timing)
        index, outcome = record.index, reply.outcome
        if isinstance(outcome, Throttled):
            return True
        self._hand.incoming.discard(index)
        match outcome:
            case Admitted():
                known = self._ends.admitted(index, record.id, record.fan_out, outcome, verdicts)
                if self._collect and known.left:
                    # The service took it for an async one: it is read like any other.
                    now = self._clock.monotonic()
                    children, ended = len(known.children), ended_with(outcome)
                    self._controller.receive(Adopted(now, index, now, children, record.surfaces, ended))
                    self._bell.ring()
            case Unclear():
                self._ends.doubted(index, record.id, outcome, sent=True)
                self._feeder.doubt(record)
            case Refused(verdict=Verdict.ASIDE):
                self.queue([record])
            case Refused():
                for entry in verdicts.entries:
                    if isinstance(entry, Rejected):
                        self._ends.rejected(index, record.id, entry)
        self._hand.held.discard(index)
        return False
