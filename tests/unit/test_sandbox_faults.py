"""
Each fault of the sandbox: what the caller sees, and what was done all the same.
"""

import json
from typing import Any

import pytest

from pacer.sandbox import SANDBOX_KEY, Answer, Call, Change, Fault, Latency, Service, Settings

BODY = {"query": "running shoes", "surfaces": ["chatgpt"], "regions": [{"country": "US"}]}


def service(*faults: Fault, seed: int = 7, **settings: Any) -> Service:
    settings.setdefault("latency", Latency(mean=10.0, shape="constant"))
    return Service(Settings(**settings), seed=seed, faults=faults)


def get(sandbox: Service, path: str = "/v1/async/status", *, now: float = 0.0) -> Answer:
    return sandbox.handle(Call("GET", path, {}, {"Authorization": f"Bearer {SANDBOX_KEY}"}), now=now)


def post(sandbox: Service, *, now: float = 0.0, **fields: str) -> Answer:
    raw = json.dumps({**BODY, **fields}).encode()
    headers = {"Authorization": f"Bearer {SANDBOX_KEY}"}
    return sandbox.handle(Call("POST", "/v1/search", {"mode": "async"}, headers, raw), now=now)


def content(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer.body, dict)
    return answer.body


@pytest.mark.parametrize(
    ("fault", "status", "cut"),
    [
        (Fault("refuse"), 0, "refused"),
        (Fault("cut"), 0, "before"),
        (Fault("error"), 500, ""),
        (Fault("page", status=502), 502, ""),
        (Fault("redirect"), 307, ""),
    ],
)
def test_a_fault_in_place_of_the_work_does_nothing(fault: Fault, status: int, cut: str) -> None:
    """
    Refused, cut, answered with an error, a page or a redirect: nothing was admitted.
    """
    sandbox = service(fault)
    answer = post(sandbox, idempotencyKey="k1")
    assert (answer.status, answer.cut) == (status, cut)
    (entry,) = sandbox.log
    assert (entry.key, entry.admitted, entry.fault) == ("k1", False, fault.kind)


@pytest.mark.parametrize(
    ("fault", "status", "cut"),
    [
        (Fault("cut", committed=True, calls=(1,)), 0, "after"),
        (Fault("error", status=500, committed=True, calls=(1,)), 500, ""),
        (Fault("page", status=502, committed=True, calls=(1,)), 502, ""),
    ],
)
def test_a_lost_reply_leaves_the_work_done(fault: Fault, status: int, cut: str) -> None:
    """
    Committed, the same faults hide an admission that took place: the log says so, and a resend is replayed.
    """
    sandbox = service(fault)
    answer = post(sandbox, idempotencyKey="k1")
    assert (answer.status, answer.cut) == (status, cut)
    assert post(sandbox, idempotencyKey="k1").headers["Idempotent-Replayed"] == "true"
    assert [(entry.admitted, entry.replayed) for entry in sandbox.log] == [(True, False), (False, True)]


def test_a_page_is_html_without_the_services_headers() -> None:
    """
    What an edge sends in the service's place has neither JSON nor X-AISearch-Version.
    """
    answer = get(service(Fault("page", status=403)))
    assert answer.status == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "X-AISearch-Version" not in answer.headers
    assert str(answer.body).startswith("<!DOCTYPE html>")


def test_a_redirect_points_at_another_host() -> None:
    """
    Its Location is absolute and not ours.
    """
    assert get(service(Fault("redirect"))).headers["Location"] == "https://elsewhere.invalid/v1/async/status"


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        (Fault("error", status=503), None),
        (Fault("error", status=503, retry_after=30), "30"),
        (Fault("error", status=429, retry_after=1e7), "10000000"),
        (Fault("page", status=503, retry_after=30, retry_after_form="date"), "Fri, 15 Jan 2027 08:00:30 GMT"),
        (Fault("error", status=503, retry_after=30, retry_after_form="nonsense"), "shortly"),
    ],
)
def test_a_failure_may_name_a_wait(fault: Fault, value: str | None) -> None:
    """
    Errors and pages carry Retry-After in any of its forms, or none.
    """
    assert get(service(fault)).headers.get("Retry-After") == value


@pytest.mark.parametrize(
    ("status", "code"), [(401, "AUTH_INVALID"), (408, "REQUEST_TIMEOUT"), (402, "INSUFFICIENT_CREDITS")]
)
def test_an_error_has_the_code_of_its_status(status: int, code: str) -> None:
    """
    Without a code of its own a fault uses the service's for that status.
    """
    assert get(service(Fault("error", status=status))).code == code


def test_garbled_json_is_half_of_it() -> None:
    """
    A garbled body is complete as HTTP and broken as JSON.
    """
    answer = get(service(Fault("garble")))
    assert (answer.status, answer.cut) == (200, "")
    with pytest.raises(ValueError, match=r"delimiter|Expecting|Unterminated"):
        json.loads(answer.encoded())


def test_slow_replies_are_slow_and_whole() -> None:
    """
    A delay comes before the reply, a slow body within it, and truncation ends it; the body is the true one.
    """
    assert get(service(Fault("delay", seconds=3.0))).delay == 3.0
    assert get(service(Fault("slow_body", seconds=3.0))).body_delay == 3.0
    truncated = get(service(Fault("truncate")))
    assert truncated.cut == "truncate"
    assert truncated.body == service().snapshot()


