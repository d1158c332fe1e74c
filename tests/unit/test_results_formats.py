"""Flat rows, CSV and Parquet of results: whatever the service sent."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.errors import UsageError
from pacer.journal.entries import Rejected, Sent
from pacer.journal.memory import MemoryJournal
from pacer.journal.views import ResultRow
from pacer.results import formats
from pacer.results.flat import COLUMNS, Value, flattened
from pacer.results.formats import Csv, Parquet
from pacer.sandbox.envelope import envelope
from pacer.sandbox.jobs import Child, Job
from tests.contract.journal.builders import record, take_in

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "formats.md"
NAMES = [column.name for column in COLUMNS]


def row(found: Any = None, error: Any = None, **changes: Any) -> ResultRow:
    values: dict[str, Any] = {
        "seq": 1,
        "request": "a",
        "index": 0,
        "job": "j",
        "child": "j.c",
        "surface": "claude",
        "region": "US",
        "status": "completed",
    }
    return ResultRow(**values | changes, envelope=found, error=error)


def flat(one: ResultRow) -> dict[str, Value]:
    [values] = flattened([one], MemoryJournal())
    return dict(zip(NAMES, values, strict=True))


def as_csv(*rows: ResultRow, exact: bool = False) -> list[dict[str, str]]:
    out = io.BytesIO()
    writer = Csv(out, MemoryJournal(), exact=exact)
    writer.write(rows)
    writer.finish()
    return list(csv.DictReader(io.StringIO(out.getvalue().decode(), newline="")))


def as_parquet(*rows: ResultRow) -> list[dict[str, Any]]:
    out = io.BytesIO()
    writer = Parquet(out, MemoryJournal())
    for one in rows:
        writer.write([one])
    writer.finish()
    table: list[dict[str, Any]] = pq.read_table(io.BytesIO(out.getvalue())).to_pylist()
    return table


WHOLE = {
    "job": {
        "query": "q",
        "method": "own-fleet",
        "warnings": ["slow", {"code": "odd", "message": "m"}],
        "requestedAt": "2026-11-26T03:00:00.250Z",
        "completedAt": "2026-11-26T04:00:01+01:00",
        "credits": 4.5,
    },
    "provenance": {"model": {"providerId": "p", "observedLabel": "m"}, "surfacePresent": True},
    "answer": {"text": "t", "markdown": "**t**\n"},
    "evidence": {"sources": [{"url": "https://a.b/c d"}, {"title": "no url"}, "https://e.f"]},
}


def test_an_envelope_is_picked_apart() -> None:
    """Each column has what the documentation puts there, typed in Parquet, as text in CSV."""
    expected: dict[str, Value] = {
        "request": "a",
        "index": 0,
        "job": "j",
        "child": "j.c",
        "surface": "claude",
        "region": "US",
        "status": "completed",
        "error_code": None,
        "error_message": None,
        "query": "q",
        "surface_present": True,
        "answer_text": "t",
        "answer_markdown": "**t**\n",
        "source_count": 3,
        "source_urls": ["https://a.b/c d", "https://e.f"],
        "model_provider": "p",
        "model": "m",
        "method": "own-fleet",
        "warnings": ["slow", "odd"],
        "credits": 4.5,
        "requested_at": datetime(2026, 11, 26, 3, 0, 0, 250_000, UTC),
        "completed_at": datetime(2026, 11, 26, 3, 0, 1, 0, UTC),
    }
    assert flat(row(WHOLE)) == expected
    assert as_parquet(row(WHOLE)) == [expected]
    [cells] = as_csv(row(WHOLE))
    assert list(cells) == NAMES
    assert cells["surface_present"] == "true"
    assert cells["source_urls"] == "https://a.b/c%20d https://e.f"
    assert cells["requested_at"] == "2026-11-26T03:00:00.250Z"
    assert cells["credits"] == "4.5"
    assert cells["error_code"] == ""


def test_the_sandbox_fills_every_column() -> None:
    """Nothing in the table is a name that no Envelope has."""
    child = Child(Job("job_1", 0.0, "q", b""), "job_1.c", "chatgpt", "US", end="completed")
    filled = {
        name for name, value in flat(row(envelope(child, state="completed", epoch=0.0))).items() if value
    }
    assert set(NAMES) - filled <= {"index", "error_code", "error_message", "warnings"}


def test_a_query_that_no_envelope_tells_is_the_one_that_was_sent() -> None:
    """A refused request and a capture that never came have their query in the table all the same."""
    journal = MemoryJournal()
    take_in(journal, record(0), record(1))
    journal.write([Sent(1, 1.0), Rejected(1, 2.0, {"code": "C", "message": "m"})])

    [values] = flattened(journal.rows(after=0, limit=9), journal)
    found = dict(zip(NAMES, values, strict=True))
    assert found["query"] == "1"
    assert (found["status"], found["error_code"], found["error_message"]) == ("rejected", "C", "m")


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=6)
    | st.sampled_from(
        ["2026-11-26T03:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "20261126"]
    )
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
sections = {
    "job": ["query", "method", "warnings", "requestedAt", "completedAt", "credits"],
    "provenance": ["model", "surfacePresent"],
    "answer": ["text", "markdown"],
    "evidence": ["sources"],
}
envelopes = anything | st.fixed_dictionaries(
    {},
    optional={
        section: anything | st.fixed_dictionaries({}, optional=dict.fromkeys(names, anything))
        for section, names in sections.items()
    },
)


@given(envelopes, anything, st.text(st.characters(), max_size=6))
def test_any_envelope_is_a_row(found: Any, error: Any, name: str) -> None:
    """Missing, null, of another type, half a character: empty cells or text, never an exception."""
    odd = row(found, error, request=name, job=None)

    [cells] = as_csv(odd)
    assert list(cells) == NAMES
    [typed] = as_parquet(odd)
    assert list(typed) == NAMES
    assert typed["index"] == 0


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
    | st.sampled_from(["=1+1", "- item", "+49", "@x", "'tis", "\t=1", "＝1"]).map(lambda text: text + " x")
)
def test_no_cell_is_a_formula(text: str) -> None:
    """No cell begins as a formula does; one apostrophe less is the text itself; --exact leaves it alone."""
    found = row({"answer": {"text": text}})
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    printed = "".join("\ufffd" if unicodedata.category(c) == "Cc" and c not in "\t\n" else c for c in lines)

    [cells] = as_csv(found)
    assert not cells["answer_text"].startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    assert cells["answer_text"].removeprefix("'") == printed
    [cells] = as_csv(found, exact=True)
    assert cells["answer_text"] == printed


def test_numbers_are_no_formulas() -> None:
    """A negative number is a number."""
    [cells] = as_csv(row({"job": {"credits": -2}}))
    assert cells["credits"] == "-2"


def test_parquet_is_written_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept in memory is bounded in rows and in characters."""
    monkeypatch.setattr(formats, "GROUP_ROWS", 10)
    monkeypatch.setattr(formats, "GROUP_CHARACTERS", 1_000)
    out = io.BytesIO()
    writer = Parquet(out, MemoryJournal())
    writer.write([row(index=n) for n in range(25)])
    writer.write([row({"answer": {"text": "x" * 999}}, index=n) for n in range(25, 28)])
    writer.finish()

    file = pq.ParquetFile(io.BytesIO(out.getvalue()))
    groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert groups == [10, 10, 6, 1, 1]
    assert file.read().column("index").to_pylist() == list(range(28))


