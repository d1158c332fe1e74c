"""
The shell's part in a whole run: it obeys the core, and watches it.

Every decision is checked as it comes against the promises that a decision can
break. Time moves only when a test moves it, and replies come in the order a test
chooses; ``drive`` is the plain order of a steady network.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from random import Random

import pytest

from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import (
    Collect,
    Decision,
    Finished,
    GiveUp,
    ReadSnapshot,
    Stop,
    SubmitWave,
    WaitUntil,
)
from pacer.pacing.events import (
    Accepted,
    Adopted,
    Call,
    CaptureRead,
    Conflicted,
    Event,
    Item,
    JobMissing,
    JobRead,
    Lost,
    Memory,
    ParentRead,
    Queued,
    Rejected,
    SetAside,
    SnapshotTaken,
    StatusMissing,
    StatusRead,
    Submission,
    SyncCapture,
    Throttled,
    Unasked,
    WindowTold,
    Withdrawn,
)
from pacer.pacing.gates import Lane
from pacer.pacing.policy import Policy

from .service import Service

Reply = Callable[[float], list[Event]]


@dataclass(eq=False)
class Sent:
    """A call in flight. ``reply`` is known once the service has seen it."""

    call: Call
    at: float
    reply: Reply | None = None


@dataclass(frozen=True)
class Fault:
    """
    What goes wrong with one call.

    Attributes:
        kind: ``lost``, ``lost-after``, ``unreadable``, ``rate``, ``queue``, ``sync``,
            ``rejected``, ``conflict``, ``aside``, ``null``, ``blind``, ``missing``.

        retry_after: For those that may name a time.
    """

    kind: str
    retry_after: float | None = None


@dataclass
class World:
    """
    One invocation of the core against one service.

    Attributes:
        supply: Requests the shell still holds; the core is told of a few at a time.

        honest: Nothing but latency and lost replies happens, so promise 3 binds.
    """

    service: Service
    supply: list[Item]
    policy: Policy = field(default_factory=Policy)
    memory: Memory | None = None
    now: float = 0.0
    rtt: float = 0.1
    headers: str = "never"
    seed: int = 0
    fault: Callable[[Call, float], Fault | None] = lambda call, now: None

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.started_at = self.now
        self.controller = PacingController(self.policy, memory=self.memory, now=self.now)
        self.items = {item.index: item for item in self.supply}
        self.calls: list[Sent] = []
        self.outcome: dict[int, str] = {}
        self.captures: dict[tuple[int, int], str] = {}
        self.deadline = dict.fromkeys(Lane, -inf)
        if self.memory is not None:
            self.deadline.update(self.memory.gates)
        self.backing_off_until = -inf
        self.read_asked_at = -inf
        self.sent: list[tuple[float, Call]] = []
        self.throttled: Counter[str] = Counter()
        self.oversized_refused = 0
        self.waits: list[tuple[float, WaitUntil]] = []
        self.decisions = 0
        self._agenda: list[tuple[float, int, Sent]] = []
        self._pushed = 0

    # The shell's rhythm -----------------------------------------------------

    def obey(self) -> WaitUntil | Finished | Stop:
        """Do what the core says until it says to wait or to end."""
        for _ in range(5_000):
            self._feed()
            decision = self.controller.decide(now=self.now)
            self.decisions += 1
            if isinstance(decision, WaitUntil):
                self._check_wait(decision)
                self.waits.append((self.now, decision))
                return decision
            if isinstance(decision, Finished | Stop):
                return decision
            self._do(decision)
        raise AssertionError(f"5,000 decisions at {self.now} without a wait")

    def _feed(self) -> None:
        if self.supply and self.controller.admission.backlog.waiting < 4:
            chunk, self.supply = self.supply[:6], self.supply[6:]
            self.controller.receive(Queued(self.now, tuple(chunk), more=bool(self.supply)))

    def _do(self, decision: Decision) -> None:
        assert self.now >= self.deadline[Lane.RATE] or isinstance(decision, GiveUp), "inside a rate gate"
        match decision:
            case SubmitWave(requests):
                assert requests, "an empty wave"
                assert self.now >= self.deadline[Lane.QUEUE], "inside a queue gate"
                if not self.controller.statistics().reactive:
                    assert self.read_asked_at >= self.deadline[Lane.QUEUE], "no read since the gate opened"
                for index in requests:
                    assert index not in self.outcome, f"{index} was sent again after its end"
                    self._send(Submission(index))
            case ReadSnapshot():
                self._send(StatusRead())
            case Collect(reads):
                assert reads, "an empty collection"
                for read in reads:
                    assert read.child is None or (read.index, read.child) not in self.captures
                    self._send(read)
            case GiveUp(index, None, code):
                assert index not in self.outcome or self.outcome[index] == "accepted"
                assert not any(i == index for i, _ in self.captures), "captures of a request given up"
                self.outcome[index] = code
            case GiveUp(index, int(child), code):
                assert (index, child) not in self.captures, "given up after its end"
                self.captures[index, child] = code
            case _:
                raise AssertionError(decision)

    def _send(self, call: Call) -> None:
        assert all(sent.call != call for sent in self.calls), f"{call} is in flight already"
        sent = Sent(call, self.now)
        self.calls.append(sent)
        self.sent.append((self.now, call))
        self._plan(sent, self.now + self.rtt / 2)

    def _check_wait(self, wait: WaitUntil) -> None:
        assert wait.at > self.now, f"waiting until {wait.at} at {self.now} is a busy loop"
        if wait.at == inf:
            assert self.calls, f"waiting for ever for nothing ({wait.bound})"
        elif not self.calls and self.controller.admission.backlog.head(now=self.now) is not None:
            known = max(self.deadline.values())
            latest = max(self.now + self.policy.longest_wait, known, self.backing_off_until)
            if self.service.window is not None:
                latest = max(latest, self.now + 2 * self.service.window.length + 2)
            assert wait.at <= latest + 1e-6, f"{wait} at {self.now} with work to do"

    # The service's side -----------------------------------------------------

    def arrive(self, sent: Sent, fault: Fault | None = None) -> None:
        """Let a call reach the service now (or be lost on its way)."""
        self.service.advance(self.now)
        sent.reply = self._handle(sent, fault or self.fault(sent.call, self.now))

    def deliver(self, sent: Sent) -> None:
        """Let the core see the reply now."""
        assert sent.reply is not None
        self.calls.remove(sent)
        for event in sent.reply(self.now):
            self.receive(event)

    def withdraw(self, sent: Sent) -> None:
        """The shell did not send a call after all."""
        self.calls.remove(sent)
        if isinstance(sent.call, Submission):
            self.receive(Withdrawn(self.now, sent.call.index))
        else:
            self.receive(Unasked(self.now, sent.call))

    def adopt(self, count: int, *, listed: bool) -> None:
        """Let the first requests be an earlier invocation's; *listed*: it kept their children."""
        while count and self.supply:
            count -= 1
            item = self.supply[0]
            if self.service.depth + self.service.cost(item.fan_out) > self.service.capacity:
                return
            self.service.submit(item.index, item.fan_out, item.surfaces)
            self.supply.pop(0)
            self.outcome[item.index] = "accepted"
            children = item.fan_out if listed else 0
            self.receive(Adopted(self.now, item.index, self.now - 20.0, children, item.surfaces, frozenset()))

    def receive(self, event: Event) -> None:
        """Feed the core, and note what a checker must remember."""
        match event:
            case Throttled(lane=lane, retry_after=retry_after):
                self.throttled[lane.value] += 1
                if lane is Lane.QUEUE and not isinstance(event.call, Submission):
                    lane = Lane.RATE
                if retry_after is None or retry_after < 1:
                    self.backing_off_until = max(self.backing_off_until, self.now + 60)
                else:
                    self.deadline[lane] = max(self.deadline[lane], self.now + retry_after)
                    if lane is Lane.SYNC:
                        gated = Lane.QUEUE if isinstance(event.call, Submission) else Lane.RATE
                        self.deadline[gated] = max(self.deadline[gated], self.now + retry_after)
            case Lost(retry_after=float(seconds)):
                if seconds < 1:
                    self.backing_off_until = max(self.backing_off_until, self.now + 60)
                else:
                    self.deadline[Lane.RATE] = max(self.deadline[Lane.RATE], self.now + seconds)
            case Accepted(index=index):
                assert index not in self.outcome
                self.outcome[index] = "accepted"
                if event.ended or not self.policy.collect:
                    for n in range(self.items[index].fan_out):
                        self.captures[index, n] = "ended"
            case Rejected(index=index):
                assert index not in self.outcome
                self.outcome[index] = "rejected"
            case SnapshotTaken(asked_at=asked_at, snapshot=snapshot) if snapshot.capacity is not None:
                self.read_asked_at = asked_at
            case CaptureRead(index=index, child=child, terminal=True):
                assert (index, child) not in self.captures, "read after its end"
                self.captures[index, child] = "ended"
        self.controller.receive(event)

    def _handle(self, sent: Sent, fault: Fault | None) -> Reply:
        call, at, jitter = sent.call, sent.at, self.random.random()
        window = self.service.window
        if fault is not None and fault.kind in ("lost", "lost-after", "unreadable"):
            if isinstance(call, Submission) and fault.kind != "lost":
                item = self.items[call.index]
                self.service.submit(call.index, item.fan_out, item.surfaces)
            answered = fault.kind == "unreadable"
            return lambda now: [Lost(now, at, call, fault.retry_after, jitter, answered)]
        if fault is not None and fault.kind in ("rate", "queue", "sync"):
            lane = Lane(fault.kind)
            return lambda now: [Throttled(now, at, call, lane, fault.retry_after, jitter)]
        if window is not None and not window.admit(self.now):
            resets = window.resets_in(self.now)
            came, told = self.now, self.headers != "never"
            limit = window.limit if told else None
            return lambda now: [
                Throttled(
                    now,
                    at,
                    call,
                    Lane.RATE,
                    max(1.0, resets - (now - came)),
                    jitter,
                    limit,
                    resets - (now - came) if told else None,
                )
            ]
        reply = self._answer(sent, fault, jitter)
        if window is None or self.headers != "always":
            return reply
        left, resets, came = window.remaining(), window.resets_in(self.now), self.now
        limit = window.limit
        return lambda now: [*reply(now), WindowTold(now, at, limit, left, max(0.0, resets - (now - came)))]

    def _answer(self, sent: Sent, fault: Fault | None, jitter: float) -> Reply:
        at = sent.at
        match sent.call:
            case Submission(index):
                return self._submitted(index, at, fault, jitter)
            case StatusRead():
                if fault is not None and fault.kind == "missing":
                    return lambda now: [StatusMissing(now)]
                blind = fault is not None and fault.kind == "blind"
                snapshot = CapacitySnapshot(
                    depth=self.service.depth,
                    capacity=None if fault is not None and fault.kind == "null" else self.service.capacity,
                    inflight=None if blind else self.service.inflight,
                    by_surface=None if blind else self.service.by_surface,
                )
                return lambda now: [SnapshotTaken(now, at, snapshot)]
            case JobRead(index, child) as call:
                if fault is not None and fault.kind == "missing":
                    return lambda now: [JobMissing(now, call)]
                job = self.service.jobs[index]
                if child is None:
                    ended = frozenset(job.ended)
                    return lambda now: [ParentRead(now, at, index, job.fan_out, ended)]
                terminal = child in job.ended
                return lambda now: [CaptureRead(now, at, index, child, terminal)]
            case SyncCapture():
                raise AssertionError("nothing in these runs asks for the sync lane")
            case SyncCapture():
                raise AssertionError("callers send these; the core decides none")

    def _submitted(self, index: int, at: float, fault: Fault | None, jitter: float) -> Reply:
        item = self.items[index]
        kind = fault.kind if fault is not None else ""
        if kind == "rejected" and index not in self.service.jobs:
            return lambda now: [Rejected(now, index)]
        if kind == "conflict":
            return lambda now: [Conflicted(now, index, jitter)]
        if kind == "aside":
            return lambda now: [SetAside(now, index, jitter)]
        outcome = self.service.submit(index, item.fan_out, item.surfaces)
        if outcome == "full":
            call = Submission(index)
            return lambda now: [Throttled(now, at, call, Lane.QUEUE, 2.0, jitter)]
        listed = 0 if kind == "unlisted" else item.fan_out
        return lambda now: [Accepted(now, at, index, listed, replayed=outcome == "replayed")]

    # A steady network ---------------------------------------------------------

    def drive(self, *, horizon: float = 1e6, most: int = 200_000) -> Finished | Stop | None:
        """Run to the end, or to *horizon* seconds; every call takes one round trip."""
        while self.decisions < most:
            decision = self.obey()
            if isinstance(decision, Finished | Stop):
                return decision
            upcoming = self._agenda[0][0] if self._agenda else inf
            at = min(decision.at, upcoming)
            if at > horizon:
                self.advance(horizon)
                return None
            self.advance(at)
            while self._agenda and self._agenda[0][0] <= self.now:
                sent = heapq.heappop(self._agenda)[2]
                if sent not in self.calls:
                    continue
                if sent.reply is None:
                    self.arrive(sent)
                    self._plan(sent, self.now + self.rtt / 2)
                else:
                    self.deliver(sent)
        raise AssertionError(f"{most} decisions by {self.now}: this run does not end")

    def advance(self, to: float) -> None:
        """Move time."""
        self.now = max(self.now, to)
        self.service.advance(self.now)

    def _plan(self, sent: Sent, at: float) -> None:
        self._pushed += 1
        heapq.heappush(self._agenda, (at, self._pushed, sent))

    # What must hold at the end --------------------------------------------------

    def check_account(self) -> None:
        """Seconds by bound add up to the time since the first decision."""
        elapsed = self.now - self.started_at
        assert sum(self.controller.statistics().account.values()) == pytest.approx(elapsed, abs=1e-6)

    def check_complete(self) -> None:
        """Every request ended once, and every capture of an accepted one."""
        assert set(self.outcome) == set(self.items)
        for index, item in self.items.items():
            theirs = {n for i, n in self.captures if i == index}
            if self.outcome[index] == "accepted":
                assert theirs == set(range(item.fan_out)), f"{index}: {theirs}"
            else:
                assert not theirs
