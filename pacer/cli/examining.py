"""
``pacer doctor``: looking at everything, asking the service once, and showing what was found.

The document of ``pacer doctor --json``, version 1::

    {"document": "pacer.doctor", "version": 1, "pacer": "0.1.0", "exit_code": 0,
     "base_url": url | null,
     "settings": {"file": path | null,
                  "values": [{"command", "option", "value", "source"}, ...]},
     "findings": [{"name": "settings|url|key|proxy|certificates|disk|service|queue|clock|pacer",
                   "state": "ok|warning|fault", "text": "...", "advice": "..."}, ...]}
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from pacer.api.address import DEFAULT_BASE_URL
from pacer.cli import findings
from pacer.cli.asking import ask, refusal
from pacer.cli.configuration import Setting, Settings, read_settings
from pacer.cli.exits import Exit, without_key, write_json
from pacer.cli.findings import Finding, fault, gravest, warning
from pacer.cli.options import BASE_URL_VARIABLE, KEY_VARIABLE, api_key, service_address
from pacer.cli.signals import Signals
from pacer.cli.tables import show_rows
from pacer.cli.wording import count, span
from pacer.errors import UsageError
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.reserve import read_reserve
from pacer.version import __version__
from pacer.wire.replies import Refused, Reply, StatusOutcome, Unclear, Verdict

PATIENCE = 5.0
"""Seconds for the one status read."""

TOLERABLE = 5.0
"""Seconds between two clocks that are no matter: Date is whole seconds, and the reply took its time."""


def examine(
    context: typer.Context, base_url: str | None, config: Path | None, *, allow_http: bool, as_json: bool
) -> int:
    """Look at everything and show it; return the exit code."""
    with Signals() as signals, signals.raising():
        settings = read_settings(context, config)
        allow_http = allow_http or _is_set(settings, "allow-http")
        found = [findings.versions(), *findings.settings_found(settings)]
        typed = context.get_parameter_source("base_url")
        source = "--base-url" if typed is not None and typed.name == "COMMANDLINE" else ""
        base, more = _address(base_url, source, settings, allow_http=allow_http)
        found += [more, _key()]
        if base is not None:
            found += [findings.proxy(base), findings.certificates(base)]
        found.append(findings.disk(settings.values["run"].get("journal")))
        found += _asked(base, found, settings, allow_http=allow_http)
        code = gravest(found)
        if as_json:
            write_json(_document(settings, base, found, code))
        else:
            _show(found)
    return code


def _address(
    given: str | None, source: str, settings: Settings, *, allow_http: bool
) -> tuple[str | None, Finding]:
    """Return the base URL, if it is one, and say where it is from."""
    set_to = settings.values["run"].get("base-url")
    if not source and given is not None:
        source = BASE_URL_VARIABLE
    elif given is None and set_to is not None:
        given, source = str(set_to.value), set_to.source
    try:
        base = service_address(given or DEFAULT_BASE_URL, allow_http=allow_http)
    except UsageError as error:
        return None, fault("url", str(error), f"It is from {source}." if source else "")
    return base, Finding("url", f"{base}, {f'from {source}' if source else 'the documented one'}")


def _is_set(settings: Settings, name: str) -> bool:
    setting = settings.values["run"].get(name)
    return setting is not None and setting.value is True


def _key() -> Finding:
    if api_key() is None:
        return fault(
            "key",
            f"there is none in {KEY_VARIABLE}",
            f"Set {KEY_VARIABLE} in the environment; it is read from nowhere else.",
        )
    return Finding("key", f"{KEY_VARIABLE} is set (its value is not shown)")


def _asked(
    base: str | None, found: Sequence[Finding], settings: Settings, *, allow_http: bool
) -> Iterator[Finding]:
    """Read the status once, unless something here keeps it from working."""
    key = api_key()
    if (
        base is None
        or key is None
        or any(one.name in ("proxy", "certificates") for one in found if one.exit_code)
    ):
        yield Finding("service", "not asked: what is wrong above comes first")
        return
    began = time.monotonic()
    try:
        reply = asyncio.run(ask(base, key, allow_http=allow_http, patience=PATIENCE))
    except UsageError as error:
        yield fault("key", str(error))
        return
    yield _service(reply.outcome, time.monotonic() - began)
    if isinstance(reply.outcome, CapacitySnapshot):
        yield _queue(reply.outcome, settings.values["run"].get("reserve"))
    yield from _clock(reply, time.time())


def _service(outcome: StatusOutcome, seconds: float) -> Finding:
    match outcome:
        case CapacitySnapshot():
            return Finding("service", f"accepts the key, and answered in {seconds:.2f} s")
        case Refused(verdict=Verdict.MISSING, status=status):
            return warning(
                "service",
                f"answers, and has no status endpoint there ({status})",
                "Look at the base URL. If it is right: a run works, and feels its way without snapshots.",
            )
        case Refused(status=status) if status in (401, 403):
            return fault(
                "service",
                f"refuses the key: {refusal(outcome)}",
                f"Set the right key in {KEY_VARIABLE}.",
                exit_code=Exit.STOPPED,
            )
        case Unclear():
            advice = "Look at the base URL, the proxy and the network; the service may be down."
        case _:
            advice = "Nothing is wrong here that could be seen; the service says why."
    return fault("service", refusal(outcome), advice, exit_code=Exit.STOPPED)


def _queue(snapshot: CapacitySnapshot, reserve: Setting | None) -> Finding:
    if snapshot.capacity is None:
        return warning(
            "queue",
            f"depth {snapshot.depth:,}; the service does not say its capacity",
            "A run works, and feels its way by the answers.",
        )
    kept = read_reserve(str(reserve.value)).of(snapshot.capacity) if reserve is not None else 0
    room = max(0, snapshot.capacity - snapshot.depth - kept)
    text = f"depth {snapshot.depth:,} of {snapshot.capacity:,}, room for {room:,}"
    return Finding("queue", f"{text} ({kept:,} kept free by --reserve)" if kept else text)


def _clock(reply: Reply[StatusOutcome], now: float) -> Iterator[Finding]:
    if reply.date is None:
        return
    ahead = now - reply.date
    if abs(ahead) <= TOLERABLE:
        yield Finding("clock", f"within {span(TOLERABLE)} of the service's")
        return
    yield warning(
        "clock",
        f"{span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the service's",
        "Let NTP set it. A run honours Retry-After all the same; its log and its report are off by that.",
    )


def _document(settings: Settings, base: str | None, found: Sequence[Finding], code: Exit) -> dict[str, Any]:
    return {
        "document": "pacer.doctor",
        "version": 1,
        "pacer": __version__,
        "exit_code": int(code),
        "base_url": None if base is None else without_key(base),
        "settings": {
            "file": None if settings.file is None else str(settings.file),
            "values": [
                {
                    "command": command,
                    "option": name,
                    "value": without_key(findings.shown(setting.value)),
                    "source": setting.source,
                }
                for command, values in settings.values.items()
                for name, setting in values.items()
            ],
        },
        "findings": [
            {
                "name": one.name,
                "state": one.state,
                "text": without_key(one.text),
                "advice": without_key(one.advice),
            }
            for one in found
        ],
    }


def _show(found: Sequence[Finding]) -> None:
    rows = []
    for one in found:
        mark = "" if one.state == "ok" else f"{one.state.upper()}: "
        rows.append((one.name, without_key(f"{mark}{one.text}")))
        if one.advice:
            rows.append(("", without_key(one.advice)))
    faults, warnings = (sum(one.state == state for one in found) for state in ("fault", "warning"))
    parts = [count(faults, "fault")] * bool(faults) + [count(warnings, "warning")] * bool(warnings)
    head = ", ".join(parts) if parts else "All is well."
    style = "bold red" if faults else "bold yellow" if warnings else "bold green"
    show_rows(rows, head=Text(head, style=style))
