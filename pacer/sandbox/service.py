"""
The fake AI Search API, from the call to the answer.

It is a pure model. `now` is an argument, in seconds, and never decreases; nothing here reads a clock, sleeps
or opens a socket; what looks random follows from the seed. A server puts it behind a socket
(:mod:`pacer.sandbox.server`), a simulation calls it directly. Schedules, tenants and the intervals of faults
are on the clock of `now`, so it is best to let it begin at 0.

It shares no code with pacer's own reading of the API, so that one misreading cannot pass on both sides.
"""

from collections.abc import Iterable
from math import ceil
from typing import Any, Final

from pacer.sandbox import endpoints
from pacer.sandbox.asked import JOBS, endpoint_of, key_of, parsed, wants_sync
from pacer.sandbox.captures import Captures
from pacer.sandbox.envelope import SCHEMA_VERSION
from pacer.sandbox.exchange import Answer, Call, error
from pacer.sandbox.faults import Fault, FaultPlan, instead_of_work, spoil
from pacer.sandbox.headers import header, http_date
from pacer.sandbox.log import Entry, Log
from pacer.sandbox.model import Model
from pacer.sandbox.past import PastSnapshots
from pacer.sandbox.queue import AdmissionQueue
from pacer.sandbox.settings import Change, Settings, Tenant

__all__ = ["Service"]

VERSION: Final = "2026-06-27"
"""The value of X-AISearch-Version."""


