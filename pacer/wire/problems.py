"""
What is wrong with a request, in words for the person who wrote it.

pydantic finds the faults; this file names them. A reason is short, never
repeats more than a few characters of the input, and passes no control character
on to a terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "": ("id", "query", "surfaces", "regions", "priority", "method", "webhook", "idempotencyKey", "prompt"),
    "regions": ("country", "city", "language"),
    "webhook": ("url", "secret"),
}
_SAME = {"prompt": "query", "query": "prompt", "idempotency_key": "idempotencyKey"}
_PATTERNS = {
    "query": "blank",
    "surfaces": "blank",
    "url": "must be an http:// or https:// address",
    "idempotencyKey": "must be 1 to 255 printable ASCII characters without spaces",
}
_PATTERNS["prompt"] = _PATTERNS["query"]
_PATTERNS["idempotency_key"] = _PATTERNS["idempotencyKey"]
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "list_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
}

AS_OBJECT, AS_COUNTRY = "object", "country"
"""The two ways to read a region, as pydantic names them in a fault's path; the first is not shown."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A record that is no request. Its faults are put into words only when asked for.

    Attributes:
        count: How many faults it has.

        faults: Returns ``(dotted field, reason)`` for each.
    """

    count: int
    faults: Callable[[], list[tuple[str, str]]]

    @classmethod
    def because(cls, reason: str, field: str = "") -> Refusal:
        """Return a refusal with one fault, known already."""
        return cls(1, lambda: [(field, reason)])


def shown(text: str, most: int = 40) -> str:
    """Return *text* in quotes, unprintable characters escaped, cut to *most* characters."""
    return f"'{escaped(text, most)}'"


def escaped(text: str, most: int = 40) -> str:
    """Do the same without the quotes."""
    found = repr(text[: most + 1])[1:-1]
    return found if len(found) <= most else f"{found[: most - 1]}…"


def not_utf8(error: UnicodeDecodeError) -> str:
    """Return the reason for bytes that are not text."""
    if error.object.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16, not UTF-8; save the file as UTF-8"
    return f"not UTF-8 (byte 0x{error.object[error.start]:02x}); save the file as UTF-8"


def refusal(error: ValidationError) -> Refusal:
    """Return the refusal for what pydantic found wrong with a Python object."""
    found = _faults(error)
    return Refusal(len(found), lambda: [_named(fault) for fault in found])


def json_refusal(error: ValidationError, text: bytes, validate: Callable[[Any], object]) -> Refusal:
    """
    Return the refusal for what pydantic found wrong with the JSON *text*.

    Where that is JSON to Python but not to pydantic, the reason is a lone
    surrogate: *validate*, given what Python read, finds its field.
    """
    found = _faults(error)
    if found[0]["type"] == "json_invalid":
        return Refusal(1, lambda: [_why_invalid(text, validate) or _named(found[0])])
    return Refusal(len(found), lambda: [_named(fault) for fault in found])


def _why_invalid(text: bytes, validate: Callable[[Any], object]) -> tuple[str, str] | None:
    """Return what is wrong with *text* if it is not its syntax, else None."""
    try:
        validate(json.loads(text.decode()))
    except UnicodeDecodeError as error:
        return "", not_utf8(error)
    except ValidationError as error:
        lone = (fault for fault in _faults(error) if fault["type"] == "string_unicode")
        return next(map(_named, lone), None)
    except (ValueError, RecursionError):
        pass  # no JSON to Python either
    return None


def _faults(error: ValidationError) -> list[Any]:
    """Return pydantic's error details, without those about a region being read as what it is not."""
    found = error.errors(include_url=False)
    return [fault for fault in found if not _misread(fault)] or found


def _misread(fault: Mapping[str, Any]) -> bool:
    match fault["loc"], fault["type"]:
        case ("regions", int(), str(reading)), kind:
            as_object = reading == AS_OBJECT and kind == "model_type" and isinstance(fault["input"], str)
            return as_object or (reading == AS_COUNTRY and kind == "string_type")
    return False


def _named(fault: Mapping[str, Any]) -> tuple[str, str]:
    """Return ``(dotted field, reason)``."""
    path = fault["loc"]
    if path[:1] == ("regions",) and path[2:3] == (AS_OBJECT,):
        path = (*path[:2], *path[3:])
    parts = (str(part) if isinstance(part, int) else escaped(part) for part in path)
    return ".".join(parts), _reason(fault, path)


def _reason(fault: Mapping[str, Any], path: tuple[int | str, ...]) -> str:
    kind, value, context = fault["type"], fault["input"], fault.get("ctx", {})
    last = path[-1] if path else ""
    match kind:
        case "missing":
            return "missing"
        case "extra_forbidden":
            return unknown_field(str(last), _FIELDS.get(str(path[0]) if len(path) > 1 else "", ()))
        case "json_invalid":
            return f"not JSON: {_columns(context['error'])}"
        case "string_unicode":
            return _lone_surrogate(value)
        case "string_too_short" | "too_short":
            return "empty"
        case "string_too_long":
            return f"{len(value):,} characters; at most {context['max_length']:,}"
        case "too_long":
            return f"{len(value):,} {last}; at most {context['max_length']:,}"
        case "greater_than_equal" | "less_than_equal":
            return "must be between 1 and 10"
        case "string_pattern_mismatch" if last == "country":
            return f"{shown(value)} is not a two-letter country code such as US (ISO 3166-1 alpha-2)"
        case "string_pattern_mismatch":
            return _PATTERNS[str(path[0]) if isinstance(last, int) else str(last)]
    if kind in _WANTED:
        return f"must be {_wanted(kind, path)}, not {_kind(value)}"
    return str(fault["msg"])  # a refusal of our own, or a pydantic newer than this file


def _wanted(kind: str, path: tuple[int | str, ...]) -> str:
    """Return what should stand at *path* instead."""
    match path:
        case ("id",):
            return "text or a whole number"
        case ("regions", int()):
            return "an object or a country code"
        case ():
            return "an object (one request)"
    return _WANTED[kind]


def unknown_field(name: str, known: Sequence[str], what: str = "field") -> str:
    """Return why the field *name* is refused beside the *known* ones."""
    if (same := _SAME.get(name)) in known:
        return f"means the same as {same}; give one of them"
    lower = {field.lower(): field for field in known}
    near = get_close_matches(name[:40].lower(), lower, n=1)
    return f"unknown {what}; did you mean {lower[near[0]]}?" if near else f"unknown {what}"


def _lone_surrogate(value: str) -> str:
    """Return why *value* cannot be sent."""
    lone = next(character for character in value if "\ud800" <= character <= "\udfff")
    return f"has half a character (the lone surrogate \\u{ord(lone):04x}), which UTF-8 cannot carry"


def _columns(text: str) -> str:
    """Return a parser's message about one line without the line."""
    return re.sub(r"at line 1 column (\d+)", r"at column \1", text)


def _kind(value: object) -> str:
    """Name what *value* is in JSON's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return "a number"
        case float():
            return str(value)
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
    return type(value).__name__
