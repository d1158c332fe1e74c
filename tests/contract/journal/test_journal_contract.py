"""What every journal promises, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacer.errors import JournalError
from pacer.journal.entries import (
    Accepted,
    Appended,
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
from pacer.journal.records import Duplicate, Record
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.views import Counts, OutstandingJob, PendingRequest, Projection, ResultRow
from tests.contract.journal.builders import BATCH, admitted, ended, everything, record, take_in


class Shelf:
    """
    A journal, and a way to put it down and take it up again.
    """

    def __init__(self, take_up: Callable[[], Journal]) -> None:
        self._take_up = take_up
        self.journal = take_up()

    def reopen(self) -> Journal:
        """Close the journal and open it again."""
        self.journal.close()
        self.journal = self._take_up()
        return self.journal


@pytest.fixture(params=["memory", "sqlite"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """An empty journal of either kind."""
    if request.param == "memory":
        memory = MemoryJournal()
        yield Shelf(lambda: memory)
        return
    shelf = Shelf(lambda: SqliteJournal.open(tmp_path / "batch.pacer.db", create=True))
    yield shelf
    shelf.journal.close()


@pytest.fixture
def journal(shelf: Shelf) -> Journal:
    """An empty journal."""
    return shelf.journal


# Intake ---------------------------------------------------------------------


def test_a_batch_exists_from_its_commit_on(shelf: Shelf) -> None:
    """Batch and records come back as they went in, also after the journal was closed and opened."""
    assert shelf.journal.batch() is None
    take_in(shelf.journal, record(0, fan_out=4), record(1))

    assert shelf.reopen().batch() == BATCH
    assert shelf.journal.pending(after=-1, limit=9) == [
        PendingRequest(0, "id-0", "key-0", b'{"query":"0"}', 4, ("chatgpt", "gemini"), None, None),
        PendingRequest(1, "id-1", "key-1", b'{"query":"1"}', 1, ("chatgpt", "gemini"), None, None),
    ]


def test_an_intake_that_is_not_committed_never_was(journal: Journal) -> None:
    """Leaving the intake without a commit, by an error or not, takes all records back."""
    with journal.intake() as writer:
        writer.add([record(0)])
    with pytest.raises(RuntimeError, match="refused"), journal.intake() as writer:  # noqa: PT012
        writer.add([record(0)])
        raise RuntimeError("refused")

    assert journal.batch() is None
    assert journal.pending(after=-1, limit=9) == []
    take_in(journal, record(0))


def test_a_journal_takes_in_one_batch(journal: Journal) -> None:
    """A second intake is refused before it begins."""
    take_in(journal, record(0))
    with pytest.raises(JournalError, match="holds a batch already"), journal.intake():
        pytest.fail("must not get here")


def test_duplicates_are_named_and_not_taken(journal: Journal) -> None:
    """A repeated id or key comes back with the line of its first holder, of this chunk or an earlier one."""
    again = record(3, id="id-0", line=40)
    same_key = record(4, key="key-2", line=50)
    both = record(5, id="id-0", key="key-2", line=60)
    with journal.intake() as writer:
        assert writer.add([record(0, line=7)]) == []
        assert writer.add([record(2, line=9), again, same_key, both, record(6)]) == [
            Duplicate(again, "id", 7),
            Duplicate(same_key, "idempotencyKey", 9),
            Duplicate(both, "id", 7),
        ]
        writer.commit(BATCH)

    assert [request.index for request in journal.pending(after=-1, limit=9)] == [0, 2, 6]
    assert journal.counts().requests == 3


def test_an_index_names_one_record(journal: Journal) -> None:
    """Two records under one number are a caller's mistake."""
    with pytest.raises(ValueError, match="request 0 already"), journal.intake() as writer:
        writer.add([record(0), record(0, id="other", key="other")])


def test_a_request_can_join_a_batch_that_exists(shelf: Shelf) -> None:
    """An appended request is pending like any other, and counted."""
    take_in(shelf.journal, record(0))
    shelf.journal.write([Appended(record(1, fan_out=3)), Sent(1, 5.0)])

    assert [request.index for request in shelf.reopen().in_doubt(after=-1, limit=9)] == [1]
    assert shelf.journal.counts().captures == 4


@pytest.mark.parametrize(
    "repeated",
    [record(9, id="id-0"), record(9, key="key-0"), record(0, id="new", key="new")],
    ids=["id", "key", "index"],
)
def test_a_request_cannot_join_twice(journal: Journal, repeated: Record) -> None:
    """Index, id and key are unique among appended requests too, and a refusal leaves them free."""
    take_in(journal, record(0))
    before = everything(journal)
    with pytest.raises(ValueError, match=r"repeats the|already"):
        journal.write([Appended(record(5)), Appended(repeated)])

    assert everything(journal) == before
    journal.write([Appended(record(5))])


