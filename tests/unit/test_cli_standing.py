"""
What a command does with the batch that it finds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pacer.cli.standing import Step, Wish, has_ended, next_step
from pacer.errors import UsageError
from pacer.journal.records import Batch
from pacer.journal.views import Counts

URL = "https://api.example.org"
JOURNAL = Path("b.pacer.db")
BATCH = Batch(token="t", source="b.jsonl", input_sha256="abc", base_url=URL, created_at=0.0, name="monday")


def counts(*, pending: int = 0, sent: int = 0, accepted: int = 0, done: int = 0) -> Counts:
    """Return counts of a batch without rejected requests."""
    total = pending + sent + accepted + done
    return Counts(
        requests=total,
        pending=pending,
        sent=sent,
        accepted=accepted,
        done=done,
        rejected=0,
        captures=total,
        ended={},
    )


ENDED = counts(done=3)
UNFINISHED = counts(pending=1, sent=1, done=1)


def step(found: Counts, wish: Wish, sha256: str | None = "abc") -> Step:
    """Return the next step for the batch."""
    return next_step(BATCH, found, wish, JOURNAL, lambda: sha256)


@pytest.mark.parametrize(
    ("found", "wish", "expected"),
    [
        (UNFINISHED, Wish(base_url=URL), Step.RESUME),
        (ENDED, Wish(base_url=URL), Step.REPORT),
        (UNFINISHED, Wish(base_url=URL, repeat=True), Step.RESUME),
        (ENDED, Wish(base_url=URL, repeat=True), Step.ANEW),
        (UNFINISHED, Wish(base_url=URL, abandon=True), Step.ANEW),
        (ENDED, Wish(base_url=URL, abandon=True), Step.REPORT),
        (counts(accepted=3), Wish(base_url=URL), Step.RESUME),
        (counts(accepted=3), Wish(base_url=URL, collect=False), Step.REPORT),
        (counts(sent=1, done=2), Wish(base_url=URL, collect=False), Step.RESUME),
    ],
)
def test_next_step(found: Counts, wish: Wish, expected: Step) -> None:
    """Unfinished is resumed, ended is reported; --repeat and --abandon start anew where they apply."""
    assert step(found, wish) is expected


@pytest.mark.parametrize("found", [ENDED, UNFINISHED])
@pytest.mark.parametrize(
    ("wish", "sha256"),
    [
        (Wish(base_url="https://elsewhere.example.org"), "abc"),
        (Wish(base_url=URL), "another"),
        (Wish(base_url=URL, name="tuesday"), "abc"),
    ],
)
def test_another_batch_is_refused(found: Counts, wish: Wish, sha256: str) -> None:
    """Another address, input or name than the journal's is refused, and the text names a way out."""
    with pytest.raises(UsageError, match=r"--repeat|--abandon"):
        step(found, wish, sha256)


def test_an_empty_standard_input_goes_with_any_batch() -> None:
    """Where standard input was empty there is nothing that could differ."""
    assert step(UNFINISHED, Wish(base_url=URL), None) is Step.RESUME


def test_the_input_is_not_read_for_a_new_batch() -> None:
    """Standard input can be read once only: what starts anew does not read it to compare it."""

    def unreadable() -> str | None:
        raise AssertionError("it was read")

    assert next_step(BATCH, ENDED, Wish(base_url=URL, repeat=True), JOURNAL, unreadable) is Step.ANEW


def test_the_same_name_is_not_repeated() -> None:
    """Keys derived from one name are the same each time, so that a repeat needs another name."""
    with pytest.raises(UsageError, match="another name"):
        step(ENDED, Wish(base_url=URL, name="monday", repeat=True))
    assert step(ENDED, Wish(base_url=URL, name="tuesday", repeat=True)) is Step.ANEW


def test_in_doubt_is_not_ended() -> None:
    """A request in doubt keeps a batch unfinished, collected or not."""
    assert not has_ended(counts(sent=1), collect=False)
    assert not has_ended(counts(sent=1), collect=True)
