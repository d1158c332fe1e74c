"""
The sandbox's queue: what depth counts, when it falls, who starts next, and for how long captures run.
"""

from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer.sandbox import Change, Latency, Service, Settings

CONSTANT = Latency(mean=10.0, shape="constant")


def service(**settings: Any) -> Service:
    settings.setdefault("latency", CONSTANT)
    return Service(Settings(**settings), seed=7)


def search(surfaces: int = 1, regions: int = 1, **fields: Any) -> dict[str, Any]:
    names = ["chatgpt", "claude", "gemini", "perplexity", "copilot"]
    countries = ["US", "DE", "FR", "JP"]
    return {
        "query": "running shoes",
        "surfaces": names[:surfaces],
        "regions": [{"country": country} for country in countries[:regions]],
        **fields,
    }


def depth(sandbox: Service) -> int:
    value = sandbox.snapshot()["admissionQueue"]["depth"]
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize(("unit", "cost"), [("parents", 1), ("children", 6), ("both", 7)])
def test_depth_counts_what_the_unit_says(unit: Literal["parents", "children", "both"], cost: int) -> None:
    """
    A search of 3 surfaces in 2 regions adds 1, 6 or 7 to depth; only a queue with that much room takes it.
    """
    roomy = service(unit=unit, workers=0, capacity=cost)
    narrow = service(unit=unit, workers=0, capacity=cost - 1, oversized="refused")

    assert roomy.submit(search(3, 2), now=0).status == 202
    assert depth(roomy) == cost
    refused = narrow.submit(search(3, 2), now=0)
    assert (refused.status, refused.code) == (429, "QUEUE_CAPACITY_EXCEEDED")
    assert depth(narrow) == 0


@pytest.mark.parametrize(
    ("unit", "release", "depths"),
    [
        # One worker, two children of 10 s each: read at 0, 5, 10, 15 and 20 s.
        ("parents", "start", [0, 0, 0, 0, 0]),
        ("children", "start", [1, 1, 0, 0, 0]),
        ("both", "start", [1, 1, 0, 0, 0]),
        ("parents", "end", [1, 1, 1, 1, 0]),
        ("children", "end", [2, 2, 1, 1, 0]),
        ("both", "end", [3, 3, 2, 2, 0]),
    ],
)
def test_cost_leaves_depth_at_the_promised_moment(
    unit: Literal["parents", "children", "both"], release: Literal["start", "end"], depths: list[int]
) -> None:
    """
    Released at the start, a child's share leaves when it starts and the parent's with its first child;
    released at the end, when they are terminal.
    """
    sandbox = service(unit=unit, release=release, workers=1)
    sandbox.submit(search(2), now=0.0)

    seen = []
    for now in (0.0, 5.0, 10.0, 15.0, 20.0):
        sandbox.advance(now=now)
        seen.append(depth(sandbox))

    assert seen == depths


def test_an_oversized_search_needs_an_empty_queue() -> None:
    """
    What costs more than the whole capacity is admitted at depth 0, and refused while anything waits.
    """
    sandbox = service(unit="children", capacity=2, workers=0)
    assert sandbox.submit(search(3), now=0).status == 202
    assert sandbox.submit(search(1), now=0).status == 429

    busy = service(unit="children", capacity=2, workers=0)
    busy.submit(search(1), now=0)
    assert busy.submit(search(3), now=0).status == 429


def test_captures_start_first_in_first_out() -> None:
    """
    Within one priority, whoever came first is done first.
    """
    sandbox = service(workers=1)
    jobs = [job_id(sandbox, search(), now=0) for _ in range(3)]

    done_at = [10.0, 20.0, 30.0]
    for job, at in zip(jobs, done_at, strict=True):
        assert state_of(sandbox, job, now=at - 0.01) == "processing"
        assert state_of(sandbox, job, now=at) == "completed"


def test_a_higher_priority_overtakes_what_waits() -> None:
    """
    A free worker takes the highest priority first; what runs is not interrupted.
    """
    sandbox = service(workers=1, generation="A")
    first, low, high = (job_id(sandbox, search(priority=priority), now=0) for priority in (5, 1, 10))

    sandbox.advance(now=20.0)

    assert [state_of(sandbox, job, now=20.0) for job in (first, low, high)] == [
        "completed",
        "processing",
        "completed",
    ]
    child = sandbox.model.jobs[low].children[0]
    assert child.started_at == 20.0


