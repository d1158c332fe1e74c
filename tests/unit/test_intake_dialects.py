"""CSV as programs and people write it: told from its header, and every odd row named."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.intake.lines import LONGEST
from pacer.wire.requests import CaptureRequest
from tests.unit.test_intake_reading import one_fault, read_as

EXPECTED = CaptureRequest.model_validate(
    {"id": "7", "query": "a, b; c", "surfaces": ["claude", "gemini"], "regions": ["US", "DE"]}
)


@pytest.mark.parametrize(
    "data",
    [
        b'id,query,surfaces,regions\n7,"a, b; c",claude;gemini,US;DE\n',
        b'id;query;surfaces;regions\n7;"a, b; c";"claude;gemini";"US;DE"\n',
        b"id;query;surfaces;regions\n7;'a, b; c';claude,gemini;US|DE\n".replace(b"'", b'"'),
        b"id\tquery\tsurfaces\tregions\r\n7\ta, b; c\tclaude;gemini\tUS;DE\r\n",
        b"id|query|surfaces|regions\n7|a, b; c|claude;gemini|US,DE\n",
        b"'id','query','surfaces','regions'\n'7','a, b; c','claude;gemini','US;DE'\n",
        b'ID, Query , "SURFACES", Regions\n7, "a, b; c", "claude; gemini", US;DE\n',
        b'\xef\xbb\xbf"id";"query";"surfaces";"regions"\r\n"7";"a, b; c";"claude,gemini";"US,DE"\r\n',
        "\ufeffid\tquery\tsurfaces\tregions\n7\ta, b; c\tclaude;gemini\tUS;DE\n".encode("utf-16-le"),
        b'sep=;\r\nid;query;surfaces;regions\r\n7;"a, b; c";"claude;gemini";"US;DE"\r\n',
        b"\n\nregions,surfaces,query,id\n"
        b'"[""US"", {""country"": ""DE""}]","[""claude"",""gemini""]","a, b; c",7\n',
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_dialect_is_told_from_the_header(suffix: str, data: bytes) -> None:
    """Delimiters, quotes, cases, spaces, marks: the header says how the file is written."""
    assert [found for _, found in read_as(suffix, data)] == [EXPECTED]


dialects = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "quotechar": st.sampled_from("\"'"),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "quoting": st.just(csv.QUOTE_ALL),
    }
)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip),
            st.lists(st.sampled_from(["claude", "gemini", "copilot"]), min_size=1, unique=True),
        ),
        max_size=5,
    ),
    dialects,
    encodings,
    st.permutations(["query", "surfaces", "priority"]),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.sampled_from(";,|"),
    st.integers(1, 40),
)
def test_what_is_written_in_any_dialect_is_read(
    rows: list[tuple[str, list[str]]],
    dialect: dict[str, Any],
    encoding: str,
    columns: list[str],
    case: Any,
    joined: str,
    step: int,
) -> None:
    """Any query and any list survive the way through a table, whoever wrote it."""
    out = io.StringIO()
    writer = csv.writer(out, **dialect)
    writer.writerow([case(column) for column in columns])
    for query, surfaces in rows:
        cells = {"query": query, "surfaces": joined.join(surfaces), "priority": "3"}
        writer.writerow([cells[column] for column in columns])
    found = [item for _, item in read_as(".csv", out.getvalue().encode(encoding), step)]

    assert found == [CaptureRequest(query=query, surfaces=surfaces, priority=3) for query, surfaces in rows]


@pytest.mark.parametrize(
    ("row", "line", "field", "reason"),
    [
        (
            b"1;why; though;claude",
            3,
            "",
            "4 cells under 3 columns; a cell with a semicolon in it needs quotes",
        ),
        (b"1;q", 3, "surfaces", "missing"),
        (b" ID ;Query;surfaces", 3, "", "the header once more: a table has one; remove this line"),
        (b'1;q;"[1"', 3, "surfaces", "must be a list, not text"),
        (b'1;q;"[1]"', 3, "surfaces.0", "must be text, not a number"),
        (b'1;"q"";claude', 3, "", "not CSV: unexpected end of data"),
    ],
)
def test_an_odd_row_is_named(row: bytes, line: int, field: str, reason: str) -> None:
    """Ragged, the header again, a list that is none: the row's line, and what to do."""
    good = b"2;q;claude\n"
    data = b"id;query;surfaces\n" + good + row

    assert (line, field, reason) == one_fault(".csv", data)
    if "not CSV" not in reason:
        assert len(read_as(".csv", data + b"\n" + good)) == 3


def test_a_row_without_an_end_is_not_kept() -> None:
    """Cells that go on over line after line are refused at a bound, not gathered for ever."""
    data = b'query,surfaces\n"q\n' + b'","\n' * (LONGEST // 3)

    line, _, reason = one_fault(".csv", data)
    assert line == 2
    assert reason == "a record of more than 1,048,576 bytes, or a quote that is never closed"


@given(
    st.lists(
        st.sampled_from(
            ["query", "surfaces", "id", ",", ";", "\t", "|", '"', "'", " ", "\n", "\r\n", "sep=;", "[", "x"]
        ),
        max_size=25,
    ).map("".join),
    encodings,
)
def test_any_scraps_are_records_or_named_faults(text: str, encoding: str) -> None:
    """No table, however odd its dialect, ends in an exception."""
    for suffix in (".csv", ".tsv"):
        for line, found in read_as(suffix, text.encode(encoding)):
            assert line >= 1
            assert isinstance(found, CaptureRequest) or all(
                (field + reason).isprintable() for field, reason in found
            )
