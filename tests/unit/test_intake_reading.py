"""Files and streams as people have them: each record with its line, each fault named."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.errors import UsageError
from pacer.intake import SUFFIXES, input_sha256, read
from pacer.intake.lines import LONGEST, Item
from pacer.wire.problems import Refusal
from pacer.wire.requests import CaptureRequest

Outcome: TypeAlias = tuple[int, CaptureRequest | list[tuple[str, str]]]

GOOD = b'{"query":"q","surfaces":["claude"]}'
TABLE = b"id,query,surfaces,regions,priority\n"


class Dribble:
    """A stream that hands out a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._stream = io.BytesIO(data)
        self._step = step

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, self._step))


def outcome(item: Item) -> Outcome:
    line, found = item
    return line, found.faults() if isinstance(found, Refusal) else found


def read_as(suffix: str, data: bytes, step: int = 1 << 30) -> list[Outcome]:
    return [outcome(item) for item in SUFFIXES[suffix](Dribble(data, step))]


def lines_of(outcomes: list[Outcome]) -> list[int]:
    return [line for line, _ in outcomes]


def one_fault(suffix: str, data: bytes) -> tuple[int, str, str]:
    [(line, faults)] = [found for found in read_as(suffix, data) if isinstance(found[1], list)]
    assert isinstance(faults, list)
    [(field, reason)] = faults
    return line, field, reason


WORDS = b'{ } [ ] , " \\ : 1 - tru "query" query a;b e \\ud800 \xef\xbb\xbf \xc3\xa9 \xff \xc3'.split()
pieces = st.sampled_from([*WORDS, GOOD, b" ", b"\n", b"\r\n", b"\r", b"\x00"])
scraps = st.lists(pieces, max_size=30).map(b"".join)
arrays = st.lists(pieces, max_size=12).map(lambda found: b"[" + b",".join(found) + b"]")
tables = scraps.map(lambda rest: b"query,surfaces\n" + rest)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
@given(st.binary(max_size=200) | scraps | arrays | tables)
def test_any_bytes_are_records_or_named_faults(suffix: str, data: bytes) -> None:
    """No file, however broken, ends in an exception; lines only ever go up."""
    outcomes = read_as(suffix, data)

    assert sorted(lines_of(outcomes)) == lines_of(outcomes)
    for _, found in outcomes:
        assert isinstance(found, CaptureRequest) or all(
            (field + reason).isprintable() for field, reason in found
        )


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
@given(scraps | arrays | tables, st.integers(1, 7))
def test_it_does_not_matter_how_the_bytes_arrive(suffix: str, data: bytes, step: int) -> None:
    """A file read in a few bytes at a time says the same as in one piece."""
    assert read_as(suffix, data) == read_as(suffix, data, step)


class TestJsonLines:
    def test_blank_lines_count_but_are_no_records(self) -> None:
        """A line's number is the one an editor shows, whatever the line ends."""
        data = b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n  \n" + GOOD

        assert lines_of(read_as(".jsonl", data)) == [1, 4]

    def test_each_bad_line_is_named(self) -> None:
        """One bad line hides neither the next bad one nor the good ones."""
        data = b"\n".join([GOOD, b"{", GOOD, b"[1]", b"\x89PNG\xff"])

        assert lines_of(read_as(".jsonl", data)) == [1, 2, 3, 4, 5]
        assert [line for line, found in read_as(".jsonl", data) if isinstance(found, list)] == [2, 4, 5]

    @pytest.mark.parametrize("tail", [b"", b"\n", b"\n" + GOOD])
    def test_an_endless_line_is_refused_without_keeping_it(self, tail: bytes) -> None:
        """Too long a line is one problem, and the line after it is read."""
        line, field, reason = one_fault(".jsonl", GOOD + b"\n" + b"x" * (3 * LONGEST) + tail)

        assert (line, field, reason) == (2, "", "a record of more than 1,048,576 bytes")
        outcomes = read_as(".jsonl", b"x" * (3 * LONGEST) + b"\n" + GOOD)
        assert isinstance(outcomes[1][1], CaptureRequest)

    def test_the_longest_line_passes(self) -> None:
        """The bound is inclusive, wherever the blocks that are read happen to end."""
        padded = GOOD + b" " * (LONGEST - len(GOOD))

        for before in (b"", b"\n", GOOD + b"\n"):
            assert isinstance(read_as(".jsonl", before + padded + b"\n")[-1][1], CaptureRequest)
            assert isinstance(read_as(".jsonl", before + padded + b" \n")[-1][1], list)


