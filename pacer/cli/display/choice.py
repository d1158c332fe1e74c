"""
Which display is the right one.
"""

from __future__ import annotations

import os
import sys

from pacer.cli.display.protocol import Display
from pacer.cli.options import LogFormat


def display_for(title: str, *, quiet: bool, log_format: LogFormat, lines_on_stdout: bool) -> Display:
    """
    Return the display for standard error as it is.

    Args:
        title: What is run, for the live display.

        quiet: Show nothing; errors are said elsewhere.

        log_format: JSON is lines, also on a terminal.

        lines_on_stdout: The results go to standard output. On the same terminal
            they would tear a live display to pieces.
    """
    from pacer.cli.display.plain import JsonDisplay, PlainDisplay, QuietDisplay

    if quiet:
        return QuietDisplay()
    if log_format is LogFormat.JSON:
        return JsonDisplay()
    torn = lines_on_stdout and sys.stdout.isatty()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not torn:
        from pacer.cli.display.live import LiveDisplay

        return LiveDisplay(title)
    return PlainDisplay()
