"""
The result line's fields, one by one: the contract that :mod:`pacer.results.lines` writes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ResultError(BaseModel):
    """
    Why something was not completed.

    Attributes:
        code: The service's word for it, or one of pacer's, such as ``NO_RESULT``.

        message: A sentence for people.
    """

    model_config = ConfigDict(extra="allow")

    code: str
    message: str


class ResultLine(BaseModel):
    """
    One line of the results: a capture that has ended, or a request that was refused.

    Attributes:
        request: Your id of the request, or its number as text.

        index: The request's 0-based number in the input.

        job: The service's id of the request; null if it never had one.

        child: The service's id of the capture; null in a refused request's line.

        surface: As the service named it; null if it never did.

        region: As the service named it; null if it never did.

        status: How it ended. ``rejected`` is a request's, the others are a
            capture's; ``unknown`` may be either's.

        envelope: The service's Envelope as it was sent (its guide "output formats"), or null.

        error: Why it was not completed, or null.
    """

    model_config = ConfigDict(extra="forbid")

    request: str
    index: Annotated[int, Field(ge=0)]
    job: str | None
    child: str | None
    surface: str | None
    region: str | None
    status: Literal["completed", "partial", "failed", "canceled", "expired", "unknown", "rejected"]
    envelope: dict[str, Any] | None
    error: ResultError | None


FIELDS = tuple(ResultLine.model_fields)
"""Their names, in the order in which they are written."""
