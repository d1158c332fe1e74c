"""
Opening the file: is it ours, can it be written, can it be in WAL mode?

*Why WAL*: a report can read while a run writes. *Why synchronous=FULL*: a
commit is then on the disk when it returns, one fsync each, and there is one a
wave and one for 200 ms of outcomes. So a line of the results file is never
known to the results file alone, a gate's deadline outlives a power loss, and a
request that was sent is known to have been. With NORMAL a power loss would take
the last commits back: requests would only be sent again under the same keys,
but Envelopes could be gone that the results already showed.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from pacer.errors import JournalError
from pacer.journal.files import create_private
from pacer.journal.sqlite.statements import SCHEMA

APPLICATION_ID = 0x70616372
"""``pacr``, in the file's header: how a journal is told from any other SQLite file."""

VERSION = 2
"""The schema's number, in the file's header."""

_SETTINGS = """
PRAGMA synchronous = FULL;
PRAGMA cell_size_check = ON;
PRAGMA cache_size = -8000;
PRAGMA journal_size_limit = 67108864;
"""
"""8 MB of cache whatever the batch's size; a log that intake blew up shrinks to 64 MiB."""

SMALLEST_DATABASE = 512
"""Bytes, the least page size. SQLite takes a smaller file for an empty one and writes over it."""

BUSY_SECONDS = 5.0
"""How long to wait for a program that reads or copies the file by SQLite's own locks."""


def open_writable(path: Path, *, create: bool) -> sqlite3.Connection:
    """
    Return a connection to the journal at *path*, made if *create* says so.

    Raises:
        JournalError: missing, foreign, newer; no WAL on its file system.
        sqlite3.DatabaseError, OSError: as they come.
    """
    created = _ensure(path, create=create)
    connection = _connect(path, "mode=rw")
    try:
        known = _identify(connection, path)
        if not known and not create:
            raise JournalError(f"{path} is empty: no pacer journal. Name the journal of a run.")
        _use_wal(connection, path)
        connection.executescript(_SETTINGS)
        if not known:
            header = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
            connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} {header} COMMIT;")
        # SQLite opens a file that may only be read without a word; the first write tells.
        connection.executescript(f"BEGIN IMMEDIATE; PRAGMA user_version = {VERSION}; ROLLBACK;")
    except BaseException:
        connection.close()
        if created:
            remove(path)
        raise
    return connection


def open_read_only(path: Path) -> sqlite3.Connection:
    """
    Return a connection that can only read, whether or not a run is writing.

    Reading a WAL database takes part in its locks, in a file beside it. Where
    that cannot be written the file is read as it stands, which is right as long
    as no log is beside it that still has to be merged.

    Raises:
        JournalError: missing, foreign, newer; a log beside it on a read-only file system.
        sqlite3.DatabaseError, OSError: as they come.
    """
    if not path.exists():
        raise _missing(path)
    _refuse_what_is_no_file(path)
    # A connection that may write cleans up when it is the last; one that may not leaves two files behind.
    mode = "mode=rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "mode=ro"
    try:
        return _reader(path, mode)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    log = _beside(path, "-wal")
    if log.exists() and log.stat().st_size:
        raise JournalError(
            f"The journal {path} was cut off and cannot be put in order where it is. "
            f"Copy it and {log.name} to a directory that can be written, and read the copy."
        )
    return _reader(path, "immutable=1")


def remove(path: Path) -> None:
    """Remove the journal at *path* with the files that SQLite keeps beside it."""
    for suffix in ("-wal", "-shm", ""):
        _beside(path, suffix).unlink(missing_ok=True)


def _ensure(path: Path, *, create: bool) -> bool:
    """Return whether the file had to be made."""
    _refuse_what_is_no_file(path)
    if path.exists():
        return False
    if not create:
        raise _missing(path)
    create_private(path)
    return True


def _refuse_what_is_no_file(path: Path) -> None:
    if path.exists() and not path.is_file():
        kind = "a directory" if path.is_dir() else "a pipe or a device"
        raise JournalError(f"{path} is {kind}. Name a file for the journal with --journal.")


def _connect(path: Path, parameters: str) -> sqlite3.Connection:
    # Calls never overlap, but each may come from another thread of a pool.
    uri = f"{Path(os.path.realpath(path)).as_uri()}?{parameters}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _reader(path: Path, parameters: str) -> sqlite3.Connection:
    connection = _connect(path, parameters)
    try:
        connection.execute("PRAGMA query_only = ON")
        if not _identify(connection, path):
            raise JournalError(f"{path} is empty: no pacer journal. Name the journal of a run.")
    except BaseException:
        connection.close()
        raise
    return connection


def _identify(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether it is a journal; False for an empty file. Anything else is refused."""
    if 0 < path.stat().st_size < SMALLEST_DATABASE:
        raise _no_database(path)
    try:
        application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise _no_database(path) from error
    if application == APPLICATION_ID and version == VERSION:
        return True
    if application == APPLICATION_ID:
        raise JournalError(
            f"The journal {path} was written by another version of pacer (schema {version}, this one has "
            f"{VERSION}). Use that version, or upgrade: pip install -U aisearch-pacer."
        )
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application or version or tables:
        raise JournalError(
            f"{path} is a database of another program, not a pacer journal. Name another file with --journal."
        )
    return False


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise JournalError(
            f"The file system of {path} cannot hold a journal: SQLite's WAL mode needs shared memory, "
            "which network file systems lack. Name a file on a local disk with --journal."
        )


def _no_database(path: Path) -> JournalError:
    return JournalError(
        f"{path} is no pacer journal, nor any SQLite database. Name another file with --journal."
    )


def _missing(path: Path) -> JournalError:
    return JournalError(
        f"There is no journal at {path}. Name the journal of a run: INPUT with the suffix .pacer.db."
    )


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