def test_no_more_captures_run_than_there_are_workers() -> None:
    """
    K workers run K captures at once, and a batch takes ceil(n / K) rounds of a constant latency.
    """
    sandbox = service(workers=4, capacity=100)
    for _ in range(10):
        sandbox.submit(search(), now=0)
    assert (sandbox.queue.running, depth(sandbox)) == (4, 6)

    sandbox.advance(now=29.99)
    assert sandbox.captures.total == 2
    sandbox.advance(now=30.0)
    assert sandbox.captures.total == 0


def test_idle_workers_are_accounted_for() -> None:
    """
    Busy and idle worker-seconds add up to workers x time, and idle_since says since when one has been free.
    """
    sandbox = service(workers=2)
    sandbox.advance(now=3.0)
    sandbox.submit(search(1), now=5.0)
    sandbox.submit(search(1), now=6.0)
    assert sandbox.queue.idle_since is None
    sandbox.advance(now=20.0)

    assert sandbox.queue.busy_worker_seconds == pytest.approx(20.0)
    assert sandbox.queue.idle_worker_seconds == pytest.approx(2 * (20.0 - 3.0) - 20.0)
    assert sandbox.queue.idle_since == 15.0


def test_waiting_too_long_expires_a_capture() -> None:
    """
    A child that has waited for queue_expiry seconds ends as expired, leaves depth, and never runs.
    """
    sandbox = service(workers=1, queue_expiry=4.0)
    running, waiting = (job_id(sandbox, search(), now=0) for _ in range(2))

    assert sandbox.next_event_at() == 4.0
    assert state_of(sandbox, waiting, now=3.99) == "processing"
    assert state_of(sandbox, waiting, now=4.0) == "expired"
    assert depth(sandbox) == 0
    assert state_of(sandbox, running, now=10.0) == "completed"


def test_a_collapse_of_the_drain_stretches_what_runs() -> None:
    """
    At a tenth of the speed the remaining work takes ten times as long; at full speed again, its own time.
    """
    sandbox = service(workers=1, schedule=(Change(5.0, "drain", 0.1), Change(25.0, "drain", 1.0)))
    job = job_id(sandbox, search(), now=0)

    # 5 s of work before, 20 s x 0.1 during, so 3 s are left after.
    assert state_of(sandbox, job, now=27.99) == "processing"
    assert state_of(sandbox, job, now=28.01) == "completed"


def test_a_standstill_schedules_nothing() -> None:
    """
    At drain 0 no capture ends and no event is due, until the speed comes back.
    """
    sandbox = service(workers=1)
    job = job_id(sandbox, search(), now=0)
    sandbox.change("drain", 0.0, now=9.0)
    assert sandbox.next_event_at() is None
    assert state_of(sandbox, job, now=1000.0) == "processing"
    sandbox.change("drain", 1.0, now=1000.0)
    assert sandbox.next_event_at() == 1001.0


def test_capacity_changes_in_mid_run() -> None:
    """
    After capacity fell below depth nothing is admitted until depth is below it; the snapshot shows both.
    """
    sandbox = service(workers=1, capacity=5, schedule=(Change(1.0, "capacity", 2),))
    for _ in range(6):
        assert sandbox.submit(search(), now=0).status == 202
    sandbox.advance(now=1.0)
    assert sandbox.snapshot()["admissionQueue"] == {"depth": 5, "capacity": 2}
    assert sandbox.submit(search(), now=39.0).status == 429
    assert sandbox.submit(search(), now=40.0).status == 202


def test_workers_added_start_at_once() -> None:
    """
    More workers take what waits in the same moment; fewer let what runs end.
    """
    sandbox = service(workers=1)
    for _ in range(5):
        sandbox.submit(search(), now=0)
    sandbox.change("workers", 3, now=2.0)
    assert sandbox.queue.running == 3
    sandbox.change("workers", 0, now=3.0)
    sandbox.advance(now=100.0)
    assert (sandbox.queue.running, depth(sandbox)) == (0, 2)


def test_the_kth_capture_has_the_kth_latency_whatever_was_asked() -> None:
    """
    Latencies follow dispatch order and the seed, so two clients with different orders meet the same service.
    """

    def ends(order: list[dict[str, Any]]) -> list[float]:
        sandbox = service(latency=Latency(mean=12.0), workers=3, capacity=None)
        for i, body in enumerate(order):
            sandbox.submit(body, now=float(i))
        sandbox.advance(now=1e6)
        return sorted(
            child.ended_at - child.started_at for job in sandbox.model.jobs.values() for child in job.children
        )

    bodies = [search(query=f"number {i}") for i in range(30)]
    assert ends(bodies) == ends(bodies[::-1])


