"""
What each endpoint does, once a call has been let in.
"""

import json
from collections.abc import Mapping
from typing import Any

from pacer.sandbox.envelope import envelope, flat, summary
from pacer.sandbox.exchange import CONCURRENCY, QUEUE, RATE, Answer, error
from pacer.sandbox.headers import retry_after_header
from pacer.sandbox.jobs import ACTIVE, Child, Job, children_of, fan_out
from pacer.sandbox.log import Entry
from pacer.sandbox.model import Model
from pacer.sandbox.settings import Tenant
from pacer.sandbox.validation import refusal_of

__all__ = [
    "not_found",
    "read_job",
    "refuse_by_rate",
    "snapshot_of",
    "submit",
    "submit_of_tenant",
    "usage",
]


def refuse_by_rate(model: Model) -> Answer | None:
    """
    Count one request in the window; a 429 if it has no room left.
    """
    window = model.window
    if window is None or window.admit(model.now):
        return None
    return _throttled(model, RATE, "too many requests for this key", window.resets_at(model.now) - model.now)


def submit(
    model: Model, search: Any, raw: bytes, entry: Entry, *, sync: bool, flattened: bool = False
) -> Answer:
    """
    `POST /v1/search`: a 202, a 200 from the sync lane, the replay of an earlier job, or a refusal.

    Args:
        search: The body, parsed; *raw* is the same as it was sent, if it was.
        sync: Whether the caller asked for a sync capture.
        flattened: Whether with `view=flat`.
    """
    settings = model.settings
    entry.sync = sync
    if (refusal := refusal_of(search, settings.generation)) is not None:
        return refusal
    key = search.get("idempotencyKey", "")
    body = raw or search
    if key and (original := _original(model, key)) is not None:
        return _replay(model, original, body, entry)
    if model.captures.balance is not None and model.captures.balance < 1:
        return error(402, "INSUFFICIENT_CREDITS", "no credits are left on this account")
    children = fan_out(search)
    if sync:
        if settings.generation == "A" and children != 1:
            return error(400, "VALIDATION_FAILED", "a sync capture has one surface and one region")
        if model.sync.running + children > settings.sync_limit:
            return _throttled(
                model, CONCURRENCY, "too many sync captures at once; use async", settings.retry_after
            )
    elif (full := _refuse_by_queue(model, children, entry)) is not None:
        return full

    job = _accept(model, search, body, sync=sync)
    entry.admitted, entry.job = True, job.id
    if sync:
        return _sync_answer(model, job, flattened=flattened)
    model.queue.admit(job, model.now)
    return _accepted(job, "processing")


def submit_of_tenant(model: Model, tenant: Tenant, entry: Entry) -> Answer:
    """
    The same for another client of the key, of whose job nothing is kept but what it does to the queue.
    """
    refusal = refuse_by_rate(model) or _refuse_by_queue(model, tenant.fan_out, entry)
    if refusal is not None:
        return refusal
    job = Job("", model.now, "", b"")
    job.children = tuple(Child(job, "", tenant.surface, "US") for _ in range(tenant.fan_out))
    model.queue.admit(job, model.now)
    entry.admitted = True
    return Answer(202)


def snapshot_of(model: Model) -> dict[str, Any]:
    """
    The body of `GET /v1/async/status`.
    """
    captures = model.captures
    return {
        "admissionQueue": {"depth": model.queue.depth, "capacity": model.settings.capacity},
        "syncConcurrency": {"limit": model.settings.sync_limit, "running": model.sync.running},
        "inflight": {
            "total": captures.total,
            "bySurface": captures.by_surface.copy(),
            "byRegion": captures.by_region.copy(),
        },
    }


def read_job(model: Model, job_id: str, entry: Entry, *, flattened: bool = False) -> Answer:
    """
    `GET /v1/jobs/:id`: a parent's summary, or a child's Envelope.
    """
    entry.job = job_id
    parent_id, dot, _ = job_id.partition(".")
    job = model.jobs.get(parent_id)
    if job is None or model.now < job.accepted_at + model.settings.not_found_lag:
        return error(404, "JOB_NOT_FOUND", f"no job {job_id}")
    if not dot:
        body = summary(job)
        entry.state = body["job"]["status"]
        return Answer(200, {}, body)
    child = job.child(job_id)
    if child is None:
        return error(404, "JOB_NOT_FOUND", f"no job {job_id}")
    entry.state = child.state
    whole = envelope(child, state=child.state, epoch=model.settings.epoch)
    return Answer(200, {}, flat(whole) if flattened else whole)


