"""
The shell: the one task group that reads the clock, feeds the core and obeys it.
"""

from pacer.runner.bits import Bits
from pacer.runner.engine import Runner
from pacer.runner.observer import Observer
from pacer.runner.progress import Outcome, Progress
from pacer.runner.thread import journal_thread
from pacer.runner.writer import BlockingRunner

__all__ = ["Bits", "BlockingRunner", "Observer", "Outcome", "Progress", "Runner", "journal_thread"]
