"""What a journal finds by name: requests by id or key, rows by request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacer.journal.memory import MemoryJournal
from pacer.journal.protocol import Appended, Journal, Rejected, Sent, Standing
from pacer.journal.sqlite import SqliteJournal
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
    pages, after = [], -1
    while page := journal.rows_by_request(after=after, limit=2):
        pages.append(page)
        after = page[-1].index

    assert [len({row.index for row in page}) for page in pages] == [2, 2, 1]
    assert [row.child for page in pages for row in page] == children
    everything = journal.rows(after=0, limit=100)
    assert sorted((row for page in pages for row in page), key=lambda row: row.seq) == everything
    assert journal.rows_by_request(after=-1, limit=100) == [row for page in pages for row in page]


def test_a_thousand_names_are_looked_up_at_once(journal: Journal) -> None:
    """However many names are given, and however they are spelled."""
    names = [f"no-{n}" for n in range(5_000)] + ['"', "'", "\\", "id-3", "ä"]
    assert [standing.record.index for standing in journal.find(names, names)] == [3]
