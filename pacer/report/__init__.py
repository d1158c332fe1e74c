"""
A journal turned into what a person asks of it: what happened, and where the time went.
"""

from pacer.report.account import UNTOLD, Invocation, Report, all_booked, read_invocations, read_report
from pacer.report.captures import Captures, read_captures
from pacer.report.series import Timeline, read_timeline

__all__ = [
    "UNTOLD",
    "Captures",
    "Invocation",
    "Report",
    "Timeline",
    "all_booked",
    "read_captures",
    "read_invocations",
    "read_report",
    "read_timeline",
]
