"""
What the service says about a search body before it does any work.
"""

from typing import Any, Final, Literal

from pacer.sandbox.exchange import Answer, Detail, error
from pacer.sandbox.surfaces import CREDITS, METHODS, NEWER

__all__ = ["refusal_of"]

_PINS: Final = ("auto", "official-api", "managed-vendor", "own-fleet")
_SURFACES: Final = {"A": CREDITS.keys() - NEWER, "B": CREDITS.keys()}
_PLAIN_FIELDS: Final = frozenset({"query", "surfaces", "regions"})
_MAX_QUERY: Final = 10_000
_MAX_REGIONS: Final = 10


def refusal_of(search: Any, generation: Literal["A", "B"]) -> Answer | None:
    """
    Why *search* is refused; None when it is in order. Fields that the documentation does not name are
    ignored.
    """
    if not isinstance(search, dict):
        return _invalid([_detail("", "the body must be a JSON object")])
    details: list[Detail] = []
    _check_query(search, generation, details)
    _check_surfaces(search.get("surfaces"), details)
    if (regions := search.get("regions")) is not None:
        _check_regions(regions, generation, details)
    if not search.keys() <= _PLAIN_FIELDS:
        _check_options(search, generation, details)
    if details:
        return _invalid(details)
    known = _SURFACES[generation]
    for surface in search["surfaces"]:
        if surface not in known:
            return error(400, "UNSUPPORTED_SURFACE", f"{surface!r} is not one of {', '.join(sorted(known))}")
    return _unservable_pin(search) if generation == "B" and "method" in search else None


def _check_query(search: dict[str, Any], generation: str, details: list[Detail]) -> None:
    query = search.get("query")
    if query is None and generation == "B":
        query = search.get("prompt")
    if not isinstance(query, str):
        details.append(_detail("query", "a string is required"))
    elif not 1 <= len(query) <= _MAX_QUERY:
        details.append(_detail("query", f"must have 1 to {_MAX_QUERY} characters, has {len(query)}"))


def _check_surfaces(surfaces: Any, details: list[Detail]) -> None:
    if not isinstance(surfaces, list) or not surfaces:
        details.append(_detail("surfaces", "a list of at least one surface is required"))
        return
    for i, name in enumerate(surfaces):
        if not isinstance(name, str):
            details.append(_detail(f"surfaces.{i}", "must be a string"))


def _check_regions(regions: Any, generation: str, details: list[Detail]) -> None:
    if not isinstance(regions, list) or not regions:
        details.append(_detail("regions", "must be a list of at least one region"))
        return
    if generation == "B" and len(regions) > _MAX_REGIONS:
        details.append(_detail("regions", f"at most {_MAX_REGIONS} are allowed, not {len(regions)}"))
    for i, region in enumerate(regions):
        if isinstance(region, dict):
            _check_country(region.get("country"), f"regions.{i}.country", details)
            details.extend(
                _detail(f"regions.{i}.{name}", "must be a string")
                for name in ("city", "language")
                if not isinstance(region.get(name, ""), str)
            )
        elif isinstance(region, str) and generation == "B":
            _check_country(region, f"regions.{i}", details)
        else:
            details.append(_detail(f"regions.{i}", "must be an object with a country"))


def _check_country(country: Any, path: str, details: list[Detail]) -> None:
    if not (isinstance(country, str) and len(country) == 2 and country.isascii() and country.isalpha()):
        details.append(_detail(path, "must be an ISO 3166 alpha-2 code such as US"))


def _check_options(search: dict[str, Any], generation: str, details: list[Detail]) -> None:
    if "priority" in search:
        details += _priority(search["priority"])
    if "idempotencyKey" in search:
        key = search["idempotencyKey"]
        if not isinstance(key, str) or not key:
            details.append(_detail("idempotencyKey", "must be a string that is not empty"))
    if "webhook" in search:
        details += _webhook(search["webhook"])
    if generation == "B" and search.get("method", "auto") not in _PINS:
        details.append(_detail("method", f"must be one of {', '.join(_PINS)}"))


def _priority(priority: Any) -> list[Detail]:
    if isinstance(priority, bool) or not isinstance(priority, int) or not 1 <= priority <= 10:
        return [_detail("priority", "must be a whole number from 1 to 10")]
    return []


def _webhook(webhook: Any) -> list[Detail]:
    if not isinstance(webhook, dict):
        return [_detail("webhook", "must be an object with url and secret")]
    url, secret = webhook.get("url"), webhook.get("secret")
    details = []
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        details.append(_detail("webhook.url", "must be an http or https URL"))
    if not isinstance(secret, str) or not secret:
        details.append(_detail("webhook.secret", "a string is required"))
    return details


def _unservable_pin(search: dict[str, Any]) -> Answer | None:
    pin = search.get("method", "auto")
    if pin == "auto":
        return None
    for surface in search["surfaces"]:
        if pin not in METHODS[surface]:
            served = ", ".join(METHODS[surface])
            return error(
                422, "UNSERVABLE_METHOD", f"{surface} cannot be served by {pin}; supported: {served}"
            )
    return None


def _invalid(details: list[Detail]) -> Answer:
    first = details[0]
    message = f"{first['path']}: {first['message']}" if first["path"] else first["message"]
    return error(400, "VALIDATION_FAILED", message, details)


def _detail(path: str, message: str) -> Detail:
    return {"path": path, "message": message}