def test_nothing_joins_a_batch_that_does_not_exist(journal: Journal) -> None:
    """Appending is for a batch that has been taken in."""
    with pytest.raises(ValueError, match="no batch"):
        journal.write([Appended(record(0))])


# Transitions ----------------------------------------------------------------


def test_a_request_goes_all_the_way(shelf: Shelf) -> None:
    """pending, sent, accepted, done: each step is seen where it belongs, and survives."""
    take_in(shelf.journal, record(0, fan_out=2))

    shelf.journal.write([Sent(0, 10.0)])
    doubt = shelf.reopen().in_doubt(after=-1, limit=9)
    assert [(request.sent_at, request.first_sent_at) for request in doubt] == [(10.0, 10.0)]

    shelf.journal.write([Accepted(0, 20.0, "job-0", ("a", "b")), ended(0, "a")])
    assert shelf.reopen().outstanding(after=-1, limit=9) == [
        OutstandingJob(0, "id-0", "job-0", 20.0, 2, ("chatgpt", "gemini"), ("a", "b"), frozenset("a"))
    ]

    shelf.journal.write([ended(0, "b", status="failed", envelope=None, error={"code": "X", "message": "y"})])
    assert shelf.reopen().outstanding(after=-1, limit=9) == []
    assert shelf.journal.rows(after=0, limit=9) == [
        ResultRow(1, "id-0", 0, "job-0", "a", "chatgpt", "US", "completed", {"job": {"id": "a"}}, None),
        ResultRow(2, "id-0", 0, "job-0", "b", "chatgpt", "US", "failed", None, {"code": "X", "message": "y"}),
    ]
    assert shelf.journal.counts() == counts(done=1, captures=2, ended={"completed": 1, "failed": 1})


def test_a_rejected_request_is_one_line(journal: Journal) -> None:
    """A rejection ends a request without a capture; so does an outcome that nobody will ever know."""
    take_in(journal, record(0, fan_out=4), record(1))
    error = {"code": "VALIDATION_FAILED", "message": "no", "details": [{"path": "query"}]}
    journal.write([Sent(0, 1.0), Sent(1, 1.0), Rejected(0, 2.0, error), Rejected(1, 3.0, {}, "unknown")])

    assert journal.rows(after=0, limit=9) == [
        ResultRow(1, "id-0", 0, None, None, None, None, "rejected", None, error),
        ResultRow(2, "id-1", 1, None, None, None, None, "unknown", None, {}),
    ]
    assert journal.counts() == counts(rejected=2, captures=0)


def test_what_was_refused_for_now_is_pending_again(journal: Journal) -> None:
    """A returned request is as if it had never been sent."""
    take_in(journal, record(0))
    untouched = journal.pending(after=-1, limit=9)
    journal.write([Sent(0, 1.0), Returned(0)])

    assert journal.pending(after=-1, limit=9) == untouched


def test_a_doubt_outlives_a_later_refusal(journal: Journal) -> None:
    """A 429 to the second send says nothing about the first, which stays in doubt since it was sent."""
    take_in(journal, record(0))
    journal.write([Sent(0, 1.0), Sent(0, 50.0)])
    assert [(r.sent_at, r.first_sent_at) for r in journal.in_doubt(after=-1, limit=9)] == [(50.0, 1.0)]

    journal.write([Returned(0)])
    assert [(r.sent_at, r.first_sent_at) for r in journal.pending(after=-1, limit=9)] == [(None, 1.0)]


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        ([], Returned(0)),
        ([], Accepted(0, 1.0, "job-0", ("a",))),
        ([], Rejected(0, 1.0, {})),
        ([], ended(0, "a")),
        ([], Closed(0, 1.0)),
        ([Sent(0, 1.0)], ended(0, "a")),
        ([Sent(0, 1.0), Rejected(0, 1.0, {})], Sent(0, 1.0)),
        ([Sent(0, 1.0), Rejected(0, 1.0, {})], Rejected(0, 1.0, {})),
        ([Sent(0, 1.0), Rejected(0, 1.0, {})], Accepted(0, 1.0, "job-0", ())),
        (admitted(0, "a", "b"), Sent(0, 1.0)),
        (admitted(0, "a", "b"), Returned(0)),
        (admitted(0, "a", "b"), Rejected(0, 1.0, {})),
        (admitted(0, "a", "b"), Accepted(0, 1.0, "job-9", ("a", "b"))),
        (admitted(0, "a", "b"), ended(0, "c")),
        ([*admitted(0, "a", "b"), ended(0, "a")], Closed(0, 1.0)),
        (admitted(0), Closed(0, 1.0)),
        ([*admitted(0), ended(0, "a")], Accepted(0, 1.0, "job-0", ("b",))),
        ([*admitted(0, "a"), ended(0, "a")], ended(0, "c")),
        ([*admitted(0, "a"), ended(0, "a")], Closed(0, 1.0)),
        ([*admitted(0, "a"), ended(0, "a")], Accepted(0, 1.0, "job-9", ("a",))),
        ([], Sent(7, 1.0)),
        ([], ended(7, "a")),
        (admitted(0, "a"), ended(0, "a", status="\ud800")),
    ],
)
def test_a_refused_transition_raises_and_changes_nothing(
    journal: Journal, before: list[Entry], refused: Entry
) -> None:
    """What the table does not have raises ValueError, and takes the entries written with it back."""
    take_in(journal, record(0), record(1))
    journal.write(before)
    standing = everything(journal)

    with pytest.raises(ValueError, match=r"."):
        journal.write(
            [Sent(1, 1.0), Noted(1.0, "wave"), GateMoved("rate", 5.0), refused, Learnt("unit", "both")]
        )

    assert everything(journal) == standing


