"""
A journal turned into what a person asks of it: what happened, and where the time went.
"""

from pacer.report.account import Invocation, Report, read_report

__all__ = ["Invocation", "Report", "read_report"]
