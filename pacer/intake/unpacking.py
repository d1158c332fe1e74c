"""
Streams behind streams: what was compressed, or written in another encoding.
"""

from __future__ import annotations

import codecs
import gzip
import zlib

from pacer.errors import UsageError
from pacer.intake.lines import Readable

_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_NO_TEXT = b"\xff"
"""Stands in UTF-8 where the other encoding broke off: a byte that is refused where it is read."""


class Gunzipped:
    """
    The text of a gzip file, unpacked as it is read: however much comes out, little is in memory.

    Args:
        stream: The file.

        name: What to call it in messages.
    """

    def __init__(self, stream: Readable, name: str) -> None:
        self._file = gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[call-overload] # it reads, no more
        self._name = name
        self._begun = False

    def read(self, size: int, /) -> bytes:
        """
        Return up to *size* bytes; empty at the end.

        Errors:
            UsageError: It is not gzip, or damaged, or cut off.
        """
        try:
            block: bytes = self._file.read1(size)  # as much as there is before what may be broken
        except EOFError:
            raise UsageError(
                f"{self._name} is cut off: its gzip data ends in the middle. Copy or download it again."
            ) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            if not self._begun and "Not a gzipped file" in str(error):
                raise UsageError(f"{self._name} is not gzip. Name it without .gz, or compress it.") from None
            raise UsageError(
                f"{self._name} is damaged: its gzip data cannot be unpacked to its end. "
                "Copy or download it again."
            ) from error
        self._begun = True
        return block


class AsUtf8:
    """
    A stream of text as UTF-8: what opens with UTF-16's mark, as spreadsheets write it, is recoded.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._opening: bytes | None = None
        self._decoder: codecs.IncrementalDecoder | None = None

    def read(self, size: int, /) -> bytes:
        """Return some bytes, about *size* at most; empty at the end."""
        if self._opening is None:
            self._open()
        if self._opening:
            block, self._opening = self._opening, b""
            return block
        block = self._stream.read(size)
        if self._decoder is None:
            return block
        while True:
            recoded = self._recoded(block, final=not block)
            if recoded or not block:
                return recoded
            block = self._stream.read(size)  # half a character is not the end

    def _open(self) -> None:
        """Look at the first two bytes."""
        opening = b""
        while len(opening) < 2 and (more := self._stream.read(2 - len(opening))):
            opening += more
        self._opening = opening
        if encoding := _UTF_16.get(opening):
            self._opening = b""
            self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def _recoded(self, block: bytes, *, final: bool) -> bytes:
        assert self._decoder is not None
        try:
            # A lone surrogate stays what it is: bytes that are no UTF-8, refused on their line.
            return self._decoder.decode(block, final).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            self._decoder.reset()
            return _NO_TEXT
