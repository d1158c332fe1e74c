"""
The journal without a file: for tests, and for the library where nothing has to survive.
"""

from __future__ import annotations

from pacer.journal.memory.journal import MemoryJournal

__all__ = ["MemoryJournal"]
