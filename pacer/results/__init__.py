"""
The results: one line a capture, a projection of the journal.
"""

from __future__ import annotations

from pacer.results.projector import ResultsFile

__all__ = ["ResultsFile"]
