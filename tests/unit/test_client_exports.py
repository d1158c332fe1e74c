"""The public names of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pacer


def test_every_public_name_is_there_and_documented() -> None:
    """What ``__all__`` lists can be had, once each, in order, and says what it is for."""
    assert sorted(set(pacer.__all__)) == pacer.__all__ == sorted(pacer.__all__)
    for name in pacer.__all__:
        value = getattr(pacer, name)
        if isinstance(value, type):
            assert value.__doc__, name
    assert set(pacer.__all__) <= set(dir(pacer))


def test_what_type_checkers_see_is_what_is_there() -> None:
    """The imports under TYPE_CHECKING and the lazy table name the same rooms."""
    tree = ast.parse(Path(pacer.__file__).read_text(encoding="utf-8"))
    imported = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    rooms = vars(pacer)["_ROOM_OF"]
    assert imported == rooms
    assert set(rooms) == set(pacer.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'Spacer'"):
        pacer.Spacer  # noqa: B018 - the access is the test


def loaded_by(statement: str, modules: set[str]) -> str:
    """Return which of *modules* a fresh interpreter has loaded after *statement*."""
    code = f"import sys; {statement}; print(sorted(sys.modules.keys() & {modules!r}))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_pacer_imports_nothing_heavy() -> None:
    """Not before a name is used: a host pays for what it uses."""
    heavy = {"aiohttp", "pydantic", "anyio", "structlog", "rich", "typer", "asyncio"}
    assert loaded_by("import pacer; pacer.__version__", heavy) == "[]\n"


def test_the_library_does_not_load_the_command_line() -> None:
    """A service has no use for typer and rich."""
    assert loaded_by("from pacer import Pacer", {"rich", "typer", "pacer.cli"}) == "[]\n"
