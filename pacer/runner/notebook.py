"""
What the run tells and keeps besides its results: progress, happenings, gates, lessons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from pacer.clock import Clock
from pacer.instrumentation import happening
from pacer.instrumentation.happening import Happening, Listener
from pacer.journal.entries import CaptureEnded, GateMoved, Learnt, Noted, Rejected
from pacer.journal.views import Counts
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Bound, WaitUntil
from pacer.pacing.events import Event, Lost, Throttled
from pacer.pacing.gates import Lane
from pacer.runner.progress import Outcome, Progress
from pacer.runner.writer import JournalWriter
from pacer.version import __version__
from pacer.wire.replies import Refused, StatusOutcome, Unclear

WORTH_TELLING = 0.5
"""Seconds of waiting below which a wait is not told: it is a round trip."""

DEADLINES = frozenset({Bound.GATE, Bound.WINDOW, Bound.OUTAGE})
"""Waits that are told again when their end moves; the others once a wave."""


class Notebook:
    """Hears of everything the runner does, and tells who wants to know."""

    def __init__(
        self,
        controller: PacingController,
        progress: Progress,
        writer: JournalWriter,
        *,
        clock: Clock,
        listener: Listener | None,
    ) -> None:
        self._controller = controller
        self._progress = progress
        self._writer = writer
        self._clock = clock
        self._listener = listener
        self._learnt = controller.learnt()
        self._wave_requests = 0
        self._wave_captures = 0
        self._wave_told = 0
        self._waiting: tuple[str, float] = ("", 0.0)
        self._outage_since: float | None = None

    def tell(self, name: str, **facts: object) -> None:
        """Tell the listener, and keep what is not told once a request."""
        told = Happening(self._clock.wall(), name, facts)
        if self._listener is not None:
            self._listener(told)
        if name not in happening.QUIET:
            self._writer.add(Noted(told.at, name, facts))

    # The run -----------------------------------------------------------------------------

    def started(self, counts: Counts) -> None:
        """An invocation begins."""
        self.tell(
            happening.RUN_STARTED,
            requests=counts.requests,
            pending=counts.pending,
            in_doubt=counts.sent,
            outstanding=counts.accepted,
            version=__version__,
        )

    def ended(self, outcome: Outcome) -> None:
        """It has ended."""
        self._progress.waiting_for, self._progress.waiting_until = "", None
        self.tell(
            happening.RUN_ENDED,
            outcome=outcome.kind,
            code=outcome.code,
            reason=outcome.reason,
            seconds=round(outcome.seconds, 3),
            statistics=asdict(outcome.statistics),
        )

    def waiting(self, wait: WaitUntil, *, now: float) -> None:
        """The core says to wait; tell it once for each reason and end."""
        self._progress.waiting_for = wait.bound.value
        seconds = wait.at - now
        bounded = seconds != float("inf")
        until = self._clock.wall() + seconds if bounded else None
        self._progress.waiting_until = until
        if not bounded or seconds < WORTH_TELLING:
            return
        known_bound, known_at = self._waiting
        moved = wait.bound in DEADLINES and abs(known_at - wait.at) >= WORTH_TELLING
        if known_bound == wait.bound.value and not moved:
            return
        self._waiting = (wait.bound.value, wait.at)
        self.tell(happening.WAIT_BEGAN, bound=wait.bound.value, until=until, seconds=round(seconds, 3))

    # Calls ---------------------------------------------------------------------------------

    def submitting(self, fan_outs: Iterable[int]) -> None:
        """Part of a wave goes out."""
        for fan_out in fan_outs:
            self._wave_requests += 1
            self._wave_captures += fan_out

    def wave_closed(self) -> None:
        """The next snapshot is asked for, or a wait begins: what has gone out of the wave is told."""
        if self._wave_requests:
            number = self._controller.statistics().waves
            self.tell(
                happening.WAVE_SENT,
                number=number,
                requests=self._wave_requests,
                captures=self._wave_captures,
                continued=number == self._wave_told,
            )
            self._wave_told = number
            self._waiting = ("", 0.0)
        self._wave_requests = self._wave_captures = 0

    def accepted(self, surplus: int) -> None:
        """A request was accepted, with *surplus* more children than documented."""
        self._progress.accepted += 1
        self._progress.captures += surplus

    def doubted(self, request: str, outcome: Unclear, *, new: bool) -> None:
        """A submission brought no usable reply; *new*: it was not in doubt before."""
        self._progress.in_doubt += new
        self.tell(happening.REQUEST_DOUBTED, request=request, reason=outcome.reason)

    def certain(self) -> None:
        """What became of a request that was in doubt is known now."""
        self._progress.in_doubt -= 1

    def rejected(self, request: str, entry: Rejected, *, fan_out: int) -> None:
        """A request ended as an error, and with it the *fan_out* captures expected of it."""
        self._progress.rejected += 1
        self.not_to_come(fan_out)
        self.tell(
            happening.REQUEST_REJECTED,
            request=request,
            code=entry.error["code"],
            message=entry.error["message"],
        )

    def not_to_come(self, captures: int) -> None:
        """So many captures are not expected any more."""
        self._progress.captures -= captures

    def capture_ended(self, request: str, entry: CaptureEnded) -> None:
        """A capture ended."""
        ended = self._progress.ended
        ended[entry.status] = ended.get(entry.status, 0) + 1
        self.tell(
            happening.CAPTURE_ENDED,
            request=request,
            child=entry.child,
            surface=entry.surface,
            region=entry.region,
            status=entry.status,
        )

    def status_read(self, outcome: StatusOutcome) -> None:
        """A status read came back, in whatever state."""
        match outcome:
            case CapacitySnapshot():
                self._progress.snapshot = outcome
                self.tell(
                    happening.SNAPSHOT_READ,
                    depth=outcome.depth,
                    capacity=outcome.capacity,
                    headroom=int(self._controller.admission.headroom),
                    inflight=outcome.inflight,
                )
            case Unclear(reason=reason):
                self.tell(happening.SNAPSHOT_FAILED, reason=reason)
            case Refused(code=code, message=message):
                self.tell(happening.SNAPSHOT_FAILED, reason=f"{code}: {message}")
            case _:
                pass  # a 429 is told as what it is

    def read_failed(self, request: str, outcome: Unclear) -> None:
        """A job read brought no usable reply."""
        self.tell(happening.READ_FAILED, request=request, reason=outcome.reason)

    def after_call(self, event: Event, *, code: str = "") -> None:
        """Tell and keep what a call has changed beyond itself."""
        if isinstance(event, Throttled):
            self._progress.throttled += 1
            self._gate_moved(event.closes, code or event.lane.value, event)
        elif isinstance(event, Lost) and event.retry_after is not None:
            self._gate_moved(Lane.RATE, code or "HTTP_503", event)
        self._note_outage()
        self._note_learnt()

    def _gate_moved(self, lane: Lane, code: str, event: Throttled | Lost) -> None:
        now, wall = self._clock.monotonic(), self._clock.wall()
        until = wall + self._controller.gates[lane].until - now
        # At once: the next invocation must know of it even if this one is killed now.
        self._writer.add(GateMoved(lane.value, until), urgent=True)
        self.tell(
            happening.THROTTLED,
            lane=lane.value,
            code=code,
            retry_after=event.retry_after,
            until=until,
            call=type(event.call).__name__,
        )

    def _note_outage(self) -> None:
        since = self._controller.health.service.since
        if since is not None and self._outage_since is None:
            self.tell(happening.OUTAGE_BEGAN)
        elif since is None and self._outage_since is not None:
            seconds = self._clock.monotonic() - self._outage_since
            self.tell(happening.OUTAGE_ENDED, seconds=round(seconds, 3))
        self._outage_since = since

    def _note_learnt(self) -> None:
        """Keep lessons for the next invocation; tell the new ones."""
        learnt = self._controller.learnt()
        if learnt == self._learnt:
            return
        offset = self._clock.wall() - self._clock.monotonic()
        for name, value in learnt.items():
            before = self._learnt.get(name)
            if value == before:
                continue
            if name == "unit":
                self._writer.add(Learnt(name, value))
                self.tell(happening.UNIT_LEARNT, unit=str(value).lower())
            elif name == "probed":
                self._writer.add(Learnt(name, value))
            elif isinstance(value, dict):
                self._writer.add(Learnt(name, {**value, "resets_at": value["resets_at"] + offset}))
                known = before if isinstance(before, dict) else {}
                if (value["limit"], value["length"]) != (known.get("limit"), known.get("length")):
                    self.tell(happening.WINDOW_LEARNT, limit=value["limit"], length=value["length"])
        self._learnt = learnt
