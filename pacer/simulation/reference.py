"""
What nobody could beat: the clairvoyant, and the parts it is made of.

*Oracle*: the queue is full at every instant, for nothing. It meets the same latencies (the k-th capture to be
dispatched takes the k-th latency of the seed). In a request-rate window it pays one slot for each submission,
one for the read before each filling of the queue, and one for the read of each capture, once that has ended.

*Clairvoyant*: ``max(oracle, Q x 2 x RTT) + 2 x RTT``, where Q counts the fillings of the queue, packing
included. A filling takes a read and a wave, one round trip each (docs/pacing-limits.md).

With tenants the drain is shared: ours is what theirs leave, but at least half.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil

from pacer.sandbox import Service
from pacer.sandbox.settings import Settings
from pacer.sandbox.window import RateWindow
from pacer.simulation.scenario import Scenario

INFINITY = float("inf")

LIGHT_LOAD = 0.7
"""Share of the admission bound up to which drain decides the makespan, not chance meeting the bound."""

MOSTLY = 0.9
"""Share of the drain below which an oracle that has to keep to a window is held up by the window."""

CONNECTIONS = 64
"""Submissions in flight by default: the first worker starts so much before the last."""


@dataclass(frozen=True, slots=True)
class Reference:
    """
    What a run is measured against. Times in seconds.

    Attributes:
        oracle: Makespan of the oracle.

        clairvoyant: Makespan of the clairvoyant.

        fillings: Q.

        idle: Worker-seconds over workers that the clairvoyant cannot but lose between its first and its last
            submission: too small a queue, a window, the admission bound.

        light: The drain is at most 0.7 x C / (2 x RTT).

        windowed: The request-rate window decides, and the workers idle by design.
    """

    oracle: float
    clairvoyant: float
    fillings: int
    idle: float
    light: bool
    windowed: bool


@lru_cache(maxsize=1024)
def reference(scenario: Scenario, seed: int, *, collects: bool = True) -> Reference:
    """Return what *scenario* is measured against under *seed*; a client that *collects* pays for that."""
    oracle, idle, fillings = _oracle(scenario, seed, collects=collects)
    cycle = 2 * scenario.rtt * (1 + scenario.jitter)
    if _queue_holds_all_work(scenario):
        bound = oracle + fillings * cycle  # nothing waits behind the queue while it is filled
        idle += fillings * cycle
    else:
        bound = max(oracle, fillings * cycle)
        idle = max(idle, _oracle(scenario, seed, collects=collects, cycle=cycle)[1])
    admission = _admission(scenario, fillings, cycle)
    idle += scenario.workers * scenario.rtt / (2 * CONNECTIONS)
    light = drain(scenario) <= LIGHT_LOAD * admission
    windowed = scenario.rate_limit is not None and scenario.captures / oracle < MOSTLY * drain(scenario)
    return Reference(oracle, _shared(scenario, bound) + cycle, fillings, idle, light, windowed)


def _queue_holds_all_work(scenario: Scenario) -> bool:
    """Whether depth includes what runs, and there are workers for all of it."""
    held = scenario.capacity * scenario.captures / sum(map(scenario.cost, scenario.fan_outs))
    return scenario.settings.get("release") == "end" and scenario.workers >= held


def drain(scenario: Scenario) -> float:
    """Return the children a second that the workers finish."""
    return scenario.workers / scenario.latency.mean


def sustained(scenario: Scenario) -> float:
    """Return the requests a second that the drain, others and the window leave on average."""
    per_request = scenario.captures / scenario.requests
    rate = _ours(scenario) / per_request
    if scenario.rate_limit is None:
        return rate
    return min(rate, scenario.rate_limit / scenario.service_settings().rate_window)


def _admission(scenario: Scenario, fillings: int, cycle: float) -> float:
    """Children a second that so many fillings can carry, one a cycle."""
    return scenario.captures / (fillings * cycle) if cycle else INFINITY


def _shared(scenario: Scenario, alone: float) -> float:
    """Stretch the makespan of a sole client by what tenants take."""
    if not scenario.tenants:
        return alone
    return alone - scenario.captures / drain(scenario) + scenario.captures / _ours(scenario)


def _ours(scenario: Scenario) -> float:
    """Return the children a second that tenants leave to us: what they do not ask for, but at least half."""
    mu = drain(scenario)
    if not scenario.tenants:
        return mu
    theirs = 0.0
    for tenant in scenario.tenants:
        match tenant.kind:
            case "steady":
                theirs += tenant.demand
            case "bursting":
                theirs += tenant.burst * tenant.fan_out / tenant.period
            case "greedy":
                theirs = INFINITY
    return max(mu / 2, mu - theirs)


def _oracle(scenario: Scenario, seed: int, *, collects: bool, cycle: float = 0.0) -> tuple[float, float, int]:
    """
    Return makespan, idle seconds while there was a backlog, and Q.

    With *cycle* the queue is filled once a cycle, not at every instant: no client can do it more often.
    """
    settings = _settings(scenario)
    service = Service(replace(settings, rate_limit=None, tenants=()), seed=seed, log_limit=0)
    service.advance(now=0.0)
    window = None if settings.rate_limit is None else RateWindow(settings, settings.rate_limit)
    reads = collects and window is not None
    slots = _slots(scenario)
    now, index, idle = 0.0, 0, 0.0
    fillings, room = 0, 0
    admitted = collected = 0
    while index < scenario.requests or service.captures.total or (reads and collected < scenario.captures):
        opens = INFINITY
        room_at_once = service.settings.capacity or 0
        allowed = room_at_once - service.queue.depth if cycle else INFINITY
        while index < scenario.requests and service.queue.has_room(scenario.cost(scenario.fan_outs[index])):
            cost = scenario.cost(scenario.fan_outs[index])
            if cost > allowed and (cost <= room_at_once or allowed < room_at_once):
                opens = now + cycle
                break
            allowed -= cost
            if window is not None and window.remaining(now) < slots[index]:
                opens = window.resets_at(now)
                break
            if window is not None:
                for _ in range(slots[index]):
                    window.admit(now)
            service.submit(scenario.search(index), now=now)
            if cost > room:
                fillings, room = fillings + 1, service.settings.capacity or 0
            room -= cost
            admitted += scenario.fan_outs[index]
            index += 1
            idle = service.queue.idle_worker_seconds
        if reads and window is not None:
            ended = admitted - service.captures.total
            while collected < ended and window.admit(now):
                collected += 1
            if collected < ended:
                opens = min(opens, window.resets_at(now))
        event = service.next_event_at()
        if event is None and opens == INFINITY:
            break  # all is read
        now = min(INFINITY if event is None else event, opens)
        if cycle and index < scenario.requests:
            now = max(now, ceil(now / cycle - 1e-9) * cycle)  # rounded down it would stand still
        service.advance(now=now)
    return now, idle / scenario.workers, fillings


def _settings(scenario: Scenario) -> Settings:
    """
    Return the service as the clairvoyant meets it.

    Nobody outside knows when in its round trip a call was counted. In a sliding window a call
    must therefore wait for a whole length from the *reply* to the one it replaces.
    """
    settings = scenario.service_settings()
    if settings.rate_kind == "sliding":
        return replace(settings, rate_window=settings.rate_window + scenario.rtt)
    return settings


def _slots(scenario: Scenario) -> list[int]:
    """Requests that go with each submission: itself, and the read if it opens a filling."""
    return list(_opening(scenario))


def _opening(scenario: Scenario) -> Iterator[int]:
    room = 0
    for fan_out in scenario.fan_outs:
        cost = scenario.cost(fan_out)
        if cost > room:
            room = scenario.capacity
            yield 2
        else:
            yield 1
        room -= cost
