"""
The scenarios: those that pacing was tuned on (01-52), those that try to break what was tuned on them (60-71),
and those that were written before a last round of tuning, which has looked at them since (80-89).

Each batch takes a few hundred to a few thousand seconds, which is long beside any transient and no multiple
of a window.
"""

from __future__ import annotations

from typing import Any

from pacer.sandbox.faults import Fault
from pacer.sandbox.settings import Change, Latency, Tenant
from pacer.simulation.scenario import CONSTANT, HEAVY, Scenario

S = Scenario
SLOW = 0.8
FAST = 0.005
MIXED = (1, 2, 4, 8)


def _window(limit: int, headers: str, **more: Any) -> dict[str, Any]:
    return {"rate_limit": limit, "rate_headers": headers, "rate_phase": 23.0, **more}


def _collapse(start: float, stop: float, to: float = 0.1) -> tuple[Change, ...]:
    return (Change(start, "drain", to), Change(stop, "drain", 1.0))


SINGLE = (
    S(name="01 C200 K50 const", requests=3000, latency=CONSTANT),
    S(name="02 C200 K50 logn", requests=3000),
    S(name="03 C200 K50 heavy", requests=3000, latency=HEAVY),
    S(name="04 C200 K200", requests=6000, workers=200),
    S(name="05 C200 K500 plentiful", requests=10_000, workers=500),
    S(name="13 C5000 K500 N20000", requests=20_000, capacity=5000, workers=500),
    S(name="14 C5000 K500 rtt800", requests=20_000, capacity=5000, workers=500, rtt=SLOW),
    S(name="15 C10 K50 rtt80", requests=2000, capacity=10),
    S(name="16 C10 K50 rtt800", requests=2000, capacity=10, rtt=SLOW),
    S(name="17 C10 K8 heavy rtt5", requests=800, capacity=10, workers=8, latency=HEAVY, rtt=FAST),
    S(name="18 C1 K4 rtt5", requests=500, capacity=1, workers=4, rtt=FAST),
    S(name="19 C1 K50 rtt80", requests=1500, capacity=1),
    S(name="20 C1 K50 rtt800", requests=1500, capacity=1, rtt=SLOW),
    S(name="29 rtt800 C200 K200 heavy", requests=5000, workers=200, latency=HEAVY, rtt=SLOW),
)

FAN_OUT = (
    S(name="06 C200 F4 children", requests=2000, fan_out=(4,)),
    S(name="07 C200 F4 both", requests=2000, fan_out=(4,), unit="both"),
    S(name="08 C200 F4 parents", requests=2000, fan_out=(4,), unit="parents"),
    S(name="09 C40 K50 F4 parents", requests=1500, fan_out=(4,), unit="parents", capacity=40),
    S(name="10 C40 F mixed both", requests=1480, fan_out=MIXED, unit="both", capacity=40),
    S(name="11 C40 F70 parents K100", requests=500, fan_out=(70,), unit="parents", capacity=40, workers=100),
    S(name="12 C40 F70 children K100", requests=500, fan_out=(70,), capacity=40, workers=100),
    S(
        name="21 C10 K200 F4 par rtt800",
        requests=1500, capacity=10, workers=200, fan_out=(4,), unit="parents", rtt=SLOW,
    ),
)  # fmt: skip

WINDOWS = (
    S(name="22 win60/60 hdr C40", requests=580, capacity=40, settings=_window(60, "always")),
    S(
        name="23 win600/60 429hdr C200",
        requests=5800, workers=500, settings=_window(600, "on_429"),
    ),
    S(name="24 win600/60 hdr C10", requests=2600, capacity=10, workers=200, settings=_window(600, "always")),
    S(name="25 win60/60 429hdr rtt800", requests=580, rtt=SLOW, settings=_window(60, "on_429")),
)  # fmt: skip

