"""
One process a journal: an operating-system lock on a file beside it.

The kernel releases it however the process ends, so no stale lock can exist,
only a stale *file*, which means nothing. The lock is on a sibling because
opening and closing the database file itself would drop SQLite's own locks on it
(POSIX: closing any descriptor of a file drops the process's locks on it).
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from pacer.errors import JournalLocked
from pacer.journal.files import PRIVATE


class Lock:
    """
    A held lock; see :meth:`acquire`.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, journal: Path) -> Lock:
        """
        Lock *journal*, at once or not at all.

        Raises:
            JournalLocked: someone has it; names the process if it is known.
            OSError: the directory cannot be written, or its file system has no locks.
        """
        path = journal.with_name(journal.name + "-lock")
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise JournalLocked(_sentence(journal, holder)) from None
            except OSError:
                os.close(descriptor)
                raise
            if _is_at(path, descriptor):
                with suppress(OSError):  # a full disk: the number is for people only, the lock holds without
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
                return cls(path, descriptor)
            os.close(descriptor)  # its last holder removed the file between our open and our lock

    def release(self) -> None:
        """Remove the file while it is still ours, then let go."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sentence(journal: Path, holder: str) -> str:
    who = f"process {holder}" if holder.isdigit() else "another process"
    return (
        f"The journal {journal} is in use by {who}. Wait until it has ended, or end it, then run this again."
    )
