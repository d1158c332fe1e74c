"""
Runs in which anything may happen in any order, checked after every decision.

The checks themselves stand in ``world.py``; this machine moves time, lets calls
arrive, lets replies come back, and breaks things.
"""

from __future__ import annotations

from math import inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pacer.pacing.decisions import Finished, Stop, WaitUntil
from pacer.pacing.events import Item, JobRead, Memory, StatusRead, Submission
from pacer.pacing.gates import Lane
from pacer.pacing.policy import Policy, UnitChoice

from .service import RateWindow, Service
from .world import Fault, Sent, World

RETRY_AFTER = st.sampled_from((None, 0.0, 0.4, 1.0, 7.0, 60.0))

ANY_CALL = ("lost", "lost-after", "unreadable", "rate", "queue", "sync")
BY_CALL = {
    Submission: (*ANY_CALL, "rejected", "conflict", "aside", "unlisted"),
    StatusRead: (*ANY_CALL, "null", "blind", "missing"),
    JobRead: (*ANY_CALL, "missing"),
}
LIMITS = {"MAX_REQUESTS", "MAX_CREDITS", "DEADLINE"}
EXPECTED_STOPS = LIMITS | {
    "RETRY_AFTER_TOO_LONG", "STALLED", "OUTAGE", "UNREACHABLE", "NO_PROGRESS", "FORBIDDEN",
}  # fmt: skip


