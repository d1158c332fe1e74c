"""
The shell: the one task group that reads the clock, feeds the core and obeys it.
"""

from pacer.runner.engine import Runner
from pacer.runner.progress import Outcome, Progress

__all__ = ["Outcome", "Progress", "Runner"]
