"""
What the service remembers of every call: enough to decide afterwards whether a client kept its promises.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pacer.sandbox.exchange import CONCURRENCY, QUEUE, RATE, Answer
from pacer.sandbox.headers import retry_after_seconds

__all__ = ["Entry", "Log"]

GATES: Final = {RATE: "rate", QUEUE: "queue", CONCURRENCY: "concurrency"}
"""Which limit stands behind the code of a 429."""


@dataclass(slots=True)
class Entry:
    """
    One call and what became of it.

    Attributes:
        at: When it reached the service, in seconds. The reply left `delay` seconds later.

        what: `submit`, `status`, `job`, `usage`, `health` or `other`.

        status, code: HTTP status and error code of the reply; 0 where none was sent.

        key: Its idempotencyKey, even if the service never came to look at it; empty without one.

        job: The job (or, for a read, the job or the child) that it is about.

        state: The state that a read was told.

        cost: What the submission would add, or has added, to depth.

        admitted: Whether it was admitted by this very call. True even if the reply was lost.

        replayed: Whether it met the job of an earlier call with its key.

        sync: Whether it asked for a sync capture.

        gate: Which limit refused it: `rate`, `queue`, `concurrency` or none.

        retry_after: The Retry-After header as sent; None where there was none.

        retry_seconds: The same as a wait in seconds from the moment the reply left, where it is a number or a
            date.

        depth, capacity: The queue's, right after the call.

        told_depth, told_capacity: What a snapshot said, stale or spoilt as it may be.

        fault: The kind of the fault applied.

        cut, delay: Of the answer.

        tenant: Whether another client of the key made it.
    """

    at: float
    what: str
    status: int = 0
    code: str = ""
    key: str = ""
    job: str = ""
    state: str = ""
    cost: int = 0
    admitted: bool = False
    replayed: bool = False
    sync: bool = False
    gate: str = ""
    retry_after: str | None = None
    retry_seconds: float | None = None
    depth: int = 0
    capacity: int | None = None
    told_depth: int | None = None
    told_capacity: int | None = None
    fault: str = ""
    cut: str = ""
    delay: float = 0.0
    tenant: bool = False


class Log:
    """
    Entries, oldest first, and sums that go on where entries are dropped. Those of other tenants stand apart.

    Attributes:
        calls: By endpoint.

        refused: 429s by code.

        faults: By kind.

        admitted: Submissions admitted, sync ones included.

        replayed: Submissions that met an earlier job.

        tenant_admitted, tenant_refused: The same of other tenants.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self.calls: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.faults: dict[str, int] = {}
        self.admitted = 0
        self.replayed = 0
        self.tenant_admitted = 0
        self.tenant_refused: dict[str, int] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def record(self, entry: Entry, answer: Answer, *, fault: str, wall: float) -> None:
        """
        Complete *entry* with its answer, and keep it.
        """
        entry.status = answer.status
        entry.cut, entry.delay, entry.fault = answer.cut, answer.delay, fault
        if answer.status >= 400:
            entry.code = answer.code
            entry.gate = GATES.get(entry.code, "")
            entry.retry_after = answer.headers.get("Retry-After")
            entry.retry_seconds = retry_after_seconds(entry.retry_after, wall=wall)
        self._count(entry)
        self._entries.append(entry)

    def _count(self, entry: Entry) -> None:
        if entry.tenant:
            self.tenant_admitted += entry.admitted
            if entry.status == 429:
                _add_one(self.tenant_refused, entry.code)
            return
        _add_one(self.calls, entry.what)
        self.admitted += entry.admitted
        self.replayed += entry.replayed
        if entry.status == 429:
            _add_one(self.refused, entry.code)
        if entry.fault:
            _add_one(self.faults, entry.fault)


def _add_one(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
