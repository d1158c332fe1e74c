"""
The requests that a caller hands over: any iterable, async or not, of models or plain dicts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from pacer.errors import InputError, InputProblem
from pacer.wire.problems import Refusal
from pacer.wire.requests import CaptureRequest, read_mapping

Request: TypeAlias = CaptureRequest | Mapping[str, Any]
"""A request as a model or as a plain dict of its fields."""

Requests: TypeAlias = Iterable[Request] | AsyncIterable[Request]
"""What ``run`` and ``captures`` take."""

SOURCE = "<requests>"
"""What stands for a file's name in complaints."""

MOST_PROBLEMS = 20
"""Problems that are told; the others are counted."""

AT_ONCE = 250
"""Requests after which other tasks have their turn."""


def read(request: Request, *, number: int = 1) -> CaptureRequest:
    """
    Return *request* as a model.

    Errors:
        InputError: It is no request; *number* stands for its line.
    """
    found = _look_at(request)
    if isinstance(found, CaptureRequest):
        return found
    problems = [InputProblem(number, field, reason) for field, reason in found.faults()]
    raise InputError(SOURCE, problems[:MOST_PROBLEMS], found.count)


async def check(requests: Requests) -> None:
    """
    Look at all of *requests* before any is taken, where that leaves them as they are.

    Errors:
        InputError: The first problems of a list or tuple. A stream is passed over.
    """
    if not isinstance(requests, Sequence):
        return
    problems: list[InputProblem] = []
    total = 0
    for number, request in enumerate(requests, 1):
        found = _look_at(request)
        if isinstance(found, Refusal):
            total += found.count
            if len(problems) < MOST_PROBLEMS:
                problems += (InputProblem(number, field, reason) for field, reason in found.faults())
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    if total:
        raise InputError(SOURCE, problems[:MOST_PROBLEMS], total)


async def numbered(requests: Requests) -> AsyncGenerator[tuple[int, Request], None]:
    """Yield each of *requests* with its 0-based number, letting others have their turn."""
    if isinstance(requests, AsyncIterable):
        number = 0
        async for request in requests:
            yield number, request
            number += 1
        return
    for number, request in enumerate(requests):
        yield number, request
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)


def _look_at(request: object) -> CaptureRequest | Refusal:
    if isinstance(request, CaptureRequest):
        return request
    if isinstance(request, Mapping):
        return read_mapping(request)
    return Refusal.because(f"must be a CaptureRequest or a dict, not {type(request).__name__}")
