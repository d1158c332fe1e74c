"""
A journal turned into what a person asks of it: what happened, and where the time went.
"""

from pacer.report.account import Invocation, Report, read_report
from pacer.report.captures import Captures, read_captures
from pacer.report.series import Timeline, read_timeline

__all__ = ["Captures", "Invocation", "Report", "Timeline", "read_captures", "read_report", "read_timeline"]
