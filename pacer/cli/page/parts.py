"""
What a page is put together from: pictures and tables, in words and numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pacer.cli.page.charts import Spec
from pacer.cli.page.words import clean

MOST_BARS = 12
"""Rows of a picture; the table beside it goes on."""

MOST_LINES = 200
"""Rows of a table."""


@dataclass(frozen=True, slots=True)
class Table:
    """
    One table.

    Attributes:
        heads: Of the columns. The first column is words, the others are figures unless named in *words*.

        left_out: Rows beyond those that are shown.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset({0})
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """
    One picture with what it says in words, and its figures.

    Attributes:
        name: Its id in the page.

        legend: Role (a class of the style sheet) and word of each colour.
    """

    name: str
    title: str
    text: str
    spec: Spec | None
    legend: tuple[tuple[str, str], ...] = ()
    table: Table | None = None


def table_of(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], words: Iterable[int] = (0,)) -> Table:
    """Return a table of the first rows; *words* are the columns that hold no figures."""
    kept = tuple(rows)
    return Table(heads, kept[:MOST_LINES], frozenset(words), max(len(kept) - MOST_LINES, 0))


def numbers(by_name: Mapping[str, int]) -> str:
    """Return ``3 this, 1 that``."""
    return ", ".join(f"{number:,} {clean(name)}" for name, number in by_name.items())
