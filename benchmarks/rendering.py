"""
From the kept results to tables, plots and sentences: no figure in them is typed by hand.

``benchmarks/README.in.md`` and the block in the project's README have places like ``$makespans``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from benchmarks import targets
from benchmarks.keeping import RESULTS, kept
from benchmarks.rivals import PACER, RIVALS
from benchmarks.scenarios import CUT_OFF, MATCHES
from pacer.simulation import report
from pacer.simulation.outcome import Outcome

HERE = Path(__file__).parent
README = HERE / "README.md"
TEMPLATE = HERE / "README.in.md"
PROJECT_README = HERE.parent / "README.md"
BEGIN, END = "<!-- python -m benchmarks render: begin -->", "<!-- end -->"

Row = Sequence[str]


def render() -> None:
    """Write the READMEs and the plots anew."""
    from benchmarks.drawing import draw

    draw()
    (RESULTS / "targets.md").write_text(targets_page(kept("targets")))
    README.write_text(readme())
    PROJECT_README.write_text(with_block(PROJECT_README.read_text()))


def readme() -> str:
    """Return ``benchmarks/README.md`` as the kept results make it."""
    return Template(TEMPLATE.read_text()).substitute(places())


def targets_page(found: Mapping[str, Any]) -> str:
    """Return ``results/targets.md``: what was *found* of the targets, run by run."""
    parts = [
        "# Simulated services against their targets",
        targets.summary(found),
        "Command: `python -m benchmarks targets`; for one service: `pacer simulate 16`.",
    ]
    for title, key in (("Missed", "missed"), ("Excused", "excused"), ("Unit unknown", "unit_unknown")):
        parts += [f"## {title}", _listed(found[key])]
    runs = report.table(Outcome(**run) for run in found["runs"])
    return "\n\n".join([*parts, "## Runs", table(report.HEADINGS, runs)]) + "\n"


def with_block(text: str) -> str:
    """Return the project's README with its block as the kept results make it."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the README has no block between {BEGIN} and {END}")
    block = Template((HERE / "README.block.md").read_text()).substitute(places())
    return f"{before}{BEGIN}\n{block.strip()}\n{END}{after}"


def places() -> Mapping[str, str]:
    """Return every place's text by name."""
    rivals, cost, simulation, aims = kept("rivals"), kept("cost"), kept("simulation"), kept("targets")
    matches = {(run["client"], run["match"]): run for run in rivals["matches"]}
    ours = [run for run in rivals["matches"] if run["client"] == PACER]
    paced = cost["submissions"]
    return {
        "rivals_measured": _measured(rivals["measured"]),
        "cost_measured": _measured(cost["measured"]),
        "simulation_date": _date(simulation["measured"]),
        "targets_date": aims["measured"]["date"],
        "targets": targets.summary(aims),
        "missed": _listed(aims["missed"]),
        "rivals_date": _date(rivals["measured"]),
        "cost_date": _date(cost["measured"]),
        "cut_off": f"{CUT_OFF:.0f}",
        "requests": f"{MATCHES['alone'].scenario.requests}",
        "services": table(("name", "service"), ((name, match.title) for name, match in MATCHES.items())),
        "clients": table(
            ("client", "numbers that had to be guessed"),
            ((name, ", ".join(setup.guessed) or "none") for name, setup in RIVALS.items()),
        ),
        "makespans": _by_match(matches, _makespan),
        "refusals": _by_match(matches, lambda run: f"{run['refused']} / {run['inside_gate']}"),
        "losses": table(
            (
                "client",
                "lost: paid twice",
                "lost: paid for, taken for failed",
                "lost: never accepted",
                "killed: paid twice",
                "killed: never accepted",
            ),
            (_losses(name, matches) for name in _clients(matches)),
        ),
        "tenants": table(
            ("client", "the other client's 429s per 100 of its admissions"),
            ((name, f"{matches[name, 'tenants']['tenants_refused']:.1f}") for name in _clients(matches)),
        ),
        "memory": _memory(rivals["memory"]),
        "wins": _wins(matches),
        "cost": _cost(cost),
        "peaks": table(
            ("requests", "largest resident set"),
            ((f"{p['requests']:,}", _megabytes(p["bytes"])) for p in cost["memory"]["peaks"]),
        ),
        "decisions": table(
            ("backlog", "a decision"),
            ((f"{d['backlog']:,}", f"{d['us']:.0f} us") for d in cost["deciding"]["decisions"]),
        ),
        "simulated": _simulated(simulation["runs"], lambda run: f"{run['ratio']:.3f}"),
        "simulated_429s": _simulated(simulation["runs"], lambda run: str(run["queue_429"] + run["rate_429"])),
        "guesses": _span(len(setup.guessed) for name, setup in RIVALS.items() if name != PACER),
        "our_worst": _makespan(max((run for run in ours if run["match"] != "killed"), key=_speed)),
        "our_429s": str(sum(run["refused"] for run in ours)),
        "our_429s_where": _where(ours, "refused"),
        "our_inside": str(sum(run["inside_gate"] for run in ours)),
        "our_doubled": str(sum(run["doubled"] for run in ours)),
        "others_429s": _range(matches, "refused"),
        "others_inside": _range(matches, "inside_gate"),
        "others_doubled": _range(matches, "doubled"),
        "rate_ratio": f"{paced['rate_ratio']:.2f}",
        "cpu_ratio": f"{paced['cpu_ratio']:.2f}",
        "recorded_ratio": f"{paced['recorded_ratio']:.2f}",
        "recorded_rate_ratio": f"{paced['recorded_rate_ratio']:.2f}",
        "pacing_ratio": f"{paced['pacing_ratio']:.2f}",
        "pacer_rate": f"{paced['pacer_per_second']:,.0f}",
        "bound_rate": f"{200 / (2 * 0.08):,.0f}",
        "growth": f"{cost['memory']['growth']:.2f}",
        "most_requests": f"{cost['memory']['peaks'][-1]['requests']:,}",
        "most_memory": _megabytes(cost["memory"]["peaks"][-1]["bytes"]),
    }


