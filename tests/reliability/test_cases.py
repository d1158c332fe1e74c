"""
One case after the other: what exactly happens when one thing goes wrong. ``docs/reliability.md`` names them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pacer.pacing.policy import Policy
from pacer.sandbox import Change, Fault, Latency
from tests.reliability.crashing import Crash
from tests.reliability.plan import End, Plan
from tests.reliability.world import Report, run

HOUR = 3600.0


def plan(requests: int = 6, **parts: Any) -> Plan:
    """Return a quiet world with a batch of one capture a request; *parts* is what goes wrong."""
    settings = {"capacity": 10, "workers": 4, "unit": "children"} | parts.pop("settings", {})
    batch = [
        {"id": f"r{n}", "query": f"q {n}", "surfaces": ["chatgpt"], "regions": ["US"]}
        for n in range(requests)
    ]
    return Plan(seed=1, requests=batch, settings=settings, **parts)


def kept(plan: Plan) -> Report:
    """Run *plan*; every promise must have been kept."""
    report = run(plan)
    assert not report.violations, report.violations
    return report


def lines_of(report: Report, request: str) -> list[Any]:
    """Return a request's lines in the results."""
    return [line for line in report.history.lines if line["request"] == request]


def codes(report: Report) -> Counter[str]:
    """Return how many lines end with which error's code, or which status without one."""
    return Counter((line["error"] or {}).get("code", line["status"]) for line in report.history.lines)


def ends(report: Report) -> list[str]:
    """Return how the invocations ended: a word, and a code for those that stopped."""
    return [outcome.partition(" after")[0].strip() for outcome in report.outcomes]


# Replies ------------------------------------------------------------------------------


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("kind", ["cut", "error", "page"])
def test_a_submission_whose_reply_is_lost_is_admitted_once(kind: Any, committed: bool) -> None:
    """Cut off, a 500, a 502 page, before or after the work: sent again under its key, admitted once."""
    report = kept(plan(faults=[Fault(kind, on="submit", status=502, calls=(2, 4), committed=committed)]))

    assert ends(report) == ["finished"]
    assert codes(report) == {"completed": 6}
    assert sum(e.entry.replayed for e in report.history.exchanges) == 2 * committed


def test_a_request_that_arrives_after_its_resend_is_admitted_once() -> None:
    """Held up on its way for minutes, the first copy comes after the second: a replay, no second job."""
    report = kept(plan(late=0.5, may_stop={"OUTAGE", "UNREACHABLE"}))

    assert sum(e.entry.replayed for e in report.history.exchanges) > 0
    assert codes(report) == {"completed": 6}


def test_a_reply_that_cannot_be_read_is_asked_for_again() -> None:
    """Garbled and truncated bodies, on any call, cost a repetition and no more."""
    faults = [Fault("garble", share=0.2, between=(0, 600)), Fault("truncate", share=0.2, between=(0, 600))]
    report = kept(plan(faults=faults))

    assert codes(report) == {"completed": 6}


def test_a_reply_that_does_not_come_is_not_waited_for_with_reads() -> None:
    """
    While a submission that fills the queue hangs for a minute and a half, the empty queue is looked
    at every few seconds, not at every round trip.
    """
    hangs = Fault("delay", on="submit", seconds=3600.0, calls=(2,))
    report = kept(plan(20, settings={"capacity": 1, "workers": 1}, faults=[hangs]))

    assert ends(report) == ["finished"]
    silent = next(e for e in report.history.exchanges if e.lost)
    assert silent.read_at is not None
    reads = [e for e in report.history.exchanges if silent.sent_at < e.sent_at < silent.read_at]
    assert len([e for e in reads if e.entry.what == "status"]) <= 45


# Requests that cannot succeed -----------------------------------------------------------


def test_a_request_that_is_refused_for_what_it_is_ends_rejected() -> None:
    """A 400 ends that request with the service's code; the others go on."""
    broken = plan()
    broken.requests[2]["surfaces"] = ["walkie_talkie"]
    report = kept(broken)

    (line,) = lines_of(report, "r2")
    assert (line["status"], line["error"]["code"]) == ("rejected", "UNSUPPORTED_SURFACE")
    assert codes(report)["completed"] == 5


def test_a_request_that_always_fails_ends_by_name_while_others_pass() -> None:
    """Refused ten times over ten minutes while others pass: it ends as unknown, with its key."""
    faults = [Fault("error", on="submit", matching='"q 3"', status=500)]
    report = kept(plan(80, faults=faults, settings={"workers": 1, "capacity": 3}))

    (line,) = lines_of(report, "r3")
    assert (line["status"], line["error"]["code"]) == ("unknown", "REFUSED_REPEATEDLY")
    assert line["error"]["idempotencyKey"]
    assert codes(report)["completed"] == 79


