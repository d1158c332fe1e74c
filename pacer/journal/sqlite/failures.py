"""
SQLite's complaints as sentences, by what their reader has to do.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacer.errors import JournalError, JournalLost

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}
"""
What only a changed file can cause. SQLITE_ERROR is among them for a table that
is gone and for JSON that is none: our own statements are compiled by a test.
(A message of SQLite's that quotes such bytes comes as UnicodeDecodeError.)
"""


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turn what fails while *path* is opened into :class:`JournalError`."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise damaged(path, error) from error
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            raise damaged(path, error) from error
        raise JournalError(
            f"The journal {path} cannot be opened: {error}. Make the file and its directory writable, "
            "end any program that holds it, or name another file with --journal."
        ) from error
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be opened: {error.strerror}. "
            "Name a place that can be written with --journal."
        ) from error


@contextmanager
def using(path: Path) -> Iterator[None]:
    """
    Turn what fails later.

    Raises:
        JournalError: the file is damaged, so that no retry can help.
        JournalLost: the disk is full or failing.
    """
    try:
        yield
    except (zlib.error, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise damaged(path, error) from error
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            raise damaged(path, error) from error
        raise JournalLost(
            f"The journal {path} can no longer be written or read: {error}. See to its disk "
            "(full? failing? taken away?), then run the same command again: it goes on from there."
        ) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """
    Turn what fails while rows become records; as :func:`using`, and stricter.

    Bytes that changed where SQLite has no check of its own come out as values
    that no write of ours can have left: a state 7, a list that is a number.
    """
    with using(path):
        try:
            yield
        except UnicodeEncodeError:
            raise  # a caller's text, on its way in
        except (ValueError, TypeError, LookupError) as error:
            raise damaged(path, error) from error


def damaged(path: Path, cause: Exception) -> JournalError:
    """Return the error for a file whose content is not what was written to it."""
    return JournalError(
        f"The journal {path} is damaged: {cause}. Put a copy from before the damage in its place; or "
        "move it away and run the command again, which starts a new batch and sends every request anew."
    )


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Decide by the primary result code; an error of the module's own (text that is not UTF-8) has none."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in _DAMAGED
