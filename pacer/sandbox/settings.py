"""
Every knob of the fake service, with its unit and its default.

The documentation of the AI Search API leaves much open: what `depth` counts, when a job leaves the queue, how
long a window is, which replies carry headers. Each such question is one field here, so that a client can be
tried against every answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

__all__ = ["SANDBOX_KEY", "Change", "Latency", "RetryAfterForm", "Settings", "Tenant"]

SANDBOX_KEY: Final = "sk_sandbox_2f9c41d8_opens_nothing_elsewhere"
"""The API key that a sandbox accepts by default."""

RetryAfterForm: TypeAlias = Literal["seconds", "date", "absent", "zero", "nonsense", "huge"]
"""
How Retry-After is written: integer seconds (the documentation), an HTTP-date (RFC 9110, section 10.2.3), left
out, `0`, a word, or more than a year.
"""

CHANGEABLE: Final = frozenset(
    {
        "capacity",
        "credits",
        "drain",
        "oversized",
        "outage",
        "queue_expiry",
        "retry_after",
        "retry_after_form",
        "status_endpoint",
        "sync_limit",
        "workers",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """
    How long a capture runs, in seconds, once a worker has taken it.

    Attributes:
        mean: Mean of the distribution, whatever its shape. Default 12 s, the documentation's stock example.

        shape: `constant`; `lognormal` with `spread` as its sigma; `heavy`, a Pareto tail of index 2.2: one
            capture in a hundred takes more than 4 times the mean, and the variance is still finite.

        spread: Sigma of the lognormal. Default 0.5.

        factors: Multiplies the mean for single surfaces, as in `{"claude": 0.5}`.
    """

    mean: float = 12.0
    shape: Literal["constant", "lognormal", "heavy"] = "lognormal"
    spread: float = 0.5
    factors: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _refuse_unless(self.mean > 0, "latency.mean must be above 0 s")
        _refuse_unless(self.spread >= 0, "latency.spread must not be negative")
        _refuse_unless(self.shape in {"constant", "lognormal", "heavy"}, f"no latency shape {self.shape!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """
    Another client of the same key. What it submits goes through the same window and the same queue as ours.

    Attributes:
        kind: `steady` submits at random moments, `demand` children a second on average; `bursting` has
            `burst` submissions to make every `period`; `greedy` fills the queue to the brim every `period`.

        demand: Children a second (`steady` only). Default 1.

        period: Seconds between two bursts or two fillings. Default 1 s.

        burst: Submissions a burst (`bursting` only). Default 20.

        fan_out: Children a submission. Default 1.

        reacts: Whether it honours Retry-After. One that does not tries again at its next turn.

        start, stop: Seconds during which it has something new to submit. Default: always.

        surface: What it captures. Default `chatgpt`.
    """

    kind: Literal["steady", "bursting", "greedy"]
    demand: float = 1.0
    period: float = 1.0
    burst: int = 20
    fan_out: int = 1
    reacts: bool = True
    start: float = 0.0
    stop: float = float("inf")
    surface: str = "chatgpt"

    def __post_init__(self) -> None:
        _refuse_unless(self.kind in {"steady", "bursting", "greedy"}, f"no tenant kind {self.kind!r}")
        _refuse_unless(self.demand > 0, "tenant.demand must be above 0 children a second")
        _refuse_unless(self.period > 0, "tenant.period must be above 0 s")
        _refuse_unless(self.burst >= 1 and self.fan_out >= 1, "tenant.burst and tenant.fan_out start at 1")


@dataclass(frozen=True, slots=True)
class Change:
    """
    A setting that changes while the service runs: from `at` seconds on, `field` is `value`.
    """

    at: float
    field: str
    value: Any

    def __post_init__(self) -> None:
        _refuse_unless(
            self.field in CHANGEABLE,
            f"{self.field!r} cannot change at run time; these can: {', '.join(sorted(CHANGEABLE))}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    The service that a sandbox plays. Times are seconds on the clock that is handed in as `now`.

    The queue and its workers:

        capacity: Units of work that may wait at once; None is unlimited, and shown as null. Default 200.

        unit: What `depth` counts (the documentation disagrees with itself): `parents` charges 1 a submission,
            `children` its surfaces x regions, `both` the sum. Default `children`.

        release: When cost leaves `depth`. `start`: a child's share when it starts, the parent's when its
            first child starts. `end`: at their terminal states. Default `start`.

        oversized: A submission that costs more than the whole capacity: `when_empty` admits it at depth 0,
            `refused` never does. Default `when_empty`.

        workers: Children running at once. Default 50.

        drain: Speed of all running captures; 0.1 is a collapse to a tenth, 0 a standstill. Default 1.

        latency: How long a capture runs.

        queue_expiry: Seconds that a child may wait before it ends as `expired`. Default None: for ever.

    The request-rate window:

        rate_limit: Requests a window, of every kind except health; None is unlimited. Default None.

        rate_window: Its length in seconds. Default 60.

        rate_kind: `aligned` windows start at multiples of their length on the service's own wall clock (plus
            `rate_phase` seconds); `sliding` allows no more than the limit within any such span. Default
            `aligned`.

        rate_headers: Which replies carry X-RateLimit-*: `always`, `on_429` (the documentation) or `never`.

    Retry-After:

        retry_after: Seconds named on 429s of the queue and of the sync lane. A rate 429 names the window's
            remainder. Default 5.

        retry_after_form: How it is written on every 429. Default `seconds`.

    The sync lane:

        sync_limit: Captures at once. Default 5.

        sync_timeout: Seconds before a capture is answered with 504. Default 60.

    Replies:

        generation: Of the documentation. `A`: async by default, omitted regions mean US, any
            number of regions, ids like `job_1.claude.fr`. `B`: one surface runs sync by
            default, omitted regions mean GLOBAL, at most 10 regions, ids like
            `job_1.claude.official-api.FR`. Default `B`.

        status_endpoint: Whether `GET /v1/async/status` exists (else 404). Default True.

        not_found_lag: Seconds after a 202 during which its job is answered with 404. Default 0.

        idempotency_ttl: Seconds for which a key is remembered. Default None: for ever.

        body_comparison: How a replay's body is compared with the original: as JSON (`canonical`) or byte for
            byte (`raw`). Default `canonical`.

        api_keys: The keys that are let in.

        credits: The balance; below 1 every submission is answered with 402. Default None: unmetered.

        outage: `refused` cuts every connection, `unavailable` answers 503. Default `""`: none.

        epoch: The wall clock, in seconds since 1970, when `now` is 0.

        clock_skew: Seconds by which the Date header and X-RateLimit-Reset are ahead of that. Default 0.

    How captures end, each as a share of all that are dispatched; the rest ends `completed`:

        failed, partial, canceled, expired: In that state.

        absent: `completed`, but the surface showed nothing: a `surface_absent` warning, and no charge.

        endless: Never: its worker moves on and its room in the queue is freed, but its state stays
            `processing`.

    And:

        tenants: Other clients of the same key.

        schedule: What changes, and when.
    """

    capacity: int | None = 200
    unit: Literal["parents", "children", "both"] = "children"
    release: Literal["start", "end"] = "start"
    oversized: Literal["when_empty", "refused"] = "when_empty"
    workers: int = 50
    drain: float = 1.0
    latency: Latency = field(default_factory=Latency)
    queue_expiry: float | None = None

    rate_limit: int | None = None
    rate_window: float = 60.0
    rate_kind: Literal["aligned", "sliding"] = "aligned"
    rate_phase: float = 0.0
    rate_headers: Literal["always", "on_429", "never"] = "on_429"

    retry_after: float = 5.0
    retry_after_form: RetryAfterForm = "seconds"

    sync_limit: int = 5
    sync_timeout: float = 60.0

    generation: Literal["A", "B"] = "B"
    status_endpoint: bool = True
    not_found_lag: float = 0.0
    idempotency_ttl: float | None = None
    body_comparison: Literal["canonical", "raw"] = "canonical"
    api_keys: frozenset[str] = frozenset({SANDBOX_KEY})
    credits: float | None = None
    outage: Literal["", "refused", "unavailable"] = ""
    epoch: float = 1_800_000_000.0
    clock_skew: float = 0.0

    failed: float = 0.0
    partial: float = 0.0
    canceled: float = 0.0
    expired: float = 0.0
    absent: float = 0.0
    endless: float = 0.0

    tenants: tuple[Tenant, ...] = ()
    schedule: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            _refuse_unless(
                value in allowed, f"{name} is {value!r}; it must be one of {', '.join(map(repr, allowed))}"
            )
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            _refuse_unless(value is None or value >= 0, f"{name} is {value!r}; it must not be negative")
        _refuse_unless(self.rate_window > 0, "rate_window must be above 0 s")
        _refuse_unless(
            self.rate_limit is None or self.rate_limit >= 1, "rate_limit must be at least 1, or None"
        )
        for change in self.schedule:
            replace(self, schedule=(), **{change.field: change.value})  # refuses what would be refused later
        shares = self.failed + self.partial + self.canceled + self.expired + self.absent + self.endless
        _refuse_unless(
            shares <= 1 + 1e-9, f"the shares of captures that end otherwise add up to {shares}, above 1"
        )


_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "unit": ("parents", "children", "both"),
    "release": ("start", "end"),
    "oversized": ("when_empty", "refused"),
    "rate_kind": ("aligned", "sliding"),
    "rate_headers": ("always", "on_429", "never"),
    "retry_after_form": ("seconds", "date", "absent", "zero", "nonsense", "huge"),
    "generation": ("A", "B"),
    "body_comparison": ("canonical", "raw"),
    "outage": ("", "refused", "unavailable"),
}

_NOT_NEGATIVE: Final = (
    "capacity", "workers", "drain", "queue_expiry", "retry_after", "sync_limit", "sync_timeout",
    "not_found_lag", "idempotency_ttl", "failed", "partial", "canceled", "expired", "absent", "endless",
)  # fmt: skip


def _refuse_unless(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