def test_a_request_that_always_fails_does_not_run_for_ever() -> None:
    """Alone, with nobody else to pass, it stops the batch after an hour without progress, resumable."""
    faults = [Fault("error", on="submit", matching='"q 0"', status=500, between=(0, 2 * HOUR))]
    report = kept(plan(1, faults=faults, may_stop={"NO_PROGRESS", "OUTAGE"}))

    assert ends(report)[0] == "stopped NO_PROGRESS"
    assert ends(report)[-1] == "finished"
    assert codes(report) == {"completed": 1}


def test_409_to_every_resend_ends_as_outcome_unknown() -> None:
    """Where a resend meets 409 five times its outcome is unknown; the key is kept in the line."""
    faults = [Fault("cut", on="submit", committed=True, calls=(2,)), Fault("conflict", on="submit")]
    report = kept(plan(faults=faults))

    unknown = [line for line in report.history.lines if line["status"] == "unknown"]
    assert [line["error"]["code"] for line in unknown] == ["OUTCOME_UNKNOWN"]
    assert unknown[0]["error"]["idempotencyKey"]


def test_a_request_larger_than_the_queue_goes_alone_or_ends_by_name() -> None:
    """Taken by an empty queue it succeeds; refused by an empty queue three times it ends TOO_LARGE."""
    large = plan(settings={"capacity": 2})
    large.requests[1]["surfaces"] = ["chatgpt", "claude", "gemini"]
    assert codes(kept(large)) == {"completed": 8}

    large.settings["oversized"] = "refused"
    report = kept(large)

    assert codes(report) == {"completed": 5, "TOO_LARGE": 1}
    assert lines_of(report, "r1")[0]["status"] == "rejected"


# Captures that do not come ----------------------------------------------------------------


def test_a_capture_that_never_ends_is_given_up_after_an_hour() -> None:
    """Not terminal an hour after its admission it ends as NO_RESULT, and the batch with it."""
    report = kept(plan(settings={"endless": 0.5}))

    assert codes(report)["NO_RESULT"] > 0
    assert codes(report).total() == 6
    assert HOUR <= report.seconds < HOUR + 600.0


def test_a_job_the_service_forgets_ends_as_job_not_found() -> None:
    """404 for more than a minute: it ends by name, without an hour's wait."""
    report = kept(plan(faults=[Fault("vanish", on="job", calls=(2,))]))

    assert codes(report) == {"completed": 5, "JOB_NOT_FOUND": 1}
    assert report.seconds < 600.0


def test_captures_that_end_otherwise_stand_in_the_results_as_what_they_are() -> None:
    """Failed, partial, canceled, expired: each one line, with the service's word."""
    shares = {"failed": 0.2, "partial": 0.2, "canceled": 0.2, "expired": 0.2}
    report = kept(plan(40, settings=shares))

    statuses = {line["status"] for line in report.history.lines}
    assert statuses == {"completed", "failed", "partial", "canceled", "expired"}


# The service as a whole --------------------------------------------------------------------


def test_a_refused_key_costs_one_request() -> None:
    """401 stops the batch at its first call, resumable."""
    report = kept(plan(faults=[Fault("error", status=401, between=(0, 4))], may_stop={"AUTH_INVALID"}))

    assert ends(report) == ["stopped AUTH_INVALID", "finished"]
    assert len([e for e in report.history.exchanges if e.invocation == 0]) == 1


def test_credits_that_run_out_stop_the_batch() -> None:
    """402 stops it, resumable; what was accepted is collected by the next invocation."""
    topped_up = [Change(200.0, "credits", 1000.0)]
    report = kept(plan(20, settings={"credits": 20.0}, changes=topped_up, may_stop={"INSUFFICIENT_CREDITS"}))

    assert ends(report)[0] == "stopped INSUFFICIENT_CREDITS"
    assert codes(report) == {"completed": 20}


def test_a_host_that_never_answers_stops_the_batch_after_a_minute() -> None:
    """No reply within 60 s of the first call: UNREACHABLE."""
    down = [Change(0.0, "outage", "refused"), Change(62.0, "outage", "")]
    report = kept(plan(changes=down, may_stop={"UNREACHABLE"}))

    assert ends(report) == ["stopped UNREACHABLE", "finished"]


