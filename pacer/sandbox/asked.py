"""
What a call asks for: which endpoint, which body, which key, and whether its sender waits.
"""

import json
from typing import Any, Final

__all__ = ["JOBS", "endpoint_of", "key_of", "parsed", "wants_sync"]

JOBS: Final = "/v1/jobs/"
_ENDPOINTS: Final = {
    "/v1/search": ("submit", "POST"),
    "/v1/async/status": ("status", "GET"),
    "/v1/usage": ("usage", "GET"),
    "/v1/health": ("health", "GET"),
}


def endpoint_of(path: str) -> tuple[str, str]:
    """
    The endpoint at *path* and the method that it takes.
    """
    if (known := _ENDPOINTS.get(path)) is not None:
        return known
    return ("job", "GET") if path.startswith(JOBS) else ("other", "")


def parsed(body: bytes | None) -> Any:
    """
    The JSON in *body*; None where there is none.
    """
    try:
        return json.loads(body or b"")
    except (ValueError, RecursionError):
        return None


def key_of(search: Any) -> str:
    """
    The idempotencyKey of a body that may be anything.
    """
    key = search.get("idempotencyKey") if isinstance(search, dict) else None
    return key if isinstance(key, str) else ""


def wants_sync(search: Any, mode: str | None, prefer: str | None, generation: str) -> bool:
    """
    Whether a submission is for the sync lane: a webhook forces async, then `mode` and Prefer decide, then the
    generation's default.
    """
    if not isinstance(search, dict) or search.get("webhook") is not None:
        return False
    if mode is not None:
        return mode == "sync"
    if prefer is not None and prefer.strip().lower().startswith("wait"):
        return True
    surfaces = search.get("surfaces")
    return generation == "B" and isinstance(surfaces, list) and len(surfaces) == 1
