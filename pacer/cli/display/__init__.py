"""
What a person, or a log, sees of a run while it runs. Standard error only.
"""

from pacer.cli.display.choice import display_for
from pacer.cli.display.protocol import Display, Look

__all__ = ["Display", "Look", "display_for"]