CHANGES = (
    S(
        name="26 cap 200-40-400",
        requests=3000, schedule=(Change(300, "capacity", 40), Change(600, "capacity", 400)),
    ),
    S(name="27 collapse10% C200", requests=3000, schedule=_collapse(300, 700)),
    S(
        name="28 collapse10% C5000 K500",
        requests=20_000, capacity=5000, workers=500, schedule=_collapse(200, 540),
    ),
    S(name="50 collapse10% C40", requests=1500, capacity=40, schedule=_collapse(150, 600)),
    S(name="51 collapse10% C10", requests=1500, capacity=10, schedule=_collapse(150, 600)),
    S(name="52 collapse10% C40 F4", requests=400, capacity=40, fan_out=(4,), schedule=_collapse(150, 600)),
)  # fmt: skip

TENANTS = (
    S(
        name="30 steady tenant C200 RA5",
        requests=2000, unit="parents", tenants=(Tenant(kind="steady", demand=1.0),),
        settings={"retry_after": 5.0},
    ),
    S(
        name="31 burst tenant C200 RA1",
        requests=1500, unit="parents", tenants=(Tenant(kind="bursting", burst=60, period=30.0),),
        settings={"retry_after": 1.0},
    ),
    S(
        name="32 burst tenant C40 RA30",
        requests=450, capacity=40, unit="parents",
        tenants=(Tenant(kind="bursting", burst=30, period=20.0),), settings={"retry_after": 30.0},
    ),
    S(
        name="33 greedy tenant C200 RA5",
        requests=1000, unit="parents", tenants=(Tenant(kind="greedy", period=1.0, reacts=False),),
        settings={"retry_after": 5.0},
    ),
    S(
        name="34 greedy tenant C40 RA1",
        requests=300, capacity=40, unit="parents",
        tenants=(Tenant(kind="greedy", period=1.0, reacts=False),), settings={"retry_after": 1.0},
    ),
)  # fmt: skip

ADVERSARIAL = (
    S(
        name="40 C10 K200 F4 child rtt800 RA30",
        requests=1000, capacity=10, workers=200, fan_out=(4,), rtt=SLOW, settings={"retry_after": 30.0},
    ),
    S(
        name="41 C10 K200 F4 both rtt800 RA30",
        requests=1000, capacity=10, workers=200, fan_out=(4,), unit="both", rtt=SLOW,
        settings={"retry_after": 30.0},
    ),
    S(
        name="42 C40 F8 child K500 rtt800 RA30",
        requests=1500, capacity=40, workers=500, fan_out=(8,), rtt=SLOW, settings={"retry_after": 30.0},
    ),
    S(
        name="43 C40 F70 par K500 rtt800",
        requests=500, capacity=40, workers=500, fan_out=(70,), unit="parents", rtt=SLOW,
    ),
    S(
        name="44 C10 K50 F1 both rtt800 RA30",
        requests=1500, capacity=10, unit="both", rtt=SLOW, settings={"retry_after": 30.0},
    ),
    S(
        name="45 C40 K500 F8 par rtt80",
        requests=750, capacity=40, workers=500, fan_out=(8,), unit="parents",
    ),
    S(
        name="46 C40 Fmix par K200 rtt800",
        requests=1050, capacity=40, workers=200, fan_out=MIXED, unit="parents", rtt=SLOW,
    ),
)  # fmt: skip

