"""
A JSON file with one array of records, read in flat memory.

The standard library's decoder finds where each record ends; the record's text
then goes the way of a JSON line.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

from pacer.intake.lines import BLOCK, LONGEST, TOO_LONG, Item, Readable
from pacer.wire.problems import Refusal, not_utf8
from pacer.wire.requests import read_json

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_LONGEST_TOKEN = 16
"""Characters from the end within which a token that was cut off begins (``-Infinity``), strings excepted."""


class _Broken(Exception):
    """From here on the array cannot be read."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(reason)


def json_array(stream: Readable) -> Iterator[Item]:
    """Yield each record of the array in *stream*, up to where it stops being JSON."""
    try:
        yield from _records(_Window(stream))
    except _Broken as broken:
        yield broken.line, Refusal.because(str(broken))


def _records(window: _Window) -> Iterator[Item]:
    if window.peek() == "\ufeff":
        window.advance(1)
    if not (opening := window.peek()):
        return
    if opening != "[":
        hint = "; name it .jsonl if it has one record a line" if opening == "{" else ""
        raise window.broken(f"not an array: a .json file holds one array of records{hint}")
    window.advance(1)
    more = window.peek() != "]"
    if not more:
        window.advance(1)
    while more:
        window.peek()
        line = window.line
        yield line, read_json(window.value().encode())
        more = window.separator()
    if window.peek():
        raise window.broken("text after the end of the array")


class _Window:
    """
    The unread part of a stream of UTF-8 text, as much of it as is needed.

    Attributes:
        line: 1-based line of the next character.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._at = 0
        self._ended = False
        self._undecodable = ""
        self.line = 1

    def peek(self) -> str:
        """Skip white space and return the next character; empty at the end."""
        while True:
            if space := _SPACE.match(self._text, self._at):
                self.advance(space.end() - self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                self._refuse_what_is_no_text()
                return ""
            self._read()

    def advance(self, characters: int) -> None:
        """Go past *characters* of them."""
        end = self._at + characters
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def value(self) -> str:
        """Go past one JSON value and return its text."""
        while True:
            end = self._value_end()
            if (len(self._text) if end is None else end) - self._at > LONGEST:
                raise self.broken(f"{TOO_LONG}, or a quote that is never closed")
            if end is not None:
                break
            self._read()
        text = self._text[self._at : end]
        self.advance(end - self._at)
        return text

    def separator(self) -> bool:
        """Go past what follows a record; return whether another must follow."""
        match self.peek():
            case "," | "]" as mark:
                self.advance(1)
                return mark == ","
            case "":
                raise self.broken("the file ends in the middle of the array")
        raise self.broken("not JSON: expected ',' or ']' after a record")

    def broken(self, reason: str, at: int | None = None) -> _Broken:
        """Return the error that says so, about the text at *at* or the next character."""
        return _Broken(self.line + self._text.count("\n", self._at, at or self._at), reason)

    def _value_end(self) -> int | None:
        """Return where the value that begins here ends, or None if that is not read yet."""
        try:
            end = _DECODER.raw_decode(self._text, self._at)[1]
        except json.JSONDecodeError as error:
            cut_off = error.pos >= len(self._text) - _LONGEST_TOKEN or error.msg.startswith("Unterminated")
            if cut_off and not self._ended:
                return None
            if cut_off:
                self._refuse_what_is_no_text()
            raise self.broken(f"not JSON: {error.msg}", error.pos) from None
        except RecursionError:
            raise self.broken("nested too deeply") from None
        except ValueError:  # Python reads at most 4,300 digits
            raise self.broken("a number of too many digits") from None
        # A number may go on in the next block; what ends in one of these cannot.
        closed = self._text[end - 1] in '}]"'
        return end if closed or self._ended or end < len(self._text) - _LONGEST_TOKEN else None

    def _read(self) -> None:
        """Read another block, letting go of what was gone past."""
        block = self._stream.read(BLOCK)
        self._ended = not block
        try:
            text = self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            text = error.object[: error.start].decode()
            self._undecodable = not_utf8(error)
            self._ended = True
        self._text = self._text[self._at :] + text
        self._at = 0

    def _refuse_what_is_no_text(self) -> None:
        """Raise, if the text ended where bytes stand that are none."""
        if self._undecodable:
            raise self.broken(self._undecodable, len(self._text))
