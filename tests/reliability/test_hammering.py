"""
A service in trouble is left alone: few probes in an outage, one read after a gate.
"""

from __future__ import annotations

import itertools

import pytest

from pacer.sandbox import Change, Fault
from tests.reliability.checker import Exchange
from tests.reliability.plan import Plan
from tests.reliability.world import Report, run

BEGINS, ENDS = 10.0, 1810.0

NOTICED_AFTER = 3
"""Failures in a row, none answered between."""


def plan(seed: int, *, faults: list[Fault] | None = None, changes: list[Change] | None = None) -> Plan:
    """Return a busy batch of 300 requests, for a service that takes minutes over it."""
    return Plan(
        seed=seed,
        requests=[{"query": f"q {n}", "surfaces": ["chatgpt"], "regions": ["US"]} for n in range(300)],
        settings={"capacity": 40, "workers": 10, "unit": "children"},
        faults=faults or [],
        changes=changes or [],
        may_stop={"OUTAGE", "NO_PROGRESS"},
    )


OUTAGES = [
    pytest.param([], [Change(BEGINS, "outage", "refused"), Change(ENDS, "outage", "")], id="refused"),
    pytest.param([], [Change(BEGINS, "outage", "unavailable"), Change(ENDS, "outage", "")], id="503"),
    pytest.param([Fault("cut", between=(BEGINS, ENDS))], [], id="cut"),
    pytest.param([Fault("cut", committed=True, between=(BEGINS, ENDS))], [], id="cut after the work"),
    pytest.param([Fault("page", status=502, between=(BEGINS, ENDS))], [], id="502 from the edge"),
    pytest.param([Fault("delay", seconds=3600.0, between=(BEGINS, ENDS))], [], id="black hole"),
]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("faults", "changes"), OUTAGES)
def test_an_outage_is_probed_not_hammered(faults: list[Fault], changes: list[Change], seed: int) -> None:
    """Once it is noticed: at most 20 requests in its first minute, 4 in any minute after, one at a time."""
    report = run(plan(seed, faults=faults, changes=changes))

    assert not report.violations
    noticed = noticed_at(report)
    probes = [e for e in sent(report) if noticed < e.sent_at < ENDS]
    assert probes
    times = [probe.sent_at - noticed for probe in probes]
    assert len([at for at in times if at < 60.0]) <= 20
    later = [at for at in times if at >= 60.0]
    for at in later:
        assert len([other for other in later if at <= other < at + 60.0]) <= 4
    for probe, following in itertools.pairwise(probes):
        assert probe.read_at is not None
        assert following.sent_at >= probe.read_at


@pytest.mark.parametrize(("faults", "changes"), OUTAGES[:3])
def test_after_an_outage_the_batch_goes_on(faults: list[Fault], changes: list[Change]) -> None:
    """Within a minute of the service's return the batch is under way again, in the same invocation."""
    report = run(plan(3, faults=faults, changes=changes))

    assert report.outcomes == [outcome for outcome in report.outcomes if "finished" in outcome]
    back = [e for e in sent(report) if e.sent_at >= ENDS and e.entry.admitted]
    assert back[0].sent_at < ENDS + 60.0


def test_after_a_queue_gate_the_first_thing_sent_is_one_read() -> None:
    """When a queue gate opens one status read goes out, alone, and submissions only after its reply."""
    faults = [
        Fault(
            "error", on="submit", status=429, code="QUEUE_CAPACITY_EXCEEDED", retry_after=7.0, calls=(60, 90)
        )
    ]
    report = run(plan(4, faults=faults))

    assert not report.violations
    gates = [e for e in sent(report) if e.entry.gate == "queue"]
    assert len(gates) == 2
    for gate in gates:
        assert gate.read_at is not None
        opens = gate.read_at + 7.0
        after = [e for e in sent(report) if e.sent_at >= opens and e.entry.what != "job"]
        assert after[0].entry.what == "status"
        assert after[0].read_at is not None
        assert after[1].sent_at >= after[0].read_at


def test_a_rate_gate_is_passed_by_one_burst_not_by_retries() -> None:
    """While the rate gate is closed nothing at all is sent, neither reads nor submissions."""
    faults = [Fault("error", status=429, retry_after=30.0, calls=(25,))]
    report = run(plan(5, faults=faults))

    assert not report.violations
    gate = next(e for e in sent(report) if e.entry.status == 429)
    assert gate.read_at is not None
    assert not [e for e in sent(report) if gate.read_at < e.sent_at < gate.read_at + 30.0]


def sent(report: Report) -> list[Exchange]:
    """Return all calls in the order in which they left."""
    return sorted(report.history.exchanges, key=lambda exchange: exchange.sent_at)


def noticed_at(report: Report) -> float:
    """Return when the client had read the third failure in a row."""
    row = 0
    read = [(e.read_at, e) for e in report.history.exchanges if e.read_at is not None]
    for at, exchange in sorted(read, key=lambda pair: pair[0]):
        row = row + 1 if exchange.lost or exchange.entry.status >= 500 else 0
        if row == NOTICED_AFTER:
            return at
    raise AssertionError("there was no outage")
