"""
Making a stranger's text fit for a terminal, a log line and a sentence.
"""

from __future__ import annotations

import re

SHORTEST_SECRET = 8
"""Characters; a key below this is a test's, and blotting it out could hit an innocent word."""

# ECMA-48 control sequences (CSI), operating-system commands (OSC) and two-byte escapes.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")


def printable(text: str, limit: int) -> str:
    """
    Return *text* on one line without anything that a terminal would obey.

    Terminal escape sequences are removed; every other character that does not
    print (controls, bidirectional overrides, lone surrogates) counts as a
    space; runs of spaces become one.

    Args:
        text: What the service, or something that answered in its place, sent.

        limit: Most characters returned; a longer text ends with an ellipsis.
    """
    if len(text) <= limit and text.isprintable() and "  " not in text and text == text.strip():
        return text
    # Cut first, generously: what is thrown away need not be cleaned.
    clean = _ESCAPES.sub("", text[: 4 * limit + 256])
    line = " ".join("".join(char if char.isprintable() else " " for char in clean).split())
    return line if len(line) <= limit else f"{line[: max(limit - 1, 0)]}…"
