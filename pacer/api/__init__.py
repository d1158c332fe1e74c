"""
The service's three calls that a pacer needs: a protocol, and it over aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pacer.api.protocol import SearchApi

if TYPE_CHECKING:
    from pacer.api.http import AiohttpSearchApi

__all__ = ["AiohttpSearchApi", "SearchApi"]


def __getattr__(name: str) -> Any:
    """Import aiohttp only where it is used: simulations need the protocol alone (PEP 562)."""
    if name == "AiohttpSearchApi":
        from pacer.api.http import AiohttpSearchApi

        return AiohttpSearchApi
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
