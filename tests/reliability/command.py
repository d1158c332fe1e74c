"""
The command that runs seeds, and shows how to run one that failed again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from types import FrameType
from typing import TypeAlias

from pacer.instrumentation.happening import Happening
from pacer.sandbox import Settings
from tests.reliability.checker import Exchange
from tests.reliability.faults import plan_of
from tests.reliability.world import Report, run

PATIENCE = 100
"""Seconds of a processor's time for one seed, beyond which it is busy for ever."""


class Busy(BaseException):
    """A run goes round and round without virtual time passing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 0 if every promise was kept."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability", description="Simulated faults, by seed."
    )
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, action="append", help="this one (may be repeated)")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--verbose", action="store_true", help="show what was told, and every call")
    options = parser.parse_args(arguments)
    seeds = options.seed or range(options.first, options.first + options.seeds)
    if options.verbose:
        for seed in seeds:
            _show(run(plan_of(seed)))
    began = perf_counter()
    failed = 0
    with multiprocessing.Pool(options.jobs) as pool:
        outcomes: Counter[str] = Counter()
        for seed, violations, ended in pool.imap_unordered(_judge_with_patience, seeds, chunksize=8):
            outcomes.update(ended)
            failed += bool(violations)
            if violations:
                _write(failure(seed, violations))
    _write(f"{len(seeds):,} seeds, {failed:,} failed, {perf_counter() - began:,.0f} s")
    _write(", ".join(f"{name}: {count:,}" for name, count in outcomes.most_common()))
    return 1 if failed else 0


Judgement: TypeAlias = tuple[int, list[str], list[str]]
"""A seed, what went wrong, and how its invocations, requests and captures ended."""


def judge(seed: int) -> Judgement:
    """Run *seed* to its end, whatever comes out of it."""
    try:
        report = run(plan_of(seed))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - whatever it is, it belongs to this seed; groups hide a Busy
        return seed, [traceback.format_exc()], []
    ends = [outcome.partition(" after")[0].strip() for outcome in report.outcomes]
    ends += [(line["error"] or {}).get("code") or line["status"] for line in report.history.lines]
    return seed, report.violations, ends


def _judge_with_patience(seed: int) -> Judgement:
    signal.signal(signal.SIGPROF, _give_up)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # not real time: on a busy machine that says nothing
    try:
        return judge(seed)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def failure(seed: int, violations: Sequence[str]) -> str:
    """Return what to print of a seed that broke promises."""
    lines = [f"seed {seed} ({', '.join(plan_of(seed).classes)}):", *(f"  {text}" for text in violations[:6])]
    if len(violations) > 6:
        lines.append(f"  ... and {len(violations) - 6} more")
    lines.append(f"  again: python -m tests.reliability --seed {seed} --verbose")
    return "\n".join(lines)


def _give_up(_signal: int, _frame: FrameType | None) -> None:
    raise Busy(f"busy for {PATIENCE} s")


def _show(report: Report) -> None:
    history = report.history
    epoch = Settings().epoch + history.invocations[0].clock_offset
    events = [(e.sent_at, _described(e)) for e in history.exchanges]
    events += [(h.at - epoch, f"   {h.name} {_facts(h)}") for h in report.happened]
    events += [(invocation.began, f"== invocation {n}") for n, invocation in enumerate(history.invocations)]
    for at, text in sorted(events, key=lambda event: event[0]):
        _write(f"{at:12.4f} {text}")
    _write("\n".join(report.outcomes))


def _described(exchange: Exchange) -> str:
    entry = exchange.entry
    said = f"{entry.status} {entry.code or entry.state}{' admitted' * entry.admitted}"
    said += f"{' replayed' * entry.replayed} {entry.fault} {entry.cut}"
    depth = f"depth {entry.depth}/{entry.capacity}, told {entry.told_depth}/{entry.told_capacity}"
    about = f"-> {entry.what} {entry.key or entry.job} [{' '.join(said.split())}] {depth}"
    return f"{about}, Retry-After {entry.retry_after}, read at {exchange.read_at}"


def _facts(happening: Happening) -> str:
    facts = {name: fact for name, fact in happening.facts.items() if name != "statistics"}
    return ", ".join(f"{name} {fact}" for name, fact in facts.items())


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
