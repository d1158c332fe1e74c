"""
Where input comes from: a file whose suffix says how to read it, or a stream.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from pacer.errors import UsageError
from pacer.intake.arrays import json_array
from pacer.intake.lines import BLOCK, Item, Readable, json_lines
from pacer.intake.tables import csv_table

Reader: TypeAlias = Callable[[Readable], Iterator[Item]]

SUFFIXES: Mapping[str, Reader] = {
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".json": json_array,
    ".csv": csv_table,
}
"""How a file is read, by its suffix in lower case."""


class Hashed:
    """
    A stream that digests what is read from it.

    Attributes:
        name: What to call it in messages.
    """

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.name = name

    def read(self, size: int, /) -> bytes:
        """
        Return up to *size* bytes; empty at the end.

        Errors:
            UsageError: The disk, or whatever it is, failed.
        """
        try:
            block = self._stream.read(size)
        except OSError as error:
            raise UsageError(f"{self.name} cannot be read to its end: {error.strerror}.") from error
        if block is None:  # a stream that does not block, with nothing to read yet, is not at its end
            raise UsageError(f"{self.name} does not wait for input (O_NONBLOCK is set); pipe it through cat.")
        self._digest.update(block)
        return block

    def sha256(self) -> str:
        """Return the hex digest of all of the stream, reading what is left of it."""
        while self.read(BLOCK):
            pass
        return self._digest.hexdigest()


@contextmanager
def opened(source: Path | Readable) -> Iterator[tuple[Hashed, Reader]]:
    """
    Open *source* and say how to read it; a stream is read as JSON Lines.

    Errors:
        UsageError: There is no such file, it cannot be read, or its suffix is unknown.
    """
    if not isinstance(source, Path):
        yield Hashed(source, "<stdin>"), json_lines
        return
    try:
        file = source.open("rb")
    except FileNotFoundError:
        raise UsageError(f"There is no file {source}.") from None
    except IsADirectoryError:
        raise UsageError(f"{source} is a directory; name a file in it.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{source} cannot be read: {reason}.") from error
    with file:
        reader = SUFFIXES.get(source.suffix.lower())
        if reader is None:
            known = ", ".join(SUFFIXES)
            raise UsageError(
                f"{source}: the suffix says how to read a file, and {source.suffix or 'none'} is not known. "
                f"Known: {known}; or - for JSON Lines on standard input."
            )
        yield Hashed(file, str(source)), reader


def read(source: Path | Readable) -> Iterator[Item]:
    """
    Yield each record of *source* with its line, good or bad.

    Errors:
        UsageError: See :func:`opened`.
    """
    with opened(source) as (stream, reader):
        yield from reader(stream)


def input_sha256(source: Path) -> str:
    """
    Return the hex digest of the file's bytes.

    Errors:
        UsageError: See :func:`opened`.
    """
    with opened(source) as (stream, _):
        return stream.sha256()
