"""
What goes over the wire, without a wire: a call, its answer, and the forms that answers take.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

__all__ = ["CONCURRENCY", "QUEUE", "RATE", "Answer", "Call", "Cut", "Detail", "error", "page"]

RATE: Final = "RATE_LIMIT_EXCEEDED"
QUEUE: Final = "QUEUE_CAPACITY_EXCEEDED"
CONCURRENCY: Final = "CONCURRENCY_LIMIT_EXCEEDED"

Cut: TypeAlias = Literal["", "refused", "before", "after", "truncate"]
"""
What happens to the connection: nothing; refused at once; reset before or after the work was done; closed in
mid-body.
"""


@dataclass(slots=True)
class Call:
    """
    A request as it arrives. Header names may have any case; `query` holds one value a name.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(slots=True)
class Answer:
    """
    What the service does about a call.

    Attributes:
        status: HTTP status; 0 where no reply is sent (`cut` is then not empty).

        headers: As sent, Date and Content-Type included.

        body: JSON, or text that is sent as it stands, or nothing.

        delay: Seconds until the reply is sent.

        body_delay: Seconds between the first half of the body and the second.

        cut: What happens to the connection.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | list[Any] | str | None = None
    delay: float = 0.0
    body_delay: float = 0.0
    cut: Cut = ""

    @property
    def code(self) -> str:
        """
        The error code in the body; empty where there is none.
        """
        if self.status < 400 or not isinstance(self.body, dict):
            return ""
        return str(self.body.get("error", {}).get("code", ""))

    def encoded(self) -> bytes:
        """
        The body as it is sent.
        """
        if self.body is None:
            return b""
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


Detail: TypeAlias = dict[str, str]
"""One complaint of a VALIDATION_FAILED: `path` and `message`."""


def error(status: int, code: str, message: str, details: list[Detail] | None = None) -> Answer:
    """
    The service's error envelope.
    """
    body: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        body["details"] = details
    return Answer(status, {}, {"error": body})


def page(status: int) -> Answer:
    """
    An HTML page, as an edge network sends it in the service's place.
    """
    title = _PAGE_TITLES.get(status, "Something went wrong")
    text = (
        f"<!DOCTYPE html>\n<html><head><title>{status} {title}</title></head>\n"
        f"<body><center><h1>{status} {title}</h1></center><hr><center>edge</center></body></html>\n"
    )
    return Answer(status, {"Content-Type": "text/html; charset=UTF-8"}, text)


_PAGE_TITLES: Final = {
    200: "Just a moment",
    403: "Forbidden",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}
