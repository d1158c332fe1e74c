"""
What can go wrong, by whose fault it is.

- *Ours to fix before anything is sent*: :class:`UsageError` and its kin. The
  command ends with exit code 2 and nothing has happened.
- *Theirs, or a limit*: :class:`BatchStopped`. The batch ended early, its
  journal is whole, and the same command resumes it (exit code 3).
- *This one request*: a line in the results, no exception; only who waits for
  this very request hears of it as :class:`RequestRejected`.

A defect of pacer is none of these: it is any other exception (exit code 70).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class PacerError(Exception):
    """
    The base of every error that pacer raises on purpose.

    Its text is a whole sentence for a person: what went wrong, where, and what
    to do next.
    """


class UsageError(PacerError):
    """
    The call cannot be carried out as asked; nothing was sent.

    In contrast to :class:`BatchStopped`, trying again without a change will
    fail again.
    """


@dataclass(frozen=True, slots=True)
class InputProblem:
    """
    One thing that is wrong with one record of the input.

    Attributes:
        line: 1-based line of the file on which the record begins; for requests in memory
            and for rows of Parquet, the record's number, from 1; 0 for the table as a whole.

        field: Dotted path of the offending field (``regions.0.country``), or
            empty when the record as a whole is at fault.

        reason: What is wrong with it, in a few words.

        unit: What *line* counts: ``line`` or ``row``.
    """

    line: int
    field: str
    reason: str
    unit: str = "line"

    def at(self, source: str) -> str:
        """Return ``FILE:LINE: field: reason``, or ``FILE:row N: field: reason``."""
        number = f"{self.line}" if self.unit == "line" else f"{self.unit} {self.line}"
        where = f"{source}:{number}: " if self.line else f"{source}: "
        return f"{where}{self.field}: {self.reason}" if self.field else f"{where}{self.reason}"


class InputError(UsageError):
    """
    The input was refused as a whole, because some of its records are wrong.

    Attributes:
        source: The file's name, or ``<stdin>``.

        problems: The first problems found, in file order (20 at most).

        total: How many there are altogether.
    """

    def __init__(self, source: str, problems: Sequence[InputProblem], total: int) -> None:
        self.source = source
        self.problems = tuple(problems)
        self.total = total
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [problem.at(self.source) for problem in self.problems]
        if self.total > len(self.problems):
            lines.append(f"... and {self.total - len(self.problems):,} more.")
        return "\n".join(lines)


class JournalError(UsageError):
    """
    The journal cannot be used: locked, foreign, newer, damaged, unwritable.
    """


class JournalLocked(JournalError):
    """Another process works on this journal; end it, or wait for it."""


class JournalLost(PacerError):
    """
    The journal could no longer be written in mid-run: a full or failing disk.

    Nothing more is sent once this is known; what was under way is in doubt and
    a resume sends it again under the same keys.
    """


class RequestRejected(PacerError):
    """
    The service refused this one request, for good; others go on.

    Attributes:
        request: Your id of it.

        code: The service's code, such as ``VALIDATION_FAILED``, or one of pacer's.

        message: The service's sentence.

        details: What it said of single fields, as ``{"path", "message"}``.
    """

    def __init__(self, request: str, error: Mapping[str, Any]) -> None:
        self.request = request
        self.code = str(error.get("code", ""))
        self.message = str(error.get("message", ""))
        self.details: tuple[Mapping[str, str], ...] = tuple(error.get("details", ()))
        super().__init__(f"The request {request!r} was rejected: {self.code}: {self.message}")


class ServiceUnavailable(PacerError):
    """The service gave no usable answer to this one call; nothing is lost, ask again later."""


class OutputLost(PacerError):
    """
    The results could no longer be written in mid-run: a full disk, a pipe without a reader.

    In contrast to :class:`JournalLost` nothing is in doubt: every capture is in
    the journal, and a resume writes what is missing.
    """


class BatchStopped(PacerError):
    """
    The batch was stopped early and can be resumed by the same command.

    Attributes:
        code: A fixed word for programs, e.g. ``AUTH_INVALID``.

        reason: A sentence for people.
    """

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)