class AnyRun(RuleBasedStateMachine):
    """One invocation, an adversary for a network, and a service with faults."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.batch: list[Item] = []
        self.ended: Finished | Stop | None = None
        self.wait: WaitUntil | None = None

    @initialize(
        unit=st.sampled_from(("parents", "children", "both")),
        choice=st.sampled_from((UnitChoice.AUTO, UnitChoice.BOTH)),
        capacity=st.integers(1, 12),
        workers=st.integers(1, 6),
        latency=st.sampled_from((0.5, 5.0, 20.0)),
        fan_outs=st.lists(st.integers(1, 6), min_size=1, max_size=14),
        release_at_end=st.booleans(),
        takes_oversized=st.booleans(),
        honest=st.booleans(),
        endless=st.frozensets(st.integers(0, 13), max_size=2),
        limit=st.none() | st.integers(1, 8),
        headers=st.sampled_from(("always", "on 429", "never")),
        collect=st.booleans(),
        adopted=st.integers(0, 3),
        gates=st.dictionaries(st.sampled_from(Lane), st.sampled_from((-5.0, 3.0, 30.0)), max_size=2),
        limits=st.sampled_from(({}, {}, {"max_requests": 3}, {"max_credits": 25}, {"deadline": 4.0})),
    )
    def begin(
        self,
        unit: str,
        choice: UnitChoice,
        capacity: int,
        workers: int,
        latency: float,
        fan_outs: list[int],
        release_at_end: bool,
        takes_oversized: bool,
        honest: bool,
        endless: frozenset[int],
        limit: int | None,
        headers: str,
        collect: bool,
        adopted: int,
        gates: dict[Lane, float],
        limits: dict[str, Any],
    ) -> None:
        """Draw the service and the batch."""
        self.honest = honest
        service = Service(
            unit=unit,
            capacity=capacity,
            workers=workers,
            latency=latency,
            release_at_end=release_at_end,
            takes_oversized=honest or takes_oversized,
            endless=frozenset() if honest or release_at_end else endless,
            window=None if honest or limit is None else RateWindow(limit, 10.0),
        )
        items = [Item(n, fan_out, ("chatgpt",), credits=5 * fan_out) for n, fan_out in enumerate(fan_outs)]
        policy = Policy(unit=choice, capture_timeout=1e5 if honest else 300.0, collect=collect, **limits)
        self.world = World(service, items, policy, memory=Memory(gates=gates), headers=headers)
        self.world.adopt(adopted if collect else 0, listed=honest)
        self.batch = list(self.world.supply)
        self.obey()

    def obey(self) -> None:
        """Ask what to do until told to wait, unless the run is over."""
        if self.ended is not None:
            return
        decision = self.run.obey()
        if isinstance(decision, WaitUntil):
            self.wait = decision
        else:
            self.ended = decision

    @property
    def run(self) -> World:
        """The world, once it has begun."""
        assert self.world is not None
        return self.world

    def pick(self, data: st.DataObject, *, arrived: bool) -> Sent | None:
        """Choose a call in flight that has, or has not, reached the service."""
        among = [sent for sent in self.run.calls if (sent.reply is not None) == arrived]
        return data.draw(st.sampled_from(among)) if among else None

    # Time ----------------------------------------------------------------------

    @precondition(lambda self: self.ended is None)
    @rule(share=st.sampled_from((0.1, 0.5, 1.0, 1.0, 1.0)), late=st.sampled_from((0.0, 0.0, 0.2, 40.0)))
    def time_passes(self, share: float, late: float) -> None:
        """Time moves part of the way to the promised moment, exactly to it, or past it."""
        wait = self.wait
        assert wait is not None
        if wait.at == inf or (self.run.calls and wait.at > self.run.now + 100.0):
            to = self.run.now + 100.0 * share  # every call ends sooner: the shell's time-outs
        elif share == 1.0:
            to = wait.at
        else:
            to = self.run.now + share * (wait.at - self.run.now)
        self.run.advance(to + late)
        self.obey()

    @precondition(lambda self: self.ended is None)
    @rule(seconds=st.sampled_from((0.01, 0.1, 1.0)))
    def moment_passes(self, seconds: float) -> None:
        """A moment passes without anyone asking the core."""
        self.run.advance(self.run.now + seconds)

    @precondition(lambda self: self.ended is not None)
    @rule()
    def nothing_follows(self) -> None:
        """After the end there is nothing to do."""
        assert type(self.run.obey()) is type(self.ended)

    # The network -----------------------------------------------------------------

    @precondition(lambda self: self.ended is None)
    @rule(data=st.data())
    def call_arrives(self, data: st.DataObject) -> None:
        """A call reaches the service."""
        sent = self.pick(data, arrived=False)
        if sent is not None:
            self.run.arrive(sent)

    @precondition(lambda self: self.ended is None)
    @rule(data=st.data(), ask=st.booleans())
    def reply_comes(self, data: st.DataObject, ask: bool) -> None:
        """A reply comes back; the shell may take in several before it asks."""
        sent = self.pick(data, arrived=True)
        if sent is not None:
            self.run.deliver(sent)
            if ask:
                self.obey()

    @precondition(lambda self: self.ended is None)
    @rule()
    def all_come_back(self) -> None:
        """Everything in flight arrives and is answered."""
        for sent in list(self.run.calls):
            if sent.reply is None:
                self.run.arrive(sent)
            self.run.deliver(sent)
        self.obey()

    @precondition(lambda self: self.ended is None)
    @rule(data=st.data())
    def call_is_withdrawn(self, data: st.DataObject) -> None:
        """The shell holds a call back after all."""
        among = [sent for sent in self.run.calls if sent.reply is None]
        if among:
            self.run.withdraw(data.draw(st.sampled_from(among)))
            self.obey()

    # Faults ------------------------------------------------------------------------

    @precondition(lambda self: self.ended is None)
    @rule(data=st.data(), after=st.booleans())
    def reply_is_lost(self, data: st.DataObject, after: bool) -> None:
        """A reply is lost, before or after the service has acted."""
        sent = self.pick(data, arrived=False)
        if sent is not None:
            self.run.arrive(sent, Fault("lost-after" if after else "lost"))

    @precondition(lambda self: self.ended is None and not self.honest)
    @rule(data=st.data(), retry_after=RETRY_AFTER)
    def call_goes_wrong(self, data: st.DataObject, retry_after: float | None) -> None:
        """A call meets any of the faults there are for its kind."""
        sent = self.pick(data, arrived=False)
        if sent is not None:
            kind = data.draw(st.sampled_from(BY_CALL[type(sent.call)]))
            self.run.arrive(sent, Fault(kind, retry_after))

    @precondition(lambda self: self.ended is None and not self.honest)
    @rule(fan_out=st.integers(1, 6))
    def stranger_submits(self, fan_out: int) -> None:
        """Another client of the key takes some of the room."""
        self.run.service.advance(self.run.now)
        self.run.service.intrude(fan_out)

    @precondition(lambda self: self.ended is None and not self.honest)
    @rule(capacity=st.integers(0, 12))
    def capacity_changes(self, capacity: int) -> None:
        """The service changes how much its queue holds."""
        self.run.service.capacity = capacity

    # Promises ------------------------------------------------------------------------

    @invariant()
    def no_429_as_sole_tenant(self) -> None:
        """With constant capacity and nobody else on the key, the queue never refuses us."""
        if self.world is not None and self.honest:
            assert self.run.service.refused_full == 0

    @invariant()
    def limits_hold(self) -> None:
        """No more is bought than the user allows."""
        if self.world is not None:
            bought = [item for item in self.batch if item.index in self.run.service.jobs]
            policy = self.run.policy
            assert policy.max_requests is None or len(bought) <= policy.max_requests
            assert policy.max_credits is None or sum(item.credits for item in bought) <= policy.max_credits

    @invariant()
    def account_adds_up(self) -> None:
        """Every second is booked once."""
        if self.world is not None and self.ended is None:
            booked = sum(self.run.controller.statistics().account.values())
            assert booked <= self.run.now - self.run.started_at + 1e-6

    def teardown(self) -> None:
        """Once nothing goes wrong any more the run ends, complete or resumable."""
        if self.world is None:
            return
        run = self.run
        began = run.now
        if self.ended is None:
            run.service.capacity = max(run.service.capacity, 6)
            self.ended = run.drive(most=run.decisions + 100_000)
        assert self.ended is not None
        if isinstance(self.ended, Stop):
            assert not self.honest or self.ended.code in {"UNREACHABLE", "OUTAGE", "NO_PROGRESS", *LIMITS}
            assert self.ended.code in EXPECTED_STOPS
            assert self.ended.drained is (self.ended.code in LIMITS)
            if self.ended.drained:
                assert not run.calls, "what was out has been answered"
                assert not run.controller.collection.unended, "and collected"
                run.check_account()
            return
        run.check_complete()
        run.check_account()
        assert run.now - began < 20_000


TestAnyRun = AnyRun.TestCase
