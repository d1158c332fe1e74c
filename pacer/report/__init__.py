"""
A journal turned into what a person asks of it: what happened, and where the time went.
"""

from pacer.report.account import UNTOLD, Invocation, Report, all_booked, read_invocations, read_report

__all__ = ["UNTOLD", "Invocation", "Report", "all_booked", "read_invocations", "read_report"]
