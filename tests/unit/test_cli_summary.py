"""
How a run ended, in a code, in words and as a document.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from pacer.cli.paths import SANDBOX_URL, Files
from pacer.cli.summary import Summary, closing_rows, closing_sentences, document
from pacer.cli.wording import time_shares
from pacer.journal.records import Batch
from pacer.journal.views import Counts
from pacer.pacing.controller import PacingController
from pacer.report import Invocation
from pacer.runner import Outcome

FILES = Files(Path("b.jsonl"), Path("b.results.jsonl"), Path("b.pacer.db"))


def outcome(kind: Literal["finished", "stopped", "interrupted"], code: str = "", reason: str = "") -> Outcome:
    """Return how an invocation of two seconds ended."""
    return Outcome(kind, code, reason, 2.0, PacingController(now=0.0).statistics())


def summary(outcome_: Outcome | None, base_url: str = "https://api.example.org", **counts: Any) -> Summary:
    """Return the summary of a batch of ten requests with a capture each."""
    numbers = {"pending": 0, "sent": 0, "accepted": 0, "rejected": 0, **counts}
    by_status = numbers.pop("ended", {"completed": 10})
    collect, signum = numbers.pop("collect", True), numbers.pop("signum", 0)
    done = 10 - sum(numbers.values())
    return Summary(
        batch=Batch(token="t", source="b.jsonl", input_sha256="", base_url=base_url, created_at=0.0),
        counts=Counts(requests=10, done=done, captures=10 - numbers["rejected"], ended=by_status, **numbers),
        outcome=outcome_,
        taken=None,
        in_doubt=("q1",) if numbers["sent"] else (),
        spent=50,
        files=FILES,
        notices=(),
        collect=collect,
        signum=signum,
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (summary(outcome("finished")), 0),
        (summary(None), 0),
        (summary(outcome("finished"), ended={"completed": 9, "failed": 1}), 1),
        (summary(outcome("finished"), ended={"completed": 9, "partial": 1}), 1),
        (summary(None, ended={"completed": 9, "unknown": 1}), 1),
        (summary(outcome("finished"), rejected=1, ended={"completed": 9}), 1),
        (summary(outcome("finished"), sent=1, ended={"completed": 9}), 1),
        (summary(outcome("finished"), accepted=10, ended={}, collect=False), 0),
        (summary(outcome("finished"), accepted=9, rejected=1, ended={}, collect=False), 1),
        (summary(outcome("stopped", "AUTH_INVALID", "The key was refused."), pending=10, ended={}), 3),
        (summary(outcome("interrupted"), pending=10, ended={}, signum=2), 130),
        (summary(outcome("interrupted"), pending=10, ended={}, signum=15), 143),
    ],
)
def test_exit_codes(given: Summary, code: int) -> None:
    """0 is for complete batches only; what ended otherwise is 1, what can be resumed is 3, 130 or 143."""
    assert given.exit_code == code
    assert json.loads(json.dumps(document(given), allow_nan=False))["exit_code"] == code
    assert closing_rows(given)


def test_resumable_ends_say_how() -> None:
    """What stopped early says why and how to go on; the sandbox cannot be resumed and does not claim it."""
    [stopped] = closing_sentences(
        summary(outcome("stopped", "AUTH_INVALID", "The key was refused."), pending=1)
    )
    assert stopped == (
        "Stopped (AUTH_INVALID): The key was refused. Set the right key in AISEARCH_API_KEY, then run the "
        "same command again to resume."
    )
    [interrupted] = closing_sentences(summary(outcome("interrupted"), pending=4, sent=1))
    assert interrupted == (
        "Interrupted: 6 of 10 requests sent, 1 in doubt. Run the same command again to resume."
    )
    [sandbox] = closing_sentences(summary(outcome("interrupted"), SANDBOX_URL, pending=4))
    assert "resume" not in sandbox


def test_too_long_in_doubt_is_listed() -> None:
    """A request that was too long in doubt to be sent again is named, with the option that sends it."""
    given = summary(outcome("finished"), sent=1, ended={"completed": 9})
    [said] = closing_sentences(given)
    assert "q1" in said
    assert "--resend-in-doubt" in said
    assert document(given)["too_long_in_doubt"] == ["q1"]


def test_where_the_time_went_is_one_line_with_the_option_that_would_change_it() -> None:
    """The largest shares, by name; what is below a hundredth is left to the report."""
    booked = {"drain": 62.0, "reserve": 31.0, "round_trip": 6.5, "pacer": 0.5}
    assert time_shares(booked) == "62 % the service's drain, 31 % the reserve (--reserve), 6 % round trips"
    assert time_shares({"drain": 99.5, "gate": 0.5}) == "100 % the service's drain"
    assert time_shares({}) == ""


def test_the_time_of_several_invocations_is_told_for_each_and_in_all() -> None:
    """So is that of a batch which had ended before."""
    first = Invocation(0.0, 60.0, "stopped", seconds=60.0, account={"drain": 60.0})
    second = Invocation(90.0, 120.0, "finished", seconds=30.0, account={"gate": 30.0})
    told = replace(summary(None), invocations=(first, second))
    rows = dict(closing_rows(told))
    assert (
        rows["Time in all"] == "1:30: 67 % the service's drain, 33 % Retry-After; 2 invocations: 1:00, 30 s"
    )
    time = document(told)["time"]
    assert time["seconds"] == sum(bound["seconds"] for bound in time["bounds"]) == 90.0
    assert sum(bound["share"] for bound in time["bounds"]) == pytest.approx(1.0)


@pytest.mark.parametrize("flag", ["--max-credits", "--max-requests"])
def test_a_limit_says_that_it_must_be_raised(flag: str) -> None:
    """The same command with the same limit would only stop again."""
    code = flag[2:].replace("-", "_").upper()
    (said,) = closing_sentences(summary(outcome("stopped", code, "As many as allowed."), pending=5, ended={}))
    assert said.endswith(f"To go on, run the command again with a larger {flag}.")


def test_what_failed_can_be_retried() -> None:
    """A batch with failed captures says how; one in which requests were refused only does not."""
    failed = summary(outcome("finished"), ended={"completed": 9, "failed": 1})
    assert "--retry-failed" in " ".join(closing_sentences(failed))
    refused = summary(outcome("finished"), rejected=1, ended={"completed": 9})
    assert "--retry-failed" not in " ".join(closing_sentences(refused))
