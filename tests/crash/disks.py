"""
Disks that are full, and files that may not be written: for root and for anyone else.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2


@dataclass(slots=True)
class Disk:
    """
    A small disk.

    Attributes:
        path: Its directory.

        limit: Where no disk could be mounted: the largest file, in bytes, that a
            process may write, for want of something better. None on a real one.
    """

    path: Path
    limit: int | None = None

    def make_room(self) -> None:
        """Let it hold a hundred times as much."""
        if self.limit is None:
            _mount("remount,size=64m", self.path)
        self.limit = None


@contextmanager
def small_disk(path: Path, *, kib: int) -> Iterator[Disk]:
    """Make a disk of *kib* KiB at *path*: in memory if we may mount one."""
    path.mkdir()
    try:
        _mount(f"size={kib}k", path)
    except (OSError, subprocess.CalledProcessError):
        yield Disk(path, limit=kib * 1024)
        return
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", str(path)], check=True)


def obey_permissions() -> None:
    """Make the process that is started obey the modes of files even if it is root's."""
    libc = ctypes.CDLL(None)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused to others, who obey anyway


def _mount(options: str, path: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "pacer-test", str(path)]
    subprocess.run(command, check=True, capture_output=True)
