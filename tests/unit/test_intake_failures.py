"""What a retry asks for: exactly the pairs that failed, under the record's own name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.intake import random_keys, take_in_failures, take_in_requests
from pacer.intake.failures import LeftOut, failed_pairs, rectangles, retries
from pacer.journal.entries import Accepted, CaptureEnded, Closed, Rejected, Sent
from pacer.journal.memory import MemoryJournal
from pacer.journal.records import Batch, Origin, Record
from pacer.journal.views import End, Fallen
from pacer.wire.requests import CaptureRequest

PAIRS = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 6)))


@given(PAIRS)
def test_rectangles_cover_exactly_what_failed(pairs: set[tuple[int, int]]) -> None:
    """Each pair once, and no other pair: nothing that was paid for is bought again."""
    covered = [(s, r) for surfaces, regions in rectangles(pairs) for s in surfaces for r in regions]
    assert sorted(covered) == sorted(pairs)


@given(PAIRS.filter(bool))
def test_rectangles_are_few(pairs: set[tuple[int, int]]) -> None:
    """Never more than there are surfaces, or regions; a whole product is one request."""
    found = len(rectangles(pairs))
    surfaces, regions = {s for s, _ in pairs}, {r for _, r in pairs}
    assert found <= min(len(surfaces), len(regions))
    assert (found == 1) is (len(pairs) == len(surfaces) * len(regions))


def asked(*regions: Any) -> CaptureRequest:
    """Return a request to two surfaces from *regions*."""
    return CaptureRequest(query="q", surfaces=["chatgpt", "gemini"], regions=list(regions))


def end(surface: str | None, region: str | None, status: str = "completed", code: str = "") -> End:
    """Return how a capture ended."""
    return End(f"{surface}.{region}", surface, region, status, code)


@pytest.mark.parametrize(
    ("ends", "pairs", "untold"),
    [
        ([end("chatgpt", "US"), end("gemini", "US", "failed"), end("chatgpt", "DE")], {(1, 0)}, 0),
        # One was given up, and names nothing: it is the only one that nothing is known of.
        (
            [end("chatgpt", "US"), end("gemini", "US"), end("chatgpt", "de"), end(None, None, "unknown")],
            {(1, 1)},
            0,
        ),
        # Two are missing, and one of them ended: nothing tells which.
        ([end("chatgpt", "US"), end("gemini", "US"), end(None, None, "unknown")], set(), 1),
        # Nothing at all came: all of it failed, whatever was listed.
        ([end(None, None, "unknown")], {(0, 0), (0, 1), (1, 0), (1, 1)}, 0),
        ([end("chatgpt", "US", "partial"), end("chatgpt", "US")], set(), 1),
    ],
)
def test_pairs_that_failed(ends: list[End], pairs: set[tuple[int, int]], untold: int) -> None:
    """A pair is asked for again only where it is certain that it brought nothing."""
    left_out = LeftOut()
    assert failed_pairs(asked("US", "DE"), ends, left_out) == pairs
    assert left_out.untold == untold


def test_two_cities_of_one_country() -> None:
    """They share a name in the results: both failed is both again, one failed is neither."""
    request = asked({"country": "DE", "city": "Berlin"}, {"country": "DE", "city": "Bonn"})
    left_out = LeftOut()
    fine = [end("gemini", "DE"), end("gemini", "DE")]
    both = [*fine, end("chatgpt", "DE", "failed"), end("chatgpt", "DE", "expired")]
    assert failed_pairs(request, both, left_out) == {(0, 0), (0, 1)}
    one = [*fine, end("chatgpt", "DE", "failed"), end("chatgpt", "DE")]
    assert failed_pairs(request, one, left_out) == set()
    assert left_out.untold == 1


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        ("rejected", "VALIDATION_FAILED", False),
        ("rejected", "TOO_LARGE", False),
        ("rejected", "IDEMPOTENCY_CONFLICT", True),
        ("unknown", "OUTCOME_UNKNOWN", True),
    ],
)
def test_requests_that_ended_as_a_whole(status: str, code: str, again: bool) -> None:
    """What was refused for what it is would be refused again; a new key mends a conflict."""
    left_out = LeftOut()
    ends = [End(None, None, None, status, code)]
    assert bool(failed_pairs(asked("US"), ends, left_out)) is again
    assert left_out.rejected.total() == (not again)


@given(
    st.lists(
        st.sampled_from(["completed", "failed", "partial", "canceled", "expired"]), min_size=6, max_size=6
    )
)
def test_whatever_fails_is_asked_for_and_nothing_else(statuses: list[str]) -> None:
    """The requests of a retry ask for the failed pairs of theirs, with the same query and fields."""
    request = CaptureRequest(query="q", surfaces=["a", "b"], regions=["US", "DE", "FR"], priority=3)  # type: ignore[list-item]
    pairs = [(surface, region.country) for surface in request.surfaces for region in request.regions]
    ends = tuple(end(*pair, status) for pair, status in zip(pairs, statuses, strict=True))
    record = Record(4, "r", "k", request.body("k"), 6, ("a", "b"), 9)
    made = retries(Fallen(record, ends), LeftOut())
    found = [(s, r.country) for each in made for s in each.surfaces for r in each.regions]
    wanted = [pair for pair, status in zip(pairs, statuses, strict=True) if status != "completed"]
    assert sorted(found) == sorted(wanted)
    assert all((each.query, each.priority) == ("q", 3) for each in made)


def ended_journal(
    requests: list[dict[str, Any]], ends: dict[int, list[tuple[str, str, str]]]
) -> MemoryJournal:
    """Return the journal of a batch whose captures ended like that."""
    journal = MemoryJournal()
    with journal.intake() as writer:
        take_in_requests(requests, writer, keys=random_keys("first"))
        writer.commit(Batch(token="first", source="", input_sha256="", base_url="", created_at=0.0))
    for index, captures in ends.items():
        children = tuple(f"{index}.{s}.{r}" for s, r, _ in captures)
        journal.write([Sent(index, 1.0), Accepted(index, 2.0, f"job{index}", children)])
        for child, (surface, region, status) in zip(children, captures, strict=True):
            journal.write([CaptureEnded(index, child, 3.0, surface, region, status, None, None)])
    return journal


def retried(journal: MemoryJournal, token: str) -> MemoryJournal:
    """Return the journal of its retry."""
    retry = MemoryJournal()
    with retry.intake() as writer:
        taken, _ = take_in_failures(journal, writer, keys=random_keys(token), source="")
        assert taken is not None
        writer.commit(Batch(token=token, source="", input_sha256="", base_url="", created_at=0.0))
    return retry


def test_results_keep_the_name_and_number_of_the_record_through_every_retry() -> None:
    """One record may become several requests, and those again: users see theirs, under keys of their own."""
    body = {"query": "q", "surfaces": ["a", "b"], "regions": ["US", "DE"], "idempotencyKey": "mine"}
    first = ended_journal(
        [
            {"query": "p", "surfaces": ["a"]},
            {"id": "x", **body},
            {"id": "x [1]", "query": "r", "surfaces": ["a"]},
        ],
        {
            0: [("a", "US", "completed")],
            1: [
                ("a", "US", "failed"),
                ("b", "DE", "failed"),
                ("b", "US", "completed"),
                ("a", "DE", "completed"),
            ],
            2: [("a", "US", "expired")],
        },
    )
    retry = retried(first, "second")
    pending = retry.pending(after=-1, limit=9)
    assert [request.id for request in pending] == ["x", "x", "x [1]"]
    assert len({request.key for request in pending}) == 3
    assert not {request.key for request in pending} & {"mine", "first-1", "first-2"}
    for index in range(3):
        retry.write([Sent(index, 1.0), Accepted(index, 2.0, f"j{index}", (f"c{index}",))])
        surface, region = [("a", "US"), ("b", "DE"), ("a", "US")][index]
        retry.write([CaptureEnded(index, f"c{index}", 3.0, surface, region, "failed", None, None)])
    assert [(row.request, row.index) for row in retry.rows(after=0, limit=9)] == [
        ("x", 1),
        ("x", 1),
        ("x [1]", 2),
    ]
    again = retried(retry, "third")
    assert [fallen.record.origin for fallen in retry.fallen(after=-1, limit=9)] == [
        Origin("x", 1),
        Origin("x", 1),
        Origin("x [1]", 2),
    ]
    assert [request.id for request in again.pending(after=-1, limit=9)] == ["x", "x", "x [1]"]


def test_nothing_failed() -> None:
    """There is nothing to take in; what would be refused again is counted."""
    journal = ended_journal([{"query": "p", "surfaces": ["a"]}] * 2, {0: [("a", "US", "completed")]})
    journal.write([Sent(1, 1.0), Rejected(1, 2.0, {"code": "VALIDATION_FAILED"})])
    with MemoryJournal().intake() as writer:
        taken, left_out = take_in_failures(journal, writer, keys=random_keys("t"), source="")
    assert taken is None
    assert left_out.rejected == {"VALIDATION_FAILED": 1}


def test_a_job_whose_children_never_became_known_is_asked_for_whole() -> None:
    """It has one line for all of its captures."""
    journal = MemoryJournal()
    with journal.intake() as writer:
        take_in_requests([{"query": "p", "surfaces": ["a", "b"]}], writer, keys=random_keys("t"))
        writer.commit(Batch(token="t", source="", input_sha256="", base_url="", created_at=0.0))
    journal.write(
        [
            Sent(0, 1.0),
            Accepted(0, 2.0, "job", ()),
            CaptureEnded(0, "job", 3.0, None, None, "unknown", None, {"code": "NO_RESULT"}),
            Closed(0, 3.0),
        ]
    )
    (request,) = retried(journal, "second").pending(after=-1, limit=9)
    assert request.fan_out == 2