class Service:
    """
    The service as one API key meets it.

    Attributes:
        model: Its state: the queue, the sync lane, the jobs.

        log: What was called, and sums of it. It keeps the last `log_limit` entries; all of them if that is
            None.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        seed: int = 0,
        faults: Iterable[Fault] = (),
        log_limit: int | None = None,
    ) -> None:
        self.model = Model(settings or Settings(), seed, self._submit_of_tenant)
        self.log = Log(log_limit)
        self._plan = FaultPlan(faults, seed)
        self._past = PastSnapshots(self._plan.staleness) if self._plan.staleness is not None else None

    @property
    def settings(self) -> Settings:
        """
        What is in force now.
        """
        return self.model.settings

    @property
    def queue(self) -> AdmissionQueue:
        """
        The admission queue and its workers.
        """
        return self.model.queue

    @property
    def captures(self) -> Captures:
        """
        What is in flight, what has ended and how, and the credits.
        """
        return self.model.captures

    def handle(self, call: Call, *, now: float) -> Answer:
        """
        Answer *call*, which arrives at *now*.
        """
        model = self.model
        model.advance(now)
        endpoint, allowed = endpoint_of(call.path)
        entry = Entry(now, endpoint)
        if self._past is not None:
            self._past.add(endpoints.snapshot_of(model), now=now)
        if (outage := self._outage()) is not None:
            if endpoint == "submit":
                entry.key = key_of(parsed(call.body))
            return self._answered(entry, outage, fault="outage")
        fault = self._plan.pick(endpoint, call, now=now)
        answer = instead_of_work(fault, call, wall=model.wall) if fault else None
        if answer is None:
            answer = self._refuse(call, endpoint, allowed) or self._work(call, endpoint, entry, fault)
            if fault:
                answer = spoil(answer, fault, call, wall=model.wall)
        if endpoint == "submit" and not entry.key:
            entry.key = key_of(parsed(call.body))  # what came to no work has a key all the same
        return self._answered(entry, answer, fault=fault.kind if fault else "")

    def submit(self, search: Any, *, now: float, raw: bytes = b"", sync: bool = False) -> Answer:
        """
        `POST /v1/search` with the parsed body *search*.

        This, :meth:`status` and :meth:`job` are the short way, past authentication and the plan of faults.
        """
        self.model.advance(now)
        entry = Entry(now, "submit", key=key_of(search))
        refusal = self._outage() or endpoints.refuse_by_rate(self.model)
        answer = refusal or endpoints.submit(self.model, search, raw, entry, sync=sync)
        return self._answered(entry, answer)

    def status(self, *, now: float) -> Answer:
        """
        `GET /v1/async/status`.
        """
        self.model.advance(now)
        entry = Entry(now, "status")
        refusal = self._outage() or endpoints.refuse_by_rate(self.model)
        return self._answered(entry, refusal or self._status(None))

    def job(self, job_id: str, *, now: float) -> Answer:
        """
        `GET /v1/jobs/:id` of a parent or a child.
        """
        self.model.advance(now)
        entry = Entry(now, "job")
        refusal = self._outage() or endpoints.refuse_by_rate(self.model)
        return self._answered(entry, refusal or endpoints.read_job(self.model, job_id, entry))

    def advance(self, *, now: float) -> None:
        """
        Let everything happen that is due by *now*.

        Raises:
            ValueError: *now* lies before a moment that was already reached.
        """
        self.model.advance(now)

    def next_event_at(self) -> float | None:
        """
        When something next happens by itself; None if nothing will.
        """
        return self.model.next_event_at()

    def change(self, field: str, value: Any, *, now: float) -> None:
        """
        Put a setting in force at *now*, as an entry of the schedule would.

        Raises:
            ValueError: That setting cannot change, or not to this value.
        """
        self.model.advance(now)
        self.model.apply(Change(now, field, value))

    def snapshot(self) -> dict[str, Any]:
        """
        The snapshot as it truly is, free of charge.
        """
        return endpoints.snapshot_of(self.model)

    def _outage(self) -> Answer | None:
        match self.settings.outage:
            case "refused":
                return Answer(0, cut="refused")
            case "unavailable":
                return error(503, "UNAVAILABLE", "the service is down")
        return None

    def _refuse(self, call: Call, endpoint: str, allowed: str) -> Answer | None:
        if allowed and call.method != allowed:
            answer = error(405, "METHOD_NOT_ALLOWED", f"{call.path} takes {allowed}")
            answer.headers["Allow"] = allowed
            return answer
        if endpoint == "health":
            return None
        scheme, _, key = (header(call.headers, "Authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return error(401, "AUTH_MISSING", "send an Authorization header: Bearer <key>")
        if key.strip() not in self.settings.api_keys:
            return error(401, "AUTH_INVALID", "this API key is not known")
        return endpoints.refuse_by_rate(self.model)

    def _work(self, call: Call, endpoint: str, entry: Entry, fault: Fault | None) -> Answer:
        match endpoint:
            case "submit":
                return self._submit(call, entry)
            case "status":
                return self._status(fault)
            case "job":
                job_id = call.path.removeprefix(JOBS)
                if fault and fault.kind == "vanish":
                    self.model.jobs.pop(job_id.partition(".")[0], None)
                return endpoints.read_job(
                    self.model, job_id, entry, flattened=call.query.get("view") == "flat"
                )
            case "usage":
                return endpoints.usage(self.model)
            case "health":
                return Answer(200, {}, {"status": "ok", "schemaVersion": SCHEMA_VERSION})
            case _:
                return endpoints.not_found(call.path)

    def _submit(self, call: Call, entry: Entry) -> Answer:
        search = parsed(call.body)
        if search is None:
            details = [{"path": "", "message": "must be JSON"}]
            return error(400, "VALIDATION_FAILED", "the body is not JSON", details)
        mode = call.query.get("mode")
        if mode not in (None, "sync", "async"):
            details = [{"path": "mode", "message": "must be sync or async"}]
            return error(400, "VALIDATION_FAILED", f"there is no mode {mode}", details)
        entry.key = key_of(search)
        sync = wants_sync(search, mode, header(call.headers, "Prefer"), self.settings.generation)
        flattened = call.query.get("view") == "flat"
        return endpoints.submit(self.model, search, call.body or b"", entry, sync=sync, flattened=flattened)

    def _status(self, fault: Fault | None) -> Answer:
        if not self.settings.status_endpoint:
            return endpoints.not_found("/v1/async/status")
        if fault and fault.kind == "stale" and self._past is not None:
            return Answer(200, {}, self._past.at(self.model.now - fault.seconds))
        return Answer(200, {}, endpoints.snapshot_of(self.model))

    def _submit_of_tenant(self, tenant: Tenant) -> float | None:
        """
        Submit once for another client of the key; None if it was admitted, else the seconds to wait.
        """
        if self.settings.outage:
            return self.settings.retry_after
        entry = Entry(self.model.now, "submit", tenant=True)
        self._answered(entry, endpoints.submit_of_tenant(self.model, tenant, entry))
        if entry.admitted:
            return None
        return self.settings.retry_after if entry.retry_seconds is None else entry.retry_seconds

    def _answered(self, entry: Entry, answer: Answer, *, fault: str = "") -> Answer:
        model = self.model
        if answer.status:
            _add_common_headers(answer, model, metered=entry.what != "health")
        entry.depth, entry.capacity = model.queue.depth, model.settings.capacity
        if entry.what == "status":
            entry.told_depth, entry.told_capacity = _told(answer)
        self.log.record(entry, answer, fault=fault, wall=model.wall)
        return answer


def _add_common_headers(answer: Answer, model: Model, *, metered: bool) -> None:
    headers, wall = answer.headers, model.wall
    headers["Date"] = http_date(int(wall + answer.delay))
    if "Content-Type" in headers:  # a page from the edge
        return
    headers["Content-Type"] = "application/json"
    headers["X-AISearch-Version"] = VERSION
    window, when = model.window, model.settings.rate_headers
    if window is not None and metered and (when == "always" or (when == "on_429" and answer.status == 429)):
        headers["X-RateLimit-Limit"] = str(window.limit)
        headers["X-RateLimit-Remaining"] = str(window.remaining(model.now))
        headers["X-RateLimit-Reset"] = str(ceil(wall + window.resets_at(model.now) - model.now))


def _told(answer: Answer) -> tuple[Any, Any]:
    """
    The depth and the capacity that a snapshot names, if it does.
    """
    body = answer.body if answer.status == 200 and not answer.cut else None
    queue = body.get("admissionQueue") if isinstance(body, dict) else None
    return (queue.get("depth"), queue.get("capacity")) if isinstance(queue, dict) else (None, None)
