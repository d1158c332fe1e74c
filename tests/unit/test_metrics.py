"""
Metrics: true to what happened, fixed in their names and labels, and what the documentation says.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pacer import Progress
from pacer.cli.wording import WAITS
from pacer.instrumentation import happening
from pacer.instrumentation.happening import Happening
from pacer.instrumentation.metrics import Metrics, to_prometheus
from pacer.pacing.controller import PacingController
from pacer.sandbox import Fault
from tests.reliability.faults import plan_of
from tests.reliability.world import run
from tests.unit.client.world import World, request, requests

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def values(metrics: Metrics) -> dict[str, float]:
    """Return all samples as they are scraped, by ``name{label="value"}``, without ``_created``."""
    return {
        f"{sample.name}{{{','.join(f'{k}={v}' for k, v in sorted(sample.labels.items()))}}}".removesuffix(
            "{}"
        ): (sample.value)
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_counters_are_what_happened() -> None:
    """Whatever goes wrong in a batch, each counter is the number of its happenings."""
    for seed in (4, 8):
        told = run(plan_of(seed)).happened
        metrics = to_prometheus()
        for one in told:
            metrics(one)
        seen = values(metrics)
        names = Counter(one.name for one in told if not one.facts.get("continued"))
        lanes = Counter(one.facts["lane"] for one in told if one.name == happening.THROTTLED)
        statuses = Counter(one.facts["status"] for one in told if one.name == happening.CAPTURE_ENDED)
        for lane in ("rate", "queue", "sync"):
            assert seen[f"pacer_throttled_total{{lane={lane}}}"] == lanes[lane]
        for status, number in statuses.items():
            kind = f"pacer_captures_ended_total{{status={status},"
            assert sum(value for name, value in seen.items() if name.startswith(kind)) == number
        for name, metric in {
            happening.WAVE_SENT: "waves",
            happening.REQUEST_DOUBTED: "requests_doubted",
            happening.REQUEST_REJECTED: "requests_rejected",
            happening.SNAPSHOT_READ: "snapshots",
            happening.SNAPSHOT_FAILED: "snapshots_failed",
            happening.READ_FAILED: "reads_failed",
            happening.OUTAGE_BEGAN: "outages",
        }.items():
            assert seen[f"pacer_{metric}_total"] == names[name]
        ends = [one.facts["statistics"] for one in told if one.name == happening.RUN_ENDED]
        assert seen["pacer_requests_accepted_total"] == sum(each["accepted"] for each in ends)
        waited = sum(value for name, value in seen.items() if name.startswith("pacer_waiting_seconds_total"))
        assert waited == pytest.approx(sum(sum(each["account"].values()) for each in ends))


@pytest.mark.looptime
async def test_the_totals_of_a_service() -> None:
    """In mid-run the totals are those of the batch; afterwards nothing is left and nothing waits."""
    refuse = Fault("error", on="submit", status=422, code="VALIDATION_FAILED", calls=(3,))
    world, metrics = World(refuse), to_prometheus()
    async with world.pacer(listener=metrics) as p:
        await p.submit(request("first"))
        metrics.see(p.progress, p.statistics)
        halfway = values(metrics)
        await p.run(requests(50))
        metrics.see(p.progress, p.statistics)
    ended = values(metrics)
    assert halfway["pacer_batch_requests"] == 1
    assert halfway["pacer_open_captures"] == halfway["pacer_uncollected_captures"] == 1
    assert halfway["pacer_requests_accepted_total"] == 1
    assert halfway["pacer_queue_capacity"] == 20
    assert ended["pacer_batch_requests"] == 51
    assert ended["pacer_requests_accepted_total"] == 50
    assert ended["pacer_requests_rejected_total"] == 1
    assert ended["pacer_captures_ended_total{status=completed,surface=chatgpt}"] == 50
    assert ended["pacer_backlog_requests"] == ended["pacer_open_captures"] == 0
    assert ended["pacer_submissions_in_flight"] == ended["pacer_uncollected_captures"] == 0
    waited = sum(value for name, value in ended.items() if name.startswith("pacer_waiting_seconds_total"))
    assert waited == pytest.approx(30.0, abs=5.0)  # 51 captures of 5 s, ten at once
    assert {value for name, value in ended.items() if name.startswith("pacer_waiting{")} == {0.0}


@pytest.mark.looptime
async def test_the_totals_are_those_of_the_journal() -> None:
    """With a request that is rejected go the captures that were expected of it, as in the journal."""
    refuse = Fault("error", on="submit", status=422, code="VALIDATION_FAILED", calls=(2, 4))
    world = World(refuse)
    async with world.pacer() as p:
        await p.run(request(f"r{n}", surfaces=["chatgpt", "claude", "gemini"]) for n in range(6))
        ended, counts = p.progress, world.journal.counts()
    assert counts.rejected == 2
    assert (ended.captures, ended.captures_ended, ended.rejected) == (counts.captures, 12, 2)


def progress(**changes: Any) -> Progress:
    """Return a run in its middle."""
    middle = {"requests": 10, "captures": 40, "accepted": 6, "rejected": 1, "in_doubt": 0}
    return Progress(**middle | {"ended": {"completed": 5}} | changes)


def test_a_wait_says_until_when_and_why() -> None:
    """The bound in force is 1, all others 0, and the end is there, or 0 where only a reply ends it."""
    metrics, statistics = to_prometheus(), PacingController(now=0.0).statistics()
    metrics.see(progress(waiting_for="gate", waiting_until=1.8e9), statistics)
    seen = values(metrics)
    assert [name for name, value in seen.items() if value and name.startswith("pacer_waiting{")] == [
        "pacer_waiting{bound=gate}"
    ]
    assert seen["pacer_wait_until_timestamp_seconds"] == 1.8e9
    metrics.see(progress(waiting_for="round_trip"), statistics)
    seen = values(metrics)
    assert seen["pacer_waiting{bound=gate}"] == 0
    assert seen["pacer_waiting{bound=round_trip}"] == 1
    assert seen["pacer_wait_until_timestamp_seconds"] == 0


def test_a_second_invocation_adds_up() -> None:
    """Counters go on from invocation to invocation, and a look at the same moment twice counts once."""
    metrics, fresh = to_prometheus(), PacingController(now=0.0).statistics()
    for _ in range(2):
        metrics(Happening(1.0, happening.RUN_STARTED, {"version": "1"}))
        later = type(fresh)(**asdict(fresh) | {"accepted": 7, "account": {"drain": 2.5}})
        metrics.see(progress(), later)
        metrics.see(progress(), later)
    seen = values(metrics)
    assert seen["pacer_requests_accepted_total"] == 14
    assert seen["pacer_waiting_seconds_total{bound=drain}"] == 5.0


def test_what_is_not_known_is_not_a_number() -> None:
    """Before a first reading, and where the service does not say, there is no 0 that would be a lie."""
    metrics = to_prometheus()
    unknown = ("queue_depth", "queue_capacity", "headroom", "inflight_captures", "drain_units_per_second")
    assert all(math.isnan(values(metrics)[f"pacer_{name}"]) for name in unknown)
    facts = {"depth": 3, "capacity": None, "headroom": 1, "inflight": None}
    metrics(Happening(1.0, happening.SNAPSHOT_READ, facts))
    seen = values(metrics)
    assert (seen["pacer_queue_depth"], seen["pacer_headroom"]) == (3, 1)
    assert math.isnan(seen["pacer_queue_capacity"])


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text(), st.text())))
def test_nobody_can_make_series(ended: list[tuple[str, str, str]]) -> None:
    """Whatever requests and service write, the series are those of the start."""
    metrics = to_prometheus()
    series = values(metrics).keys()
    for surface, status, region in ended:
        facts = {"request": "q", "child": "c", "surface": surface, "region": region, "status": status}
        metrics(Happening(1.0, happening.CAPTURE_ENDED, facts))
    assert values(metrics).keys() == series


def test_nothing_is_global() -> None:
    """Two Metrics have two registries; one registry takes one."""
    first, second = to_prometheus(), to_prometheus()
    first(Happening(1.0, happening.OUTAGE_BEGAN, {}))
    assert values(second)["pacer_outages_total"] == 0
    registry = CollectorRegistry()
    assert to_prometheus(registry).registry is registry
    with pytest.raises(ValueError, match="pacer_"):
        to_prometheus(registry)


# What is said of them ------------------------------------------------------------------------


def labels_of(metrics: Metrics) -> dict[str, tuple[str, set[str]]]:
    """Return type and labels by the name of the sample."""
    metrics(Happening(1.0, happening.RUN_STARTED, {"version": "1"}))
    return {
        sample.name: (family.type, set(sample.labels))
        for family in metrics.registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_the_page_lists_every_metric() -> None:
    """``docs/metrics.md`` has each metric with its type, its labels and its help, and no other."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    listed = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)), meaning)
        for name, kind, labels, meaning in re.findall(
            r"^\| `(pacer_\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$", page, re.MULTILINE
        )
    }
    metrics = to_prometheus()
    helps = {family.name: family.documentation.rstrip(".") for family in metrics.registry.collect()}
    assert listed == {
        name: (kind, labels, helps[name.removesuffix("_total")])
        for name, (kind, labels) in labels_of(metrics).items()
    }
    for word in ("completed", "partial", "failed", "canceled", "expired", "unknown", "other", "sync"):
        assert f"`{word}`" in page


