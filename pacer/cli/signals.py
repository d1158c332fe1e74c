"""
SIGINT and SIGTERM: the first one stops in good order, the second ends at once.

By itself a first signal is only noted, so that files are never left half made.
Where a command may wait for long (reading its input, say) it is
:meth:`~Signals.raising`, and what was begun is rolled back; around a run the
signal is :meth:`~Signals.delivered_to` the run.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_SHOW_CURSOR = b"\x1b[?25h\n"


class Interrupted(BaseException):
    """
    A signal asked us to stop where there is nothing to wind down.

    Attributes:
        signum: The signal.
    """

    def __init__(self, signum: int) -> None:
        self.signum = signum
        name = signal.Signals(signum).name
        super().__init__(f"Interrupted by {name}; nothing was sent. Run the same command again.")

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as shells have it."""
        return 128 + self.signum


class Signals:
    """
    Handles the signals while its context is entered.

    Attributes:
        received: The first signal that came; 0 for none.
    """

    def __init__(self) -> None:
        self.received = 0
        self._deliver: Callable[[int], None] = _note
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for signum in SIGNALS:
            self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum in SIGNALS:
            signal.signal(signum, self._before[signum])

    @contextmanager
    def delivered_to(self, deliver: Callable[[int], None]) -> Iterator[None]:
        """Call *deliver* with the first signal, from its handler; at once if it has come already."""
        before, self._deliver = self._deliver, deliver
        try:
            if self.received:
                deliver(self.received)
            yield
        finally:
            self._deliver = before

    def raising(self) -> AbstractContextManager[None]:
        """Raise :class:`Interrupted` on the first signal, wherever the body stands."""
        return self.delivered_to(_raise)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.received:
            _end_at_once(signum)
        self.received = signum
        self._deliver(signum)


def _note(signum: int) -> None:
    """Leave it at having noted the signal."""


def _raise(signum: int) -> None:
    raise Interrupted(signum)


def _end_at_once(signum: int) -> None:
    """End this process now: no thread is waited for, nothing is flushed."""
    if os.isatty(2):
        os.write(2, _SHOW_CURSOR)
    os._exit(128 + signum)
