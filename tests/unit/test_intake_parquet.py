"""Parquet as programs write it: a request a row, every fault by its row."""

from __future__ import annotations

import io
import sys
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.errors import InputError, UsageError
from pacer.intake import input_sha256, random_keys, read, take_in
from pacer.intake.parquet import ROWS, parquet_table
from pacer.journal.memory import MemoryJournal
from pacer.wire.problems import Refusal
from pacer.wire.requests import CaptureRequest, Region
from tests.unit.test_intake_reading import Outcome, outcome

GOOD: dict[str, Any] = {"query": ["q"], "surfaces": [["claude"]]}


def packed(table: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(table) if isinstance(table, dict) else table, file, **options)
    return file.getvalue()


def read_bytes(data: bytes) -> list[Outcome]:
    return [outcome(item) for item in parquet_table(io.BytesIO(data), "x.parquet")]


def requests_in(table: dict[str, Any] | pa.Table) -> list[Any]:
    return [found for _, found in read_bytes(packed(table))]


def test_a_row_is_a_request() -> None:
    """Lists or joined text, codes or structs, in columns of any case and order; null says nothing."""
    regions = [[{"country": "DE", "city": "Berlin", "language": None}], None]
    table = {"PROMPT": ["a", "b"], "Regions": regions, "surfaces": [["claude", "gemini"], ["copilot"]]}
    other = {
        "id": [7, 8],
        "query": ["a", "b"],
        "surfaces": ["claude;gemini", "copilot"],
        "priority": [3.0, None],
    }

    assert requests_in(table) == [
        CaptureRequest(
            query="a", surfaces=["claude", "gemini"], regions=[Region(country="DE", city="Berlin")]
        ),
        CaptureRequest(query="b", surfaces=["copilot"]),
    ]
    assert requests_in(other) == [
        CaptureRequest(id="7", query="a", surfaces=["claude", "gemini"], priority=3),
        CaptureRequest(id="8", query="b", surfaces=["copilot"]),
    ]


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("id", "x", {"id": "x"}),
        ("id", 2**63 - 1, {"id": str(2**63 - 1)}),
        ("id", b"raw", {"id": "raw"}),
        ("id", uuid.UUID(int=5).bytes, {"id": str(uuid.UUID(int=5))}),
        ("id", 4.0, {"id": "4"}),
        ("id", float("nan"), {}),
        ("id", "", {}),
        ("priority", 5, {"priority": 5}),
        ("method", "official-api", {"method": "official-api"}),
        ("idempotency_key", "k", {"idempotencyKey": "k"}),
        (
            "webhook",
            {"url": "https://a.b", "secret": "s"},
            {"webhook": {"url": "https://a.b", "secret": "s"}},
        ),
        ("regions", "us, DE", {"regions": ["US", "DE"]}),
        ("regions", ["us", "DE"], {"regions": ["US", "DE"]}),
        ("__index_level_0__", 17, {}),
    ],
)
def test_types_as_programs_write_them(column: str, value: Any, told: dict[str, Any]) -> None:
    """Numbers that became floats, bytes for text, UUIDs, an index of pandas': read as they were meant."""
    kind = pa.uuid() if isinstance(value, bytes) and len(value) == 16 else None
    table = pa.table({**GOOD, column: pa.array([value], kind)})

    assert requests_in(table) == [
        CaptureRequest.model_validate({"query": "q", "surfaces": ["claude"]} | told)
    ]


def test_a_categorical_is_text() -> None:
    """A dictionary-encoded column reads as what it stands for."""
    table = pa.table({"query": ["q"] * 3, "surfaces": pa.array(["claude"] * 3).dictionary_encode()})

    assert requests_in(table) == [CaptureRequest(query="q", surfaces=["claude"])] * 3


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("priority", 99, ("priority", "must be between 1 and 10")),
        ("priority", 2.5, ("priority", "must be a whole number, not 2.5")),
        ("priority", "5", ("priority", "must be a whole number, not text")),
        ("id", True, ("id", "must be text or a whole number, not true")),
        ("regions", [{"city": "Berlin"}], ("regions.0.country", "missing")),
        ("regions", {"country": "US"}, ("regions", "must be a list, not an object")),
    ],
)
def test_a_fault_is_named_by_its_row_and_field(column: str, value: Any, fault: tuple[str, str]) -> None:
    """The rows around it are read all the same."""
    table = {name: values * 3 for name, values in GOOD.items()} | {column: [None, value, None]}

    first, second, third = read_bytes(packed(table))
    assert second == (2, [fault])
    assert isinstance(first[1], CaptureRequest)
    assert isinstance(third[1], CaptureRequest)