class TestJsonArray:
    def test_a_record_is_found_on_its_own_line(self) -> None:
        """Pretty-printed or not, the line is where the record begins."""
        data = (
            b"\xef\xbb\xbf[\n"
            + GOOD
            + b",\n"
            + json.dumps(json.loads(GOOD), indent=2).encode()
            + b" ,\n{}\n]\n"
        )

        assert lines_of(read_as(".json", data)) == [2, 3, 9]

    @given(st.lists(st.integers(1, 50), max_size=8), st.integers(1, 40))
    def test_every_record_is_read_once(self, sizes: list[int], step: int) -> None:
        """Wherever the blocks that are read end, all records come out, in order."""
        records = [{"id": n, "query": "é" * size, "surfaces": ["claude"]} for n, size in enumerate(sizes)]
        outcomes = read_as(".json", json.dumps(records, ensure_ascii=False).encode(), step)

        assert [str(n) for n in range(len(sizes))] == [getattr(found, "id", None) for _, found in outcomes]

    @pytest.mark.parametrize(
        ("data", "line", "reason"),
        [
            (
                GOOD,
                1,
                "not an array: a .json file holds one array of records; "
                "name it .jsonl if it has one record a line",
            ),
            (b'"x"', 1, "not an array: a .json file holds one array of records"),
            (b"[\n" + GOOD + b"\n" + GOOD + b"]", 3, "not JSON: expected ',' or ']' after a record"),
            (b"[\n" + GOOD + b",\n", 3, "not JSON: Expecting value"),
            (b"[\n" + GOOD, 2, "the file ends in the middle of the array"),
            (b"[\n" + GOOD + b",]", 2, "not JSON: Expecting value"),
            (b"[" + GOOD + b"]\n\nx", 3, "text after the end of the array"),
            (b'[\n{"query": x}, ' + b" " * 99, 2, "not JSON: Expecting value"),
            (b"[\n" + GOOD + b",\n\xff", 3, "not UTF-8 (byte 0xff); save the file as UTF-8"),
            (b"\xff\xfe[\x00", 1, "UTF-16, not UTF-8; save the file as UTF-8"),
            (b"[" + b"[" * 200_000, 1, "nested too deeply"),
            (b"[" + b"9" * 5_000 + b"]", 1, "a number of too many digits"),
            (
                b'[\n"' + b"x" * (2 * LONGEST),
                2,
                "a record of more than 1,048,576 bytes, or a quote that is never closed",
            ),
        ],
    )
    def test_where_an_array_breaks_is_named(self, data: bytes, line: int, reason: str) -> None:
        """What cannot be read on from is one problem, at the line where it stands."""
        assert (line, "", reason) == one_fault(".json", data)

    def test_elements_that_are_no_objects_are_named(self) -> None:
        """A number among the records is that record's problem alone."""
        outcomes = read_as(".json", b"[1, " + GOOD + b",\nnull]")

        assert outcomes[0][1] == [("", "must be an object (one request), not a number")]
        assert isinstance(outcomes[1][1], CaptureRequest)
        assert outcomes[2] == (2, [("", "must be an object (one request), not null")])

    def test_a_lone_surrogate_is_found_in_its_field(self) -> None:
        """What JSON can spell but UTF-8 cannot carry is refused by field."""
        assert one_fault(".json", rb'[{"query":"\ud800","surfaces":["claude"]}]')[:2] == (1, "query")

    def test_an_empty_array_has_no_records(self) -> None:
        """It is read, and nothing comes out."""
        assert read_as(".json", b" [ ]\n") == []