def test_an_outage_in_mid_run_is_waited_out_for_an_hour() -> None:
    """Minutes are waited out; after an hour it stops, resumable, and goes on when the service is back."""
    down = [Change(5.0, "outage", "unavailable"), Change(5.0 + 2 * HOUR, "outage", "")]
    report = kept(plan(40, changes=down, may_stop={"OUTAGE", "UNREACHABLE"}))

    assert ends(report)[0] == "stopped OUTAGE"
    assert ends(report)[-1] == "finished"
    assert codes(report) == {"completed": 40}


@pytest.mark.parametrize("kind", ["null", "negative", "missing", "garble", "truncate"])
def test_bad_snapshots_do_not_stop_the_batch(kind: Any) -> None:
    """Five failed reads in a row start reactive pacing: without snapshots, and without a crash."""
    report = kept(plan(40, faults=[Fault(kind, on="status", after=1)]))

    assert ends(report) == ["finished"]
    assert codes(report) == {"completed": 40}


def test_a_missing_status_endpoint_does_not_stop_the_batch() -> None:
    """404 for the snapshot: reactive pacing from the first request on."""
    report = kept(plan(40, settings={"status_endpoint": False}, may_stop={"STALLED"}))

    assert ends(report) == ["finished"]
    assert codes(report) == {"completed": 40}


# Gates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["seconds", "date", "absent", "zero", "nonsense"])
@pytest.mark.parametrize("skew", [0.0, -86_400.0, 0.7])
def test_retry_after_in_any_form_is_honoured(form: Any, skew: float) -> None:
    """Seconds, an HTTP-date by a clock that is wrong, nothing at all: never early, and never a busy loop."""
    faults = [
        Fault("error", status=429, retry_after=20.0, retry_after_form=form, share=0.2, between=(0, 300))
    ]
    report = kept(plan(faults=faults, settings={"clock_skew": skew}))

    assert ends(report) == ["finished"]
    assert len(report.history.exchanges) < 200


def test_a_503_with_retry_after_closes_everything() -> None:
    """Nothing at all is sent before its deadline."""
    faults = [Fault("error", status=503, retry_after=45.0, calls=(9,))]
    report = kept(plan(20, faults=faults))

    gate = next(e for e in report.history.exchanges if e.entry.status == 503)
    assert gate.read_at is not None
    assert not [e for e in report.history.exchanges if gate.read_at < e.sent_at < gate.read_at + 45.0]


def test_a_gate_read_just_before_a_kill_binds_the_next_process() -> None:
    """A Retry-After that was read 50 ms before a kill is known to the next process."""
    fault = Fault(
        "error", on="submit", status=429, code="QUEUE_CAPACITY_EXCEEDED", retry_after=60.0, calls=(3,)
    )
    first = kept(plan(faults=[fault]))
    read_at = next(e.read_at for e in first.history.exchanges if e.entry.status == 429)
    assert read_at is not None

    report = kept(plan(faults=[fault], ends=[End(Crash("time", read_at + 0.05), pause=0.5)]))

    after = [e for e in report.history.exchanges if e.invocation == 1 and e.entry.what == "submit"]
    assert min(e.sent_at for e in after) >= read_at + 60.0 - 1e-6


@pytest.mark.parametrize("code", ["RATE_LIMIT_EXCEEDED", "QUEUE_CAPACITY_EXCEEDED", "SLOW_DOWN"])
def test_a_gate_closed_by_a_read_binds_the_next_process(code: str) -> None:
    """A status read that is refused, with whatever code, closes a gate that the next process keeps."""
    fault = Fault("error", on="status", status=429, code=code, retry_after=60.0, calls=(1,))
    report = kept(plan(faults=[fault], ends=[End(Crash("time", 0.1), pause=0.5)]))

    assert min(e.sent_at for e in report.history.exchanges if e.entry.what == "submit") >= 60.0


def test_an_enormous_retry_after_stops_at_once_and_again_on_resume() -> None:
    """Beyond --max-retry-after it stops; each resume before the deadline stops too, and sends nothing."""
    fault = Fault("error", status=429, retry_after=1.0, retry_after_form="huge", calls=(4,))
    report = kept(plan(faults=[fault], may_stop={"RETRY_AFTER_TOO_LONG"}, resend_in_doubt=True))

    assert set(ends(report)[:-1]) == {"stopped RETRY_AFTER_TOO_LONG"}
    assert len(ends(report)) > 2
    assert {e.invocation for e in report.history.exchanges} == {0, len(ends(report)) - 1}


def test_a_remembered_window_is_not_taken_for_a_dead_host() -> None:
    """A resume that must first wait for the request window waits, and does not call the host unreachable."""
    settings = {"rate_limit": 8, "rate_window": 120.0, "rate_headers": "always"}
    report = kept(plan(20, settings=settings, ends=[End(Crash("call", 8), pause=0.1)]))

    assert ends(report)[-1] == "finished"


