"""
Decides afterwards, from what was seen outside pacer, whether its promises were kept.
"""

from tests.reliability.checker.check import check
from tests.reliability.checker.history import Asked, Exchange, History, Invocation, exchanges

__all__ = ["Asked", "Exchange", "History", "Invocation", "check", "exchanges"]