@pytest.mark.parametrize("shape", ["constant", "lognormal", "heavy"])
def test_every_shape_of_latency_has_the_mean_it_names(
    shape: Literal["constant", "lognormal", "heavy"],
) -> None:
    """
    The mean of many captures is the setting's, for each distribution, and a surface's factor multiplies it.
    """
    latency = Latency(mean=10.0, shape=shape, factors={"claude": 0.5})
    sandbox = service(latency=latency, workers=10**6, capacity=None)
    for _ in range(10_000):
        sandbox.submit(search(2), now=0)
    sandbox.advance(now=1e9)

    means = {"chatgpt": 0.0, "claude": 0.0}
    for job in sandbox.model.jobs.values():
        for child in job.children:
            means[child.surface] += child.ended_at / 10_000
    assert means["chatgpt"] == pytest.approx(10.0, rel=0.05)
    assert means["claude"] == pytest.approx(5.0, rel=0.05)


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 20), st.integers(1, 5), st.integers(1, 4), st.integers(1, 10)), max_size=40
    ),
    unit=st.sampled_from(["parents", "children", "both"]),
    release=st.sampled_from(["start", "end"]),
    expiry=st.sampled_from([None, 7.0]),
)
def test_depth_is_always_the_sum_of_what_is_inside(
    steps: list[tuple[float, int, int, int]], unit: Any, release: Any, expiry: float | None
) -> None:
    """
    Whatever is submitted and when, depth is never negative nor above capacity, in flight is what is not
    terminal, and everything ends at depth 0.
    """
    sandbox = service(
        unit=unit, release=release, queue_expiry=expiry, capacity=30, workers=3, generation="A",
        latency=Latency(mean=5.0), failed=0.2, endless=0.1, expired=0.1,
    )  # fmt: skip
    now = 0.0
    for pause, surfaces, regions, priority in steps:
        now += pause
        sandbox.submit(search(surfaces, regions, priority=priority), now=now)
        children = [child for job in sandbox.model.jobs.values() for child in job.children]
        assert 0 <= depth(sandbox) <= 30
        assert sandbox.captures.total == sum(child.state in ("queued", "processing") for child in children)
        assert sandbox.snapshot()["inflight"]["total"] == sum(sandbox.captures.by_region.values())
        assert sandbox.queue.waiting == sum(child.state == "queued" for child in children)
        assert sandbox.queue.running == 3 or not sandbox.queue.waiting
    sandbox.advance(now=now + 1e6)
    assert (depth(sandbox), sandbox.queue.running, sandbox.queue.waiting) == (0, 0, 0)


@settings(deadline=None)
@given(pauses=st.lists(st.floats(0, 30), max_size=30), drains=st.lists(st.floats(0.01, 3), max_size=5))
def test_stepping_from_event_to_event_is_the_same_as_leaping(
    pauses: list[float], drains: list[float]
) -> None:
    """
    Advancing to each next_event_at in turn always makes progress, and ends in the state that one leap gives.
    """

    def run(*, stepwise: bool) -> tuple[int, dict[str, int]]:
        changes = tuple(Change(7.0 * i, "drain", drain) for i, drain in enumerate(drains))
        sandbox = service(workers=2, capacity=None, latency=Latency(mean=5.0), schedule=changes)
        now = 0.0
        for pause in pauses:
            now += pause
            if stepwise:
                step_until(sandbox, now)
            sandbox.submit(search(2), now=now)
        if stepwise:
            step_until(sandbox, 1e5)
        sandbox.advance(now=1e5)
        return sandbox.captures.total, sandbox.captures.ended

    assert run(stepwise=True) == run(stepwise=False)


def step_until(sandbox: Service, end: float) -> None:
    times = [-1.0]
    while (at := sandbox.next_event_at()) is not None and at <= end:
        sandbox.advance(now=at)
        times.append(at)
        assert len(times) < 1000, "no progress"
    assert all(one <= other for one, other in pairwise(times))


def job_id(sandbox: Service, body: dict[str, Any], *, now: float) -> str:
    answer = sandbox.submit(body, now=now)
    assert isinstance(answer.body, dict)
    return str(answer.body["jobId"])


def state_of(sandbox: Service, job: str, *, now: float) -> str:
    answer = sandbox.job(job, now=now)
    assert isinstance(answer.body, dict)
    return str(answer.body["job"]["status"])