def table(headings: Row, rows: Iterable[Row]) -> str:
    """Return a table in Markdown; the first column is left, the others are right."""
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 1)]
    if len(headings) == 2 and headings[1] in ("service", "numbers that had to be guessed"):
        lines[1] = "|---|---|"
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences) or "Nothing."


def _measured(machine: Mapping[str, Any]) -> str:
    return (
        f"{_date(machine)}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}, "
        f"load {machine['load']} at the end"
    )


def _date(machine: Mapping[str, Any]) -> str:
    """Return when it was measured, and whether it must be measured again."""
    busy = " on a busy machine: provisional" if machine["load"] > machine["cores"] else ""
    return f"{machine['date']}{busy}"


def _clients(matches: Mapping[tuple[str, str], Any]) -> list[str]:
    return [name for name in RIVALS if (name, "alone") in matches]


def _by_match(matches: Mapping[tuple[str, str], Any], cell: Callable[[Any], str]) -> str:
    rows = ((name, *(cell(matches[name, match]) for match in MATCHES)) for name in _clients(matches))
    return table(("client", *MATCHES), rows)


def _makespan(run: Mapping[str, Any]) -> str:
    if run["ratio"] is not None and run["ended"]:
        return f"{run['ratio']:.2f}"
    return f"{run['admitted']} of {run['requests']}"


def _losses(name: str, matches: Mapping[tuple[str, str], Any]) -> Row:
    lost, killed = matches[name, "lost"], matches[name, "killed"]
    unaware = "-" if lost["unaware"] is None else str(lost["unaware"])
    return (
        name, str(lost["doubled"]), unaware, _never(lost), str(killed["doubled"]), _never(killed),
    )  # fmt: skip


def _never(run: Mapping[str, Any]) -> str:
    """Return how many requests the service never got; of a client that was cut off nobody knows."""
    return str(run["requests"] - run["admitted"]) if run["ended"] else "(cut off)"


def _memory(peaks: Sequence[Mapping[str, Any]]) -> str:
    sizes = sorted({peak["requests"] for peak in peaks})
    by_key = {(peak["client"], peak["requests"]): peak["peak"] for peak in peaks}
    clients = [name for name in RIVALS if any(client == name for client, _ in by_key)]
    rows = ((name, *(_megabytes(by_key[name, size]) for size in sizes)) for name in clients)
    return table(("client", *(f"{size:,} requests" for size in sizes)), rows)


def _megabytes(size: float | None) -> str:
    return "-" if size is None else f"{size / 1e6:,.0f} MB"


