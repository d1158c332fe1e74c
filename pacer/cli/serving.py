"""
``pacer sandbox``: from words to settings, and serving until a signal comes.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pacer.cli.exits import complain
from pacer.cli.options import BASE_URL_VARIABLE, KEY_VARIABLE
from pacer.cli.signals import Signals
from pacer.errors import UsageError
from pacer.sandbox import Change, Fault, SandboxServer, Service, Settings, Tenant

ThingT = TypeVar("ThingT")


def settings_of(
    named: Mapping[str, Any], *, more: Iterable[str], changes: Iterable[str], tenants: Iterable[str]
) -> Settings:
    """
    Return the settings that the options describe.

    Errors:
        UsageError: One of them is not understood.
    """
    values = dict(named)
    for text in more:
        name, value = _assignment(text, "--set")
        if name.startswith("latency."):
            values["latency"] = {**values["latency"], name.removeprefix("latency."): value}
        else:
            values[name] = value
    values["tenants"] = [_thing(Tenant, "--tenant", text) for text in tenants]
    values["schedule"] = [_change(text) for text in changes]
    values.setdefault("epoch", time.time())
    return _validated(Settings, values, "--set")


def serve(settings: Settings, *, faults: Sequence[str], port: int, seed: int, history: Path | None) -> int:
    """
    Serve until SIGINT or SIGTERM, then say what was called.

    Errors:
        UsageError: A fault is not understood, the port is taken, the history cannot be written.
    """
    plan = [_thing(Fault, "--fault", text) for text in faults]
    service = Service(settings, seed=seed, faults=plan, log_limit=None if history else 0)
    with Signals() as signals:
        asyncio.run(_serve(service, port, signals))
    if history is not None:
        _write_history(service, history)
    log = service.log
    complain(
        f"Calls: {_numbers(log.calls) or 'none'}. Admitted: {log.admitted:,}, replayed: {log.replayed:,}. "
        f"429s: {_numbers(log.refused) or 'none'}. Faults: {_numbers(log.faults) or 'none'}."
    )
    return 0


async def _serve(service: Service, port: int, signals: Signals) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def stop(_: int) -> None:
        loop.call_soon_threadsafe(ended.set)

    with signals.delivered_to(stop):
        try:
            async with SandboxServer(service, port=port) as server:
                sys.stdout.write(
                    f"export {BASE_URL_VARIABLE}={server.base_url}\n"
                    f"export {KEY_VARIABLE}={min(service.settings.api_keys)}\n"
                )
                sys.stdout.flush()
                await ended.wait()
        except OSError as error:
            raise UsageError(
                f"The sandbox cannot listen on port {port}: {error.strerror}. "
                "Without --port it takes a free one."
            ) from error


def _write_history(service: Service, path: Path) -> None:
    try:
        with path.open("w") as file:
            for entry in service.log:
                file.write(json.dumps(asdict(entry)) + "\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error


def _thing(kind: type[ThingT], option: str, text: str) -> ThingT:
    """Read ``KIND:NAME=VALUE,...``; commas within brackets do not part."""
    name, _, rest = text.partition(":")
    values = dict(_assignment(part, option) for part in re.split(r",(?![^\[]*\])", rest) if part)
    return _validated(kind, {"kind": name, **values}, option)


def _change(text: str) -> Change:
    at, _, rest = text.partition(":")
    name, value = _assignment(rest, "--change")
    return _validated(Change, {"at": at, "field": name, "value": value}, "--change")


def _assignment(text: str, option: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{option}: {text!r} is not of the form NAME=VALUE.")
    try:
        return name.replace("-", "_"), json.loads(value)
    except ValueError:
        return name.replace("-", "_"), value


def _validated(kind: type[ThingT], values: Mapping[str, Any], option: str) -> ThingT:
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type] # all of them are dataclasses
    for name in values:
        if name not in known:
            raise UsageError(f"{option}: there is no {name!r}; known: {', '.join(sorted(known))}.")
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise UsageError(f"{option}: {where + ': ' if where else ''}{first['msg']}.") from None


def _numbers(by_name: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in by_name.items())
