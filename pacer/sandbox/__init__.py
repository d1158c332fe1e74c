"""
A faithful fake of the AI Search API: a pure model (:class:`Service`) and a loopback server around it.

The server is resolved lazily, so that a simulation of the model needs nothing but the standard library.
"""

from typing import TYPE_CHECKING, Any

from pacer.sandbox.exchange import Answer, Call
from pacer.sandbox.faults import Fault
from pacer.sandbox.log import Entry, Log
from pacer.sandbox.service import Service
from pacer.sandbox.settings import SANDBOX_KEY, Change, Latency, Settings, Tenant

if TYPE_CHECKING:
    from pacer.sandbox.server import SandboxServer

__all__ = [
    "SANDBOX_KEY",
    "Answer",
    "Call",
    "Change",
    "Entry",
    "Fault",
    "Latency",
    "Log",
    "SandboxServer",
    "Service",
    "Settings",
    "Tenant",
]


def __getattr__(name: str) -> Any:
    if name == "SandboxServer":
        from pacer.sandbox.server import SandboxServer

        return SandboxServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
