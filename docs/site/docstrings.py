"""
Docstrings of the code as Markdown: its roles become links, its sections those that griffe knows.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:class|data|exc|func|meth|mod):`~?\.?([\w.]+)`")

PAIR = re.compile(r"^    (\w+(?:, \w+)+):(.*(?:\n {8}.*)*)", re.MULTILINE)
"""Attributes that share what is said of them."""


class Docstrings(Extension):
    """Rewrites each docstring before it is parsed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of anything that has one."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Return a docstring in Google's style and Markdown."""
    text = ROLE.sub(lambda found: f"`{found[1].rpartition('.')[2]}`", text)
    text = PAIR.sub(_one_by_one, text)
    text = re.sub(r"^Errors:$", "Raises:", text, flags=re.MULTILINE)
    return re.sub(r"::$", ":", text, flags=re.MULTILINE)


def _one_by_one(found: re.Match[str]) -> str:
    return "\n\n".join(f"    {name}:{found[2]}" for name in found[1].split(", "))
