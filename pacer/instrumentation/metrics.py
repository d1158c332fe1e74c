"""
Happenings and totals as Prometheus metrics, by prometheus-client (the extra ``metrics``).

Counters follow the happenings, and what only the core knows is taken in by
:meth:`Metrics.see`. Nothing is global: each :class:`Metrics` is in the registry
that it is given. Names, types and labels are a promise, listed in
``docs/metrics.md``.

Labels have fixed sets of values, and all series are there from the start, so
that the first event of a kind is an increase and not a new series. Surfaces are
the user's own words: those that the service documents are labels, all others
count as ``other``. Regions, request ids and reasons are no labels: there is no
end to them. The log has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from pacer.instrumentation import happening
from pacer.instrumentation.happening import Happening
from pacer.pacing.decisions import Bound
from pacer.pacing.gates import Lane
from pacer.pacing.statistics import Statistics
from pacer.wire.requests import KNOWN_SURFACES

STATUSES: Final = ("completed", "partial", "failed", "canceled", "expired", "unknown")
"""How a capture can end, as in the results."""

SURFACES: Final = (*sorted(KNOWN_SURFACES), "other")

LANES: Final = tuple(lane.value for lane in Lane)
BOUNDS: Final = tuple(bound.value for bound in Bound)


class Totals(Protocol):
    """What is read of :class:`pacer.Progress`."""

    requests: int
    captures: int
    accepted: int
    rejected: int
    waiting_for: str
    waiting_until: float | None

    @property
    def captures_ended(self) -> int:
        """Captures ended in any way."""
        ...


class Metrics:
    """
    The metrics of one run, or of one Pacer; a :class:`~.happening.Listener`.

    Args:
        registry: Where they are registered; see :attr:`registry`.

    Attributes:
        registry: Holds them. To be written out as ``prometheus_client`` does it.

    Errors:
        ValueError: The registry holds metrics of these names already.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._seen: Statistics | None = None
        counter, gauge = self._counter, self._gauge
        self._info = gauge("run_info", "Always 1; the version of pacer that runs.", "version")
        self._started = gauge("run_started_timestamp_seconds", "When this invocation began, Unix time.")

        self._waves = counter("waves", "Waves sent.")
        self._submissions = counter("submissions", "Requests sent in waves, those sent again included.")
        self._accepted = counter("requests_accepted", "Requests that the service accepted.")
        self._rejected = counter("requests_rejected", "Requests that ended as an error.")
        self._doubted = counter("requests_doubted", "Submissions without a usable reply, to be sent again.")
        self._captures = counter("captures_ended", "Captures that have ended.", "status", "surface")
        self._throttled = counter("throttled", "429s, and 503s that name a time, by what they close.", "lane")
        self._snapshots = counter("snapshots", "Readings of the queue's snapshot.")
        self._snapshots_failed = counter("snapshots_failed", "Status reads without a usable snapshot.")
        self._reads_failed = counter("reads_failed", "Job reads without a usable reply.")
        self._outages = counter("outages", "Times that the service stopped answering.")
        self._waiting_seconds = counter(
            "waiting_seconds", "Seconds of the run by what kept it from doing more.", "bound"
        )

        self._depth = gauge("queue_depth", "Units in the service's queue, as last read.")
        self._capacity = gauge("queue_capacity", "Units that the queue holds; NaN if it does not say.")
        self._headroom = gauge("headroom", "Units that may be submitted, as of the last reading.")
        self._inflight = gauge("inflight_captures", "Captures in flight on the key; NaN if not told.")
        self._gate_until = gauge(
            "gate_until_timestamp_seconds",
            "When the lane opens, or opened, Unix time; 0: never closed.",
            "lane",
        )

        self._requests = gauge("batch_requests", "Requests of the batch.")
        self._backlog = gauge("backlog_requests", "Requests that have not been accepted or rejected yet.")
        self._expected = gauge("batch_captures", "Captures expected of the batch.")
        self._open = gauge("open_captures", "Captures of the batch that have not ended yet.")
        self._uncollected = gauge("uncollected_captures", "Captures accepted and not collected yet.")
        self._in_flight = gauge("submissions_in_flight", "Submissions that wait for their reply.")
        self._drain = gauge("drain_units_per_second", "Units leaving the queue; NaN before it is known.")
        self._round_trip = gauge(
            "round_trip_seconds", "Round trip of a status read; NaN before there was one."
        )
        self._waiting = gauge("waiting", "1 for what the run waits for, if it waits.", "bound")
        self._until = gauge(
            "wait_until_timestamp_seconds", "When that wait ends at the latest, Unix time; 0: not known."
        )
        self._begin_all_series()

    def __call__(self, told: Happening) -> None:
        """Count *told*."""
        facts = told.facts
        match told.name:
            case happening.RUN_STARTED:
                self._seen = None
                self._info.labels(facts["version"]).set(1)
                self._started.set(told.at)
            case happening.RUN_ENDED:
                self._take(Statistics(**facts["statistics"]))
                self._stand(waiting_for="", until=None)
            case happening.WAVE_SENT:
                self._waves.inc(not facts["continued"])
                self._submissions.inc(facts["requests"])
            case happening.REQUEST_REJECTED:
                self._rejected.inc()
            case happening.REQUEST_DOUBTED:
                self._doubted.inc()
            case happening.CAPTURE_ENDED:
                self._captures.labels(*_labels(facts)).inc()
            case happening.THROTTLED:
                self._throttled.labels(facts["lane"]).inc()
                self._gate_until.labels(facts["lane"]).set(facts["until"])
            case happening.SNAPSHOT_READ:
                self._snapshots.inc()
                self._depth.set(facts["depth"])
                self._capacity.set(_number(facts["capacity"]))
                self._headroom.set(facts["headroom"])
                self._inflight.set(_number(facts["inflight"]))
            case happening.SNAPSHOT_FAILED:
                self._snapshots_failed.inc()
            case happening.READ_FAILED:
                self._reads_failed.inc()
            case happening.OUTAGE_BEGAN:
                self._outages.inc()

    def see(self, totals: Totals, statistics: Statistics | None) -> None:
        """
        Take in where the run stands: on its event loop, every second or before each scrape.

        Args:
            totals: ``Pacer.progress``.

            statistics: ``Pacer.statistics``; None before the run has begun.
        """
        self._requests.set(totals.requests)
        self._backlog.set(totals.requests - totals.accepted - totals.rejected)
        self._expected.set(totals.captures)
        self._open.set(totals.captures - totals.captures_ended)
        if statistics is None:
            return
        self._take(statistics)
        self._stand(totals.waiting_for, totals.waiting_until)

    def _take(self, statistics: Statistics) -> None:
        self._uncollected.set(statistics.unended)
        self._in_flight.set(statistics.in_flight)
        self._drain.set(_number(statistics.drain))
        self._round_trip.set(_number(statistics.rtt or None))
        seen, self._seen = self._seen, statistics
        self._accepted.inc(statistics.accepted - (seen.accepted if seen else 0))
        for bound, seconds in statistics.account.items():
            before = seen.account.get(bound, 0.0) if seen else 0.0
            self._waiting_seconds.labels(bound).inc(max(0.0, seconds - before))

    def _stand(self, waiting_for: str, until: float | None) -> None:
        for bound in BOUNDS:
            self._waiting.labels(bound).set(bound == waiting_for)
        self._until.set(until or 0)

    def _begin_all_series(self) -> None:
        for lane in LANES:
            self._throttled.labels(lane)
            self._gate_until.labels(lane)
        for bound in BOUNDS:
            self._waiting_seconds.labels(bound)
            self._waiting.labels(bound)
        for status in STATUSES:
            for surface in SURFACES:
                self._captures.labels(status, surface)
        for gauge in (
            self._depth,
            self._capacity,
            self._headroom,
            self._inflight,
            self._drain,
            self._round_trip,
        ):
            gauge.set(math.nan)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"pacer_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"pacer_{name}", meaning, labels, registry=self.registry)


def to_prometheus(registry: CollectorRegistry | None = None) -> Metrics:
    """
    Return a listener that keeps metrics in *registry*, or in a registry of its own.

    Errors:
        ValueError: The registry holds metrics of these names already: one Pacer, one registry.
    """
    return Metrics(CollectorRegistry() if registry is None else registry)


def _labels(facts: Mapping[str, Any]) -> tuple[str, str]:
    status, surface = facts["status"], facts["surface"]
    return (
        status if status in STATUSES else "unknown",
        surface if surface in SURFACES else "other",
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