def test_names_are_as_prometheus_has_them() -> None:
    """Base units, ``_total`` on counters alone, help with a full stop: what promtool would look at."""
    for family in to_prometheus().registry.collect():
        assert re.fullmatch(r"pacer_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert not re.search(r"_(ms|milliseconds|minutes|bytes_total_total)$", family.name)
        assert family.type in ("gauge", "counter")


def selectors(query: str) -> Iterator[promql_parser.VectorSelector]:
    """Parse *query* and yield its selectors."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: object) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    # What Grafana puts in before it asks.
    query = re.sub(r"\$__(rate_)?interval", "1m", query)
    promql_parser.walk(promql_parser.parse(query), visit)
    yield from found


def check_query(query: str) -> None:
    """Check that *query* is PromQL and asks for metrics, labels and label values that exist."""
    metrics = to_prometheus()
    known = labels_of(metrics)
    series = values(metrics).keys()
    asked = list(selectors(query))
    assert asked, query
    for selector in asked:
        assert selector.name in known, f"{query}: there is no {selector.name}"
        for matcher in selector.matchers.matchers:
            if matcher.name in ("job", "instance"):  # Prometheus' own
                continue
            assert matcher.name in known[str(selector.name)][1], query
            assert any(f"{matcher.name}={matcher.value}" in one for one in series), query


def dashboard() -> dict[str, Any]:
    """Return the shipped dashboard."""
    found: dict[str, Any] = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())
    return found


def test_the_dashboard_asks_for_what_exists() -> None:
    """Every query of every panel is PromQL over metrics and labels of ours."""
    panels = dashboard()["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(queries) > 15
    for query in [*queries, *(one["expr"] for one in dashboard()["annotations"]["list"])]:
        check_query(query)


def test_the_dashboard_can_be_imported() -> None:
    """It names no data source of somebody's, has ids of its own, and no panel lies on another."""
    board = dashboard()
    variables = {one["name"] for one in board["templating"]["list"]}
    assert variables == {"datasource", "job", "instance"}
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(board))) <= variables | {
        "__interval",
        "__rate_interval",
        "__all",
    }


