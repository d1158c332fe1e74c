"""
A service that makes no sense: its own replies, with anything in any header and any place of the body.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator
from random import Random
from typing import Any, TypeAlias

from pacer.sandbox import Service
from pacer.sandbox.exchange import Answer, Call

Path: TypeAlias = tuple[str | int, ...]

VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3.5, 1e300, 10**12, 10**30, "", "3", "x", "completed", "failed",
    "processing", "job_1", "../x", "a/b", "?x=1", "\u202e", "\x1b[2J", "é" * 300, "\ud83d", [], {}, [[]],
    [1], ["a"], ["a", "a"], {"a": 1}, {"id": "a"}, {"job": {"id": "z.1", "status": "completed"}},
)  # fmt: skip

HEADERS: dict[str, tuple[str, ...]] = {
    "Retry-After": (
        "1e308", "-5", "٣", "0", "0.0001", "1", "7", "899", "9" * 20, "soon", "", "nan", "5, 1",
        "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT",
    ),
    "Date": ("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "yesterday"),
    "X-RateLimit-Limit": ("0", "1", "2", "60", "9" * 18, "-1", "x", "1.5"),
    "X-RateLimit-Remaining": ("0", "1", "60", "9" * 18, "-1", "x"),
    "X-RateLimit-Reset": ("0", "1", "5", "60", "86399", "1800000060", "99999999999999", "x", "-5", "1e3"),
    "Idempotent-Replayed": ("true", "false", "x"),
    "Location": ("http://[", "//x"),
}  # fmt: skip

STATUSES = (
    0, 99, 200, 201, 202, 204, 206, 299, 300, 304, 307, 400, 402, 403, 404, 405, 408, 409, 410, 413, 422, 423,
    425, 429, 429, 429, 499, 500, 501, 502, 503, 504, 522, 599, 999,
)  # fmt: skip


class LyingService(Service):
    """
    A service whose work is sound, and whose words are not.

    Attributes:
        chance: Draws what is said, and when.

        headers, bodies, statuses: How often each of these is replaced, as shares.

        about: Which calls are lied about; all if empty.
    """

    chance: Random
    headers: float = 0.0
    bodies: float = 0.0
    statuses: float = 0.0
    about: Collection[str] = ()

    def handle(self, call: Call, *, now: float) -> Answer:
        """Answer, and spoil the answer."""
        answer = super().handle(call, now=now)
        what = "submit" if call.method == "POST" else "status" if call.path.endswith("status") else "job"
        if answer.cut or (self.about and what not in self.about):
            return answer
        chance = self.chance
        if chance.random() < self.statuses:
            answer.status = chance.choice(STATUSES)
        if chance.random() < self.headers:
            for name in chance.sample(sorted(HEADERS), chance.choice((1, 2, 3))):
                answer.headers[name] = chance.choice(HEADERS[name])
        if isinstance(answer.body, dict | list) and chance.random() < self.bodies:
            body = spoilt(answer.body, chance)
            answer.body = body if isinstance(body, dict | list) else json.dumps(body)
        return answer


def spoilt(body: Any, chance: Random) -> Any:
    """Return *body* with one or two of its values replaced, left out, repeated or wrapped up."""
    body = copy.deepcopy(body)
    for _ in range(chance.choice((1, 1, 2))):
        path = chance.choice([path for path in places(body) if len(path) < 6] or [()])
        if not path:
            return copy.deepcopy(chance.choice(VALUES)) if chance.random() < 0.2 else body
        *parents, last = path
        holder = body
        for step in parents:
            holder = holder[step]
        match chance.choice(("leave out", "repeat", "wrap", "replace", "replace", "replace")):
            case "leave out":
                del holder[last]
            case "repeat" if isinstance(holder[last], list):
                holder[last] = holder[last] * 3
            case "repeat" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[int(last)]))
            case "wrap":
                holder[last] = [holder[last]]
            case _:
                holder[last] = copy.deepcopy(chance.choice(VALUES))
    return body


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value in *value*, its own first."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from places(inner, (*path, n))