class TestCsv:
    def test_a_row_is_a_request(self) -> None:
        """Lists are joined by semicolons; quotes keep commas and newlines; empty cells say nothing."""
        rows = f'\ufeff{TABLE.decode()}7,"a, ""b""\nc",claude; gemini,us;DE,3\r\n,plain,claude,,\r\n'
        first, second = [found for _, found in read_as(".csv", rows.encode())]

        expected = {"id": "7", "query": 'a, "b"\nc', "surfaces": ["claude", "gemini"], "priority": 3}
        assert CaptureRequest.model_validate(expected | {"regions": ["US", "DE"]}) == first
        assert CaptureRequest(query="plain", surfaces=["claude"]) == second

    def test_a_row_has_the_line_it_begins_on(self) -> None:
        """Line breaks inside quotes, empty rows and rows of empty cells count as lines."""
        data = TABLE + b'1,"x\ny\nz",claude,,\n\n,,,,\n2,q,claude,,\n'

        assert lines_of(read_as(".csv", data)) == [2, 7]

    @given(
        st.lists(
            st.tuples(
                st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
                st.lists(st.sampled_from(["claude", "gemini", "copilot"]), min_size=1, unique=True),
            ),
            max_size=5,
        ),
        # QUOTE_MINIMAL leaves a lone carriage return unquoted unless lines end with one.
        st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
    )
    def test_what_the_csv_module_writes_is_read(
        self, rows: list[tuple[str, list[str]]], dialect: tuple[str, Any]
    ) -> None:
        """Any id, of any characters, survives the way through a table."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator=dialect[0], quoting=dialect[1])
        writer.writerow(["id", "query", "surfaces"])
        for request_id, surfaces in rows:
            writer.writerow([request_id, "q", ";".join(surfaces)])
        found = read_as(".csv", out.getvalue().encode())

        assert rows == [
            (request.id, request.surfaces) for _, request in found if isinstance(request, CaptureRequest)
        ]

    @pytest.mark.parametrize(
        ("header", "faults"),
        [
            (
                b"query,surface",
                [
                    ("surface", "unknown column; did you mean surfaces?"),
                    ("surfaces", "no such column in the header"),
                ],
            ),
            (b"query,surfaces,colour", [("colour", "unknown column")]),
            (b"prompt,surfaces,query", [("query", "means the same as prompt; give one of them")]),
            (b"query,surfaces,idempotency_key", [("idempotency_key", "unknown column")]),
            (b"id,surfaces", [("query", "no such column in the header")]),
            (b"query,prompt,surfaces", [("prompt", "means the same as query; give one of them")]),
            (b"query,surfaces,query", [("query", "there are two columns of this name")]),
            (b"query,surfaces,", [("", "column 3 has no name")]),
            (
                b"1,shoes,claude",
                [("", "no column has a known name; known are id, query, surfaces, regions, priority")],
            ),
            (
                b"id:query:surfaces",
                [("", "no column has a known name; known are id, query, surfaces, regions, priority")],
            ),
        ],
    )
    def test_a_wrong_header_is_named_by_column(self, header: bytes, faults: list[tuple[str, str]]) -> None:
        """Without a header that is understood, no row is guessed at."""
        assert [(1, faults)] == read_as(".csv", header + b"\nx,claude\n")

    @pytest.mark.parametrize(
        ("row", "field", "reason"),
        [
            (b"1,,claude,,", "query", "missing"),
            (b"1,q", "surfaces", "missing"),
            (b"1,q,claude;,,", "surfaces.1", "blank"),
            (
                b"1,q,claude,USA,",
                "regions.0.country",
                "'USA' is not a two-letter country code such as US (ISO 3166-1 alpha-2)",
            ),
            (b"1,q,claude,,99", "priority", "must be between 1 and 10"),
            (b"1,q,claude,,high", "priority", "must be a whole number, not text"),
            (
                b"1,why, though,claude,,",
                "",
                "6 cells under 5 columns; a cell with a comma in it needs quotes",
            ),
            (b"1,caf\xe9,claude,,", "", "not UTF-8 (byte 0xe9); save the file as UTF-8"),
            (b'1,"a"b,claude,,', "", "not CSV: ',' expected after '\"'"),
        ],
    )
    def test_a_bad_row_is_named_and_the_next_is_read(self, row: bytes, field: str, reason: str) -> None:
        """A fault in one row is that row's alone."""
        good = b"2,q,claude,,\n"

        assert (3, field, reason) == one_fault(".csv", TABLE + good + row + b"\n" + good)
        assert len(read_as(".csv", TABLE + good + row + b"\n" + good)) == 3

    def test_a_quote_that_is_never_closed_is_named_where_it_opens(self) -> None:
        """One missing quote is one problem, not one for each line it swallowed."""
        data = TABLE + b'1,"q,claude,,\n' + b"2,q,claude,,\n" * 20_000

        line, _, reason = one_fault(".csv", data)
        assert line == 2
        assert reason.endswith("; is a closing quote missing?")

    def test_a_table_of_a_header_has_no_records(self) -> None:
        """It is read, and nothing comes out; nor out of an empty file."""
        assert read_as(".csv", TABLE) == []
        assert read_as(".csv", b"") == []


