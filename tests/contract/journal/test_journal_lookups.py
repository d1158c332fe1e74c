"""What a journal finds by name: requests by id or key, rows by request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacer.journal.entries import Appended, Rejected, Sent
from pacer.journal.memory import MemoryJournal
from pacer.journal.protocol import Journal
from pacer.journal.records import Origin
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.views import Standing
from tests.contract.journal.builders import admitted, ended, record, take_in


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """A journal of either kind with six requests, one in each state, and one that joined later."""
    journal: Journal = MemoryJournal()
    if request.param == "sqlite":
        journal = SqliteJournal.open(tmp_path / "batch.pacer.db", create=True)
    take_in(journal, *(record(index) for index in range(5)))
    journal.write(
        [
            Sent(1, 10.0),
            *admitted(2, "2a", "2b"),
            ended(2, "2b"),
            *admitted(3, "3a"),
            ended(3, "3a", status="failed"),
            Sent(4, 10.0),
            Rejected(4, 11.0, {"code": "VALIDATION_FAILED"}),
            Appended(record(9)),
        ]
    )
    yield journal
    journal.close()


def test_a_request_is_found_by_id_or_by_key_with_where_it_stands(journal: Journal) -> None:
    """Each once, by index, whichever of its names was given; what is not there is left out."""
    found = journal.find(["id-9", "id-1", "id-2", "nobody"], ["key-3", "key-2", "key-0", "none", "key-4"])
    assert found == [
        Standing(record(0), "pending", None, ()),
        Standing(record(1), "sent", None, ()),
        Standing(record(2), "accepted", "job-2", ("2a", "2b")),
        Standing(record(3), "done", "job-3", ("3a",)),
        Standing(record(4), "rejected", None, ()),
        Standing(record(9), "pending", None, ()),
    ]


def test_an_id_is_no_key_and_a_key_no_id(journal: Journal) -> None:
    """The two kinds of names are kept apart."""
    assert journal.find(["key-0"], ["id-0"]) == []
    assert journal.find([], []) == []


def test_rows_are_found_by_request(journal: Journal) -> None:
    """All rows of those requests, in the order in which they came, the same as among all rows."""
    everything = journal.rows(after=0, limit=100)
    assert [(row.index, row.child, row.status) for row in journal.rows_of([4, 2, 0, 2])] == [
        (2, "2b", "completed"),
        (4, None, "rejected"),
    ]
    assert journal.rows_of([2, 3, 4]) == everything
    assert journal.rows_of([]) == []


def test_rows_by_request_are_in_the_order_of_the_input(journal: Journal) -> None:
    """By index, then as the children were listed; whole requests at a time, those without rows left out."""
    journal.write(
        [
            *admitted(9, "9c", "9a", "9b"),
            ended(9, "9b"),
            ended(9, "9c"),
            *admitted(0),
            ended(0, "y"),
            ended(0, "x"),
            ended(2, "2a"),
            ended(9, "9a"),
        ]
    )
    children = ["y", "x", "2a", "2b", "3a", None, "9c", "9a", "9b"]
    pages, (page, after) = [], journal.rows_by_request(after=-1, limit=2)
    while page:
        pages.append(page)
        page, after = journal.rows_by_request(after=after, limit=2)

    assert [len({row.index for row in page}) for page in pages] == [2, 2, 1]
    assert [row.child for page in pages for row in page] == children
    everything = journal.rows(after=0, limit=100)
    assert sorted((row for page in pages for row in page), key=lambda row: row.seq) == everything
    assert journal.rows_by_request(after=-1, limit=100) == ([row for page in pages for row in page], 9)
    assert journal.rows_by_request(after=9, limit=100) == ([], 9)


def test_a_thousand_names_are_looked_up_at_once(journal: Journal) -> None:
    """However many names are given, and however they are spelled."""
    names = [f"no-{n}" for n in range(5_000)] + ['"', "'", "\\", "id-3", "ä"]
    assert [standing.record.index for standing in journal.find(names, names)] == [3]


def test_what_was_bought_is_all_that_was_sent_and_not_rejected(journal: Journal) -> None:
    """Pending costs nothing and so does a refusal; what is in doubt or ended unknown may have been bought."""
    assert sum(part.captures for part in journal.bought()) == 3
    journal.write([Rejected(1, 12.0, {"code": "OUTCOME_UNKNOWN"}, "unknown"), Sent(0, 12.0)])
    assert [(part.surfaces, part.captures) for part in journal.bought()] == [(("chatgpt", "gemini"), 4)]


def test_the_fallen_are_found_with_how_all_their_captures_ended(journal: Journal) -> None:
    """Requests with any result but completed, in order and by the page; no Envelope is read for it."""
    journal.write([ended(2, "2a", status="expired", error={"code": "AGED"})])
    found = journal.fallen(after=-1, limit=9)
    assert [fallen.record for fallen in found] == [record(2), record(3), record(4)]
    assert [[(e.child, e.status, e.code) for e in fallen.ends] for fallen in found] == [
        [("2b", "completed", ""), ("2a", "expired", "AGED")],
        [("3a", "failed", "")],
        [(None, "rejected", "VALIDATION_FAILED")],
    ]
    assert [fallen.record.index for fallen in journal.fallen(after=2, limit=1)] == [3]


def test_users_see_the_origin_of_a_request(journal: Journal) -> None:
    """Its name and number stand in all that is read back for people; ids stay unique beneath."""
    journal.write(
        [Appended(record(10, origin=Origin("mine", 7))), Appended(record(11, origin=Origin("mine", 7)))]
    )
    assert [request.id for request in journal.pending(after=9, limit=9)] == ["mine", "mine"]
    journal.write([Sent(11, 20.0)])
    assert [request.id for request in journal.in_doubt(after=9, limit=9)] == ["mine"]
    journal.write([*admitted(11, "11a", "11b")[1:], ended(11, "11a", status="failed")])
    assert [job.id for job in journal.outstanding(after=9, limit=9)] == ["mine"]
    (row,) = journal.rows_of([11])
    assert (row.request, row.index, row.child) == ("mine", 7, "11a")
    assert row in journal.rows(after=0, limit=100)
    assert journal.rows_by_request(after=9, limit=1) == ([row], 11)
    (fallen,) = journal.fallen(after=9, limit=9)
    assert fallen.record == record(11, origin=Origin("mine", 7))
