"""
Where input comes from: a file whose suffix says how to read it, or a stream.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from pacer.errors import UsageError
from pacer.intake.arrays import json_array
from pacer.intake.lines import BLOCK, Item, Readable, json_lines
from pacer.intake.parquet import parquet_table
from pacer.intake.tables import csv_table, tsv_table
from pacer.intake.unpacking import Gunzipped

Reader: TypeAlias = Callable[[Readable], Iterator[Item]]

SUFFIXES: Mapping[str, Reader] = {
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".json": json_array,
    ".csv": csv_table,
    ".tsv": tsv_table,
}
"""How a file is read from its beginning to its end, by its suffix in lower case."""

PARQUET = ".parquet"
GZIP = ".gz"
"""After one of :data:`SUFFIXES`: the same, compressed."""


class Hashed:
    """
    A stream that digests what is read from it.

    Attributes:
        name: What to call it in messages.

        unit: What its records are counted in: ``line`` or ``row``.
    """

    def __init__(self, stream: Readable, name: str, unit: str = "line") -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.name = name
        self.unit = unit

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
        reader = _reader_of(source, file)
        yield Hashed(file, str(source), "row" if source.suffix.lower() == PARQUET else "line"), reader


def _reader_of(source: Path, file: BinaryIO) -> Reader:
    name, suffix = str(source), source.suffix.lower()
    if suffix == PARQUET:
        return lambda _stream: _parquet(file, name)
    packed = suffix == GZIP
    inner = source.with_suffix("").suffix.lower() if packed else suffix
    reader = SUFFIXES.get(inner)
    if reader is None:
        suffix = inner + suffix if packed else suffix
        raise UsageError(
            f"{name}: the suffix says how to read a file, and {suffix or 'none'} is not known. "
            f"Known: {', '.join(SUFFIXES)} (also with .gz), {PARQUET}; "
            "or - for JSON Lines on standard input."
        )
    return (lambda stream: reader(Gunzipped(stream, name))) if packed else reader


def _parquet(file: BinaryIO, name: str) -> Iterator[Item]:
    """Yield the rows; its bytes are read all over the place, and afterwards once more for their digest."""
    if not file.seekable():
        raise UsageError(f"{name} is not a regular file, which Parquet must be read from.")
    yield from parquet_table(file, name)
    file.seek(0)


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
