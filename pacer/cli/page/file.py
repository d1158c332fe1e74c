"""
The page's file: whole or not there, for its owner's eyes, and never in place of somebody else's.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from pacer.cli.page.rendering import MARK
from pacer.errors import OutputLost, UsageError
from pacer.journal.files import sync_directory


def check_target(target: Path) -> None:
    """
    Make sure that a page may be written to *target*: nothing is there, or an older page.

    Errors:
        UsageError: Something else is there, or it cannot be written.
    """
    try:
        if target.exists() and not target.is_file():
            raise UsageError(f"{target} is not a file. Name one with --html, or - for standard output.")
        if target.exists() and not _is_ours(target):
            raise UsageError(
                f"{target} is not empty, and not a page that pacer made. "
                "Move it away, or name another file with --html."
            )
        folder = Path(os.path.realpath(target)).parent
        if not folder.is_dir():
            raise UsageError(f"There is no directory {folder} to write {target.name} in. Create it.")
        if not os.access(folder, os.W_OK):
            raise UsageError(f"{folder} may not be written in. Name another file with --html.")
    except OSError as error:
        raise UsageError(f"{target} cannot be looked at: {error.strerror}.") from error


def write_page(text: str, target: Path | None) -> None:
    """
    Write the page to *target*, mode 0600, in one step; None is standard output.

    Errors:
        OutputLost: The disk is full, or failing.
    """
    data = text.encode("utf-8", "replace")
    if target is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    path = Path(os.path.realpath(target))  # a link stays one
    try:
        _replace(path, data)
    except OSError as error:
        raise OutputLost(
            f"The page cannot be written to {target}: {error.strerror}. "
            "See to the disk, or name another file with --html."
        ) from error


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=".pacer-page-", dir=path.parent)  # created 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    sync_directory(path.parent)


def _is_ours(target: Path) -> bool:
    with target.open("rb") as file:
        head = file.read(len(MARK))
    return not head or head == MARK.encode()
