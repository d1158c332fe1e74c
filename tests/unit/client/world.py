"""
A service, a clock and a journal, and Pacers on them.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pacer import FakeClock, MemoryJournal, Pacer
from pacer.client.opening import inline
from pacer.journal.protocol import Journal
from pacer.sandbox import Fault, Latency, Service, Settings
from pacer.sandbox.memory import InMemorySearchApi


class World:
    """
    One service, and one journal that outlives its Pacers.

    Args:
        faults: What goes wrong at the service.

        settings: Changes to a service with room for 20 captures, of which 10 run at once for 5 s each.
    """

    def __init__(self, *faults: Fault, seed: int = 1, **settings: Any) -> None:
        self.clock = FakeClock()
        base = Settings(
            epoch=self.clock.epoch, capacity=20, workers=10, latency=Latency(mean=5.0, shape="constant")
        )
        self.service = Service(replace(base, **settings), seed=seed, faults=faults)
        self.journal: Journal = MemoryJournal()
        self.seed = seed

    def pacer(self, **options: Any) -> Pacer:
        """Return a Pacer on this world."""
        api = InMemorySearchApi(self.service, clock=self.clock)
        given: dict[str, Any] = {
            "journal": self.journal,
            "clock": self.clock,
            "seed": self.seed,
            "run_blocking": inline,
        }
        return Pacer(api=api, **given | options)

    def journal_after_a_crash(self) -> None:
        """From now on use the journal as ``kill -9`` would leave it at this moment."""
        self.journal = copy.deepcopy(self.journal)

    @property
    def submissions(self) -> list[str]:
        """Keys of all submissions that reached the service, in order."""
        return [entry.key for entry in self.service.log if entry.what == "submit"]

    @property
    def admitted(self) -> int:
        """Jobs the service has made."""
        return sum(entry.admitted for entry in self.service.log)

    @property
    def refused(self) -> int:
        """429s."""
        return sum(entry.status == 429 for entry in self.service.log)

    @property
    def results(self) -> Counter[tuple[str, str | None]]:
        """How often each capture stands in the journal, by request and child."""
        return Counter((row.request, row.child) for row in self.journal.rows(after=0, limit=1_000_000))


def request(name: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return a request for one capture; *name* is its id and its query."""
    body: dict[str, Any] = {"query": f"query {name}", "surfaces": ["chatgpt"]}
    if name is not None:
        body["id"] = name
    return body | changes


def requests(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Return *count* requests with ids."""
    return [request(f"r{number}") for number in range(start, start + count)]


def queries(journal: Journal, keys: Iterable[str]) -> list[str]:
    """Return the queries of the requests with these keys, in order."""
    bodies = {standing.record.key: standing.record.body for standing in journal.find([], list(keys))}
    return [json.loads(bodies[key])["query"] for key in keys]


async def until(moment: float) -> None:
    """Sleep until *moment* on the loop's clock."""
    await asyncio.sleep(moment - asyncio.get_running_loop().time())
