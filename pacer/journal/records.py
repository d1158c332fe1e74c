"""
What intake hands over: the batch, its requests, and what could not be taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Whatever ``json.loads`` can return."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """
    What the journal knows of its batch as a whole; fixed at intake.

    Attributes:
        token: 22 characters of [A-Za-z0-9_-], random per batch; the stem of
            the keys that pacer makes.

        source: The input's name as the user gave it.

        input_sha256: Hex digest of the input's bytes; empty for a library call.

        base_url: Where it is sent. A journal never changes its service.

        created_at: When intake was committed.

        name: The user's ``--batch`` name, if keys were derived from one.
    """

    token: str
    source: str
    input_sha256: str
    base_url: str
    created_at: float
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Whose results a request's are, where that is another: a retry spreads what is left of one
    record over requests of its own.

    Attributes:
        id, index: The record's name and number; they stand in all that users see.
    """

    id: str
    index: int


@dataclass(slots=True)
class Record:
    """
    One request as intake hands it over. Bytes and key never change again.

    Not frozen only because half a million of them are built at once, and a
    frozen dataclass takes more than twice as long to build.

    Attributes:
        index: 0-based number of the record in the input.

        id: The user's name for it, unique in the batch.

        key: Its idempotency key, unique in the batch.

        body: The exact bytes that are POSTed, key included.

        fan_out: Children it will have: surfaces x regions.

        surfaces: Its surfaces, in order.

        line: Where it stood in the input, 1-based.

        origin: None where the request is the record itself.
    """

    index: int
    id: str
    key: str
    body: bytes
    fan_out: int
    surfaces: tuple[str, ...]
    line: int
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """
    A record that intake could not take: its id or key stands there already.

    Attributes:
        record: The record that was refused.

        field: ``id`` or ``idempotencyKey``.

        first_line: Line of the record that has it.
    """

    record: Record
    field: str
    first_line: int
