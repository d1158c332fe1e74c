"""
A service that makes no sense: whatever it says, a run ends by itself, and nothing is paid or listed twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeAlias

import pytest

from pacer.runner import Outcome
from pacer.sandbox import Service
from pacer.sandbox.exchange import Answer, Call
from tests.reliability.lies import LyingService
from tests.reliability.plan import End, Plan, base
from tests.reliability.virtual import VirtualLoop
from tests.reliability.world import World, scratch

SEEDS = 120
AT_ONCE = 20
SHARES = (0.0, 0.0, 0.05, 0.3, 1.0)

MOST_CALLS = 3_000
"""For eight requests: an hour of reads that come to nothing, a few at a time; not a busy loop."""

Lie: TypeAlias = Callable[[dict[str, Any]], Any]


def alone(plan: Plan, service: Service) -> tuple[Outcome, Sequence[dict[str, Any]], Sequence[str]]:
    """Run one invocation against *service*; return how it ended, the results and every key admitted."""
    loop = VirtualLoop()
    try:
        with scratch() as place:
            world = World(plan, place)
            world.service = world.network.service = service
            world._take_in()
            outcome = loop.run_until_complete(world._invoke(End()))
            assert outcome is not None
            return outcome, world._lines(), [entry.key for entry in service.log if entry.admitted]
    finally:
        loop.close()


def liar(seed: int) -> tuple[Plan, LyingService]:
    """Return what *seed* stands for."""
    chance = Random(f"{seed}:lies")
    plan = base(seed, chance)
    plan.requests = plan.requests[:8]
    if chance.random() < 0.3:
        headers = chance.choice(("always", "on_429"))
        limit, window = chance.choice((4, 20, 60)), chance.choice((10.0, 60.0))
        plan.settings |= {"rate_limit": limit, "rate_window": window, "rate_headers": headers}
    service = LyingService(plan.service, seed=seed)
    service.chance = chance
    service.headers, service.bodies = chance.choice(SHARES), chance.choice(SHARES)
    service.statuses = chance.choice(SHARES[:-1])
    service.about = chance.choice(((), ("submit",), ("status",), ("job",)))
    return plan, service


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_whatever_it_says_the_run_ends(first: int) -> None:
    """Anything in any header, status or field: no defect, no busy loop, no wait for ever, nothing twice."""
    for seed in range(first, first + AT_ONCE):
        plan, service = liar(seed)
        outcome, lines, admitted = alone(plan, service)

        assert outcome.kind in ("finished", "stopped"), seed
        assert len(service.log) <= MOST_CALLS, seed
        assert len(set(admitted)) == len(admitted), seed
        listed = Counter((line["request"], line["child"]) for line in lines)
        assert set(listed.values()) <= {1}, seed


# Single lies ---------------------------------------------------------------------------------


class Reworded(Service):
    """A service whose 202s say what :attr:`lie` makes of them."""

    lie: Lie

    def handle(self, call: Call, *, now: float) -> Answer:
        """Answer in other words."""
        answer = super().handle(call, now=now)
        if answer.status == 202 and isinstance(answer.body, dict):
            answer.body = type(self).lie(answer.body)
        return answer


def envelope(child: str, status: str = "completed") -> dict[str, Any]:
    """Return an Envelope as short as can be."""
    return {"job": {"id": child, "status": status, "surface": "claude", "region": "US"}, "answer": {}}


def some_ended(said: dict[str, Any]) -> Any:
    """Envelopes: the first has ended, the others run."""
    first, *others = said["children"]
    children = [envelope(first), *(envelope(child, "processing") for child in others)]
    return {"job": {"id": said["jobId"]}, "children": children}


def one_twice(said: dict[str, Any]) -> Any:
    """The same, with the first of them twice."""
    told = some_ended(said)
    return {**told, "children": [told["children"][0], *told["children"]]}


def repeated(said: dict[str, Any]) -> Any:
    """Every child twice."""
    return {**said, "children": said["children"] * 2}


def as_objects(said: dict[str, Any]) -> Any:
    """Children as a parent's summary lists them."""
    return {**said, "children": [{"id": child, "status": "queued"} for child in said["children"]]}


def unlisted(said: dict[str, Any]) -> Any:
    """No children at all."""
    return {**said, "children": []}


def all_the_same(said: dict[str, Any]) -> Any:
    """One job for all requests, the children their own."""
    return {**said, "jobId": "job_of_all"}


@pytest.mark.parametrize("lie", [some_ended, one_twice, repeated, as_objects, unlisted, all_the_same])
def test_an_admission_in_strange_words(lie: Lie) -> None:
    """Children that have ended already, stand there twice, as objects or not at all: each capture once."""
    outcome, lines, admitted = reworded(lie)

    assert outcome.kind == "finished"
    assert len(admitted) == 4
    assert [line["status"] for line in lines] == ["completed"] * 16
    assert len({line["child"] for line in lines}) == 16


def strange_ids(said: dict[str, Any]) -> Any:
    """Ids that a URL would have to quote, of jobs that nobody knows."""
    return {**said, "children": ["a?b=1", "a#b", "é.ü", "a b"]}


def too_few(said: dict[str, Any]) -> Any:
    """One child, the same for every request."""
    return {**said, "children": ["job_x.same"]}


def the_parent(said: dict[str, Any]) -> Any:
    """The parent as its own child."""
    return {**said, "children": [said["jobId"]]}


def too_many(said: dict[str, Any]) -> Any:
    """Ten times as many as were asked for."""
    return {**said, "children": said["children"] + [f"{said['jobId']}.more{n}" for n in range(36)]}


@pytest.mark.parametrize(
    ("lie", "lines_each"), [(strange_ids, 4), (too_few, 1), (the_parent, 1), (too_many, 40)]
)
def test_children_that_are_none(lie: Lie, lines_each: int) -> None:
    """What is listed and cannot be collected ends by name, each once, within a little over an hour."""
    outcome, lines, admitted = reworded(lie)

    assert outcome.kind == "finished"
    assert outcome.seconds < 2 * 3600
    assert len(admitted) == 4
    assert len({(line["request"], line["child"]) for line in lines}) == len(lines) == 4 * lines_each
    codes = {(line["error"] or {}).get("code", line["status"]) for line in lines}
    assert codes <= {"completed", "NO_RESULT", "JOB_NOT_FOUND"}


def reworded(lie: Lie) -> tuple[Outcome, Sequence[dict[str, Any]], Sequence[str]]:
    """Run four requests of four captures against a service that rewords its 202s by *lie*."""
    plan = Plan(
        seed=1,
        requests=[
            {"id": f"r{n}", "query": f"q {n}", "surfaces": ["chatgpt", "claude"], "regions": ["US", "DE"]}
            for n in range(4)
        ],
        settings={"capacity": 30, "workers": 4, "unit": "children"},
    )
    kind = type("Reworded", (Reworded,), {"lie": staticmethod(lie)})
    service: Service = kind(plan.service, seed=1)
    return alone(plan, service)
