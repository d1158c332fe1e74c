"""
Taking a batch in: number the records, name them, give them keys, write them.

Nothing is committed here: that is the caller's, who first hears what it costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pacer.errors import InputError, InputProblem
from pacer.intake.keys import KeyMaker
from pacer.intake.lines import Readable
from pacer.intake.source import opened
from pacer.journal.protocol import IntakeWriter
from pacer.journal.records import Duplicate, Origin, Record
from pacer.wire.problems import Refusal, shown
from pacer.wire.requests import CREDITS, KNOWN_SURFACES, CaptureRequest, keyed, read_mapping

CHUNK_BYTES = 4 << 20
RECORD_BYTES = 4 << 10
"""
What is written at once, and what a record counts for beside its body: a thousand
records, fewer if they are large. Few calls, and little memory.
"""

MOST_PROBLEMS = 20
"""Problems that are told; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSummary:
    """
    What a batch asks for.

    Attributes:
        sha256: Hex digest of the input's bytes; empty for a library call.

        requests: How many.

        captures: What they become: the sum of surfaces x regions.

        max_credits: The most it can cost, surfaces without a published price left out.

        by_surface: Captures by surface.

        fan_outs: Requests by fan-out.
    """

    sha256: str
    requests: int
    captures: int
    max_credits: int
    by_surface: Mapping[str, int]
    fan_outs: Mapping[int, int]

    @property
    def unknown_surfaces(self) -> tuple[str, ...]:
        """Surfaces that the service's documentation does not name, sorted."""
        return tuple(sorted(self.by_surface.keys() - KNOWN_SURFACES))

    @property
    def unpriced_surfaces(self) -> tuple[str, ...]:
        """Surfaces without a published price, the unknown ones among them, sorted."""
        return tuple(sorted(surface for surface in self.by_surface if CREDITS.get(surface) is None))


def to_record(request: CaptureRequest, *, index: int, line: int, keys: KeyMaker) -> Record:
    """Return *request* as the journal takes it, its bytes and key made for good."""
    request_id = str(index) if request.id is None else request.id
    unkeyed = request.unkeyed_body()
    key = keys(index, request_id, unkeyed) if request.idempotency_key is None else request.idempotency_key
    return Record(index, request_id, key, keyed(unkeyed, key), request.fan_out, tuple(request.surfaces), line)


class Intake:
    """
    One batch on its way into the journal, a record at a time, in flat memory.

    After the first bad record it goes on, to find the others.

    Attributes:
        records: How many it was given.
    """

    def __init__(self, writer: IntakeWriter, *, keys: KeyMaker, source: str, unit: str = "line") -> None:
        self._writer = writer
        self._keys = keys
        self._source = source
        self._unit = unit
        self.records = 0
        self._chunk: list[Record] = []
        self._chunk_bytes = 0
        self._chunk_problems: list[InputProblem] = []
        self._problems: list[InputProblem] = []
        self._problem_count = 0
        self._captures: Counter[str] = Counter()
        self._fan_outs: Counter[int] = Counter()

    def add(self, line: int, item: CaptureRequest | Refusal, *, origin: Origin | None = None) -> None:
        """Take the next record, which stands at *line*."""
        index = self.records
        self.records += 1
        if isinstance(item, Refusal):
            self._refuse(line, item)
            return
        record = to_record(item, index=index, line=line, keys=self._keys)
        record.origin = origin
        self._chunk.append(record)
        self._chunk_bytes += len(record.body) + RECORD_BYTES
        if self._chunk_bytes >= CHUNK_BYTES:
            self._write()

    def finish(self, sha256: str = "") -> IntakeSummary:
        """
        Write what is left, and return the sum of it all.

        Errors:
            InputError: Some records are wrong, or there are none. Do not commit.
        """
        self._write()
        if not self.records:
            self._problem_count = 1
            self._problems = [InputProblem(1, "", "no records: the input is empty")]
        if self._problem_count:
            raise InputError(self._source, self._problems, self._problem_count)
        return IntakeSummary(
            sha256=sha256,
            requests=self.records,
            captures=self._captures.total(),
            max_credits=sum((CREDITS.get(surface) or 0) * n for surface, n in self._captures.items()),
            by_surface=dict(self._captures),
            fan_outs=dict(self._fan_outs),
        )

    def _refuse(self, line: int, refusal: Refusal) -> None:
        self._problem_count += refusal.count
        wanted = MOST_PROBLEMS - len(self._problems) - len(self._chunk_problems)
        if wanted > 0:
            faults = refusal.faults()[:wanted]
            self._chunk_problems += (
                InputProblem(line, field, reason, self._unit) for field, reason in faults
            )

    def _write(self) -> None:
        """Write the chunk; sort what is wrong with it, and with what stood between, into file order."""
        duplicates = self._writer.add(self._chunk) if self._chunk else []
        self._problem_count += len(duplicates)
        found = self._chunk_problems + [self._repeated(duplicate) for duplicate in duplicates]
        found.sort(key=lambda problem: problem.line)
        self._problems += found[: MOST_PROBLEMS - len(self._problems)]
        for (surfaces, fan_out), requests in Counter([(r.surfaces, r.fan_out) for r in self._chunk]).items():
            self._fan_outs[fan_out] += requests
            for surface in surfaces:
                self._captures[surface] += requests * fan_out // len(surfaces)
        self._chunk = []
        self._chunk_bytes = 0
        self._chunk_problems = []

    def _repeated(self, duplicate: Duplicate) -> InputProblem:
        record = duplicate.record
        value = record.id if duplicate.field == "id" else record.key
        reason = f"{shown(value)} is repeated; first at {self._unit} {duplicate.first_line:,}"
        if duplicate.field == "id" and record.id == str(record.index):
            reason += " (without an id, a record is named by its number, from 0)"
        return InputProblem(record.line, duplicate.field, reason, self._unit)


def take_in(source: Path | Readable, writer: IntakeWriter, *, keys: KeyMaker) -> IntakeSummary:
    """
    Read all of *source* into *writer*; commit it if this returns.

    A stream is read as JSON Lines. Reads block; an interrupt ends them.

    Errors:
        InputError: The first problems in file order, and their number.
        UsageError: It is missing, unreadable, or of no known kind.
    """
    with opened(source) as (stream, reader):
        intake = Intake(writer, keys=keys, source=stream.name, unit=stream.unit)
        for line, item in reader(stream):
            intake.add(line, item)
        return intake.finish(stream.sha256())


def take_in_requests(
    requests: Iterable[CaptureRequest | Mapping[str, object]],
    writer: IntakeWriter,
    *,
    keys: KeyMaker,
    source: str = "<requests>",
) -> IntakeSummary:
    """
    Do the same for requests in memory; a problem's line is the request's number, from 1.

    Errors:
        InputError: See :func:`take_in`.
    """
    intake = Intake(writer, keys=keys, source=source)
    for number, request in enumerate(requests, 1):
        intake.add(number, request if isinstance(request, CaptureRequest) else read_mapping(request))
    return intake.finish()
