"""
Everything that can go wrong, one function a class of faults; a seed takes some of them.

Each puts its faults into the plan, and says with which codes a batch may stop
because of them. Whatever it breaks heals in the end, so that every batch can be
brought to its end.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from pacer.sandbox import Change, Fault
from pacer.sandbox.settings import RetryAfterForm
from tests.reliability.crashing import Crash
from tests.reliability.plan import BEFORE_A_RESTART, HEALED, End, Plan, base, ends, tenant

Breaker: TypeAlias = Callable[[Plan, Random], None]


def plan_of(seed: int) -> Plan:
    """Return the plan that *seed* stands for; always the same."""
    chance = Random(f"{seed}:plan")
    plan = base(seed, chance)
    names = sorted(CLASSES)
    plan.classes = tuple(sorted(chance.sample(names, min(len(names), chance.choice((1, 1, 2, 3, 4, 6))))))
    for name in plan.classes:
        CLASSES[name](plan, chance)
    if chance.random() < 0.6 and "crashes" not in plan.classes:
        plan.classes += ("crashes",)
        crashes(plan, chance)
    return plan


def lost_replies(plan: Plan, chance: Random) -> None:
    """Cut before or after the work, on any call."""
    share = chance.choice((0.05, 0.3))
    for committed in (True, False):
        plan.faults.append(Fault("cut", share=share, committed=committed, between=(0, HEALED)))
    plan.may_stop |= {"OUTAGE", "UNREACHABLE", "NO_PROGRESS"}


def server_errors(plan: Plan, chance: Random) -> None:
    """500s and pages, before or after the work."""
    share = chance.choice((0.05, 0.3))
    for kind, status in (("error", 500), ("page", 502), ("page", 524), ("error", 408)):
        committed = chance.random() < 0.5
        between = (0, HEALED)
        if kind == "error":
            plan.faults.append(
                Fault("error", share=share, status=status, committed=committed, between=between)
            )
        else:
            plan.faults.append(
                Fault("page", share=share, status=status, committed=committed, between=between)
            )
    plan.may_stop |= {"OUTAGE", "UNREACHABLE", "NO_PROGRESS"}


def unavailable(plan: Plan, chance: Random) -> None:
    """503 with a Retry-After in any form."""
    forms: tuple[RetryAfterForm, ...] = ("seconds", "date", "absent", "zero", "nonsense")
    plan.faults.append(
        Fault(
            "error",
            status=503,
            share=chance.choice((0.02, 0.1)),
            retry_after=chance.choice((1.0, 7.5, 60.0)),
            retry_after_form=chance.choice(forms),
            committed=chance.random() < 0.3,
            between=(0, HEALED),
        )
    )
    plan.may_stop |= {"OUTAGE", "UNREACHABLE", "STALLED"}


def bad_snapshots(plan: Plan, chance: Random) -> None:
    """Stale, garbled, cut off, or with nonsense where a number should be."""
    for kind in chance.sample(("stale", "garble", "truncate", "null", "negative", "missing"), 2):
        path = chance.choice(("admissionQueue.capacity", "admissionQueue.depth"))
        share = chance.choice((0.1, 0.5, 1.0))
        seconds = chance.choice((0.5, 4.0, 30.0))
        plan.faults.append(_on_status(kind, share=share, seconds=seconds, path=path))
    plan.may_stop |= {"OUTAGE", "STALLED", "NO_PROGRESS"}


def _on_status(kind: str, *, share: float, seconds: float, path: str) -> Fault:
    between = (0.0, HEALED)
    match kind:
        case "stale":
            return Fault("stale", on="status", share=share, seconds=seconds, between=between)
        case "garble":
            return Fault("garble", on="status", share=share, between=between)
        case "truncate":
            return Fault("truncate", on="status", share=share, between=between)
        case "null":
            return Fault("null", on="status", share=share, path=path, between=between)
        case "negative":
            return Fault("negative", on="status", share=share, path=path, between=between)
        case _:
            return Fault("missing", on="status", share=share, path=path, between=between)


def bad_replies(plan: Plan, chance: Random) -> None:
    """Bodies that are cut off, garbled, late, or slow, on any call."""
    share = chance.choice((0.05, 0.2))
    between = (0, HEALED)
    plan.faults += [
        Fault("truncate", share=share, between=between),
        Fault("garble", share=share, between=between),
        Fault("delay", share=share, seconds=chance.choice((1.0, 20.0, 120.0)), between=between),
        Fault("slow_body", share=share, seconds=chance.choice((1.0, 20.0, 120.0)), between=between),
    ]
    plan.may_stop |= {"OUTAGE", "UNREACHABLE", "NO_PROGRESS"}
    plan.may_stop |= {f"HTTP_{status}" for status in (400, 401, 402, 403, 422)}  # without its error object


def retry_after(plan: Plan, chance: Random) -> None:
    """Retry-After in a form that is not whole seconds; also an enormous one."""
    form = chance.choice(("date", "absent", "zero", "nonsense", "huge"))
    plan.settings["retry_after_form"] = form
    plan.settings["capacity"] = chance.choice((3, 10))
    plan.settings["tenants"] = (*plan.settings.get("tenants", ()), tenant(plan, chance))
    plan.may_stop |= {"STALLED", "NO_PROGRESS"}
    if form == "huge":
        plan.changes.append(Change(chance.uniform(5, 400), "retry_after_form", "seconds"))
        plan.may_stop.add("RETRY_AFTER_TOO_LONG")
        plan.resend_in_doubt = True


def rate_limit(plan: Plan, chance: Random) -> None:
    """A request-rate window that must be discovered, in all its variants."""
    plan.settings |= {
        "rate_limit": chance.choice((4, 20, 60)),
        "rate_window": chance.choice((10.0, 60.0)),
        "rate_kind": chance.choice(("aligned", "sliding")),
        "rate_phase": chance.uniform(0, 60),
        "rate_headers": chance.choice(("always", "on_429", "never")),
    }
    plan.may_stop |= {"STALLED"}


def other_codes(plan: Plan, chance: Random) -> None:
    """429s out of nowhere: of every code, on every call, known or not."""
    plan.faults.append(
        Fault(
            "error",
            status=429,
            code=chance.choice(
                (
                    "RATE_LIMIT_EXCEEDED",
                    "QUEUE_CAPACITY_EXCEEDED",
                    "CONCURRENCY_LIMIT_EXCEEDED",
                    "SLOW_DOWN",
                )
            ),
            share=chance.choice((0.05, 0.3)),
            retry_after=chance.choice((1.0, 20.0, 200.0)),
            retry_after_form=chance.choice(("seconds", "date", "absent", "zero", "nonsense")),
            between=(0, HEALED),
        )
    )
    plan.may_stop |= {"STALLED", "NO_PROGRESS"}


def clock_skew(plan: Plan, chance: Random) -> None:
    """The service's clock, ours, or both are wrong; ours is set between two invocations."""
    plan.settings["clock_skew"] = chance.choice((-86_400.0, -7.0, 0.4, 3600.0))
    plan.clock_offset = chance.choice((-3600.0, 0.0, 5.0))
    step = chance.choice((-7200.0, -1.0, 1.0, 500.0))
    plan.ends.append(End(crash=Crash("time", chance.uniform(0, 30)), pause=1.0, clock_step=step))
    if step < 0:
        plan.may_stop.add("RETRY_AFTER_TOO_LONG")  # a gate of the future, by a clock that was set back


