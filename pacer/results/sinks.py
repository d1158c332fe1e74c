"""
Where result lines go: a file that can be checked and cut back, or a pipe that cannot.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pacer.errors import OutputLost, UsageError
from pacer.journal.files import create_private
from pacer.journal.views import Projection
from pacer.results.recognition import aside, is_first_line, matches

STDOUT = "-"


class Sink(Protocol):
    """
    One place for result lines.

    Attributes:
        key: Its name in the journal's projections.
    """

    key: str

    def open(self, records: Mapping[str, Projection]) -> tuple[Projection, Path | None]:
        """Return from where to go on, and the new name of what had to be moved aside."""
        ...

    def cut_to(self, offset: int) -> None:
        """Take back what was written beyond *offset* without being recorded."""
        ...

    def append(self, data: bytes) -> None:
        """Write *data* at the end."""
        ...

    def sync(self) -> None:
        """Make all that was written durable."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class FileSink:
    """
    A regular file, mode 0600.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.abspath(path))
        self.key = str(self._path)
        self._descriptor = -1

    def open(self, records: Mapping[str, Projection]) -> tuple[Projection, Path | None]:
        """
        Find out what is there.

        Raises:
            UsageError: there is a file that is not empty and not ours; or it cannot be written.
        """
        try:
            return self._open(records)
        except OSError as error:
            raise UsageError(
                f"The results cannot be written to {self._path}: {error.strerror}. "
                "Name another file with --out."
            ) from error

    def _open(self, records: Mapping[str, Projection]) -> tuple[Projection, Path | None]:
        if self._path.exists() and not self._path.is_file():
            raise UsageError(f"{self._path} is not a file. Name one with --out, or - for standard output.")
        size = self._path.stat().st_size if self._path.exists() else 0
        found = self._recognised(records) if size else Projection(path=self.key)
        moved_to = None
        if found is None:
            moved_to = aside(self._path)
            self._path.rename(moved_to)
        if not self._path.exists():
            create_private(self._path)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND)
        projection = found or Projection(path=self.key)
        os.ftruncate(self._descriptor, projection.offset)
        return projection, moved_to

    def _recognised(self, records: Mapping[str, Projection]) -> Projection | None:
        """
        Return the record that a file with something in it agrees with; None if it is ours but was changed.
        """
        ours = records.get(self.key)
        # The file of a batch that was moved to another directory is known by its content.
        for record in records.values() if ours is None else (ours,):
            if record.offset and matches(self._path, record):
                return Projection(path=self.key, seq=record.seq, offset=record.offset, crc=record.crc)
        if ours is None:
            raise UsageError(
                f"{self._path} is not empty, and not the results of this journal. "
                "Move it away, or name another file with --out."
            )
        # Killed before its first record: all that is there was on its way.
        return ours if not ours.offset and is_first_line(self._path) else None

    def cut_to(self, offset: int) -> None:
        """Take back what a failed flush has left."""
        with self._losing():
            size = os.fstat(self._descriptor).st_size
            if size < offset:
                raise OutputLost(
                    f"{self._path} was cut short while the batch ran. Run the same command again: "
                    "the results are written anew from the journal."
                )
            if size > offset:
                os.ftruncate(self._descriptor, offset)

    def append(self, data: bytes) -> None:
        """Write *data* at the end."""
        with self._losing():
            left = memoryview(data)
            while left:
                left = left[os.write(self._descriptor, left) :]

    def sync(self) -> None:
        """Wait for the disk."""
        with self._losing():
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputLost(
                f"The results can no longer be written to {self._path}: {error.strerror}. Nothing is lost: "
                "see to the disk and run the same command again; what is missing is written from the journal."
            ) from error


class StandardOutput:
    """
    Standard output, whatever it is.
    """

    key = STDOUT

    def open(self, records: Mapping[str, Projection]) -> tuple[Projection, Path | None]:
        """Go on after the last line that was recorded as printed."""
        return records.get(self.key, Projection(path=self.key)), None

    def cut_to(self, offset: int) -> None:
        """Do nothing: what is printed is printed."""

    def append(self, data: bytes) -> None:
        """Print *data*."""
        with _printing():
            sys.stdout.buffer.write(data)

    def sync(self) -> None:
        """Hand it all to the reader."""
        with _printing():
            sys.stdout.buffer.flush()

    def close(self) -> None:
        """Leave it open: it is not ours."""


@contextmanager
def _printing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputLost(
            f"The results can no longer be written to standard output: {error.strerror}. Nothing is lost: "
            "run the same command again; what is missing is printed from the journal."
        ) from error
