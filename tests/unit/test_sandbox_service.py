"""
The sandbox's replies: authentication, validation, generations, idempotency, job reads, sync lane, credits.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pacer.sandbox
from pacer.sandbox import SANDBOX_KEY, Answer, Call, Change, Latency, Service, Settings

CONSTANT = Latency(mean=10.0, shape="constant")
FIELDS = st.sampled_from(
    ["query", "prompt", "surfaces", "regions", "country", "city", "priority", "method", "webhook", "url",
     "secret", "idempotencyKey"]
)  # fmt: skip
BODY = {"query": "running shoes", "surfaces": ["chatgpt"], "regions": [{"country": "us"}]}


def service(**settings: Any) -> Service:
    settings.setdefault("latency", CONSTANT)
    return Service(Settings(**settings), seed=7)


def get(sandbox: Service, path: str, *, now: float = 0.0, key: str = SANDBOX_KEY, **query: str) -> Answer:
    return sandbox.handle(Call("GET", path, query, {"authorization": f"bearer {key}"}), now=now)


def post(sandbox: Service, body: Any, *, now: float = 0.0, prefer: str | None = None, **query: str) -> Answer:
    headers = {"Authorization": f"Bearer {SANDBOX_KEY}"} | ({"Prefer": prefer} if prefer else {})
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return sandbox.handle(Call("POST", "/v1/search", query, headers, raw), now=now)


def content(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer.body, dict)
    return answer.body


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "AUTH_MISSING"),
        ({"Authorization": "Basic abc"}, "AUTH_MISSING"),
        ({"Authorization": "Bearer "}, "AUTH_MISSING"),
        ({"Authorization": "Bearer sk_live_other"}, "AUTH_INVALID"),
    ],
)
def test_only_its_own_keys_are_let_in(headers: dict[str, str], code: str) -> None:
    """
    Without a bearer key, or with another one, every endpoint but health answers 401 and does nothing.
    """
    sandbox = service()
    for call in (
        Call("POST", "/v1/search", {}, headers, json.dumps(BODY).encode()),
        Call("GET", "/v1/async/status", {}, headers),
        Call("GET", "/v1/jobs/job_1", {}, headers),
    ):
        answer = sandbox.handle(call, now=0)
        assert (answer.status, answer.code) == (401, code)
    assert sandbox.handle(Call("GET", "/v1/health"), now=0).body == {"status": "ok", "schemaVersion": "1.0"}
    assert sandbox.log.admitted == 0


def test_every_reply_is_dated_and_carries_the_version() -> None:
    """
    Date follows the service's skewed clock in the form of RFC 9110, and errors have the documented envelope.
    """
    sandbox = service(epoch=784111777.0, clock_skew=-3600.0)
    for answer in (
        get(sandbox, "/v1/health"),
        get(sandbox, "/v1/nothing"),
        post(sandbox, BODY, mode="async"),
    ):
        assert answer.headers["Date"] == "Sun, 06 Nov 1994 07:49:37 GMT"
        assert answer.headers["X-AISearch-Version"] == "2026-06-27"
    missing = get(sandbox, "/v1/search/batch")
    assert missing.status == 404
    assert content(missing)["error"].keys() == {"code", "message", "status"}


def test_a_wrong_method_is_named() -> None:
    """
    A known path with another method is 405 with Allow.
    """
    answer = get(service(), "/v1/search")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"not json", ""),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
        ([], ""),
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x" * 10_001}, "query"),
        ({"query": 5}, "query"),
        ({"surfaces": []}, "surfaces"),
        ({"surfaces": "chatgpt"}, "surfaces"),
        ({"surfaces": [7]}, "surfaces.0"),
        ({"regions": []}, "regions"),
        ({"regions": [{"country": "USA"}]}, "regions.0.country"),
        ({"regions": [{"city": "Berlin"}]}, "regions.0.country"),
        ({"regions": [{"country": "DE", "city": 1}]}, "regions.0.city"),
        ({"regions": [7]}, "regions.0"),
        ({"regions": [{"country": "US"}] * 11}, "regions"),
        ({"priority": 11}, "priority"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"webhook": {"url": "ftp://x", "secret": "s"}}, "webhook.url"),
        ({"webhook": {"url": "https://x"}}, "webhook.secret"),
        ({"webhook": []}, "webhook"),
        ({"method": "magic"}, "method"),
    ],
)
def test_a_bad_body_is_refused_with_its_field_named(body: Any, path: str) -> None:
    """
    Each breach of the documented body is a 400 whose details name the field, and admits nothing.
    """
    sandbox = service(generation="B")
    whole = {**BODY, **body} if isinstance(body, dict) and body else body
    answer = post(sandbox, whole, mode="async")

    assert (answer.status, answer.code) == (400, "VALIDATION_FAILED")
    assert path in [detail["path"] for detail in content(answer)["error"]["details"]]
    assert sandbox.log.admitted == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=3),
)


@settings(deadline=None)
@given(
    st.binary() | st.dictionaries(FIELDS, JSON).map(lambda fields: json.dumps({**BODY, **fields}).encode())
)
def test_no_body_is_a_surprise(raw: bytes) -> None:
    """
    Whatever bytes or JSON are submitted, the answer is an acceptance or a refusal in the error envelope.
    """
    for generation in ("A", "B"):
        answer = post(service(generation=generation), raw)
        assert answer.status in (200, 202) or answer.code
        json.loads(answer.encoded())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"surfaces": ["altavista"]}, 400, "UNSUPPORTED_SURFACE"),
        ({"method": "own-fleet", "surfaces": ["claude"]}, 422, "UNSERVABLE_METHOD"),
    ],
)
def test_what_cannot_be_served_is_refused(body: dict[str, Any], status: int, code: str) -> None:
    """
    An unknown surface and a method that cannot serve a surface have codes of their own.
    """
    answer = post(service(), {**BODY, **body}, mode="async")
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(("generation", "child"), [("A", "chatgpt.us"), ("B", "chatgpt.own-fleet.US")])
def test_an_accepted_search_names_its_job(generation: Any, child: str) -> None:
    """
    The 202 has a dotless job id, its children in the generation's format, and a Location.
    """
    answer = post(service(generation=generation), BODY, mode="async")
    body = content(answer)

    assert answer.status == 202
    assert body["status"] == "processing"
    assert "." not in body["jobId"]
    assert body["children"] == [f"{body['jobId']}.{child}"]
    assert answer.headers["Location"] == f"/v1/jobs/{body['jobId']}"


def test_children_of_one_country_have_ids_of_their_own() -> None:
    """
    Two regions that differ only in their city are two captures with different ids, both readable.
    """
    sandbox = service()
    regions = [{"country": "DE", "city": "Berlin"}, {"country": "DE", "city": "Bonn"}]
    children = content(post(sandbox, {**BODY, "regions": regions}, mode="async"))["children"]

    assert len(set(children)) == 2
    assert [content(get(sandbox, f"/v1/jobs/{child}"))["job"]["id"] for child in children] == children


def test_generations_differ_in_their_defaults() -> None:
    """
    Regions omitted mean US or GLOBAL; priority and more than ten regions are of A; a bare country and
    `prompt` are of B; google_search exists only in B.
    """
    bare = {"query": "x", "surfaces": ["chatgpt", "claude"]}
    a, b = service(generation="A"), service(generation="B")

    assert content(post(a, bare))["children"][0].endswith(".us")
    assert content(post(b, bare))["children"][0].endswith(".GLOBAL")
    assert post(a, {**bare, "priority": 9, "regions": [{"country": "US"}] * 11}).status == 202
    assert post(a, {**bare, "priority": 11}).code == "VALIDATION_FAILED"
    assert post(b, {"prompt": "x", "surfaces": ["chatgpt"], "regions": ["fr"]}, mode="async").status == 202
    assert post(a, {**bare, "regions": ["fr"]}).status == 400
    assert post(a, {**bare, "surfaces": ["google_search"]}).code == "UNSUPPORTED_SURFACE"
    assert post(b, {**bare, "surfaces": ["google_search"]}, mode="async").status == 202


@pytest.mark.parametrize(
    ("generation", "surfaces", "extra", "mode", "prefer", "status"),
    [
        ("A", 1, {}, None, None, 202),
        ("A", 1, {}, "sync", None, 200),
        ("A", 1, {}, None, "wait", 200),
        ("A", 2, {}, "sync", None, 400),
        ("B", 1, {}, None, None, 200),
        ("B", 2, {}, None, None, 202),
        ("B", 1, {}, "async", None, 202),
        ("B", 1, {}, "async", "wait=30", 202),
        ("B", 1, {"webhook": {"url": "https://x.example", "secret": "s"}}, "sync", None, 202),
        ("B", 1, {}, "later", None, 400),
    ],
)
def test_who_waits_and_who_does_not(
    generation: Any,
    surfaces: int,
    extra: dict[str, Any],
    mode: str | None,
    prefer: str | None,
    status: int,
) -> None:
    """
    `mode`, Prefer, a webhook and the generation's default decide between 200 and 202 as documented.
    """
    body = {**BODY, **extra, "surfaces": ["chatgpt", "gemini"][:surfaces]}
    query = {"mode": mode} if mode else {}
    headers = {"Authorization": f"Bearer {SANDBOX_KEY}"} | ({"prefer": prefer} if prefer else {})
    call = Call("POST", "/v1/search", query, headers, json.dumps(body).encode())
    assert service(generation=generation).handle(call, now=0).status == status


def test_a_sync_capture_takes_its_time_and_a_slot() -> None:
    """
    A sync reply is the Envelope after the capture's latency; a full lane is a 429 with the X-Concurrency
    trio, and async submissions are not concerned.
    """
    sandbox = service(sync_limit=1, retry_after=3.0)
    first = post(sandbox, BODY, mode="sync")
    second = post(sandbox, BODY, now=9.9, mode="sync")

    assert (first.delay, content(first)["job"]["status"]) == (10.0, "completed")
    assert content(first)["job"]["credits"] == 5
    assert (second.status, second.code) == (429, "CONCURRENCY_LIMIT_EXCEEDED")
    assert second.headers["Retry-After"] == "3"
    assert second.headers["X-Concurrency-Limit"] == second.headers["X-Concurrency-Running"] == "1"
    assert post(sandbox, BODY, now=9.9, mode="async").status == 202
    assert sandbox.snapshot()["syncConcurrency"] == {"limit": 1, "running": 1}
    assert post(sandbox, BODY, now=10.0, mode="sync").status == 200


def test_a_sync_capture_that_takes_too_long_times_out() -> None:
    """
    Past sync_timeout the reply is 504 SURFACE_TIMEOUT at that moment, and the slot is free again.
    """
    sandbox = service(sync_timeout=4.0, sync_limit=1)
    answer = post(sandbox, BODY, mode="sync")
    assert (answer.status, answer.code, answer.delay) == (504, "SURFACE_TIMEOUT", 4.0)
    assert post(sandbox, BODY, now=4.0, mode="sync").status == 504
    assert sandbox.captures.ended == {"failed": 1}


def test_a_flat_view_has_five_fields() -> None:
    """
    `view=flat` leaves surface, status, text, markdown and sources, on sync replies and on child reads.
    """
    sandbox = service()
    one = post(sandbox, BODY, mode="sync", view="flat")
    several = post(sandbox, {**BODY, "regions": ["US", "DE"]}, mode="sync", view="flat")
    child = content(post(sandbox, BODY, mode="async"))["children"][0]
    read = get(sandbox, f"/v1/jobs/{child}", now=10.0, view="flat")

    fields = {"surface", "status", "text", "markdown", "sources"}
    assert content(one).keys() == content(read).keys() == fields
    assert [result.keys() for result in content(several)["results"]] == [fields, fields]
    assert content(read)["text"]


def test_a_repeated_key_is_replayed() -> None:
    """
    The same key and body get the original job at no cost, marked as a replay, even where the queue is full.
    """
    sandbox = service(capacity=1, workers=0)
    body = {**BODY, "idempotencyKey": "k1"}
    first, again = post(sandbox, body, mode="async"), post(sandbox, body, mode="async")

    assert (again.status, again.body) == (202, first.body)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (sandbox.log.admitted, sandbox.log.replayed, sandbox.queue.depth) == (1, 1, 1)


def test_a_replay_tells_the_state_of_today() -> None:
    """
    Replayed after its end, an async job shows its terminal status and a sync one its Envelope.
    """
    sandbox = service()
    late = {**BODY, "idempotencyKey": "async"}
    post(sandbox, late, mode="async")
    waited = {**BODY, "idempotencyKey": "sync"}
    post(sandbox, waited, mode="sync")

    assert content(post(sandbox, waited, now=5.0, mode="sync"))["status"] == "processing"
    assert content(post(sandbox, late, now=10.0, mode="async"))["status"] == "completed"
    assert content(post(sandbox, waited, now=10.0, mode="sync"))["job"]["status"] == "completed"
    assert sandbox.log.admitted == 2


@pytest.mark.parametrize(("comparison", "status"), [("canonical", 202), ("raw", 409)])
def test_bodies_are_compared_as_the_setting_says(comparison: Any, status: int) -> None:
    """
    Another order of fields is the same body as JSON and another one byte for byte; another query never is.
    """
    sandbox = service(body_comparison=comparison)
    body = {**BODY, "idempotencyKey": "k1"}
    post(sandbox, body, mode="async")

    assert post(sandbox, dict(reversed(body.items())), mode="async").status == status
    other = post(sandbox, {**body, "query": "boots"}, mode="async")
    assert (other.status, other.code) == (409, "IDEMPOTENCY_CONFLICT")
    assert sandbox.log.admitted == 1


def test_a_key_is_forgotten_after_its_time() -> None:
    """
    Within idempotency_ttl a resend is replayed, from then on it is admitted anew; the log shows both.
    """
    sandbox = service(idempotency_ttl=60.0)
    body = {**BODY, "idempotencyKey": "k1"}
    for now in (0.0, 59.9, 60.0):
        post(sandbox, body, now=now, mode="async")
    assert [entry.admitted for entry in sandbox.log] == [True, False, True]


def test_a_refused_search_does_not_burn_its_key() -> None:
    """
    A key that met a 429 is admitted, not replayed, when it comes again.
    """
    sandbox = service(capacity=1, workers=1)
    for _ in range(2):
        post(sandbox, BODY, mode="async")
    body = {**BODY, "idempotencyKey": "k1"}
    assert post(sandbox, body, mode="async").status == 429
    assert "Idempotent-Replayed" not in post(sandbox, body, now=10.0, mode="async").headers
    assert [entry.admitted for entry in sandbox.log if entry.key == "k1"] == [False, True]


def test_a_child_is_an_envelope_and_a_parent_a_summary() -> None:
    """
    A child read has only `job` until its end, then every section; the parent lists its children's states.
    """
    sandbox = service(workers=1)
    posted = content(post(sandbox, {**BODY, "surfaces": ["chatgpt", "claude"]}, mode="async"))
    running, queued = posted["children"]

    assert content(get(sandbox, f"/v1/jobs/{running}")).keys() == {"job"}
    assert content(get(sandbox, f"/v1/jobs/{queued}"))["job"]["status"] == "queued"
    done = content(get(sandbox, f"/v1/jobs/{running}", now=10.0))
    assert done.keys() == {"job", "provenance", "answer", "evidence", "raw"}
    assert done["job"]["completedAt"] == "2027-01-15T08:00:10.000Z"
    assert (done["job"]["region"], done["job"]["credits"]) == ("US", 5)
    assert done["answer"]["blocks"][0]["referenceIds"][0] in {s["id"] for s in done["evidence"]["sources"]}
    parent = content(get(sandbox, f"/v1/jobs/{posted['jobId']}", now=10.0))
    assert parent["job"] == {"id": posted["jobId"], "status": "processing"}
    assert [child["status"] for child in parent["children"]] == ["completed", "processing"]
    assert get(sandbox, "/v1/jobs/job_unknown", now=10.0).code == "JOB_NOT_FOUND"
    assert get(sandbox, f"/v1/jobs/{posted['jobId']}.bing.US", now=10.0).code == "JOB_NOT_FOUND"


@pytest.mark.parametrize(
    ("share", "state", "present", "charged"),
    [
        ({}, "completed", True, 5),
        ({"partial": 1.0}, "partial", True, 5),
        ({"absent": 1.0}, "completed", False, 0),
        ({"failed": 1.0}, "failed", False, 0),
        ({"canceled": 1.0}, "canceled", False, 0),
        ({"expired": 1.0}, "expired", False, 0),
    ],
)
def test_captures_end_in_every_state(
    share: dict[str, float], state: str, present: bool, charged: int
) -> None:
    """
    Each end has its status, an answer only if the surface showed one, and a charge only then.
    """
    sandbox = service(credits=100, **share)
    child = content(post(sandbox, BODY, mode="async"))["children"][0]
    whole = content(get(sandbox, f"/v1/jobs/{child}", now=10.0))

    assert whole["job"]["status"] == state
    assert whole["provenance"]["surfacePresent"] is present
    assert bool(whole["answer"]["markdown"]) is present
    assert whole["job"]["credits"] == charged
    assert ("error" in whole["job"]) is (state not in ("completed", "partial"))
    assert (whole["job"]["warnings"] == ["surface_absent"]) is ("absent" in share)
    usage = content(get(sandbox, "/v1/usage", now=10.0))
    assert usage["usage"] == {"totalJobs": 1, "bySurface": {"chatgpt": 1}}
    assert usage["balance"] == {"plan": "sandbox", "credits": 100 - charged, "unlimited": False}


def test_an_endless_capture_never_ends_but_frees_its_worker() -> None:
    """
    It reads as processing for ever and stays in flight, while the next capture gets the worker and the room.
    """
    sandbox = service(workers=1, endless=1.0, release="end")
    job = content(post(sandbox, BODY, mode="async"))["jobId"]
    read = content(get(sandbox, f"/v1/jobs/{job}", now=1e6))
    assert read["job"]["status"] == "processing"
    assert sandbox.snapshot()["inflight"]["total"] == 1
    assert (sandbox.queue.running, sandbox.queue.depth) == (0, 0)


@pytest.mark.parametrize(
    ("states", "rolled_up"),
    [
        (["completed", "completed"], "completed"),
        (["failed", "failed"], "failed"),
        (["expired", "expired"], "expired"),
        (["completed", "failed"], "partial"),
        (["completed", "expired"], "partial"),
        (["failed", "canceled"], "failed"),
    ],
)
def test_states_roll_up(states: list[str], rolled_up: str) -> None:
    """
    All alike: that state. Mixed: partial if something completed, else failed.
    """
    sandbox = service()
    job = content(post(sandbox, {**BODY, "surfaces": ["chatgpt", "claude"]}, mode="async"))["jobId"]
    for child, state in zip(sandbox.model.jobs[job].children, states, strict=True):
        child.end = state
    parent = content(get(sandbox, f"/v1/jobs/{job}", now=10.0))
    assert [child["status"] for child in parent["children"]] == states
    assert parent["job"]["status"] == rolled_up


def test_a_job_may_not_be_found_at_first() -> None:
    """
    For not_found_lag seconds after its 202 a job is 404, then it is there.
    """
    sandbox = service(not_found_lag=2.0)
    job = content(post(sandbox, BODY, mode="async"))["jobId"]
    assert get(sandbox, f"/v1/jobs/{job}", now=1.9).code == "JOB_NOT_FOUND"
    assert get(sandbox, f"/v1/jobs/{job}", now=2.0).status == 200


def test_credits_run_out_and_come_back() -> None:
    """
    Credits are charged when captures succeed; below 1 every submission is 402, until there are more.
    """
    sandbox = service(credits=6, schedule=(Change(20.0, "credits", 50),))
    assert [post(sandbox, BODY, mode="async").status for _ in range(2)] == [202, 202]
    refused = post(sandbox, BODY, now=10.0, mode="async")
    assert (refused.status, refused.code) == (402, "INSUFFICIENT_CREDITS")
    assert sandbox.captures.balance == -4
    assert post(sandbox, BODY, now=20.0, mode="async").status == 202


def test_the_snapshot_counts_what_is_in_flight() -> None:
    """
    Its three sections agree with what was submitted, and a surface without captures is left out.
    """
    sandbox = service(workers=1, capacity=None)
    body = {**BODY, "surfaces": ["chatgpt", "claude"], "regions": ["US", "FR"]}
    post(sandbox, body, mode="async")
    assert get(sandbox, "/v1/async/status").body == {
        "admissionQueue": {"depth": 3, "capacity": None},
        "syncConcurrency": {"limit": 5, "running": 0},
        "inflight": {
            "total": 4,
            "bySurface": {"chatgpt": 2, "claude": 2},
            "byRegion": {"US": 2, "FR": 2},
        },
    }
    assert content(get(sandbox, "/v1/async/status", now=20.0))["inflight"]["bySurface"] == {"claude": 2}


def test_the_status_endpoint_can_be_missing_and_return() -> None:
    """
    Switched off it is a 404, switched on by the schedule it answers.
    """
    sandbox = service(status_endpoint=False, schedule=(Change(5.0, "status_endpoint", True),))
    assert get(sandbox, "/v1/async/status").status == 404
    assert get(sandbox, "/v1/async/status", now=5.0).status == 200


def test_the_log_tells_what_a_checker_needs() -> None:
    """
    Each call leaves one entry with its key, outcome, cost, the queue afterwards and any Retry-After.
    """
    sandbox = service(capacity=2, workers=0, retry_after=7.0)
    post(sandbox, {**BODY, "idempotencyKey": "k1"}, mode="async")
    post(sandbox, {**BODY, "idempotencyKey": "k2", "surfaces": ["chatgpt", "claude"]}, now=1.5, mode="async")
    get(sandbox, "/v1/async/status", now=2.0)
    first, second, third = sandbox.log

    assert (first.key, first.admitted, first.status, first.cost, first.depth) == ("k1", True, 202, 1, 1)
    assert (second.key, second.admitted, second.status, second.cost, second.depth) == ("k2", False, 429, 2, 1)
    assert (second.gate, second.retry_after, second.retry_seconds) == ("queue", "7", 7.0)
    assert (third.what, third.told_depth, third.told_capacity) == ("status", 1, 2)


def test_a_limited_log_keeps_the_newest_and_all_sums() -> None:
    """
    With log_limit only the last entries are kept, while the counters go on.
    """
    sandbox = Service(Settings(capacity=1, workers=0), log_limit=2)
    for _ in range(5):
        post(sandbox, BODY, mode="async")
    assert len(sandbox.log) == 2
    assert sandbox.log.calls == {"submit": 5}
    assert (sandbox.log.admitted, sandbox.log.refused) == (1, {"QUEUE_CAPACITY_EXCEEDED": 4})


def test_time_does_not_run_backwards() -> None:
    """
    An earlier `now` is refused and changes nothing.
    """
    sandbox = service()
    sandbox.advance(now=5.0)
    with pytest.raises(ValueError, match="backwards"):
        sandbox.submit(BODY, now=4.9)
    assert sandbox.log.admitted == 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"capacity": -1}, "capacity"),
        ({"unit": "jobs"}, "unit"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"rate_window": 0.0}, "rate_window"),
        ({"failed": 0.6, "absent": 0.5}, "shares"),
        ({"retry_after_form": "fax"}, "retry_after_form"),
        ({"schedule": (Change(5.0, "capacity", -1),)}, "capacity"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], named: str) -> None:
    """
    A value that no service could have is a ValueError that names the setting.
    """
    with pytest.raises(ValueError, match=named):
        Settings(**wrong)


def test_only_some_settings_can_change() -> None:
    """
    A schedule entry for a fixed setting is refused where it is written, with those that can change.
    """
    with pytest.raises(ValueError, match=r"'unit' cannot change at run time.*capacity"):
        Change(1.0, "unit", "both")


def test_the_same_seed_plays_the_same_service() -> None:
    """
    Two services of one seed answer the same calls alike to the byte; another seed differs.
    """

    def play(seed: int) -> list[bytes]:
        sandbox = Service(Settings(workers=3, failed=0.3, absent=0.2), seed=seed)
        answers = [post(sandbox, {**BODY, "query": f"q{i}"}, now=float(i), mode="async") for i in range(40)]
        answers += [get(sandbox, f"/v1/jobs/{job}", now=90.0) for job in sandbox.model.jobs]
        return [answer.encoded() for answer in answers]

    assert play(1) == play(1)
    assert play(1) != play(2)


def test_the_model_is_pure() -> None:
    """
    Nothing the service imports is aiohttp, asyncio, pydantic, a clock, or pacer's own reading of the API.
    """
    forbidden = re.compile(r"^(aiohttp|asyncio|anyio|pydantic|time|socket|pacer\.(?!sandbox))")
    folder = Path(pacer.sandbox.__file__).parent
    unread, read = {"service"}, set[str]()
    while unread:
        name = unread.pop()
        read.add(name)
        imported = modules_imported_by(folder / f"{name}.py")
        assert not [module for module in imported if forbidden.match(module)], name
        own = {module.removeprefix("pacer.sandbox.") for module in imported}
        unread |= {module for module in own if (folder / f"{module}.py").exists()} - read
    assert {"service", "model", "queue", "settings", "endpoints"} <= read
    assert "server" not in read


def modules_imported_by(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return modules
