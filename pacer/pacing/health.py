"""
Is anyone there? Outages are probed, never hammered.

Failures are transport failures and 5xx. Three in a row with no answer between
make an outage: everywhere if no call of any kind is answered, or of one kind
(submissions, say) while the others go through. During an outage one probe at a
time goes out, with capped and jittered back-off: fewer than 20 in the first
minute and at most 4 a minute after that.
"""

from __future__ import annotations

from enum import StrEnum

from pacer.pacing.events import Call, StatusRead, Submission, SyncCapture
from pacer.pacing.policy import Policy


class Kind(StrEnum):
    """The calls, as far as an outage tells them apart."""

    SUBMIT = "submit"
    STATUS = "status"
    JOB = "job"


def kind_of(call: Call) -> Kind:
    """Return the kind of *call*."""
    if isinstance(call, Submission | SyncCapture):
        return Kind.SUBMIT
    return Kind.STATUS if isinstance(call, StatusRead) else Kind.JOB


class Breaker:
    """
    One circuit breaker (M. Nygard, "Release It!"): closed, or probing.

    Attributes:
        since: When the outage was noticed; None while there is none.

        probe_at: Earliest moment of the next probe.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._failures = 0
        self._probes = 0
        self._last_failure_sent = float("-inf")
        self.since: float | None = None
        self.probe_at = float("-inf")

    def failed(self, *, at: float, sent_at: float, jitter: float) -> None:
        """Count a failure; each probe that fails doubles the pause."""
        self._failures += 1
        if self._failures < self._policy.outage_failures:
            return
        if self.since is None:
            self.since, self._probes = at, 0
        elif sent_at < self.probe_at:
            return  # it left before the outage was noticed, or before this pause: no probe
        pause = min(self._policy.probe_most, self._policy.probe_first * 2.0 ** min(self._probes, 16))
        self._probes += 1
        self.probe_at = at + pause * (0.5 + 0.5 * jitter)

    def answered(self) -> bool:
        """Note an answer of any sort; return whether it ended an outage."""
        ended = self.since is not None
        self._failures, self.since, self.probe_at = 0, None, float("-inf")
        return ended


class Health:
    """All breakers: one for the service, one for each kind of call."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.service = Breaker(policy)
        self.kinds = {kind: Breaker(policy) for kind in Kind}
        self.first_failure: float | None = None
        self.ever_answered = False

    def failed(self, call: Call, *, at: float, sent_at: float, jitter: float) -> None:
        """Count a transport failure or a 5xx."""
        if self.first_failure is None:
            self.first_failure = at
        self.service.failed(at=at, sent_at=sent_at, jitter=jitter)
        self.kinds[kind_of(call)].failed(at=at, sent_at=sent_at, jitter=jitter)

    def answered(self, kind: Kind) -> bool:
        """Note an answer to a call of *kind*; return whether an outage of the whole service ended."""
        self.ever_answered = True
        self.first_failure = None
        self.kinds[kind].answered()
        return self.service.answered()

    @property
    def outage(self) -> bool:
        """Whether the service as a whole does not answer."""
        return self.service.since is not None

    @property
    def out_since(self) -> float | None:
        """Since when the service, or one kind of call that the batch cannot do without, fails."""
        breakers = (self.service, self.kinds[Kind.SUBMIT], self.kinds[Kind.JOB])
        return min((b.since for b in breakers if b.since is not None), default=None)

    def allows(self, kind: Kind, *, now: float, in_flight: int) -> bool:
        """Return whether a call of *kind* may leave; *in_flight* counts its own kind."""
        breaker = self.kinds[kind]
        return breaker.since is None or (in_flight == 0 and now >= breaker.probe_at)
