"""
``docs/reliability.md`` says nothing that is not shown.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reliability.md"


def test_every_row_names_a_test_that_exists() -> None:
    """Each row of each table names at least one test, and every test that is named can be found."""
    rows = [row for row in PAGE.read_text().splitlines() if row.startswith("|") and "Shown by" not in row]
    rows = [row for row in rows if not set(row) <= set("|-")]

    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, test in named:
            assert test in defined_in(TESTS / file), f"there is no {file}::{test}"


def test_every_case_is_on_the_page() -> None:
    """Each test of a single case stands in one of the tables."""
    cases = {name for name in defined_in(TESTS / "reliability" / "test_cases.py") if name.startswith("test_")}

    assert {case for case in cases if case not in PAGE.read_text()} == set()


def defined_in(file: Path) -> set[str]:
    """Return the names of the functions of a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, functions)}