def test_an_abandoned_file_is_left_alone() -> None:
    """pyarrow writes nothing more when the disk was full, nor when its writer is forgotten."""

    class Full(io.BytesIO):
        def write(self, data: Any, /) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Parquet(Full(), MemoryJournal())
    out = io.BytesIO()
    writer = Parquet(out, MemoryJournal())
    writer.write([row()])
    before = out.getvalue()
    writer.abandon()
    assert out.getvalue() == before


def test_without_the_extra_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that installs what is missing stands in the sentence."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'aisearch-pacer\[parquet\]'"):
        Parquet(io.BytesIO(), MemoryJournal())


def test_csv_is_read_back_by_the_csv_module() -> None:
    """Line breaks (as line feeds), quotes and commas in an answer are its own."""
    text = 'a, "b"\r\nc;\n'
    [cells] = as_csv(row({"answer": {"text": text}, "job": {"query": json.dumps(text)}}))
    assert cells["answer_text"] == text.replace("\r", "")
    assert cells["query"] == json.dumps(text)


def test_the_documentation_lists_the_columns() -> None:
    """In their order, with their types."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\w, ]+) \|$", DOCUMENTATION.read_text(), re.MULTILINE)
    out = io.BytesIO()
    Parquet(out, MemoryJournal()).finish()
    schema = pq.read_schema(io.BytesIO(out.getvalue()))
    words = {"list<element: string>": "list of string", "timestamp[ms, tz=UTC]": "timestamp, UTC"}
    assert rows == [(field.name, words.get(str(field.type), str(field.type))) for field in schema]
