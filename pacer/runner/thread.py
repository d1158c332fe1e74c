"""
The journal's thread: what may block on the disk runs there, one call at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from pacer.runner.writer import BlockingRunner

ResultT = TypeVar("ResultT")


@contextmanager
def journal_thread() -> Iterator[BlockingRunner]:
    """Run functions on one thread, so that calls of a journal never overlap; leaving waits for the last."""
    with ThreadPoolExecutor(1, thread_name_prefix="pacer-journal") as thread:

        async def run(function: Callable[[], ResultT], /) -> ResultT:
            return await asyncio.get_running_loop().run_in_executor(thread, function)

        yield run