def test_a_stale_snapshot_is_of_the_past() -> None:
    """
    It says what was true so many seconds ago, while admission knows the present.
    """
    sandbox = service(Fault("stale", on="status", seconds=4.0), workers=0)
    told = []
    for now in range(8):
        post(sandbox, now=float(now))
        told.append(content(get(sandbox, now=now + 0.5))["admissionQueue"]["depth"])
    # At 4.5 s it knows what was seen by 0.5 s: the first submission, and so on.
    assert told[4:] == [1, 2, 3, 4]
    assert sandbox.queue.depth == 8


@pytest.mark.parametrize(
    ("fault", "queue"),
    [
        (Fault("null", on="status"), {"depth": 0, "capacity": None}),
        (Fault("negative", on="status", path="admissionQueue.depth"), {"depth": -1, "capacity": 200}),
        (Fault("missing", on="status"), {"depth": 0}),
        (Fault("missing", on="status", path="admissionQueue"), None),
        (Fault("null", on="status", path="no.such.field"), {"depth": 0, "capacity": 200}),
    ],
)
def test_a_field_of_a_snapshot_is_spoilt(fault: Fault, queue: dict[str, Any] | None) -> None:
    """
    null, negative or missing where the path says, everything else as it was.
    """
    body = content(get(service(fault)))
    assert body.get("admissionQueue") == queue
    assert body["syncConcurrency"] == {"limit": 5, "running": 0}


def test_a_vanished_job_stays_away() -> None:
    """
    From the read that meets the fault on, parent and children are 404 for good.
    """
    sandbox = service(Fault("vanish", on="job", calls=(2,)))
    body = content(post(sandbox))
    path = f"/v1/jobs/{body['jobId']}"
    assert [get(sandbox, path).status for _ in range(3)] == [200, 404, 404]
    assert get(sandbox, f"/v1/jobs/{body['children'][0]}").code == "JOB_NOT_FOUND"
    assert content(post(sandbox))["jobId"] != body["jobId"]


def test_a_conflict_meets_resends_only() -> None:
    """
    A first send is admitted as ever; a resend that would be replayed is 409.
    """
    sandbox = service(Fault("conflict", on="submit"))
    assert post(sandbox, idempotencyKey="k1").status == 202
    resent = post(sandbox, idempotencyKey="k1")
    assert (resent.status, resent.code) == (409, "IDEMPOTENCY_CONFLICT")


def test_poison_meets_only_what_it_matches() -> None:
    """
    `matching` looks into the body and the path: one request always fails, the others pass.
    """
    sandbox = service(Fault("error", on="submit", matching="poison"))
    assert [post(sandbox, query=query).status for query in ("poison pill", "apples", "poison ivy")] == [
        500,
        202,
        500,
    ]


def test_conditions_narrow_a_fault() -> None:
    """
    Call numbers are counted by endpoint, `after` lets the first pass, and an interval excludes its end.
    """
    third = service(Fault("error", on="status", calls=(1, 3)))
    post(third)
    assert [get(third).status for _ in range(4)] == [500, 200, 500, 200]

    revoked = service(Fault("error", status=401, after=2))
    assert [get(revoked).status for _ in range(4)] == [200, 200, 401, 401]

    outage = service(Fault("refuse", between=(10.0, 20.0)))
    assert [get(outage, now=now).cut for now in (9.9, 10.0, 19.9, 20.0)] == ["", "refused", "refused", ""]


def test_the_first_fault_that_fits_is_applied() -> None:
    """
    A plan is read in its order.
    """
    sandbox = service(Fault("error", status=503, calls=(1,)), Fault("error", status=500))
    assert [get(sandbox).status for _ in range(2)] == [503, 500]


def test_chance_follows_the_seed() -> None:
    """
    A share is met over many calls, the same calls fail for the same seed, and others for another.
    """

    def failures(seed: int) -> list[int]:
        sandbox = service(Fault("error", share=0.2), seed=seed)
        return [i for i in range(1000) if get(sandbox).status == 500]

    assert len(failures(1)) == pytest.approx(200, rel=0.2)
    assert failures(1) == failures(1) != failures(2)


@pytest.mark.parametrize(("outage", "status", "cut"), [("refused", 0, "refused"), ("unavailable", 503, "")])
def test_an_outage_begins_and_ends_on_schedule(outage: str, status: int, cut: str) -> None:
    """
    Meanwhile nobody gets through, captures run on, and the log marks it.
    """
    schedule = (Change(5.0, "outage", outage), Change(20.0, "outage", ""))
    sandbox = service(schedule=schedule)
    job = content(post(sandbox))["jobId"]
    answer = get(sandbox, f"/v1/jobs/{job}", now=12.0)
    assert (answer.status, answer.cut) == (status, cut)
    assert sandbox.submit(BODY, now=12.0).status == status
    assert sandbox.captures.ended == {"completed": 1}
    assert get(sandbox, f"/v1/jobs/{job}", now=20.0).status == 200
    assert [entry.fault for entry in sandbox.log if entry.what == "job"] == ["outage", ""]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "stale"}, "on='status'"),
        ({"kind": "cut", "share": 1.5}, "between 0 and 1"),
        ({"kind": "crash"}, "no fault 'crash', only refuse"),
        ({"kind": "cut", "on": "batch"}, "no endpoint 'batch', only any"),
    ],
)
def test_a_fault_that_could_never_happen_is_refused(wrong: dict[str, Any], message: str) -> None:
    """
    An unknown kind or endpoint, a snapshot fault elsewhere, a share beyond 1: a ValueError names the remedy.
    """
    with pytest.raises(ValueError, match=message):
        Fault(**wrong)