def capacity_changes(plan: Plan, chance: Random) -> None:
    """The queue shrinks, closes and grows; the workers slow down and stop."""
    at = 0.0
    for _ in range(chance.choice((1, 3, 6))):
        at += chance.expovariate(1 / 20)
        field, values = chance.choice(
            (("capacity", (0, 1, 5, 50, None)), ("drain", (0.0, 0.1, 3.0)), ("workers", (0, 1, 50)))
        )
        plan.changes.append(Change(at, field, chance.choice(values)))
    at += chance.choice((10.0, 500.0, 4000.0))
    for field, value in (("capacity", 50), ("drain", 1.0), ("workers", 10)):
        plan.changes.append(Change(at, field, value))
    plan.may_stop |= {"NO_PROGRESS", "STALLED"}
    if plan.policy.reserve:
        plan.may_stop.add("ALL_RESERVED")


def other_tenant(plan: Plan, chance: Random) -> None:
    """Others use the same key."""
    found = tuple(tenant(plan, chance) for _ in range(chance.choice((1, 1, 2))))
    plan.settings["tenants"] = (*plan.settings.get("tenants", ()), *found)
    plan.may_stop |= {"STALLED", "NO_PROGRESS"}


def strange_ends(plan: Plan, chance: Random) -> None:
    """Captures that fail, expire, or never end."""
    for name in ("failed", "partial", "canceled", "expired", "absent", "endless"):
        plan.settings[name] = chance.choice((0.0, 0.05, 0.15))
    if chance.random() < 0.3:
        plan.settings["queue_expiry"] = chance.choice((1.0, 20.0))


def vanishing_jobs(plan: Plan, chance: Random) -> None:
    """Jobs the service forgets, or is late to know."""
    if chance.random() < 0.6:
        plan.faults.append(Fault("vanish", on="job", share=chance.choice((0.02, 0.2))))
    plan.settings["not_found_lag"] = chance.choice((0.0, 1.0, 20.0, 100.0))


def no_status(plan: Plan, chance: Random) -> None:
    """There is no status endpoint, for a while or for good."""
    plan.settings["status_endpoint"] = False
    plan.changes.append(Change(chance.choice((0.0, 30.0, 200.0)), "status_endpoint", chance.random() < 0.5))
    plan.may_stop |= {"STALLED", "NO_PROGRESS"}


