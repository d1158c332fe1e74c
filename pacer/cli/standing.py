"""
What a command finds in the journal, and what that means for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pacer.errors import UsageError
from pacer.journal.records import Batch
from pacer.journal.views import Counts


class Step(Enum):
    """What to do with the batch that a journal holds."""

    RESUME = "resume"
    """Go on with it."""

    REPORT = "report"
    """It has ended: say how, send nothing."""

    ANEW = "anew"
    """Set it aside and take a new one in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    What the command line asks for.

    Attributes:
        base_url: Where to send the batch.

        name: ``--batch``, or None.

        repeat, abandon: The options of these names.

        collect: Whether captures are collected.
    """

    base_url: str
    name: str | None = None
    repeat: bool = False
    abandon: bool = False
    collect: bool = True


def has_ended(counts: Counts, *, collect: bool) -> bool:
    """Return whether nothing is left to do: every request has its end, or, uncollected, is accepted."""
    return not (counts.pending or counts.sent or (collect and counts.accepted))


def next_step(
    batch: Batch, counts: Counts, wish: Wish, journal: Path, input_sha256: Callable[[], str | None]
) -> Step:
    """
    Decide what to do with *batch*.

    Args:
        input_sha256: Reads the input, where it matters; returns None if it is an
            empty standard input, which goes with any batch.

    Errors:
        UsageError: The command does not go with the batch.
    """
    ended = has_ended(counts, collect=wish.collect)
    if (wish.repeat and ended) or (wish.abandon and not ended):
        if wish.name is not None and wish.name == batch.name:
            raise UsageError(
                f"--batch {wish.name} names the batch that {journal} holds: under the same name the service "
                "would replay it instead of capturing again. Give the new one another name."
            )
        return Step.ANEW
    refuse_another(batch, wish, journal, input_sha256(), ended=ended)
    return Step.REPORT if ended else Step.RESUME


def refuse_another(batch: Batch, wish: Wish, journal: Path, input_sha256: str | None, *, ended: bool) -> None:
    """
    Make sure that the command is for the journal's batch.

    Errors:
        UsageError: It is for another one.
    """
    way_out = (
        "Use --repeat to start a new batch and keep the old results under their date, "
        "or name another journal with --journal."
        if ended
        else "Finish it with the same command as before, give it up with --abandon, "
        "or name another journal with --journal."
    )
    state = "a finished batch" if ended else "an unfinished batch"
    if wish.base_url != batch.base_url:
        raise UsageError(
            f"{journal} holds {state} for {batch.base_url}, this command is for {wish.base_url}. {way_out}"
        )
    if input_sha256 is not None and input_sha256 != batch.input_sha256:
        raise UsageError(
            f"{journal} holds {state} of {batch.source}, and the input is no longer what it was made from. "
            f"{way_out}"
        )
    if wish.name is not None and wish.name != batch.name:
        was = "without a name" if batch.name is None else f"named {batch.name}"
        raise UsageError(f"{journal} holds {state} {was}; this command says --batch {wish.name}. {way_out}")
