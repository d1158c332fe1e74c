"""Two journals, one history: whatever is written, they agree, and their sums are right."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pacer.journal.entries import (
    Accepted,
    Appended,
    CaptureEnded,
    Closed,
    Entry,
    GateMoved,
    Learnt,
    Noted,
    Rejected,
    Returned,
    Sent,
)
from pacer.journal.memory import MemoryJournal
from pacer.journal.protocol import Journal
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.views import Projection
from tests.contract.journal.builders import everything, record, take_in

# Few names and moments, so that entries meet; among the names what a careless store would mangle.
indexes = st.sampled_from([0, 1, 3])
times = st.sampled_from([1.0, 2.5, 1e9])
jobs = st.sampled_from(["job-a", "job-a", "job-a", "job-b"])
children = st.sampled_from(["a", "a", "b", "b", "c\x00d", "c\x00e"])
lists = st.sampled_from([(), (), ("a",), ("a", "b"), ("b", "a", "b"), ("c\x00d", "c\x00e"), ("a", "\ud800")])
words = st.sampled_from(["completed", "failed", ""])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(st.characters()), inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(st.text(st.characters()), json_values, max_size=2)

sent = st.builds(Sent, indexes, times)
returned = st.builds(Returned, indexes)
accepted = st.builds(Accepted, indexes, times, jobs, lists, st.booleans())
rejected = st.builds(Rejected, indexes, times, objects, words)
captures = st.builds(
    CaptureEnded,
    indexes,
    children,
    times,
    st.none() | words,
    st.none() | words,
    words,
    st.none() | json_values,
    st.none() | objects,
)
closed = st.builds(Closed, indexes, times)
others = st.one_of(
    st.builds(GateMoved, words, times),
    st.builds(Learnt, words, json_values),
    st.builds(Noted, times, words, objects),
    st.builds(
        lambda index, name: Appended(record(index, id=f"id-{name}", key=f"key-{name}")),
        st.integers(2, 5),
        st.integers(0, 5),
    ),
)
mangled = st.one_of(
    st.builds(GateMoved, st.just("\ud800"), times),
    st.builds(Accepted, indexes, times, st.just("\ud800"), lists),
    st.builds(
        CaptureEnded, indexes, children, times, st.just("\udfff"), st.none(), words, st.none(), st.none()
    ),
    st.builds(
        CaptureEnded, indexes, st.just("\ud800"), times, st.none(), st.none(), words, st.none(), st.none()
    ),
)


class AnyHistory(RuleBasedStateMachine):
    """
    Writes the same into a file and into memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self._path = Path(self._directory.name) / "batch.pacer.db"
        self._memory = MemoryJournal()
        self._file = SqliteJournal.open(self._path, create=True)
        for journal in (self._memory, self._file):
            take_in(journal, record(0), record(1, fan_out=2), record(3, fan_out=3))

    @rule(entry=sent | returned)
    def send(self, entry: Entry) -> None:
        """A request leaves, or comes back."""
        self._write(entry)

    @rule(send=sent, entry=accepted)
    def admit(self, send: Sent, entry: Accepted) -> None:
        """The way most requests go, so that later states are reached."""
        self._write(Sent(entry.index, send.at))
        self._write(entry)

    @rule(entry=accepted | closed | rejected)
    def answer(self, entry: Entry) -> None:
        """A reply comes, again perhaps."""
        self._write(entry)

    @rule(entry=captures)
    def end(self, entry: CaptureEnded) -> None:
        """A capture ends."""
        self._write(entry)

    @rule(first=captures, second=captures, entry=others | mangled)
    def write_several(self, first: Entry, second: Entry, entry: Entry) -> None:
        """Several entries at once: all or none."""
        self._write(first, entry, second)

    def _write(self, *entries: Entry) -> None:
        assert _takes(self._memory, entries) == _takes(self._file, entries)

    @rule(projection=st.builds(Projection, path=st.sampled_from(["-", "/a"]), seq=st.integers(0, 2**40)))
    def project(self, projection: Projection) -> None:
        """Record the results' progress."""
        self._memory.project(projection)
        self._file.project(projection)

    @rule()
    def reopen(self) -> None:
        """Take the file up again, as the next invocation does."""
        self._file.close()
        self._file = SqliteJournal.open(self._path)

    @invariant()
    def agree(self) -> None:
        """Whatever can be read is the same in both."""
        assert everything(self._memory) == everything(self._file)

    @invariant()
    def sums_are_right(self) -> None:
        """The running sums are what counting would give."""
        counts = self._file.counts()
        rows = self._file.rows(after=0, limit=10_000)
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        assert counts.ended == Counter(row.status for row in rows if row.child is not None)
        assert len({(row.index, row.child) for row in rows}) == len(rows)
        assert counts.pending == len(self._file.pending(after=-1, limit=99))
        assert counts.sent == len(self._file.in_doubt(after=-1, limit=99))
        assert counts.accepted == len(self._file.outstanding(after=-1, limit=99))
        assert counts.rejected == sum(row.child is None for row in rows)
        states = counts.pending + counts.sent + counts.accepted + counts.done + counts.rejected
        assert counts.requests == states

    def teardown(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._directory.cleanup()


def _takes(journal: Journal, written: Sequence[Entry]) -> bool:
    try:
        journal.write(written)
    except ValueError:
        return False
    return True


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
