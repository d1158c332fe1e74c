"""
Faults, each a switch: what goes wrong, with which calls, and how often.

A plan is a tuple of faults. The first that fits a call is applied to it; all conditions of a fault must hold.

    Fault("cut", share=0.05)                               5 % of all calls: reset before anything was done
    Fault("cut", on="submit", committed=True, calls=(3,))  the third submission: done, then reset
    Fault("page", on="submit", status=502)                 a Bad Gateway page from the edge
    Fault("error", status=503, retry_after=30)             503 with Retry-After: 30
    Fault("error", status=503, retry_after=1e7)            an enormous one
    Fault("error", on="submit", matching="poison")         one request that always fails with 500
    Fault("error", status=401, after=10)                   the key is revoked after ten calls
    Fault("refuse", between=(60, 3660))                    an outage of an hour
    Fault("stale", on="status", seconds=4)                 snapshots four seconds old
    Fault("null", on="status", path="admissionQueue.capacity")
"""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Literal, TypeAlias, get_args

from pacer.sandbox.exchange import Answer, Call, error, page
from pacer.sandbox.headers import retry_after_header
from pacer.sandbox.settings import RetryAfterForm

__all__ = ["Fault", "FaultKind", "FaultPlan", "instead_of_work", "spoil"]

FaultKind: TypeAlias = Literal[
    "refuse", "cut", "error", "page", "redirect", "garble", "truncate", "delay", "slow_body", "stale", "null",
    "negative", "missing", "vanish", "conflict",
]  # fmt: skip

Endpoint: TypeAlias = Literal["any", "submit", "status", "job", "usage", "health"]

