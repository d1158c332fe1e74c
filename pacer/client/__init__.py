"""
The library's front door.
"""

from pacer.client.job import Job
from pacer.client.outcomes import CaptureResult, Report
from pacer.client.pacer import Pacer

__all__ = ["CaptureResult", "Job", "Pacer", "Report"]