FURTHER = (
    S(
        name="60 C200 release at the end",
        requests=3000, settings={"release": "end"},
    ),
    S(
        name="61 C40 F4 parents, release at the end",
        requests=900, capacity=40, workers=200, fan_out=(4,), unit="parents", settings={"release": "end"},
    ),
    S(
        name="62 C5 two collapses, drain 1% then 0",
        requests=1200, capacity=5, workers=20,
        schedule=(*_collapse(120, 300, 0.01), *_collapse(500, 620, 0.0)),
    ),
    S(
        name="63 C3 F2 both, one at a time",
        requests=600, capacity=3, workers=10, fan_out=(2,), unit="both",
    ),
    S(
        name="64 sliding 300/60 429hdr C100",
        requests=2950, capacity=100, workers=200,
        settings=_window(300, "on_429", rate_kind="sliding"),
    ),
    S(
        name="65 capacity 0 for a while",
        requests=2500, schedule=(Change(200, "capacity", 0), Change(320, "capacity", 100)),
    ),
    S(
        name="66 rtt jitter 300% C40 K100",
        requests=3000, capacity=40, workers=100, rtt=0.2, jitter=3.0,
    ),
    S(
        name="67 burst tenant children RA30",
        requests=400, fan_out=(4,), tenants=(Tenant(kind="bursting", burst=15, period=40.0, fan_out=4),),
        settings={"retry_after": 30.0},
    ),
    S(
        name="68 steady tenant both C60 F3",
        requests=700, capacity=60, fan_out=(3,), unit="both",
        tenants=(Tenant(kind="steady", demand=1.0, fan_out=2),), settings={"retry_after": 5.0},
    ),
    S(
        name="69 stale snapshots 3 s",
        requests=3000, faults=(Fault("stale", on="status", seconds=3.0, share=0.3),),
    ),
)  # fmt: skip
FURTHER_LATENCY = Latency(mean=6.0, shape="lognormal", spread=1.2)
BURSTY = (
    S(
        name="70 latency sigma 1.2, C20 K100 rtt400",
        requests=3000, capacity=20, workers=100, latency=FURTHER_LATENCY, rtt=0.4,
    ),
    S(
        name="71 sliding 120/10 hdr C40 rtt800",
        requests=1900, capacity=40, rtt=SLOW, workers=300,
        settings=_window(120, "always", rate_kind="sliding", rate_window=10.0),
    ),
)  # fmt: skip

LATER = (
    S(
        name="80 C7 K9 F1,3,7 rtt150",
        requests=600, capacity=7, workers=9, fan_out=(1, 3, 7), rtt=0.15, latency=Latency(mean=4.0),
    ),
    S(
        name="81 C1000 K120 F10 both heavy rtt250",
        requests=900, capacity=1000, workers=120, fan_out=(10,), unit="both", rtt=0.25, latency=HEAVY,
    ),
    S(
        name="82 greedy tenant children C100 F2 RA1",
        requests=250, capacity=100, fan_out=(2,), tenants=(Tenant(kind="greedy", period=2.0, reacts=False),),
        settings={"retry_after": 1.0},
    ),
    S(
        name="83 steady tenant both C120 RA30",
        requests=600, capacity=120, unit="both", tenants=(Tenant(kind="steady", demand=2.0),),
        settings={"retry_after": 30.0},
    ),
    S(
        name="84 drain 1-0.3-2-0.6 C120",
        requests=2000, capacity=120,
        schedule=(Change(150, "drain", 0.3), Change(400, "drain", 2.0), Change(550, "drain", 0.6)),
    ),
    S(
        name="85 sliding 90/30 429hdr C60",
        requests=820, capacity=60, settings=_window(90, "on_429", rate_kind="sliding", rate_window=30.0),
    ),
    S(
        name="86 win600/60 hdr C500 F10 K200",
        requests=300, capacity=500, workers=200, fan_out=(10,), settings=_window(600, "always"),
    ),
    S(name="87 captures of 1 s, C50 K20", requests=6000, capacity=50, workers=20, latency=Latency(mean=1.0)),
    S(
        name="88 captures of 2 min, C500 K100",
        requests=1500, capacity=500, workers=100, latency=Latency(mean=120.0),
    ),
    S(
        name="89 cap 50-10-90 F2 parents K40",
        requests=1200, capacity=50, workers=40, fan_out=(2,), unit="parents",
        schedule=(Change(200, "capacity", 10), Change(500, "capacity", 90)),
    ),
)  # fmt: skip
"""Written without a look at how pacing does there. What they showed is mended: more seeds judge anew."""


def scenarios() -> tuple[Scenario, ...]:
    """Return all of them by number."""
    groups = (SINGLE, FAN_OUT, WINDOWS, CHANGES, TENANTS, ADVERSARIAL, FURTHER, BURSTY, LATER)
    return tuple(sorted((s for group in groups for s in group), key=lambda s: s.number))