# Deaths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [0.0, 1.0, 5000.0])
@pytest.mark.parametrize("kind", ["call", "reply", "commit"])
def test_a_process_killed_at_any_call_reply_or_commit_is_resumed(kind: Any, pause: float) -> None:
    """Killed at each of its first 25 calls, replies or commits in turn: complete and single all the same."""
    for at in range(1, 26):
        report = kept(plan(4, ends=[End(Crash(kind, at), pause=pause, tear=at % 3 / 2)]))
        assert codes(report) == {"completed": 4}


@pytest.mark.parametrize("first", range(1, 400, 100))
def test_a_process_killed_at_any_await_is_resumed(first: int) -> None:
    """Killed where any of its tasks awaits, at every third of them in turn."""
    for at in range(first, first + 100, 3):
        report = kept(plan(3, ends=[End(Crash("step", at), pause=0.2)]))
        assert codes(report) == {"completed": 3}


def test_killed_over_and_over_it_still_ends() -> None:
    """Ten deaths in a row, seconds apart."""
    deaths = [End(Crash("time", 1.5 + 0.7 * n), pause=0.3) for n in range(10)]
    report = kept(plan(40, ends=deaths))

    assert ends(report) == ["crashed"] * 10 + ["finished"]
    assert codes(report) == {"completed": 40}


@pytest.mark.parametrize("at", [0.01, 0.1, 5.0])
def test_asked_to_stop_it_stops_within_five_seconds(at: float) -> None:
    """It waits briefly for replies, leaves the rest in doubt, and the next invocation goes on."""
    report = kept(plan(40, rtt=0.8, ends=[End(interrupt=at, pause=1.0)]))

    assert ends(report) == ["interrupted INTERRUPTED", "finished"]
    assert report.history.invocations[0].ended <= at + 5.0
    assert codes(report) == {"completed": 40}


@pytest.mark.parametrize("step", [-2 * HOUR, -1.0, 1.0, 2 * HOUR])
def test_a_wall_clock_that_is_set_loses_nothing(step: float) -> None:
    """Set back or forward between two processes: every capture is still collected, once."""
    death = End(Crash("time", 6.0), pause=0.1, clock_step=step)
    report = kept(plan(20, settings={"latency": Latency(mean=3.0)}, ends=[death]))

    assert codes(report)["completed"] + codes(report)["NO_RESULT"] == 20
    assert step > HOUR or codes(report) == {"completed": 20}


@pytest.mark.parametrize("tamper", ["delete", "truncate", "edit"])
def test_a_results_file_that_was_meddled_with_is_written_anew(tamper: str) -> None:
    """Deleted, cut short or edited while the journal stayed: complete again after the next invocation."""
    death = End(Crash("time", 25.0), pause=1.0, tamper=tamper)
    report = kept(plan(20, ends=[death]))

    assert codes(report) == {"completed": 20}


# What nobody can know ------------------------------------------------------------------------------


def test_a_key_that_the_service_has_forgotten_is_paid_twice() -> None:
    """Where the service forgets idempotency keys within minutes, a resend after an hour is a new job."""
    forgetful = plan(
        3, settings={"idempotency_ttl": 60.0}, ends=[End(Crash("reply", 2), pause=HOUR)], resend_in_doubt=True
    )
    report = run(forgetful)

    assert any("admitted 2 times" in violation for violation in report.violations)


def test_what_has_been_in_doubt_for_a_day_is_resent_only_on_demand() -> None:
    """After 24 hours in doubt a request is not sent again by itself; --resend-in-doubt does."""
    death = End(Crash("reply", 2), pause=25 * HOUR)
    cautious = run(plan(3, ends=[death]))
    bold = kept(plan(3, ends=[death], resend_in_doubt=True))

    doubtful = [
        e.entry.key for e in cautious.history.exchanges if e.invocation == 0 and e.entry.what == "submit"
    ]
    again = [
        e.entry.key for e in cautious.history.exchanges if e.invocation == 1 and e.entry.what == "submit"
    ]
    assert doubtful
    assert not set(doubtful) & set(again)
    assert codes(bold) == {"completed": 3}


def test_without_collecting_a_batch_ends_when_all_is_accepted() -> None:
    """--no-collect: every request is admitted once, through deaths too, and nothing is read."""
    policy = Policy(collect=False)
    report = kept(plan(20, policy=policy, ends=[End(Crash("commit", n), pause=0.2) for n in (4, 9)]))

    assert ends(report)[-1] == "finished"
    assert not report.history.lines
    assert not [e for e in report.history.exchanges if e.entry.what == "job"]