@pytest.mark.parametrize(
    "repeated",
    [
        Accepted(0, 99.0, "job-0", ("a", "b"), replayed=True),
        Accepted(0, 99.0, "job-0", ("something", "else")),
        Accepted(0, 99.0, "job-0", ()),
        ended(0, "a", status="failed", envelope=None),
    ],
)
def test_what_is_known_already_changes_nothing(journal: Journal, repeated: Entry) -> None:
    """A reply that comes twice is no error, while the request is accepted and when it is done."""
    take_in(journal, record(0))
    journal.write([*admitted(0, "a", "b"), ended(0, "a")])
    standing = everything(journal)
    journal.write([repeated])
    assert everything(journal) == standing

    journal.write([ended(0, "b")])
    standing = everything(journal)
    journal.write([repeated, repeated])
    assert everything(journal) == standing


def test_children_may_become_known_later(journal: Journal) -> None:
    """Captures that ended before the list was known count towards it."""
    take_in(journal, record(0, fan_out=4), record(1, fan_out=4))
    journal.write([*admitted(0), *admitted(1), ended(0, "a"), ended(1, "a")])
    assert journal.counts() == counts(accepted=2, captures=8, ended={"completed": 2})

    journal.write([Accepted(0, 99.0, "job-0", ("a", "b")), Accepted(1, 99.0, "job-1", ("a",))])
    (job,) = journal.outstanding(after=-1, limit=9)
    assert (job.index, job.children, job.ended, job.accepted_at) == (0, ("a", "b"), frozenset("a"), 20.0)
    assert journal.counts() == counts(accepted=1, done=1, captures=3, ended={"completed": 2})

    journal.write([ended(0, "b")])
    assert journal.counts().done == 2


def test_replies_that_come_together_count_one_by_one(journal: Journal) -> None:
    """Acceptances written at once are what they would be one after the other, repeats among them included."""
    singly = MemoryJournal()
    together = [
        Accepted(0, 2.0, "job-0", ()),
        Accepted(1, 2.5, "job-1", ("x",)),
        Accepted(0, 3.0, "job-0", ("a", "b")),
        Accepted(1, 3.5, "job-1", ("other",)),
    ]
    for each in (journal, singly):
        take_in(each, record(0), record(1))
        each.write([Sent(0, 1.0), Sent(1, 1.0)])
    journal.write(together)
    for entry in together:
        singly.write([entry])
    assert everything(journal) == everything(singly)


def test_a_request_whose_children_stay_unknown_can_be_closed(journal: Journal) -> None:
    """Closing ends it with the lines it has."""
    take_in(journal, record(0, fan_out=4))
    journal.write([*admitted(0), ended(0, "job-0", status="unknown", envelope=None), Closed(0, 99.0)])

    assert journal.counts() == counts(done=1, captures=1, ended={"unknown": 1})


def test_a_child_listed_twice_is_one_child(journal: Journal) -> None:
    """A repeated child id cannot keep a request from being done."""
    take_in(journal, record(0, fan_out=2))
    journal.write([*admitted(0, "a", "a"), ended(0, "a")])

    assert journal.counts() == counts(done=1, captures=1, ended={"completed": 1})


def test_a_batch_with_nothing_in_it_is_done(journal: Journal) -> None:
    """An empty batch counts nothing."""
    take_in(journal)
    assert journal.counts() == counts()


# Reading --------------------------------------------------------------------


