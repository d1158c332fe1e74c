"""
What a capture request may say, and the bytes it becomes.

The service describes the body of ``POST /v1/search`` on its API reference pages
"search" and (newer) the root page. Where the two differ, a request says
explicitly what it means: regions are always sent, ``priority`` and ``method``
only if they were given. Shape is checked here; whether a surface or a country
is served is the service's to say.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    ValidationError,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema, to_json

from pacer.wire.problems import AS_COUNTRY, AS_OBJECT, Refusal, json_refusal, refusal, shown

CREDITS: Mapping[str, int | None] = {
    "chatgpt": 5,
    "claude": 6,
    "copilot": 5,
    "gemini": 4,
    "google_ai_mode": 4,
    "google_ai_overview": 5,
    "google_news": None,
    "google_search": None,
    "perplexity": 3,
}
"""Credits for one successful capture, by surface (the service's guide "credits"); None: not published."""

KNOWN_SURFACES: frozenset[str] = frozenset(CREDITS)
"""Surfaces that the service's documentation names. Others are passed on."""


def most_credits(surfaces: Sequence[str], captures: int) -> int:
    """
    Return the most that *captures* of *surfaces*, spread evenly over them, can cost.

    Surfaces without a published price count as 0.
    """
    return sum(CREDITS.get(surface) or 0 for surface in surfaces) * (captures // len(surfaces))


MOST_REGIONS = 10
"""Regions in one request, by the newer documentation."""

LONGEST_QUERY = 10_000
"""Characters in a query, by the older documentation; the newer names no bound."""

_Filled: TypeAlias = Annotated[str, Field(min_length=1)]
_Country: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$", to_upper=True)]
ItemT = TypeVar("ItemT", bound=Hashable)


def _distinct(items: list[ItemT]) -> list[ItemT]:
    """Return *items*, or refuse them if one stands there twice."""
    if len(items) > 1 and len(set(items)) < len(items):
        twice = next(item for n, item in enumerate(items) if item in items[:n])
        raise PydanticCustomError("repeated", "{item} stands there twice", {"item": shown(str(twice))})
    return items


def _id_as_text(value: object) -> object:
    """Turn an integer id into text. ``True`` is no integer here."""
    if type(value) is not int:
        return value
    try:
        return str(value)
    except ValueError:  # Python writes at most 4,300 digits
        raise PydanticCustomError("id_length", "too long a number; write it as text") from None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Region(_Strict):
    """
    Where a capture is taken from.

    Attributes:
        country: Two letters (ISO 3166-1 alpha-2), read in any case, kept in upper case.

        city: A city in it, by name.

        language: A hint such as ``de``.
    """

    country: _Country
    city: _Filled | None = None
    language: _Filled | None = None

    def __str__(self) -> str:
        return "/".join(filter(None, (self.country, self.city, self.language)))


class Webhook(_Strict):
    """
    Where the service reports each finished capture of the request.

    Attributes:
        url: An http or https address that the service can reach.

        secret: What the service signs its deliveries with. It is sent, so it
            stands in the journal.
    """

    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    secret: Annotated[str, Field(min_length=1, repr=False)]


@lru_cache(maxsize=26 * 26)
def _bare(country: str) -> Region:
    return Region(country=country)


def _us() -> list[Region]:
    return [_bare("US")]


def _distinct_or_us(regions: list[Region] | None) -> list[Region]:
    if regions is None:
        return _us()
    if len({region.country for region in regions}) < len(regions):
        _distinct(regions)
    return regions


class _ReadRegions:
    """
    Read a list of regions, each an object or a country; null, as exports of tables write it, as omitted.

    A union says why it was neither: :mod:`pacer.wire.problems` keeps the half that was meant.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        country = core_schema.no_info_after_validator_function(_bare, handler.generate_schema(_Country))
        either = core_schema.union_schema(
            [(handler.generate_schema(Region), AS_OBJECT), (country, AS_COUNTRY)],
            mode="left_to_right",
            # What was read is always a Region: written as one, without asking which half it came from.
            serialization=core_schema.simple_ser_schema("any"),
        )
        regions = core_schema.list_schema(either, min_length=1, max_length=MOST_REGIONS, strict=False)
        return core_schema.no_info_after_validator_function(
            _distinct_or_us, core_schema.nullable_schema(regions)
        )


class CaptureRequest(_Strict):
    """
    One search: a query put to some surfaces from some regions.

    It becomes ``surfaces x regions`` captures. Both spellings of a field's name
    are read (``prompt`` for ``query``, ``idempotencyKey`` for
    ``idempotency_key``), not both at once; unknown fields are refused. The
    service's page: "API reference", POST /v1/search.

    Attributes:
        id: Your name for it, unique in a batch; an integer is read as text.
            It is not sent. Without one, it is named by its number in the batch.

        query: 1 to 10,000 characters, sent as they are.

        surfaces: At least one, each once. Names unknown to pacer are passed on.

        regions: 1 to 10, each once; a bare ``"US"`` is read as
            ``Region(country="US")``. US if omitted. Always sent.

        priority: 1 to 10, larger first within your account; sent only if given.

        method: How to capture (``official-api``...); sent only if given.

        webhook: See :class:`Webhook`.

        idempotency_key: Your own key, 1 to 255 printable ASCII characters without
            spaces. Without one, pacer makes it.

    Errors:
        pydantic.ValidationError: It does not say what a request must say.
    """

    id: Annotated[_Filled | None, BeforeValidator(_id_as_text)] = None
    query: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_QUERY,
            pattern=r"\S",
            validation_alias=AliasChoices("query", "prompt"),
        ),
    ]
    surfaces: Annotated[
        list[Annotated[str, Field(pattern=r"\S")]],
        Field(min_length=1, strict=False),
        FailFast(),
        AfterValidator(_distinct),
    ]
    regions: Annotated[list[Region], _ReadRegions()] = Field(default_factory=_us)
    priority: Annotated[int, Field(ge=1, le=10)] | None = None
    method: _Filled | None = None
    webhook: Webhook | None = None
    idempotency_key: Annotated[str, Field(pattern=r"^[!-~]{1,255}$")] | None = Field(
        default=None, validation_alias=AliasChoices("idempotencyKey", "idempotency_key")
    )

    @property
    def fan_out(self) -> int:
        """Captures it becomes: surfaces x regions."""
        return len(self.surfaces) * len(self.regions)

    @property
    def max_credits(self) -> int:
        """
        The most credits it can cost, if every capture succeeds.

        Surfaces without a published price (see :data:`CREDITS`) count as 0.
        """
        return most_credits(self.surfaces, self.fan_out)

    def unkeyed_body(self) -> bytes:
        """Return what is sent, but for the key: compact UTF-8 JSON, fields in a fixed order."""
        return _to_json(self, exclude=_NOT_IN_BODY, exclude_none=True)

    def body(self, key: str) -> bytes:
        """Return the bytes that are POSTed, with *key* as their ``idempotencyKey``."""
        return keyed(self.unkeyed_body(), key)


_NOT_IN_BODY = {"id", "idempotency_key"}
_validate_json = CaptureRequest.__pydantic_validator__.validate_json
_to_json = CaptureRequest.__pydantic_serializer__.to_json


def keyed(unkeyed_body: bytes, key: str) -> bytes:
    """Return *unkeyed_body* with *key* as its last field."""
    return b'%b,"idempotencyKey":%b}' % (unkeyed_body[:-1], to_json(key))


def read_json(text: bytes) -> CaptureRequest | Refusal:
    """Return the request that the JSON object *text* (UTF-8) describes, or why it is none."""
    try:
        request: CaptureRequest = _validate_json(text)
    except ValidationError as error:
        return json_refusal(error, text, CaptureRequest.model_validate)
    return request


def read_mapping(record: Mapping[str, object]) -> CaptureRequest | Refusal:
    """Return the request that *record* describes, or why it is none."""
    try:
        return CaptureRequest.model_validate(dict(record))
    except ValidationError as error:
        return refusal(error)
