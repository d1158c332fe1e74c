"""
Docstrings of the code as Markdown: its roles become links, its sections those that griffe knows.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:class|data|exc|func|meth|mod):`~?\.?([\w.]+)`")

PAIR = re.compile(r"^    \w+(?:, \w+)+:", re.MULTILINE)
"""Attributes that share a line; a plain space would part their names."""


class Docstrings(Extension):
    """Rewrites each docstring before it is parsed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of anything that has one."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Return a docstring in Google's style and Markdown."""
    text = ROLE.sub(lambda found: f"`{found[1].rpartition('.')[2]}`", text)
    text = PAIR.sub(lambda found: found[0].replace(", ", ",\u00a0"), text)
    text = re.sub(r"^Errors:$", "Raises:", text, flags=re.MULTILINE)
    return re.sub(r"::$", ":", text, flags=re.MULTILINE)
