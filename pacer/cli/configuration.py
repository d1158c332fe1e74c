"""
Settings: what a file or the environment says instead of the command line.

In rising order: the top of ``pacer.toml``, for every command with that option;
its table of the command's name; ``PACER_<OPTION>``; the command line::

    reserve = "15%"                 # run, plan

    [run]
    max-retry-after = 600

Every value is turned into what could have been typed, and is checked by the
option itself. Click's ``default_map`` then carries it, so that a command never
knows where a value came from. A settings library would have to be told of every
option a second time.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeAlias

import typer

from pacer.cli.exits import Exit, complain
from pacer.cli.options import CONFIG_VARIABLE, KEY_VARIABLE
from pacer.wire.text import SHORTEST_SECRET, printable

FILE: Final = "pacer.toml"
"""Looked for in the current folder."""

PREFIX: Final = "PACER_"

CONFIGURED: Final = ("run", "plan", "status")
"""Commands whose options can be set. The others have nothing that a person sets once for all."""

OTHER_VARIABLES: Final = frozenset({CONFIG_VARIABLE, "PACER_DEBUG"})

Value: TypeAlias = str | bool
"""What was typed, or for an option without a value whether it was."""

_KEY_BY_NAME = re.compile(r"api.?key|secret|token|password|authorization|^key$", re.IGNORECASE)
_KEY_BY_LOOKS = re.compile(r"""(?:^|[\s"'=])sk_\w""", re.MULTILINE)

_NO_KEYS = (
    f"an API key does not belong in a file. Take it out, and set {KEY_VARIABLE} in the environment; "
    "if others could read it here, have it replaced."
)


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One option's value, and who says so.

    Attributes:
        parameter: What Click calls the option.

        source: ``pacer.toml``, ``pacer.toml [run]`` or a variable's name.
    """

    parameter: str
    value: Value
    source: str


@dataclass(frozen=True, slots=True)
class Settings:
    """
    All that was found.

    Attributes:
        file: The file that was read; None if there is none.

        values: By command, then by the option's name without its dashes.

        problems: What is wrong: ``FILE: key: reason``, a sentence each.

        unknown: Variables that look like settings and are none, with what may be meant.
    """

    file: Path | None
    values: Mapping[str, dict[str, Setting]]
    problems: list[str] = field(default_factory=list)
    unknown: Mapping[str, str] = field(default_factory=dict)


def configure(context: typer.Context, named: Path | None) -> None:
    """
    Make the settings the defaults of the command that is being parsed, or end it with 2.

    Args:
        named: The file, if the user named one.
    """
    command = context.info_name or ""
    settings = read_settings(context, named, only=command)
    if settings.problems:
        complain("\n".join(settings.problems))
        raise typer.Exit(Exit.USAGE)
    context.default_map = {setting.parameter: setting.value for setting in settings.values[command].values()}


def read_settings(context: typer.Context, named: Path | None, *, only: str = "") -> Settings:
    """
    Read file and environment; nothing is raised, problems are listed.

    Args:
        only: The command for which the environment is read; all of them by default.
    """
    options = _options(context)
    file = named if named is not None else Path(FILE) if Path(FILE).exists() else None
    settings = Settings(file, {command: {} for command in options}, [], _unknown_variables(options))
    if file is not None:
        _File(context, options, settings, str(file)).read(file)
    for command in options:
        if only in ("", command):
            _read_environment(context, command, options[command], settings)
    return settings


def _options(context: typer.Context, *, settable: bool = True) -> dict[str, dict[str, Any]]:
    """Return the options by command and name: those that can be set, or those that can be typed only."""
    commands: Mapping[str, Any] = context.find_root().command.commands  # type: ignore[attr-defined]
    return {
        command: {
            _name(parameter): parameter
            for parameter in commands[command].params
            if parameter.param_type_name == "option"
            and (parameter.expose_value and parameter.allow_from_autoenv) is settable
        }
        for command in CONFIGURED
    }


def _name(parameter: Any) -> str:
    return str(max(parameter.opts, key=len)).lstrip("-")


def _variable(name: str, parameter: Any) -> str:
    """Return the variable that sets an option: its own, or one made from its name."""
    return str(parameter.envvar or PREFIX + name.upper().replace("-", "_"))


def _read_environment(
    context: typer.Context, command: str, options: Mapping[str, Any], settings: Settings
) -> None:
    for name, parameter in options.items():
        variable = _variable(name, parameter)
        text = os.environ.get(variable)
        if not text:
            continue
        try:
            checked = parameter.process_value(context, text)
        except typer.BadParameter as error:
            problem = f"{variable}: {_reason(error)}"
            if problem not in settings.problems:
                settings.problems.append(problem)
            continue
        value = checked if parameter.is_flag else text
        settings.values[command][name] = Setting(parameter.name, value, variable)


def _unknown_variables(options: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    known = {
        _variable(name, parameter) for each in options.values() for name, parameter in each.items()
    } | OTHER_VARIABLES
    strange = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    return {name: _suggestion(name, known) for name in strange}


class _File:
    """Reads the file into *settings*."""

    def __init__(
        self, context: typer.Context, options: Mapping[str, Mapping[str, Any]], settings: Settings, shown: str
    ) -> None:
        self._context = context
        self._options = options
        self._settings = settings
        self._shown = shown

    def read(self, file: Path) -> None:
        """Read it: first what holds for all commands, then the tables, which say it more precisely."""
        document = self._parsed(file)
        tables = {name: value for name, value in document.items() if isinstance(value, dict)}
        for name, value in document.items():
            if name not in tables:
                self._set(name, value, tuple(self._options), self._shown)
        for command, table in tables.items():
            if command not in self._options:
                known = ", ".join(f"[{name}]" for name in self._options)
                self._refuse(f"[{command}]", f"there is no such table; known: {known}.")
                continue
            for name, value in table.items():
                self._set(name, value, (command,), f"{self._shown} [{command}]")

    def _parsed(self, file: Path) -> dict[str, Any]:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            self._refuse("", f"it cannot be read: {error.strerror}. Name another with --config.")
            return {}
        except UnicodeDecodeError:
            self._refuse("", "it is not UTF-8 text. Name a TOML file with --config.")
            return {}
        if (line := _line_of_a_key(text)) is not None:
            self._refuse(f"line {line}", _NO_KEYS)
            return {}
        try:
            return tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply." if isinstance(error, RecursionError) else f"no TOML: {error}."
            self._refuse("", reason)
            return {}

    def _set(self, name: str, value: object, commands: tuple[str, ...], source: str) -> None:
        key = name if len(commands) > 1 else f"{commands[0]}.{name}"
        having = [command for command in commands if name in self._options[command]]
        if _KEY_BY_NAME.search(name) or (isinstance(value, str) and value.startswith("sk_")):
            self._refuse(key, _NO_KEYS)
            return
        if any(name in options for options in _options(self._context, settable=False).values()):
            self._refuse(key, "this is decided anew each time, on the command line only.")
        elif not having:
            known = {option for command in commands for option in self._options[command]}
            self._refuse(key, f"there is no such setting. {_suggestion(name, known)}")
        for command in having:
            parameter = self._options[command][name]
            try:
                typed = self._typed(parameter, value)
            except typer.BadParameter as error:
                self._refuse(key, _reason(error))
                return
            self._settings.values[command][name] = Setting(parameter.name, typed, source)

    def _typed(self, parameter: Any, value: object) -> Value:
        """Return what would have been typed for *value*."""
        if parameter.is_flag:
            if not isinstance(value, bool):
                raise typer.BadParameter("must be true or false, without quotes")
            return value
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise typer.BadParameter("must be a number, or text in quotes")
        typed = str(value)
        parameter.process_value(self._context, typed)
        return typed

    def _refuse(self, key: str, reason: str) -> None:
        where = f"{self._shown}: {printable(key, 80)}: " if key else f"{self._shown}: "
        self._settings.problems.append(where + reason.strip())


def _line_of_a_key(text: str) -> int | None:
    """Return the line, from 1, of what looks like an API key, comments included; None if there is none."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    at = text.find(key) if len(key) >= SHORTEST_SECRET else -1
    if at < 0:
        found = _KEY_BY_LOOKS.search(text)
        at = -1 if found is None else found.end()
    return None if at < 0 else text.count("\n", 0, at) + 1


def _suggestion(name: str, known: Collection[str]) -> str:
    close = get_close_matches(
        name.replace("_", "-") if name.islower() else name, sorted(known), n=1, cutoff=0.6
    )
    return f"Is {close[0]} meant?" if close else ""


def _reason(error: typer.BadParameter) -> str:
    return f"{printable(error.message, 300).rstrip('.')}."
