"""
What the controller knows: its parts side by side, and the few changes that concern several of them.
"""

from __future__ import annotations

from pacer.pacing.account import Account
from pacer.pacing.admission import Admission
from pacer.pacing.collection import Collection
from pacer.pacing.decisions import Bound, Stop
from pacer.pacing.events import Memory
from pacer.pacing.gates import Gate, Lane
from pacer.pacing.health import Health
from pacer.pacing.policy import Policy
from pacer.pacing.reading import Reading
from pacer.pacing.sync import SyncLane
from pacer.pacing.window import Window


class State:
    """
    Everything known in one invocation.

    Attributes:
        started_at: When the invocation began.

        busy_since: When there was last something to do after there had been nothing.

        waves, bursts: Waves sent; bursts of 429s met.

        throttled: 429s by lane.

        stopped: Why the next decision is to stop, if it is.

        progress_at: When something was last accepted, rejected or found ended.

        alone: The next call goes out alone, whatever it is: nothing has been let
            through yet since the start, or since a 429 that told nothing.

        status_missing: There is no status endpoint.

        read_wanted: Somebody has asked for a snapshot.

        wave_open: The last submission belongs to a wave that may go on.

        probed_by_read: The last probe of an outage was a status read.

        starved_by_unit: The unknown unit has kept the queue empty, or left room to others.

        limit_met: The user's limit for which nothing new is sent any more.
    """

    def __init__(self, policy: Policy, *, now: float) -> None:
        self.policy = policy
        self.started_at = now
        self._first_call_at = float("inf")
        self.busy_since = now
        self.admission = Admission(policy, now=now)
        self.reading = Reading(policy)
        self.collection = Collection(policy)
        self.window = Window()
        self.sync = SyncLane()
        self.health = Health(policy)
        self.gates = {lane: Gate() for lane in Lane}
        self.account = Account(now=now)
        self.waves = 0
        self.bursts = 0
        self.throttled: dict[str, int] = {}
        self.stopped: Stop | None = None
        self.progress_at = now
        self.alone = True
        self.status_missing = False
        self.probed_by_read = False
        self.read_wanted = False
        self.wave_open = False
        self.starved_by_unit = False
        self.limit_met: Bound | None = None

    def recall(self, memory: Memory, *, now: float) -> None:
        """Take over what an earlier invocation left."""
        for lane, until in memory.gates.items():
            self.gates[lane].until = until
            if lane is not Lane.SYNC:  # binds no batch
                self.check_gate(lane, now=now)
        limits = self.admission.limits
        limits.requests, limits.credits = memory.requests, memory.credits
        if memory.unit is not None:
            self.admission.costs.recall(memory.unit)
        if memory.probed:
            self.admission.probe.end()
        if memory.window:
            window = memory.window
            self.window.recall(
                limit=int(window["limit"]),
                length=window["length"],
                resets_at=window["resets_at"],
                told=bool(window.get("told", True)),
                now=now,
            )

    @property
    def calls_in_flight(self) -> int:
        """Calls of any kind without a reply."""
        return len(self.admission.in_flight) + self.collection.in_flight + self.reading.in_flight

    @property
    def idle(self) -> bool:
        """Nothing to send, nothing to wait for."""
        return not (self.calls_in_flight or len(self.admission.backlog) or self.collection.unended)

    def begins(self, *, at: float) -> None:
        """There is something to do: idle hours before are neither a stall nor a dead host."""
        if self.idle:
            self.busy_since = self.progress_at = at

    def heed_limits(self, *, now: float) -> None:
        """
        Close the backlog once a limit of the user's is met.

        Not while submissions are in flight: what of them is not taken may be sent again.
        """
        admission, backlog = self.admission, self.admission.backlog
        if backlog.closed:
            return
        head = backlog.head(now=now)
        if now >= admission.limits.deadline:
            self.limit_met = Bound.DEADLINE
        elif head is not None and not admission.in_flight:
            self.limit_met = admission.limit_on(head)
        if self.limit_met is not None:
            backlog.close()

    @property
    def left_by_limit(self) -> Bound | None:
        """The limit for which requests are left unsent, if there are any."""
        return self.limit_met if self.admission.backlog.left else None

    def stop(self, code: str, reason: str) -> None:
        """Make the next decision a :class:`Stop`; the first reason stands."""
        if self.stopped is None:
            self.stopped = Stop(code, reason)

    def calls(self, *, at: float) -> None:
        """A call leaves now."""
        self._first_call_at = min(self._first_call_at, at)

    @property
    def unanswered_since(self) -> float:
        """Since when a service that never answered has been asked; infinity while a gate forbade to ask."""
        return max(self.busy_since, self._first_call_at)

    def check_gate(self, lane: Lane, *, now: float) -> None:
        """Stop where a gate asks for more patience than there is."""
        if lane is Lane.SYNC:
            return  # who waits for it decides; no batch does
        gate, policy = self.gates[lane], self.policy
        if gate.until - now > policy.max_retry_after:
            self.stop(
                "RETRY_AFTER_TOO_LONG",
                f"the service asked to be left alone for {gate.until - now:,.0f} s ({lane.value}), more than "
                f"--max-retry-after {policy.max_retry_after:,.0f} allows; run again after that",
            )
        elif gate.stalled(now=now, after=policy.stall_after):
            self.stop(
                "STALLED",
                f"429s for {policy.stall_after:,.0f} s without progress ({lane.value}); something "
                "else may be using the key; run again later",
            )

    def go_reactive(self) -> None:
        """There is no usable snapshot: feel the way."""
        if not self.admission.reactive:
            self.admission.reactive = True
            self.admission.start_alone()

    def after_outage(self) -> None:
        """Nothing from before can be trusted: read first, and start with one."""
        self.reading.needed = True
        self.reading.drain.forget()
        self.admission.reactive = self.status_missing  # that reads failed was the outage
        self.admission.start_alone()
