"""
What a Pacer stands on: the journal and the thread that serves it, the service, the key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from pacer.errors import UsageError
from pacer.intake import new_token
from pacer.journal.memory import MemoryJournal
from pacer.journal.protocol import Journal
from pacer.journal.records import Batch
from pacer.pacing.policy import Policy
from pacer.runner import BlockingRunner, journal_thread

ResultT = TypeVar("ResultT")

SOURCE = "library"
"""What the journal has for the input's name."""

KEY_VARIABLE = "AISEARCH_API_KEY"
URL_VARIABLE = "AISEARCH_BASE_URL"


@dataclass(frozen=True, slots=True)
class OpenJournal:
    """
    A journal in use.

    Attributes:
        run_blocking: Runs its calls, one after the other.

        token: The batch's.

        requests: How many it held when it was opened.
    """

    journal: Journal
    run_blocking: BlockingRunner
    token: str
    requests: int


def api_key_of(given: str | SecretStr | None) -> SecretStr:
    """
    Return the key that was given, else the environment's.

    Errors:
        UsageError: There is none.
    """
    key = given if isinstance(given, SecretStr) else SecretStr(given or os.environ.get(KEY_VARIABLE, ""))
    if not key.get_secret_value():
        raise UsageError(f"There is no API key: give api_key, or set {KEY_VARIABLE}.")
    return key


def knobs(policy: Policy | None, **given: Any) -> Policy:
    """Return *policy*, or the default one, with what was given beside it."""
    return replace(policy or Policy(), **{name: value for name, value in given.items() if value is not None})


async def inline(function: Callable[[], ResultT], /) -> ResultT:
    """Run *function* here and now: for what does not block, and for tests in virtual time."""
    return function()


async def open_journal(
    stack: AsyncExitStack,
    given: str | os.PathLike[str] | Journal | None,
    *,
    run_blocking: BlockingRunner | None,
    base_url: str,
    wall: float,
) -> OpenJournal:
    """
    Open the journal, and begin its batch if it has none. Leaving *stack* closes it.

    Errors:
        JournalError: It cannot be used.

        UsageError: It belongs to another service.
    """
    in_memory = given is None or isinstance(given, MemoryJournal)
    run = run_blocking or (inline if in_memory else stack.enter_context(journal_thread()))
    journal = await run(lambda: _opened(given))
    stack.push_async_callback(run, journal.close)
    batch = await run(lambda: _begun(journal, base_url, wall))
    if batch.base_url != base_url:
        raise UsageError(
            f"This journal was begun for {batch.base_url or 'a service without a URL'}, "
            f"not for {base_url or 'a service without a URL'}. Use another journal, or give that base_url."
        )
    counts = await run(journal.counts)
    return OpenJournal(journal, run, batch.token, counts.requests)


def _opened(given: str | os.PathLike[str] | Journal | None) -> Journal:
    if given is None:
        return MemoryJournal()
    if isinstance(given, str | os.PathLike):
        from pacer.journal.sqlite import SqliteJournal

        return SqliteJournal.open(Path(given), create=True)
    return given


def _begun(journal: Journal, base_url: str, wall: float) -> Batch:
    batch = journal.batch()
    if batch is None:
        batch = Batch(token=new_token(), source=SOURCE, input_sha256="", base_url=base_url, created_at=wall)
        with journal.intake() as writer:
            writer.commit(batch)
    return batch
