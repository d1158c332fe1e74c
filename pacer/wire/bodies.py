"""
The service's JSON bodies: pydantic models that ignore what they do not know,
take either form where the documentation disagrees, and name what is missing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError, from_json, to_json

from pacer.wire.text import printable

MOST_LISTED = 10_000
"""
Children, or surfaces, that one reply may list: a hundred times what a request can have. More is no
list of them, and to look at each would cost a thousand times the memory of its bytes.
"""


class Unusable(ValueError):
    """A body that cannot be used; its text says what is wrong, in a few words."""


# Reading -------------------------------------------------------------------


def read_json(body: bytes) -> Any:
    """
    Return what *body* says, fit to be written as JSON again.

    What strict parsers refuse but services do send is mended: a lone surrogate
    (an emoji cut in two) and bytes that are not UTF-8 become U+FFFD; ``NaN``
    and numbers that overflow become null.

    Errors:
        Unusable: not JSON, or nested more than 200 levels deep.
    """
    try:
        value = from_json(body, allow_inf_nan=False)
        # An overflowing literal (1e999) still comes out as inf. A text that holds the word is mended in vain.
        return _mended(body) if b"Infinity" in to_json(value) else value
    except ValueError as error:
        if not body.strip():
            raise Unusable("empty") from None
        try:
            return _mended(body)
        except (ValueError, RecursionError):
            raise Unusable(f"not JSON ({error})") from None


def _mended(body: bytes) -> Any:
    text = body.decode("utf-8-sig", "replace")
    if not text.lstrip().startswith(("{", "[")):
        raise ValueError("not an object or an array")
    value = json.loads(text, parse_float=_finite_or_none, parse_constant=lambda _: None)
    clean = (
        json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )
    return from_json(clean)


def _finite_or_none(literal: str) -> float | None:
    number = float(literal)
    return number if math.isfinite(number) else None


def complaint(error: ValidationError) -> str:
    """Return the first thing that is wrong, as ``admissionQueue.depth: missing``."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    what = _COMPLAINTS.get(first["type"], first["msg"])
    return printable(f"{where}: {what}" if where else what, 200)


_COMPLAINTS = {
    "missing": "missing",
    "model_type": "not an object",
    "list_type": "not a list",
    "too_long": f"more than {MOST_LISTED:,}",
    "string_type": "not a string",
    "string_too_short": "empty",
    "string_too_long": "too long",
    "string_pattern_mismatch": "not usable as an id",
}


# The pieces ----------------------------------------------------------------


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


JobId = Annotated[
    str,
    StringConstraints(
        max_length=256,
        min_length=1,
        # It becomes one segment of a URL's path, percent-encoded. Refused are slashes, which some servers
        # decode before they route, segments of dots alone, and characters that do not print.
        pattern=r"^\.*[^./\\\p{C}\p{Z}](?:[^/\\\p{C}\p{Z}]| )*$",
    ),
]
"""An opaque id that can stand in a URL without changing where it leads."""


_JOB_ID: TypeAdapter[str] = TypeAdapter(JobId)


def is_job_id(text: str) -> bool:
    """Return whether *text* is an id that may be asked for."""
    try:
        _JOB_ID.validate_python(text)
    except ValidationError:
        return False
    return True


def _id_of(value: object) -> object:
    """The id of a child that is listed as a string, as an object, or as a whole Envelope."""
    if isinstance(value, Mapping):
        value = _head_of(value).get("id")
    if not isinstance(value, str):
        raise PydanticCustomError("no_id", "no id")
    return value


def _head_of(value: object) -> Any:
    """A child as an object: a bare string is its id, an Envelope is described by its ``job``."""
    if isinstance(value, str):
        return {"id": value}
    if isinstance(value, Mapping) and isinstance(value.get("job"), Mapping):
        return value["job"]
    return value


def _whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is 3. A bool is none, although Python says so."""
    if value is None:
        raise PydanticCustomError("null", "null")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("whole", "not a whole number")
    if value < 0:
        raise PydanticCustomError("negative", "negative")
    if value > 10**12:
        raise PydanticCustomError("absurd", "absurdly large")
    return value


def _whole_or_none(value: object) -> object:
    return None if value is None else _whole(value)


def _none_if_wrong(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """What pacing can do without does not spoil a reading that has what it needs."""
    try:
        return handler(value)
    except ValidationError:
        return None


def _not_too_many(value: object) -> object:
    """A dict's own bound would be looked at last."""
    if isinstance(value, Mapping) and len(value) > MOST_LISTED:
        raise PydanticCustomError("too_long", "too many")
    return value


ChildId = Annotated[JobId, BeforeValidator(_id_of)]
ChildIds = Annotated[list[ChildId], Field(max_length=MOST_LISTED, fail_fast=True)]
Whole = Annotated[int, BeforeValidator(_whole)]
OptionalWhole = Annotated[int | None, BeforeValidator(_whole_or_none)]


# The bodies ----------------------------------------------------------------


class Accepted(_Body):
    """A 202 (API.md 2.4)."""

    job_id: JobId = Field(alias="jobId")
    children: list[ChildId] | None = Field(default=None, max_length=MOST_LISTED, fail_fast=True)


class AdmissionQueue(_Body):
    """The async admission queue (API.md 4). A capacity may be withheld, a depth may not."""

    depth: Whole
    capacity: OptionalWhole = None


class SyncConcurrency(_Body):
    """The budget of sync captures."""

    limit: OptionalWhole = None
    running: OptionalWhole = None


class Inflight(_Body):
    """Children queued or processing."""

    total: Annotated[OptionalWhole, WrapValidator(_none_if_wrong)] = None
    by_surface: Annotated[
        dict[str, Whole] | None, BeforeValidator(_not_too_many), WrapValidator(_none_if_wrong)
    ] = Field(default=None, alias="bySurface")


class Snapshot(_Body):
    """``GET /v1/async/status`` (API.md 4)."""

    admission_queue: AdmissionQueue = Field(alias="admissionQueue")
    sync_concurrency: Annotated[SyncConcurrency | None, WrapValidator(_none_if_wrong)] = Field(
        default=None, alias="syncConcurrency"
    )
    inflight: Annotated[Inflight | None, WrapValidator(_none_if_wrong)] = None


class JobHead(_Body):
    """The ``job`` section of an Envelope (API.md 8); only its status is indispensable."""

    status: str
    id: Any = None
    surface: Any = None
    region: Any = None
    error: Any = None
    warnings: Any = None
    requestedAt: Any = None  # noqa: N815  # the service's spelling
    completedAt: Any = None  # noqa: N815  # as above


class Envelope(_Body):
    """One child as ``GET /v1/jobs/:child`` gives it; the sections are read by no one here."""

    job: JobHead
    error: Any = None


class ListedChild(_Body):
    """A child in a parent's summary; a bare string is its id."""

    id: JobId
    status: Any = None
    surface: Any = None
    region: Any = None


class ParentHead(_Body):
    """The ``job`` section of a parent's summary."""

    status: str
    id: Any = None


class ParentSummary(_Body):
    """``GET /v1/jobs/:id`` of a parent (API.md 7)."""

    job: ParentHead
    children: list[Annotated[ListedChild, BeforeValidator(_head_of)]] = Field(
        max_length=MOST_LISTED, fail_fast=True
    )
