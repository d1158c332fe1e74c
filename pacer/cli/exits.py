"""
How a command ends: its exit code, and what it says of an error.

Every error that a user, the service or this machine can cause is a sentence on
standard error. Anything else is a defect of pacer: one line, and a file with the
traceback for whoever mends it. Neither ever holds the key.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn, TextIO

import typer

from pacer.cli.signals import Interrupted
from pacer.errors import BatchStopped, JournalLost, PacerError, UsageError
from pacer.wire.text import SHORTEST_SECRET, printable

LONGEST_LINE = 2_000
"""Characters of a line of an error; what is longer is a query or a page, not a sentence."""


class Exit(IntEnum):
    """The exit codes. They are a contract: schedules and scripts rely on them."""

    OK = 0
    INCOMPLETE = 1
    USAGE = 2
    STOPPED = 3
    DEFECT = 70
    SIGINT = 130
    SIGTERM = 143


def end(
    body: Callable[[], int],
    *,
    as_json: bool = False,
    log_json: bool = False,
) -> NoReturn:
    """
    Run *body* and end the command with the exit code that it returns, or that its error means.

    Args:
        body: The command's work.

        as_json: On an error, write a JSON document to standard output, as the
            command would have done without it.

        log_json: Say errors as JSON lines.
    """
    try:
        code: int = body()
    except (Interrupted, KeyboardInterrupt) as error:
        code = Exit.SIGINT if isinstance(error, KeyboardInterrupt) else error.exit_code
        text = str(error) or "Interrupted. Run the same command again."
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        _let_go_of(sys.stdout)
        code, text = Exit.STOPPED, ""
    except Exception as error:  # noqa: BLE001 - the command's outermost frame: what is not ours is a defect
        code, text = _judged(error)
    else:
        raise typer.Exit(code)
    if text:
        complain(text, as_json=log_json)
    if as_json:
        write_json({"exit_code": int(code), "error": without_key(text)})
    raise typer.Exit(code)


def complain(text: str, *, as_json: bool = False) -> None:
    """Say *text* on standard error, line by line, without anything that a terminal would obey."""
    lines = [printable(line, LONGEST_LINE) for line in without_key(text).splitlines()]
    if as_json:
        lines = [json.dumps({"event": "error", "level": "error", "message": "\n".join(lines)})]
    try:
        print(*lines, sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - saying it is this function's work
    except OSError:
        _let_go_of(sys.stderr)


def without_key(text: str) -> str:
    """Blot the key out of *text*: a user may have pasted it where it does not belong, into the URL, say."""
    key = os.environ.get("AISEARCH_API_KEY", "").strip()
    return text.replace(key, "[key]") if len(key) >= SHORTEST_SECRET else text


def write_json(document: object, *, indent: int | None = 2) -> None:
    """Write the one JSON document of a command to standard output: in ASCII, which no terminal obeys."""
    print(json.dumps(document, indent=indent), flush=True)  # noqa: T201 - printing it is this function's work


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield *error*, or, of a group, each error in it."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def _judged(error: Exception) -> tuple[Exit, str]:
    found = list(leaves(error))
    ours = [leaf for leaf in found if isinstance(leaf, PacerError)]
    if len(ours) == len(found):
        # Of several the gravest: a lost journal explains the others.
        ours.sort(key=lambda leaf: not isinstance(leaf, JournalLost))
        return _meaning(ours[0])
    return Exit.DEFECT, _defect(error)


def _meaning(error: PacerError) -> tuple[Exit, str]:
    match error:
        case UsageError():
            return Exit.USAGE, str(error)
        case BatchStopped(code=code, reason=reason):
            return Exit.STOPPED, f"{code}: {reason}"
        case _:
            return Exit.STOPPED, str(error)


def _defect(error: Exception) -> str:
    """Keep the traceback, the key blotted out of it, and return the line that says where."""
    import tempfile
    import traceback

    text = without_key("".join(traceback.format_exception(error)))
    line = f"This is a defect of pacer ({type(error).__name__}); please report it."
    if os.environ.get("PACER_DEBUG"):
        return f"{text.rstrip()}\n{line}"
    try:
        handle, path = tempfile.mkstemp(prefix="pacer-defect-", suffix=".txt")  # created 0600
        with os.fdopen(handle, "w") as file:
            file.write(text)
    except OSError:
        return f"{line} Run it again with PACER_DEBUG=1 to see the traceback."
    return f"{line} The traceback is in {path}."


def _let_go_of(stream: TextIO) -> None:
    """Keep the interpreter from complaining about *stream* when it flushes it at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
