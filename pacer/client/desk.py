"""
Who waits for which request: from the runner's word, and the journal's, to the callers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pacer.client.outcomes import CaptureResult
from pacer.client.party import Admission, Ended, Failure, News, Party
from pacer.journal.entries import CaptureEnded, Rejected
from pacer.journal.views import Standing
from pacer.runner import Observer
from pacer.wire.replies import StatusOutcome


@dataclass(slots=True, eq=False)
class Watch:
    """
    One party's view of one request.

    Attributes:
        late: News since it joined, held back until the journal has told what was before.
    """

    party: Party
    late: list[News] | None = None

    def tell(self, index: int, news: News) -> None:
        """Pass *news* on, or keep it until :meth:`catch_up`."""
        if self.late is None:
            self.party.hear(index, news)
        else:
            self.late.append(news)

    def catch_up(self, standing: Standing, rows: Sequence[CaptureResult]) -> None:
        """Tell what the journal had, then what has come since and is not in there."""
        index = standing.record.index
        late, self.late = self.late or [], None
        tell_all(self.party, standing, rows)
        known = {row.child for row in rows}
        for news in late:
            match news:
                case CaptureResult() if news.child in known:
                    pass
                case Ended() if standing.state == "done":
                    pass
                case _:
                    self.party.hear(index, news)


@dataclass(slots=True)
class Fate:
    """An outstanding request that somebody waits for."""

    request: str
    watches: list[Watch] = field(default_factory=list)


class Desk(Observer):
    """
    Passes each request's fate on to those who wait for it, and forgets it when it has ended.

    Attributes:
        failure: Why the batch has ended, once it has.
    """

    def __init__(self) -> None:
        self._fates: dict[int, Fate] = {}
        self._snapshots: list[asyncio.Future[StatusOutcome]] = []
        self.failure: Failure | None = None

    def watch(
        self, party: Party, index: int, request: str, fan_out: int, *, late: bool = False
    ) -> Watch | None:
        """Let *party* wait for a request; None if it does so already. *late*: it went on before."""
        if not party.join(index, request, fan_out):
            return None
        watch = Watch(party, [] if late else None)
        self._fates.setdefault(index, Fate(request)).watches.append(watch)
        return watch

    def is_awaited(self, index: int) -> bool:
        """Return whether anybody waits for a request."""
        return index in self._fates

    def leave(self, party: Party, indexes: Iterable[int]) -> list[int]:
        """End *party*'s waiting for these requests; return those that nobody waits for now."""
        orphans = []
        for index in indexes:
            fate = self._fates.get(index)
            if fate is not None:
                fate.watches = [watch for watch in fate.watches if watch.party is not party]
                if not fate.watches:
                    del self._fates[index]
                    orphans.append(index)
        return orphans

    def next_snapshot(self) -> asyncio.Future[StatusOutcome]:
        """Return a future of what the next status read brings."""
        future: asyncio.Future[StatusOutcome] = asyncio.get_running_loop().create_future()
        self._snapshots.append(future)
        return future

    def fail(self, failure: Failure) -> None:
        """Tell all who wait that nothing more will come."""
        self.failure = failure
        fates, self._fates = self._fates, {}
        for party in {id(w.party): w.party for fate in fates.values() for w in fate.watches}.values():
            party.fail(failure)
        for future in self._waiting_for_snapshot():
            future.set_exception(failure())
            future.exception()  # its caller may have gone

    # The runner's word ------------------------------------------------------------------------

    def accepted(self, index: int, job: str, children: tuple[str, ...]) -> None:
        """The service has the request."""
        self._tell(index, Admission(job, children))

    def captured(self, request: str, job: str, entry: CaptureEnded) -> None:
        """A capture has ended."""
        if entry.index in self._fates:
            self._tell(entry.index, CaptureResult.of_capture(request, job, entry))

    def ended(self, index: int) -> None:
        """All captures of a request have."""
        self._tell(index, Ended())
        self._fates.pop(index, None)

    def rejected(self, index: int, entry: Rejected) -> None:
        """A request ended without any."""
        fate = self._fates.get(index)
        if fate is not None:
            self._tell(index, CaptureResult.of_rejection(fate.request, entry))
            self._fates.pop(index, None)

    def status_read(self, outcome: StatusOutcome) -> None:
        """A status read came back."""
        for future in self._waiting_for_snapshot():
            future.set_result(outcome)

    def _waiting_for_snapshot(self) -> list[asyncio.Future[StatusOutcome]]:
        futures, self._snapshots = self._snapshots, []
        return [future for future in futures if not future.done()]

    def _tell(self, index: int, news: News) -> None:
        fate = self._fates.get(index)
        if fate is not None:
            for watch in fate.watches:
                watch.tell(index, news)


def tell_all(party: Party, standing: Standing, rows: Sequence[CaptureResult]) -> None:
    """Tell *party* all that the journal has of a request."""
    index = standing.record.index
    if standing.job is not None:
        party.hear(index, Admission(standing.job, standing.children))
    for row in rows:
        party.hear(index, row)
    if standing.state == "done":
        party.hear(index, Ended())
