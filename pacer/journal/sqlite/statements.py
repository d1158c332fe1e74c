"""
The statements of ``queries.sql`` by name, and the schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _named(text: str) -> Mapping[str, str]:
    """Split *text* at its ``-- name:`` lines."""
    _, *parts = _NAME.split(text)
    return {name: statement.strip() for name, statement in zip(parts[::2], parts[1::2], strict=True)}


SCHEMA = _read("schema.sql")
SQL = _named(_read("queries.sql"))