def conflicts(plan: Plan, chance: Random) -> None:
    """409 on a resend that should have been a replay."""
    plan.faults.append(Fault("cut", on="submit", share=0.2, committed=True, between=(0, HEALED)))
    plan.faults.append(Fault("conflict", on="submit", share=chance.choice((0.3, 1.0))))
    plan.may_stop |= {"OUTAGE", "UNREACHABLE", "NO_PROGRESS"}


def credits_run_out(plan: Plan, chance: Random) -> None:
    """402 until someone pays, for whatever other clients have queued as well."""
    plan.settings["credits"] = float(chance.choice((0, 10, 100)))
    plan.changes.append(Change(chance.choice((50.0, 3000.0)), "credits", 1e12))
    plan.may_stop |= {"INSUFFICIENT_CREDITS", "HTTP_402"}


def poison(plan: Plan, chance: Random) -> None:
    """One request always fails, alone."""
    victim = chance.choice(plan.requests)
    plan.faults.append(Fault("error", on="submit", matching=f'"{victim["query"]}"', status=500))
    plan.open_ended.add(victim["id"])
    plan.may_stop |= {"NO_PROGRESS", "OUTAGE", "UNREACHABLE"}


def bad_requests(plan: Plan, chance: Random) -> None:
    """Some are refused for what they are."""
    for request in chance.sample(plan.requests, min(3, len(plan.requests))):
        if chance.random() < 0.5:
            request["surfaces"] = ["walkie_talkie"]
        else:
            request["priority"] = chance.choice((1, 10))


def outages(plan: Plan, chance: Random) -> None:
    """Nobody is there, for seconds to hours."""
    at = 0.0
    for _ in range(chance.choice((1, 2, 3))):
        at += chance.choice((0.0, chance.uniform(0, 5), chance.uniform(0, 100)))
        plan.changes.append(Change(at, "outage", chance.choice(("refused", "unavailable"))))
        at += 10 ** chance.uniform(0, 4)
        plan.changes.append(Change(at, "outage", ""))
    plan.may_stop |= {"OUTAGE", "UNREACHABLE", "NO_PROGRESS"}


def key_refused(plan: Plan, chance: Random) -> None:
    """The key, or someone in front of the service, refuses us for a while."""
    begin = chance.choice((0.0, chance.uniform(0, 30)))
    between = (begin, begin + chance.choice((10.0, 2000.0)))
    match chance.choice(("401", "403", "page", "redirect")):
        case "401":
            plan.faults.append(Fault("error", status=401, between=between))
            plan.may_stop |= {"AUTH_INVALID", "HTTP_401"}
        case "403":
            plan.faults.append(Fault("error", status=403, between=between))
            plan.may_stop.add("FORBIDDEN")
        case "page":
            plan.faults.append(Fault("page", status=403, share=chance.choice((0.2, 1.0)), between=between))
            plan.may_stop |= {"FORBIDDEN", "HTTP_403"}
        case _:
            plan.faults.append(Fault("redirect", between=between))
            plan.may_stop.add("HTTP_307")


def late_arrivals(plan: Plan, chance: Random) -> None:
    """A request is held up, and arrives after it has been sent again."""
    plan.late = chance.choice((0.1, 0.5))
    plan.may_stop |= {"OUTAGE", "UNREACHABLE", "NO_PROGRESS"}


def oversized(plan: Plan, chance: Random) -> None:
    """Requests larger than the whole queue, which it takes when empty, or never."""
    reserve = plan.policy.reserve
    plan.settings["capacity"] = chance.choice((1 + reserve, 2 + reserve, 5))
    plan.settings["oversized"] = chance.choice(("when_empty", "refused"))
    plan.changes.append(Change(3000.0, "oversized", "when_empty"))
    plan.may_stop |= {"STALLED", "NO_PROGRESS"}


def crashes(plan: Plan, chance: Random) -> None:
    """The process dies, anywhere."""
    plan.ends += ends(chance)


def interruptions(plan: Plan, chance: Random) -> None:
    """Someone asks it to stop."""
    for _ in range(chance.choice((1, 3))):
        seconds = 10 ** chance.uniform(-2, 2)
        plan.ends.append(End(interrupt=seconds, pause=chance.choice(BEFORE_A_RESTART)))


CLASSES: dict[str, Breaker] = {
    breaker.__name__: breaker
    for breaker in (
        bad_replies,
        bad_requests,
        bad_snapshots,
        capacity_changes,
        clock_skew,
        conflicts,
        crashes,
        credits_run_out,
        interruptions,
        key_refused,
        late_arrivals,
        lost_replies,
        no_status,
        other_codes,
        other_tenant,
        outages,
        oversized,
        poison,
        rate_limit,
        retry_after,
        server_errors,
        strange_ends,
        unavailable,
        vanishing_jobs,
    )
}
