"""
A sudden death: from one point on, a process has no more effect on the world.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pacer.journal.entries import Entry
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.views import Projection

CrashKind: TypeAlias = Literal["never", "time", "step", "commit", "call", "reply"]


class Crashed(BaseException):
    """The process has died; nothing may catch this as an error of its own."""


@dataclass(frozen=True, slots=True)
class Crash:
    """
    When one invocation dies.

    Attributes:
        kind: ``time``: after so many seconds. ``step``: when any of its tasks is
            resumed for the n-th time, at whatever await it stands. ``commit``: at
            the n-th passage through the journal, counted before and after each
            commit. ``call``: before its n-th call leaves. ``reply``: when its n-th
            reply has come, before anyone has looked at it.

        at: That number.
    """

    kind: CrashKind = "never"
    at: float = 0


class Fuse:
    """
    Counts what a process does, and blows when its crash is due.

    Attributes:
        blown: It is dead: whatever still runs must not touch the world.

        burnt: Done as soon as it is.
    """

    def __init__(self, crash: Crash) -> None:
        self.crash = crash
        self.blown = False
        self.burnt: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._counts: dict[str, int] = {}

    def blow(self) -> None:
        """Die now."""
        self.blown = True
        if not self.burnt.done():
            self.burnt.set_result(None)

    def burn(self, kind: CrashKind) -> None:
        """
        Count one more of *kind*.

        Raises:
            Crashed: It is dead, since now or before.
        """
        if not self.blown:
            self._counts[kind] = count = self._counts.get(kind, 0) + 1
            if kind == self.crash.kind and count >= self.crash.at:
                self.blow()
        if self.blown:
            raise Crashed


class MortalJournal(SqliteJournal):
    """
    The real journal of a process that can die on either side of a commit.

    What dies before it is taken back by SQLite, what dies after it is durable.
    """

    fuse: Fuse

    def write(self, entries: Sequence[Entry]) -> None:
        """Commit, unless death comes first."""
        self.fuse.burn("commit")
        super().write(entries)
        self.fuse.burn("commit")

    def project(self, projection: Projection) -> None:
        """Commit, unless death comes first: the results file is then ahead of the journal."""
        self.fuse.burn("commit")
        super().project(projection)
        self.fuse.burn("commit")


def mortal(path: Path, fuse: Fuse) -> MortalJournal:
    """Open the journal at *path* for a process that dies when *fuse* blows."""
    journal = MortalJournal.open(path)
    assert isinstance(journal, MortalJournal)
    journal.fuse = fuse
    return journal


TaskFactory: TypeAlias = Callable[..., "asyncio.Task[Any]"]


def stepping(fuse: Fuse) -> TaskFactory:
    """Return a task factory whose tasks burn *fuse* at every await they come back from."""

    def make(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        return asyncio.Task(_stepped(coro, fuse), loop=loop, **options)

    return make


async def _stepped(coro: Coroutine[Any, Any, Any], fuse: Fuse) -> Any:
    return await _steps(coro, fuse)


@types.coroutine
def _steps(coro: Coroutine[Any, Any, Any], fuse: Fuse) -> Generator[Any, Any, Any]:
    """
    Drive *coro* by hand; kill it where the fuse blows.

    One that has not begun yet still comes to its first await, where it can do no harm.
    """
    thrown: BaseException | None = None
    begun = False
    while True:
        try:
            fuse.burn("step")
        except Crashed as death:
            thrown = (thrown or death) if begun else None
        begun = True
        try:
            waiting_for = coro.send(None) if thrown is None else coro.throw(thrown)
        except StopIteration as end:
            return end.value
        thrown = None
        try:
            yield waiting_for
        except BaseException as error:  # noqa: BLE001 - it is handed on to the coroutine it is meant for
            thrown = error