class TestSources:
    def test_the_suffix_says_how_to_read(self, tmp_path: Path) -> None:
        """In any case of letters."""
        file = tmp_path / "BATCH.JSONL"
        file.write_bytes(GOOD)

        assert [line for line, _ in read(file)] == [1]

    @pytest.mark.parametrize("name", ["batch.xlsx", "batch"])
    def test_an_unknown_suffix_is_refused_with_the_known_ones(self, tmp_path: Path, name: str) -> None:
        """A person learns what would have worked."""
        (tmp_path / name).write_bytes(GOOD)

        with pytest.raises(
            UsageError, match=r"Known: \.jsonl, .*, \.tsv \(also with \.gz\), \.parquet; or - for"
        ):
            list(read(tmp_path / name))

    def test_what_cannot_be_opened_is_said_in_a_sentence(self, tmp_path: Path) -> None:
        """Missing, a directory, a name no file can have: never a traceback."""
        for path, words in (
            (tmp_path / "no.jsonl", "There is no file "),
            (tmp_path, " is a directory"),
            (Path("a\0b.jsonl"), " cannot be read: "),
            (tmp_path / ("x" * 300 + ".jsonl"), " cannot be read: "),
        ):
            with pytest.raises(UsageError, match=words):
                input_sha256(path)

    def test_a_disk_that_fails_is_said_in_a_sentence(self) -> None:
        """Input that breaks off is no input."""

        class Failing:
            def read(self, size: int, /) -> bytes:
                raise OSError(5, "Input/output error")

        with pytest.raises(UsageError, match="<stdin> cannot be read to its end: Input/output error"):
            list(read(Failing()))

    def test_a_pause_is_not_taken_for_the_end(self) -> None:
        """A stream that does not block is refused before its silence cuts the batch short."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        with (
            open(reading, "rb") as stream,
            open(writing, "wb"),
            pytest.raises(UsageError, match="O_NONBLOCK"),
        ):
            list(read(stream))

    def test_the_digest_is_of_the_bytes(self, tmp_path: Path) -> None:
        """The same input is known again by its bytes, whatever they hold."""
        file = tmp_path / "x.csv"
        file.write_bytes(b"abc")

        assert input_sha256(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
