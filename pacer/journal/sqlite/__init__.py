"""
The journal in one SQLite file, in WAL mode.
"""

from __future__ import annotations

from pacer.journal.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal"]