def test_pages_follow_each_other(journal: Journal) -> None:
    """Reading on from the last index or seq of a page sees each thing once, in order."""
    take_in(journal, *(record(index) for index in range(30)))
    for index in range(10):
        journal.write([*admitted(index, "a"), ended(index, "a")])
    journal.write([entry for index in range(10, 20) for entry in admitted(index, "a")])

    def pages(read: Callable[..., list[PendingRequest] | list[OutstandingJob]]) -> list[int]:
        seen: list[int] = []
        while page := read(after=seen[-1] if seen else -1, limit=4):
            assert len(page) <= 4
            seen += [item.index for item in page]
        return seen

    assert pages(journal.pending) == list(range(20, 30))
    assert pages(journal.outstanding) == list(range(10, 20))
    assert pages(journal.in_doubt) == []
    assert [row.seq for row in journal.rows(after=3, limit=4)] == [4, 5, 6, 7]
    assert [row.index for row in journal.rows(after=9, limit=4)] == [9]


def test_requests_are_found_by_id_and_by_key(journal: Journal) -> None:
    """Each request that has one of the names is found once, with where it stands and all its lines."""
    names = ("plain", "nul\x00a", "nul\x00b", "é", "'")
    take_in(journal, *(record(index, id=name, key=f"k{name}") for index, name in enumerate(names)))
    journal.write([*admitted(1, "a", "b"), ended(1, "b"), *admitted(4, "a"), ended(4, "a"), ended(1, "a")])

    found = journal.find(["'", "nul\x00a", "nul\x00a", "nobody", "nul"], ["k'", "ké", ""])
    assert [
        (standing.record.index, standing.state, standing.job, standing.children) for standing in found
    ] == [
        (1, "done", "job-1", ("a", "b")),
        (3, "pending", None, ()),
        (4, "done", "job-4", ("a",)),
    ]
    assert found[0].record == record(1, id=names[1], key=f"k{names[1]}")
    lines = [(row.seq, row.index, row.child) for row in journal.rows_of([4, 1, 3])]
    assert lines == [(1, 1, "b"), (2, 4, "a"), (3, 1, "a")]
    assert journal.find([], []) == []
    assert journal.rows_of([]) == []


def test_gates_and_lessons_are_replaced_and_notes_are_kept(shelf: Shelf) -> None:
    """The last word counts for a gate and a lesson; every note stays, in order."""
    take_in(shelf.journal, record(0))
    notes = [Noted(float(n), "wave", {"size": n, "why": None}) for n in range(2500)]
    shelf.journal.write(
        [
            GateMoved("rate", 100.5),
            Learnt("unit", "parents"),
            Learnt("window", {"limit": 60, "resets_at": 1.5}),
            *notes,
            GateMoved("queue", 50.0),
            GateMoved("rate", 90.25),
            Learnt("unit", "both"),
        ]
    )

    journal = shelf.reopen()
    assert journal.gates() == {"rate": 90.25, "queue": 50.0}
    assert journal.learnt() == {"unit": "both", "window": {"limit": 60, "resets_at": 1.5}}
    assert list(journal.notes()) == notes


def test_notes_can_be_read_while_more_are_written(journal: Journal) -> None:
    """Reading notes holds nothing up."""
    journal.write([Noted(float(n), "wait") for n in range(1500)])
    reading = journal.notes()
    next(reading)
    journal.write([Noted(9999.0, "wait"), Learnt("unit", "both")])

    assert 1499 <= len(list(reading)) <= 1500


def test_each_results_file_has_its_own_record(shelf: Shelf) -> None:
    """The last record of a path is the one that counts."""
    take_in(shelf.journal, record(0))
    assert shelf.journal.projections() == {}
    first, other = Projection(path="/a"), Projection(path="-", seq=7, offset=70, crc=2**32 - 1)
    last = Projection(path="/a", seq=3, offset=2**40, crc=5)
    for projection in (first, other, last):
        shelf.journal.project(projection)

    assert shelf.reopen().projections() == {"/a": last, "-": other}


def test_what_a_caller_changes_later_is_not_what_was_written(journal: Journal) -> None:
    """The journal keeps a copy, and hands out copies."""
    take_in(journal, record(0))
    envelope = {"answer": {"blocks": [1]}}
    journal.write([*admitted(0, "a"), ended(0, "a", envelope=envelope)])
    envelope["answer"]["blocks"].append(2)
    journal.rows(after=0, limit=1)[0].envelope["answer"].clear()  # type: ignore[index]  # it is a dict

    assert journal.rows(after=0, limit=1)[0].envelope == {"answer": {"blocks": [1]}}


def test_closing_twice_is_closing(shelf: Shelf) -> None:
    """A second close does nothing."""
    take_in(shelf.journal, record(0))
    shelf.journal.close()
    shelf.journal.close()
    assert shelf.reopen().batch() == BATCH


def counts(*, captures: int = 0, ended: dict[str, int] | None = None, **states: int) -> Counts:
    """Return counts in which what is not named is 0."""
    five = dict.fromkeys(("pending", "sent", "accepted", "done", "rejected"), 0) | states
    return Counts(requests=sum(five.values()), captures=captures, ended=ended or {}, **five)
