"""
Every knob of pacing: its unit, its default, and why it is what it is.

Figures called *simulated* come from the scenarios of ``pacer simulate``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class UnitChoice(Enum):
    """What ``--unit`` may say about how the service counts depth."""

    AUTO = "auto"
    PARENTS = "parents"
    CHILDREN = "children"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """
    How the pacer behaves. Times in seconds, costs in the queue's own unit.
    """

    unit: UnitChoice = UnitChoice.AUTO
    """What depth counts; ``auto`` starts with the safe upper bound and learns."""

    probe: bool = False
    """Allow one probing phase when an unknown unit may starve the service. Can cost 429s."""

    reserve: int = 0
    """Units of the queue kept free for other clients of the key."""

    reserve_share: float = 0.0
    """The same as a share of capacity in [0, 1); the larger of the two counts."""

    max_credits: int | None = None
    """Most credits that the batch's requests can cost, earlier invocations included: sent is
    spent. Beyond it nothing new is sent; what is out is collected, then the batch stops, resumable."""

    max_requests: int | None = None
    """Most requests of the batch that are sent, earlier invocations included. As above."""

    deadline: float = float("inf")
    """Time from the start of the invocation after which nothing new is sent. As above."""

    concurrency: int = 64
    """Most submissions in flight: 16 connections at 800 ms carry only 20 a second."""

    initial_concurrency: int = 16
    """Submissions in flight at the start: bounds what discovering a rate window costs."""

    collect: bool = True
    """Read the captures; without it a request has ended once it is accepted."""

    full_drain: bool = False
    """Let the queue run empty before the next wave. Halves throughput (docs: design)."""

    # The next read -----------------------------------------------------------

    longest_wait: float = 30.0
    """Longest time between two reads with backlog. Bounds any error of the drain estimate;
    simulated: without it a collapse of the service costs up to 1.5 times the makespan."""

    shortest_wait: float = 0.05
    """Shortest time between two reads, so that a fast network is not a busy loop."""

    lead: float = 1.5
    """Round trips by which a read precedes the predicted reorder point: one for the read's
    answer and the wave's way there, half for the wave's own sending."""

    contention_first: float = 0.5
    """First time between reads once others are seen on the key."""

    contention_least: float = 0.25
    """Least of the same. Lower helps at one retry cadence of theirs and hurts at another."""

    contention_most: float = 5.0
    """Most of the same."""

    # Gates ---------------------------------------------------------------------

    max_retry_after: float = 900.0
    """A Retry-After beyond this stops the batch, resumable, instead of sleeping on it."""

    stall_after: float = 900.0
    """A gate that keeps closing this long without progress is a stall."""

    no_progress_after: float = 3600.0
    """With backlog and nothing accepted or ended for this long, the batch stops, resumable."""

    backoff_first: float = 1.0
    """First back-off where a 429 names no usable time; doubles from there."""

    backoff_most: float = 60.0
    """Longest such back-off."""

    # Failures ------------------------------------------------------------------

    outage_failures: int = 3
    """Failures in a row, none answered between, that make an outage."""

    probe_first: float = 1.0
    """First pause between probes during an outage; doubles."""

    probe_most: float = 30.0
    """Longest pause between probes. Jitter takes at most half: never more than 4 a minute."""

    unreachable_after: float = 60.0
    """No reply at all for this long from the start: the batch stops."""

    outage_most: float = 3600.0
    """An outage in mid-run this long stops the batch, resumable: cron will try again."""

    retry_first: float = 1.0
    """First pause before one request in doubt is sent again; doubles."""

    retry_most: float = 120.0
    """Longest such pause: ten refusals then take a little over ten minutes."""

    refusals: int = 10
    """Refusals of one request, while others pass, after which it ends by name..."""

    refused_for: float = 600.0
    """...if they span at least this long."""

    conflicts: int = 5
    """409s to a resend before its outcome is called unknown."""

    set_asides: int = 3
    """403 pages in a row, nothing accepted between, that stop the batch."""

    bad_snapshots: int = 5
    """Failed reads in a row (or readings without a capacity) that start reactive pacing."""

    reactive_reread: float = 60.0
    """Reads that try whether a missing or failing status endpoint is back."""

    oversized_patience: float = 60.0
    """A request larger than the capacity goes at the lowest depth seen after this long."""

    oversized_refusals: int = 3
    """Refusals at depth 0 that end such a request as TOO_LARGE."""

    # Collection ----------------------------------------------------------------

    capture_timeout: float = 3600.0
    """A capture not terminal this long after its admission ends as NO_RESULT."""

    not_found_grace: float = 60.0
    """A job may be unknown (404) to the service for this long before it ends as JOB_NOT_FOUND."""

    uncollected_most: int = 10_000
    """Captures probably ended but unread beyond which collection goes before submission."""

    uncollected_age: float = 900.0
    """Age in seconds of the oldest such capture beyond which the same holds."""

    tail_first: float = 0.5
    """Shortest time between reads that watch the last captures end."""

    tail_share: float = 0.0055
    """The same as a share of the batch's elapsed time: what watching can cost the makespan."""

    tail_growth: float = 0.015
    """The same as a share of the time since the last admission: a heavy tail is long, and few reads
    are to watch it (simulated: without it 172 reads where 121 are the bound)."""