_CODES: Final = {
    400: "VALIDATION_FAILED",
    401: "AUTH_INVALID",
    402: "INSUFFICIENT_CREDITS",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    408: "REQUEST_TIMEOUT",
    409: "IDEMPOTENCY_CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    429: "RATE_LIMIT_EXCEEDED",
    503: "UNAVAILABLE",
    504: "SURFACE_TIMEOUT",
}
ELSEWHERE: Final = "https://elsewhere.invalid"


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Something that goes wrong.

    Attributes:
        kind: One of

            - instead of the work (or, `committed`, after it): `refuse` the connection, `cut` it, answer with
              an `error` envelope, with an HTML `page` or with a `redirect` to another host;
            - to the reply: `garble` the body (half of it, sent as if it were whole), `truncate` it (closed
              in mid-body), `delay` it, or pause in mid-body (`slow_body`);
            - to a snapshot: a `stale` one, or one with `null`, a `negative` number or nothing (`missing`) at
              `path`;
            - to a job: it `vanish`es for good when it is read; a resend meets a `conflict` (409) where it
              should have been replayed.

        on: The endpoint; `submit` is every `POST /v1/search`.

        share: Probability, drawn from the seed for each call that fits.

        calls: Only the n-th calls of that endpoint, counted from 1.

        after: Only calls after so many of that endpoint.

        between: Only from this moment until before that, in seconds.

        matching: Only calls with this text in their path or body.

        committed: `cut`, `error`, `page`, `redirect`: the work is done first, and its reply is lost.

        status: Of an `error` or a `page`. Default 500.

        code, message: Of an `error`. The code follows from the status by default.

        retry_after, retry_after_form: Seconds of a Retry-After on an `error` or a `page`; None sends none.

        seconds: Of a `delay`, a `slow_body` or a `stale` snapshot.

        path: The field of a snapshot, with dots.
    """

    kind: FaultKind
    on: Endpoint = "any"
    share: float = 1.0
    calls: tuple[int, ...] = ()
    after: int = 0
    between: tuple[float, float] | None = None
    matching: str = ""
    committed: bool = False
    status: int = 500
    code: str = ""
    message: str = "something went wrong on our side"
    retry_after: float | None = None
    retry_after_form: RetryAfterForm = "seconds"
    seconds: float = 5.0
    path: str = "admissionQueue.capacity"

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"there is no fault {self.kind!r}, only {', '.join(get_args(FaultKind))}")
        if self.on not in get_args(Endpoint):
            raise ValueError(f"there is no endpoint {self.on!r}, only {', '.join(get_args(Endpoint))}")
        if self.kind in _SNAPSHOT_KINDS and self.on != "status":
            raise ValueError(
                f"a fault of kind {self.kind!r} spoils snapshots: it needs on='status', not {self.on!r}"
            )
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}; it must lie between 0 and 1")


_SNAPSHOT_KINDS: Final = frozenset({"stale", "null", "negative", "missing"})
_REPLACING: Final = frozenset({"refuse", "cut", "error", "page", "redirect"})


class FaultPlan:
    """
    Decides which fault, if any, meets a call. Deterministic by seed and by the order of calls.
    """

    def __init__(self, faults: Iterable[Fault], seed: int) -> None:
        self._faults = tuple(faults)
        self._needles = tuple(fault.matching.encode() for fault in self._faults)
        self._chance = Random(f"{seed}:faults")
        self._calls: dict[str, int] = {}
        self.staleness = max((fault.seconds for fault in self._faults if fault.kind == "stale"), default=None)
        """How far back a stale snapshot reaches, in seconds; None where there are none."""

    def pick(self, endpoint: str, call: Call, *, now: float) -> Fault | None:
        """
        The fault that meets this call.
        """
        if not self._faults:
            return None
        for name in ("any", endpoint):
            self._calls[name] = self._calls.get(name, 0) + 1
        for fault, needle in zip(self._faults, self._needles, strict=True):
            if fault.on not in ("any", endpoint):
                continue
            number = self._calls[fault.on]
            if (
                number > fault.after
                and (not fault.calls or number in fault.calls)
                and (fault.between is None or fault.between[0] <= now < fault.between[1])
                and (not needle or fault.matching in call.path or needle in (call.body or b""))
                and (fault.share == 1.0 or self._chance.random() < fault.share)
            ):
                return fault
        return None


def instead_of_work(fault: Fault, call: Call, *, wall: float) -> Answer | None:
    """
    The answer where *fault* keeps the service from working; None where it works first.
    """
    if fault.kind not in _REPLACING or (fault.committed and fault.kind != "refuse"):
        return None
    return _replacement(fault, call, wall=wall)


def spoil(answer: Answer, fault: Fault, call: Call, *, wall: float) -> Answer:
    """
    What becomes of the answer to work that was done.
    """
    match fault.kind:
        case "cut" | "error" | "page" | "redirect":
            return _replacement(fault, call, wall=wall)
        case "garble":
            whole = answer.encoded()
            answer.body = whole[: len(whole) // 2].decode(errors="ignore")
        case "truncate":
            answer.cut = "truncate"
        case "delay":
            answer.delay += fault.seconds
        case "slow_body":
            answer.body_delay += fault.seconds
        case "null" | "negative" | "missing":
            _spoil_field(answer.body, fault)
        case "conflict" if "Idempotent-Replayed" in answer.headers:
            return error(409, "IDEMPOTENCY_CONFLICT", "this idempotencyKey was used with another body")
        case _:
            pass  # stale and vanish change what the service looks at, not its answer
    return answer


def _replacement(fault: Fault, call: Call, *, wall: float) -> Answer:
    match fault.kind:
        case "refuse":
            return Answer(0, cut="refused")
        case "cut":
            return Answer(0, cut="after" if fault.committed else "before")
        case "redirect":
            return Answer(307, {"Location": ELSEWHERE + call.path})
        case "page":
            answer = page(fault.status)
        case _:
            code = fault.code or _CODES.get(fault.status, "INTERNAL")
            answer = error(fault.status, code, fault.message)
    if fault.retry_after is not None:
        value = retry_after_header(fault.retry_after_form, fault.retry_after, wall=wall)
        if value is not None:
            answer.headers["Retry-After"] = value
    return answer


def _spoil_field(body: Any, fault: Fault) -> None:
    *parents, last = fault.path.split(".")
    for name in parents:
        body = body.get(name) if isinstance(body, dict) else None
    if not isinstance(body, dict):
        return
    if fault.kind == "missing":
        body.pop(last, None)
    else:
        body[last] = None if fault.kind == "null" else -1
