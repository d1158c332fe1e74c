"""
How requests and captures leave our hands: admitted, ended, given up, given back.
"""

from __future__ import annotations

from pacer.clock import Clock
from pacer.journal.entries import CaptureEnded, Closed, Rejected, Sent
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import GiveUp
from pacer.pacing.events import Dropped
from pacer.runner.calls import KnownJob, Verdicts
from pacer.runner.hand import InHand
from pacer.runner.notebook import Notebook
from pacer.runner.observer import Observer
from pacer.runner.writer import JournalWriter
from pacer.wire.replies import Admitted, Unclear


class Ends:
    """
    Keeps what is in hand true, and tells notebook and observer.

    Args:
        collect: Captures are read; otherwise a request has ended once it is admitted.
    """

    def __init__(
        self,
        hand: InHand,
        controller: PacingController,
        writer: JournalWriter,
        notebook: Notebook,
        observer: Observer,
        *,
        clock: Clock,
        collect: bool,
    ) -> None:
        self._hand = hand
        self._controller = controller
        self._writer = writer
        self._notebook = notebook
        self._observer = observer
        self._clock = clock
        self._collect = collect

    def admitted(
        self, index: int, request: str, fan_out: int, outcome: Admitted, verdicts: Verdicts
    ) -> KnownJob:
        """The service has a request, and has perhaps ended some of it."""
        hand = self._hand
        hand.requests.pop(index, None)
        self._certain(index)
        hand.held.discard(index)
        known = KnownJob(request, outcome.job, outcome.children, len(outcome.children) or fan_out)
        if self._collect:
            hand.jobs[index] = known
        self._notebook.accepted(len(outcome.children) - fan_out if outcome.children else 0)
        hand.own.add(index)
        self._observer.accepted(index, outcome.job, outcome.children)
        for entry in verdicts.entries:
            if isinstance(entry, CaptureEnded):
                self.capture_ended(entry, known)
        if not self._collect:
            self._observer.ended(index)
        return known

    def rejected(self, index: int, request: str, entry: Rejected) -> None:
        """A request has ended as an error."""
        hand = self._hand
        queued = hand.requests.pop(index, None)
        self._certain(index)
        hand.held.discard(index)
        # The sync lane's are not queued, and have one capture.
        self._notebook.rejected(request, entry, fan_out=1 if queued is None else queued.fan_out)
        self._observer.rejected(index, entry)

    def doubted(self, index: int, request: str, outcome: Unclear, *, sent: bool) -> None:
        """No usable reply came; *sent*: a copy of the request may be with the service."""
        new = sent and index not in self._hand.doubtful
        if new:
            self._hand.doubtful.add(index)
        self._notebook.doubted(request, outcome, new=new)

    def _certain(self, index: int) -> None:
        """What became of a request is known now."""
        if index in self._hand.doubtful:
            self._hand.doubtful.discard(index)
            self._notebook.certain()

    def capture_ended(self, entry: CaptureEnded, known: KnownJob) -> None:
        """A capture has ended."""
        known.left -= 1
        self._notebook.capture_ended(known.id, entry)
        self._observer.captured(known.id, known.job, entry)
        if known.left <= 0:
            self._hand.jobs.pop(entry.index, None)
            self._observer.ended(entry.index)

    def give_up(self, decision: GiveUp) -> None:
        """End a request, or a capture of it, by the core's word."""
        error: dict[str, object] = {"code": decision.code, "message": decision.reason}
        wall = self._clock.wall()
        index = decision.index
        known = self._hand.jobs.get(index)
        if known is None:
            request = self._hand.requests[index]
            doubtful = index in self._hand.doubtful
            if doubtful:
                error["idempotencyKey"] = request.key
            entry = Rejected(index, wall, error, "unknown" if doubtful else "rejected")
            # A refusal may have made it pending again, from where the journal ends nothing.
            self._writer.add(Sent(index, wall), entry)
            self.rejected(index, request.id, entry)
            return
        child = known.job if decision.child is None else known.children[decision.child]
        ended = CaptureEnded(index, child, wall, None, None, "unknown", None, error)
        self._writer.add(ended)
        if decision.child is None:
            self._writer.add(Closed(index, wall))
            self._notebook.not_to_come(known.left - 1)
            known.left = 1
        self.capture_ended(ended, known)

    def is_queued(self, index: int) -> bool:
        """Return whether the core has it in its backlog, and no copy of it can be with the service."""
        return (
            index in self._hand.requests
            and index not in self._hand.doubtful
            and index not in self._controller.admission.in_flight
        )

    def give_back(self, index: int) -> None:
        """Take a request out that nobody wants sent; the journal keeps it as pending."""
        self._controller.receive(Dropped(self._clock.monotonic(), index))
        del self._hand.requests[index]
        self._hand.held.discard(index)
        self._observer.held(index)