def _wins(matches: Mapping[tuple[str, str], Any]) -> str:
    """Return a line for each service where somebody was faster than pacer, by more than half a percent."""
    lines = []
    for match in MATCHES:
        ours = matches[PACER, match]
        runs = [matches[name, match] for name in _clients(matches) if name != PACER]
        faster = sorted((run for run in runs if _speed(run) < _speed(ours) - 0.005), key=_speed)
        if faster:
            named = (f"{run['client']} {run['ratio']:.2f} with {run['refused']} 429s" for run in faster)
            lines.append(f"- *{match}* (pacer {_makespan(ours)}): {'; '.join(named)}.")
    return "\n".join(lines) or "Nobody was faster than pacer by more than half a percent at any of them."


def _speed(run: Mapping[str, Any]) -> float:
    """Return the makespan over the ideal; infinity for a client that was not done."""
    return float(run["ratio"]) if run["ratio"] is not None and run["ended"] else float("inf")


def _cost(cost: Mapping[str, Any]) -> str:
    paced, memory, deciding = cost["submissions"], cost["memory"], cost["deciding"]
    sizes = [f"{peak['requests']:,}" for peak in memory["peaks"]]
    waiting = [f"{found['backlog']:,}" for found in deciding["decisions"]]
    rows = (
        ("submissions a second", "a bare aiohttp loop", paced["rate_ratio"], "at least 0.7", "submissions"),
        ("CPU a submission", "the same loop", paced["cpu_ratio"], "at most 1.5", "submissions"),
        ("the same of the client alone", "the same loop", paced["client_ratio"], "", "submissions"),
        (
            "the same of client and journal alone",
            "the same loop",
            paced["recorded_ratio"],
            "",
            "submissions",
        ),
        (
            "submissions a second of client and journal alone",
            "the same loop",
            paced["recorded_rate_ratio"],
            "",
            "submissions",
        ),
        ("CPU a submission", "client and journal alone", paced["pacing_ratio"], "", "submissions"),
        ("the journal's share of pacer's CPU", "all of it", paced["journal_share"], "", "submissions"),
        (
            "intake, requests a second",
            "`json.loads`, `executemany`",
            cost["intake"]["ratio"],
            "at least 0.5",
            "intake",
        ),
        (f"memory, {sizes[-1]} requests", f"{sizes[0]} requests", memory["growth"], "at most 1.25", "memory"),
        (
            f"`decide()`, {waiting[-1]} waiting",
            f"{waiting[0]} waiting",
            deciding["growth"],
            "flat",
            "deciding",
        ),
        ("`pacer --version`", "`import typer`", cost["start_up"]["ratio"], "at most 1.5", "start_up"),
    )
    return table(
        ("what", "compared with", "ratio", "target", "command"),
        (
            (what, other, f"{ratio:.2f}", target, f"`python -m benchmarks cost --only {word}`")
            for what, other, ratio, target, word in rows
        ),
    )


def _simulated(runs: Sequence[Mapping[str, Any]], cell: Callable[[Mapping[str, Any]], str]) -> str:
    by_key = {(run["scenario"], run["client"]): run for run in runs}
    scenarios = list(dict.fromkeys(run["scenario"] for run in runs))
    clients = list(dict.fromkeys(run["client"] for run in runs))

    def shown(scenario: str, client: str) -> str:
        run = by_key[scenario, client]
        return "(endless)" if run["error"] else cell(run)

    rows = ((scenario, *(shown(scenario, client) for client in clients)) for scenario in scenarios)
    return table(("scenario", *clients), rows)


def _where(runs: Iterable[Mapping[str, Any]], field: str) -> str:
    return ", ".join(f"{run[field]} at *{run['match']}*" for run in runs if run[field]) or "none"


def _range(matches: Mapping[tuple[str, str], Any], field: str) -> str:
    """Return the least and the most that the other clients have in all."""
    others = [name for name in _clients(matches) if name != PACER]
    return _span(sum(matches[name, match][field] for match in MATCHES) for name in others)


def _span(numbers: Iterable[int]) -> str:
    known = list(numbers)
    return f"{min(known):,} to {max(known):,}"


def plots() -> list[Path]:
    """Return where the plots are."""
    return sorted(RESULTS.glob("*.svg"))