def usage(model: Model) -> Answer:
    """
    `GET /v1/usage`: captures that have ended, and the balance.
    """
    captures = model.captures
    by_surface = dict(captures.captured)
    balance = {"plan": "sandbox", "credits": captures.balance, "unlimited": captures.balance is None}
    counts = {"totalJobs": sum(by_surface.values()), "bySurface": by_surface}
    return Answer(200, {}, {"plan": "sandbox", "usage": counts, "balance": balance})


def not_found(path: str) -> Answer:
    """
    404 for a path that does not exist.
    """
    return error(404, "NOT_FOUND", f"no endpoint {path}")


def _refuse_by_queue(model: Model, children: int, entry: Entry) -> Answer | None:
    entry.cost = model.queue.cost(children)
    if model.queue.has_room(entry.cost):
        return None
    return _throttled(model, QUEUE, "the job queue is full for the moment", model.settings.retry_after)


def _throttled(model: Model, code: str, message: str, seconds: float) -> Answer:
    answer = error(429, code, message)
    value = retry_after_header(model.settings.retry_after_form, seconds, wall=model.wall)
    if value is not None:
        answer.headers["Retry-After"] = value
    if code != RATE:
        answer.headers["X-Concurrency-Limit"] = str(model.settings.sync_limit)
        answer.headers["X-Concurrency-Running"] = str(model.sync.running)
        answer.headers["X-Concurrency-Queued"] = str(model.queue.depth)
    return answer


def _accept(model: Model, search: Mapping[str, Any], body: bytes | Mapping[str, Any], *, sync: bool) -> Job:
    query = search.get("query") or search["prompt"]
    job = Job(model.new_job_id(), model.now, query, body, priority=search.get("priority", 5), sync=sync)
    job.children = children_of(job, search, model.settings.generation)
    model.jobs[job.id] = job
    if key := search.get("idempotencyKey"):
        model.keys[key] = job
    return job


def _accepted(job: Job, state: str) -> Answer:
    body = {"jobId": job.id, "status": state, "children": [child.id for child in job.children]}
    return Answer(202, {"Location": f"/v1/jobs/{job.id}"}, body)


def _sync_answer(model: Model, job: Job, *, flattened: bool) -> Answer:
    delay = model.sync.start(job, model.now) - model.now
    if any(child.end == "timed_out" for child in job.children):
        answer = error(504, "SURFACE_TIMEOUT", "the capture did not finish in time")
    else:
        answer = _envelopes(model, job, flattened=flattened)
    answer.delay = delay
    return answer


def _envelopes(model: Model, job: Job, *, flattened: bool) -> Answer:
    wholes = [envelope(child, state=child.final_state, epoch=model.settings.epoch) for child in job.children]
    shown = [flat(whole) for whole in wholes] if flattened else wholes
    return Answer(200, {}, shown[0] if len(shown) == 1 else {"results": shown})


def _original(model: Model, key: str) -> Job | None:
    job = model.keys.get(key)
    ttl = model.settings.idempotency_ttl
    return None if job is None or (ttl is not None and model.now >= job.accepted_at + ttl) else job


def _replay(model: Model, original: Job, body: bytes | Mapping[str, Any], entry: Entry) -> Answer:
    entry.job = original.id
    if not _same_body(original.body, body, as_json=model.settings.body_comparison == "canonical"):
        return error(409, "IDEMPOTENCY_CONFLICT", "this idempotencyKey was used with another body")
    entry.replayed = True
    state = original.state
    if original.sync and state not in ACTIVE:
        answer = _envelopes(model, original, flattened=False)
    else:
        answer = _accepted(original, state)
    answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _same_body(one: bytes | Mapping[str, Any], other: bytes | Mapping[str, Any], *, as_json: bool) -> bool:
    if one == other:
        return True
    return as_json and _parsed(one) == _parsed(other)


def _parsed(body: bytes | Mapping[str, Any]) -> Any:
    return json.loads(body) if isinstance(body, bytes) else body
