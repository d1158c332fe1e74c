"""
JSON Lines: one object a line, as bytes, whatever the line holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

from pacer.wire.problems import Refusal
from pacer.wire.requests import CaptureRequest, read_json

Item: TypeAlias = tuple[int, CaptureRequest | Refusal]
"""A record's 1-based line, and the request that stands there or why there is none."""

BLOCK = 1 << 18
"""Bytes read at a time: few calls, and little memory."""

LONGEST = 1 << 20
"""
Bytes of one record. The longest query is 120,000 bytes when every character of
it is written as two escapes; beyond a mebibyte it is no list of requests.
"""

TOO_LONG = f"a record of more than {LONGEST:,} bytes"

_BOM = b"\xef\xbb\xbf"


class Readable(Protocol):
    """What is asked of a stream of bytes: ``read``, empty at its end."""

    def read(self, size: int, /) -> bytes: ...


def json_lines(stream: Readable) -> Iterator[Item]:
    """Yield the record on each line of *stream* that is not blank."""
    for number, line in enumerate(lines(stream), 1):
        if line is None:
            yield number, Refusal.because(TOO_LONG)
        elif line and not line.isspace():
            yield number, read_json(line)


def lines(stream: Readable) -> Iterator[bytes | None]:
    """
    Yield each line of *stream* without its line feed and a leading BOM.

    None stands for a line of more than :data:`LONGEST` bytes; it is not kept.
    """
    found = _split(stream)
    if first := next(found, b""):
        first = first.removeprefix(_BOM)
    yield first
    yield from found


def _split(stream: Readable) -> Iterator[bytes | None]:
    rest = b""
    dropping = False
    while block := stream.read(BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        if dropping and whole:
            whole = whole[1:]
            dropping = False
            yield None
        for line in whole:
            yield line if len(line) <= LONGEST else None
        if dropping or len(rest) > LONGEST:
            dropping = True
            rest = b""
    if dropping or rest:
        yield None if dropping else rest