def test_the_dashboard_answers_what_people_ask() -> None:
    """Queue, results, 429s, waits, backlog and the time to go each have a panel."""
    asked = {
        str(selector.name)
        for panel in dashboard()["panels"]
        for target in panel["targets"]
        for selector in selectors(target["expr"])
    }
    assert asked >= {
        "pacer_queue_depth",
        "pacer_queue_capacity",
        "pacer_headroom",
        "pacer_captures_ended_total",
        "pacer_throttled_total",
        "pacer_waiting_seconds_total",
        "pacer_wait_until_timestamp_seconds",
        "pacer_backlog_requests",
        "pacer_open_captures",
    }


def yaml(name: str) -> Any:
    """Return what an example in YAML says."""
    return import_module("yaml").safe_load((EXAMPLES / name).read_text())


def test_the_alerts_ask_for_what_exists() -> None:
    """Every rule is PromQL over metrics of ours, and Prometheus is told of the file."""
    [group] = yaml("pacer-alerts.yml")["groups"]
    for rule in group["rules"]:
        check_query(rule["expr"])
        assert rule["annotations"]["summary"]
    assert yaml("prometheus.yml")["rule_files"] == ["pacer-alerts.yml"]


def test_the_page_asks_for_what_exists() -> None:
    """The queries on the page are PromQL over metrics of ours."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    queries = [query for row in page.splitlines() if "? |" in row for query in re.findall(r"`([^`]+)`", row)]
    assert len(queries) >= 4
    for query in queries:
        check_query(query)


def test_every_bound_is_on_the_page_of_events() -> None:
    """``docs/events.md`` explains each reason to wait."""
    page = (ROOT / "docs" / "events.md").read_text()
    assert {name for name in WAITS if f"`{name}`" in page} == WAITS.keys()
