"""
Files of a batch: readable by their owner alone, and still there after a power loss.
"""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE = 0o600


def create_private(path: Path) -> None:
    """
    Create an empty file at *path*, mode 0600, durably.

    Raises:
        FileExistsError: there is one.
        OSError: the directory is missing, read-only or full.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in *directory* durable: syncing a new file does not promise its name."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