def test_text_that_is_none_is_its_rows_fault_alone() -> None:
    """Parquet does not check its text: bytes that are no UTF-8 are refused where they stand."""
    raw = pa.array([b"q", b"caf\xe9", b"r"]).cast(pa.binary())
    as_text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    surfaces = [["claude"]] * 3
    reason = "not UTF-8 (byte 0xe9); save the file as UTF-8"

    for query in (raw, as_text):
        found = read_bytes(packed(pa.table({"query": query, "surfaces": surfaces})))
        assert [line for line, _ in found] == [1, 2, 3]
        assert found[1][1] == [("query", reason)]
        assert isinstance(found[2][1], CaptureRequest)


@pytest.mark.parametrize(
    ("columns", "faults"),
    [
        (["query", "surface"], ["surface", "surfaces"]),
        (["query", "surfaces", "Query"], ["query"]),
        (["prompt", "query", "surfaces"], ["query"]),
        (["a", "b"], [""]),
        ([], [""]),
    ],
)
def test_wrong_columns_are_named(columns: list[str], faults: list[str]) -> None:
    """Where no row can be read, the file is at fault as a whole."""
    table = pa.Table.from_arrays([pa.array(["x"])] * len(columns), names=columns)

    [(line, found)] = read_bytes(packed(table))
    assert line == 0
    assert isinstance(found, list)
    assert [field for field, _ in found] == faults


def test_complaints_say_row(tmp_path: Path) -> None:
    """``FILE:row N``, repeats included, since there are no lines; ``FILE`` alone for the whole."""
    path = tmp_path / "batch.parquet"
    path.write_bytes(packed({"id": ["a", "b", "a"], "query": ["q", None, "q"], "surfaces": ["claude"] * 3}))

    with MemoryJournal().intake() as writer, pytest.raises(InputError) as raised:
        take_in(path, writer, keys=random_keys("t"))
    assert str(raised.value).splitlines() == [
        f"{path}:row 2: query: missing",
        f"{path}:row 3: id: 'a' is repeated; first at row 1",
    ]
    path.write_bytes(b"PAR1 it is not")
    with (
        MemoryJournal().intake() as writer,
        pytest.raises(InputError, match=r"batch\.parquet: not Parquet: "),
    ):
        take_in(path, writer, keys=random_keys("t"))


def test_it_is_read_in_batches_and_known_by_its_bytes(tmp_path: Path) -> None:
    """All rows of all row groups, in order, and the digest of the whole file."""
    number = 2 * ROWS + 7
    path = tmp_path / "batch.parquet"
    table = {"id": range(number), "query": ["q"] * number, "surfaces": ["claude"] * number}
    path.write_bytes(packed(pa.table(table), row_group_size=ROWS - 1))
    with MemoryJournal().intake() as writer:
        summary = take_in(path, writer, keys=random_keys("t"))

    assert summary.requests == number
    assert summary.sha256 == input_sha256(path)
    assert [line for line, _ in read(path)] == list(range(1, number + 1))


def test_without_the_extra_the_way_to_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that installs what is missing stands in the sentence; the digest needs nothing."""
    path = tmp_path / "batch.parquet"
    path.write_bytes(packed(GOOD))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

    assert len(input_sha256(path)) == 64
    with pytest.raises(UsageError, match=r"pip install 'aisearch-pacer\[parquet\]'"):
        list(read(path))


WHOLE = packed({"query": ["q" * 40] * 20, "surfaces": [["claude"]] * 20})
changes = st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4)


def changed(found: list[tuple[int, int]]) -> bytes:
    data = bytearray(WHOLE)
    for place, byte in found:
        data[place] = byte
    return bytes(data)


cells = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=9)
columns = st.one_of(
    [
        st.lists(one, min_size=3, max_size=3)
        for one in (
            st.none() | st.integers(-9, 99),
            st.none() | st.floats(),
            st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
            st.none() | st.binary(max_size=9),
            st.none() | st.lists(st.none() | st.sampled_from(["claude", "US", ""]), max_size=3),
            st.none()
            | st.fixed_dictionaries({"country": st.none() | st.just("US"), "x": st.none() | st.just(1)}),
            st.none() | st.datetimes(),
        )
    ]
)
NAMES = ["id", "query", "surfaces", "regions", "priority", "webhook", "method", "idempotencyKey"]
tables = st.dictionaries(st.sampled_from(NAMES), columns, max_size=5).map(
    lambda table: partial(packed, table)
)


@given(st.one_of(st.binary(max_size=80), changes.map(changed)) | tables)
def test_any_file_is_records_or_named_faults(made: bytes | Callable[[], bytes]) -> None:
    """No file, however broken, and no type, however odd, ends in an exception; rows only ever go up."""
    found = read_bytes(made if isinstance(made, bytes) else made())

    rows = [line for line, _ in found]
    assert rows == sorted(rows)
    for _, item in found:
        assert not isinstance(item, Refusal)
        assert isinstance(item, CaptureRequest) or all(
            (field + reason).isprintable() for field, reason in item
        )
