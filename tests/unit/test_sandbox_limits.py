"""
The sandbox's request-rate window, the forms of Retry-After, and the other tenants of a key.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer.sandbox import SANDBOX_KEY, Answer, Call, Change, Entry, Latency, Service, Settings, Tenant
from pacer.sandbox.window import RateWindow

BODY = {"query": "running shoes", "surfaces": ["chatgpt"], "regions": [{"country": "US"}]}


def service(**settings: Any) -> Service:
    settings.setdefault("latency", Latency(mean=10.0, shape="constant"))
    return Service(Settings(**settings), seed=7)


def statuses(sandbox: Service, times: list[float]) -> list[int]:
    return [sandbox.status(now=now).status for now in times]


def test_an_aligned_window_starts_at_multiples_of_its_length() -> None:
    """
    So many requests before each boundary of the wall clock are let in, the next not, and from the boundary on
    again.
    """
    sandbox = service(rate_limit=2, rate_window=60.0, epoch=1_000_000_010.0)  # 10 s before a boundary
    assert statuses(sandbox, [0, 1, 9.99, 10.0, 11.0, 12.0, 69.99, 70.0]) == [
        200, 200, 429, 200, 200, 429, 429, 200,
    ]  # fmt: skip


def test_a_sliding_window_allows_no_more_within_any_such_span() -> None:
    """
    Room returns one window after the oldest request that was let in, to the moment.
    """
    sandbox = service(rate_limit=2, rate_window=60.0, rate_kind="sliding")
    assert statuses(sandbox, [0, 50.0, 59.99, 60.0, 60.0, 109.99, 110.0]) == [
        200, 200, 429, 200, 429, 429, 200,
    ]  # fmt: skip


@settings(deadline=None)
@given(
    times=st.lists(st.floats(0, 500), max_size=80).map(sorted),
    kind=st.sampled_from(["aligned", "sliding"]),
    limit=st.integers(1, 5),
    window=st.floats(1, 100),
    phase=st.floats(0, 100),
)
def test_the_window_opens_exactly_when_it_says(
    times: list[float], kind: Any, limit: int, window: float, phase: float
) -> None:
    """
    After a refusal at `now`, the moment named by resets_at lets one more in, and nothing earlier does.
    """
    settings = Settings(rate_limit=limit, rate_window=window, rate_kind=kind, rate_phase=phase)
    rate = RateWindow(settings, limit)
    admitted: list[float] = []
    for now in times:
        if rate.admit(now):
            admitted.append(now)
            continue
        opens = rate.resets_at(now)
        assert now < opens <= now + window * (1 + 1e-9)
        assert rate.remaining((now + opens) / 2) == 0 or (now + opens) / 2 >= opens
    if kind == "sliding":
        for start in admitted:
            assert sum(start <= at < start + window for at in admitted) <= limit


@pytest.mark.parametrize(
    ("rule", "on_200", "on_429"),
    [("always", True, True), ("on_429", False, True), ("never", False, False)],
)
def test_the_trio_comes_when_its_rule_says(
    rule: Literal["always", "on_429", "never"], on_200: bool, on_429: bool
) -> None:
    """
    X-RateLimit-Limit, -Remaining and -Reset are on every reply, on 429s only or on none; never on health.
    """
    sandbox = service(rate_limit=2, rate_headers=rule, epoch=1_000_000_020.0, clock_skew=100.0)
    first, _, refused = (sandbox.status(now=now) for now in (0.0, 0.5, 1.0))
    assert trio(first) == (("2", "1", "1000000180") if on_200 else (None, None, None))
    assert trio(refused) == (("2", "0", "1000000180") if on_429 else (None, None, None))
    assert trio(sandbox.handle(Call("GET", "/v1/health"), now=1.0)) == (None, None, None)


def trio(answer: Answer) -> tuple[str | None, ...]:
    return tuple(answer.headers.get(f"X-RateLimit-{name}") for name in ("Limit", "Remaining", "Reset"))


def test_a_rate_refusal_names_the_rest_of_the_window() -> None:
    """
    Retry-After is the whole seconds until the window opens, rounded up; whoever waits them is let in.
    """
    sandbox = service(rate_limit=1, rate_window=60.0, epoch=0.0)
    sandbox.status(now=0.0)
    refused = sandbox.status(now=12.3)
    assert refused.headers["Retry-After"] == "48"
    assert sandbox.status(now=12.3 + 48).status == 200


def test_the_rate_gates_every_request_before_any_work() -> None:
    """
    Refused by the window, a submission is not admitted and a bad body is not even looked at.
    """
    sandbox = service(rate_limit=1)
    sandbox.status(now=0.0)
    headers = {"Authorization": f"Bearer {SANDBOX_KEY}"}
    for raw in (b"{}", b'{"query": "x", "surfaces": ["claude"]}'):
        answer = sandbox.handle(Call("POST", "/v1/search", {"mode": "async"}, headers, raw), now=0.0)
        assert answer.code == "RATE_LIMIT_EXCEEDED"
    assert sandbox.log.admitted == 0


@pytest.mark.parametrize(
    ("form", "value", "seconds"),
    [
        ("seconds", "3", 3.0),
        ("date", "Sun, 09 Sep 2001 01:46:53 GMT", 3.0),
        ("absent", None, None),
        ("zero", "0", 0.0),
        ("nonsense", "shortly", None),
        ("huge", "40000000", 4e7),
    ],
)
def test_retry_after_is_written_in_every_form(form: Any, value: str | None, seconds: float | None) -> None:
    """
    A queue 429 names its wait in the chosen form, and the log knows what wait that promises.
    """
    sandbox = service(capacity=0, epoch=1_000_000_000.0, retry_after=2.2, retry_after_form=form)
    answer = sandbox.submit(BODY, now=10.0)
    (entry,) = sandbox.log

    assert answer.headers.get("Retry-After") == value
    assert entry.retry_after == value
    assert entry.retry_seconds == seconds


def test_a_date_is_no_earlier_than_the_wait_on_a_skewed_clock() -> None:
    """
    As an HTTP-date, Retry-After minus Date is at least the wait, however wrong the service's clock is.
    """
    sandbox = service(capacity=0, retry_after=5.0, retry_after_form="date", clock_skew=-86_400.5)
    answer = sandbox.submit(BODY, now=0.25)
    named = parsedate_to_datetime(answer.headers["Retry-After"])
    sent = parsedate_to_datetime(answer.headers["Date"])
    assert 5.0 <= (named - sent).total_seconds() <= 7.0
    assert sent < datetime.fromtimestamp(sandbox.settings.epoch, UTC)


def admitted_by_tenants(sandbox: Service) -> int:
    return sandbox.log.tenant_admitted


def test_a_steady_tenant_takes_its_demand() -> None:
    """
    With room for all, a steady tenant of fan-out 2 submits half its demand of children a second.
    """
    sandbox = service(workers=1000, tenants=(Tenant(kind="steady", demand=4.0, fan_out=2),))
    sandbox.advance(now=1000.0)
    assert admitted_by_tenants(sandbox) == pytest.approx(2000, rel=0.1)
    assert sandbox.log.tenant_refused == {}
    assert sandbox.captures.captured["chatgpt"] == pytest.approx(4000, rel=0.1)


def test_a_bursting_tenant_comes_all_at_once() -> None:
    """
    Every period it submits its burst in one moment, beginning at its start and ending before its stop.
    """
    tenant = Tenant(kind="bursting", burst=30, period=60.0, start=10.0, stop=120.0, surface="claude")
    sandbox = service(workers=10, tenants=(tenant,))
    seen = []
    for now in (9.9, 10.0, 69.9, 70.0, 500.0):
        sandbox.advance(now=now)
        seen.append(admitted_by_tenants(sandbox))
    assert seen == [0, 30, 30, 60, 60]


def test_a_greedy_tenant_fills_the_queue_and_takes_our_room() -> None:
    """
    It submits to the brim every period: our own submission finds no room until captures have started.
    """
    sandbox = service(workers=2, capacity=5, retry_after=6.0, tenants=(Tenant(kind="greedy", period=4.0),))
    assert sandbox.submit(BODY, now=0.0).status == 429
    assert sandbox.snapshot()["inflight"]["total"] == 7
    assert sandbox.submit(BODY, now=10.0).status == 202


@pytest.mark.parametrize(("reacts", "refusals"), [(True, 4), (False, 60)])
def test_tenants_heed_retry_after_if_they_react(reacts: bool, refusals: int) -> None:
    """
    Refused every time, a tenant that reacts tries once per Retry-After, another one at each of its turns.
    """
    tenant = Tenant(kind="greedy", period=1.0, reacts=reacts)
    sandbox = service(workers=0, capacity=0, retry_after=15.0, tenants=(tenant,))
    sandbox.advance(now=59.5)
    assert sandbox.log.tenant_refused == {"QUEUE_CAPACITY_EXCEEDED": refusals}
    assert sandbox.log.refused == {}


def test_what_a_tenant_could_not_submit_it_submits_later() -> None:
    """
    A refused burst stays in its backlog: once there is room, all of it is admitted.
    """
    tenant = Tenant(kind="bursting", burst=20, period=1e6)
    sandbox = service(workers=10, capacity=5, retry_after=2.0, tenants=(tenant,))
    sandbox.advance(now=0.0)
    assert admitted_by_tenants(sandbox) == 15
    sandbox.advance(now=100.0)
    assert admitted_by_tenants(sandbox) == 20


def test_tenants_share_the_window_and_stand_in_the_log() -> None:
    """
    A tenant's submissions use up the key's window; its entries are marked, and counted apart from ours.
    """
    sandbox = service(rate_limit=10, tenants=(Tenant(kind="bursting", burst=10, period=60.0),))
    assert sandbox.status(now=0.0).code == "RATE_LIMIT_EXCEEDED"
    ours: list[Entry] = [entry for entry in sandbox.log if not entry.tenant]
    assert len(ours) == 1
    assert (sandbox.log.calls, sandbox.log.tenant_admitted) == ({"status": 1}, 10)


def test_a_tenant_waits_out_an_outage() -> None:
    """
    While the service is down no one is admitted; afterwards the tenant is again.
    """
    sandbox = service(
        tenants=(Tenant(kind="steady", demand=1.0),),
        schedule=(Change(0.0, "outage", "refused"), Change(100.0, "outage", "")),
    )
    sandbox.advance(now=99.0)
    assert admitted_by_tenants(sandbox) == 0
    sandbox.advance(now=200.0)
    assert admitted_by_tenants(sandbox) > 100


def test_a_greedy_tenant_that_stops_wants_nothing_any_more() -> None:
    """It is not left with a backlog of its own making, however long it was held up by a Retry-After."""
    tenant = Tenant(kind="greedy", period=1.0, stop=20.0)
    sandbox = service(workers=1, capacity=3, retry_after=6.0, tenants=(tenant,))
    sandbox.advance(now=20.0)
    admitted = admitted_by_tenants(sandbox)
    assert admitted > 0
    sandbox.advance(now=2000.0)
    assert admitted_by_tenants(sandbox) == admitted


def test_an_unlimited_queue_does_not_trap_a_greedy_tenant() -> None:
    """
    Where nothing ever refuses it, its turn ends all the same.
    """
    sandbox = service(capacity=None, tenants=(Tenant(kind="greedy", stop=0.5),))
    sandbox.advance(now=1.0)
    assert 0 < admitted_by_tenants(sandbox) <= 10_000
