"""A batch on its way into the journal: numbered, named, keyed, and refused as a whole if it is wrong."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.errors import InputError
from pacer.intake import (
    Intake,
    IntakeSummary,
    named_keys,
    new_token,
    random_keys,
    take_in,
    take_in_requests,
)
from pacer.intake.taking import CHUNK_BYTES, RECORD_BYTES
from pacer.journal.memory.journal import MemoryIntake, MemoryJournal
from pacer.journal.records import Batch, Duplicate, Record
from pacer.wire.requests import CaptureRequest, read_json

EXAMPLE = Path(__file__).parents[2] / "examples" / "captures.jsonl"
KEYS = random_keys("token-of-22-characters")
GOOD: dict[str, Any] = {"query": "q", "surfaces": ["claude"]}


class Writer(MemoryIntake):
    """The in-memory journal's intake, showing what it was given."""

    def __init__(self) -> None:
        super().__init__(MemoryJournal())
        self.records: list[Record] = []
        self.chunks: list[int] = []

    def add(self, records: Sequence[Record]) -> list[Duplicate]:
        self.records += records
        self.chunks.append(len(records))
        return super().add(records)

    def commit(self, batch: Batch) -> None:
        raise AssertionError("intake leaves the commit to its caller")


class Discarding(Writer):
    def add(self, records: Sequence[Record]) -> list[Duplicate]:
        return []


def stream_of(*records: object) -> io.BytesIO:
    return io.BytesIO(b"".join(json.dumps(record).encode() + b"\n" for record in records))


def taken(*records: object) -> list[Record]:
    writer = Writer()
    take_in(stream_of(*records), writer, keys=KEYS)
    return writer.records


def refused(*records: object) -> InputError:
    with pytest.raises(InputError) as refusal:
        taken(*records)
    return refusal.value


def test_a_record_is_numbered_named_and_keyed() -> None:
    """Index, id, line and key of a record follow from where it stands; its key is in its body."""
    writer = Writer()
    take_in(
        io.BytesIO(b'\n{"query":"q","surfaces":["claude","grok"],"regions":["US","de"]}'), writer, keys=KEYS
    )

    body = (
        b'{"query":"q","surfaces":["claude","grok"],"regions":[{"country":"US"},{"country":"DE"}],'
        b'"idempotencyKey":"token-of-22-characters-0"}'
    )
    expected = Record(0, "0", "token-of-22-characters-0", body, 4, ("claude", "grok"), 2)
    assert writer.records == [expected]


def test_your_own_id_and_key_are_kept() -> None:
    """What the user gave is never replaced, and a key of any printable characters is sent as it is."""
    [record] = taken(GOOD | {"id": 12, "idempotencyKey": 'a"b\\c'})

    assert (record.id, record.key) == ("12", 'a"b\\c')
    assert json.loads(record.body)["idempotencyKey"] == 'a"b\\c'


def test_the_summary_adds_up() -> None:
    """Captures, credits and the digest are those of the whole input, unknown surfaces named."""
    source = stream_of(
        GOOD | {"regions": ["US", "DE"]},
        GOOD | {"surfaces": ["claude", "grok", "google_news"]},
        GOOD | {"surfaces": ["perplexity"]},
    )
    summary = take_in(source, Writer(), keys=KEYS)

    assert summary == IntakeSummary(
        sha256=hashlib.sha256(source.getvalue()).hexdigest(),
        requests=3,
        captures=6,
        max_credits=6 * 3 + 3,
        by_surface={"claude": 3, "grok": 1, "google_news": 1, "perplexity": 1},
        fan_outs={2: 1, 3: 1, 1: 1},
    )
    assert summary.unknown_surfaces == ("grok",)
    assert summary.unpriced_surfaces == ("google_news", "grok")


def test_a_repeated_id_is_named_with_its_first_line() -> None:
    """An integer and its text are one id; so is the number of a record without one."""
    assert str(refused(GOOD | {"id": 7}, GOOD | {"id": "b"}, GOOD | {"id": "7"})) == (
        "<stdin>:3: id: '7' is repeated; first at line 1"
    )
    assert str(refused(GOOD | {"id": "1"}, GOOD)) == (
        "<stdin>:2: id: '1' is repeated; first at line 1 "
        "(without an id, a record is named by its number, from 0)"
    )


def test_a_repeated_key_is_named_with_its_first_line() -> None:
    """Two requests under one key would be one to the service."""
    key = {"idempotencyKey": "same"}

    assert (
        str(refused(GOOD | key, GOOD | key))
        == "<stdin>:2: idempotencyKey: 'same' is repeated; first at line 1"
    )


def test_problems_come_in_file_order() -> None:
    """Whoever found it, the reader or the journal, a problem stands where its line stands."""
    bad = GOOD | {"priority": 11}
    error = refused(GOOD | {"id": "a"}, bad, GOOD | {"id": "a"}, bad, GOOD | {"id": "a"}, {})

    assert [(problem.line, problem.field) for problem in error.problems] == [
        (2, "priority"),
        (3, "id"),
        (4, "priority"),
        (5, "id"),
        (6, "query"),
        (6, "surfaces"),
    ]


@given(st.lists(st.sampled_from(["good", "bad", "twice", "empty"]), min_size=1, max_size=60))
def test_twenty_problems_are_told_and_all_are_counted(kinds: list[str]) -> None:
    """The whole input is looked at, and the first problems are the first in the file."""
    records = {"good": GOOD, "bad": GOOD | {"regions": ["USA"]}, "twice": GOOD | {"id": "x"}, "empty": {}}
    faults = {"good": 0, "bad": 1, "empty": 2}
    expected = [line for line, kind in enumerate(kinds, 1) for _ in range(faults.get(kind, 0))]
    expected += [line for line, kind in enumerate(kinds, 1) if kind == "twice"][1:]
    expected.sort()

    if not expected:
        assert len(taken(*(records[kind] for kind in kinds))) == len(kinds)
        return
    error = refused(*(records[kind] for kind in kinds))
    assert error.total == len(expected)
    assert [problem.line for problem in error.problems] == expected[:20]


def test_problems_of_a_later_chunk_are_counted() -> None:
    """The first record of a batch of thousands is still known at its end."""
    many = [GOOD | {"id": n} for n in range(2_000)]
    error = refused(*many, GOOD | {"id": 0}, {"query": "q"})

    assert [(problem.line, problem.field) for problem in error.problems] == [(2001, "id"), (2002, "surfaces")]


@pytest.mark.parametrize("data", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_input_without_a_record_is_refused(data: bytes) -> None:
    """A batch of nothing is a mistake somewhere, and not a success."""
    with pytest.raises(InputError, match="<stdin>:1: no records: the input is empty"):
        take_in(io.BytesIO(data), Writer(), keys=KEYS)


def test_chunks_are_bounded_in_records_and_bytes() -> None:
    """Neither a long batch nor one of huge queries gathers in memory."""
    for query, records in (("q", 2_500), ("€" * 10_000, 300)):
        writer = Writer()
        take_in(stream_of(*[GOOD | {"query": query}] * records), writer, keys=KEYS)
        assert sum(writer.chunks) == records
        assert max(writer.chunks) <= CHUNK_BYTES // (len(writer.records[0].body) + RECORD_BYTES) + 1
        assert max(writer.chunks) <= 1_000


class Endless:
    """A stream of so many good records, made as they are read."""

    def __init__(self, records: int) -> None:
        self._lines = self._made(records)

    def _made(self, records: int) -> Iterator[bytes]:
        for n in range(records):
            yield b'{"id":"request-%06d","query":"%b","surfaces":["claude"]}\n' % (n, b"what " * 20)

    def read(self, size: int, /) -> bytes:
        return b"".join(line for line, _ in zip(self._lines, range(size // 150), strict=False))


def test_memory_is_flat() -> None:
    """Taking in three times as many records needs no more memory."""

    def peak(records: int) -> int:
        tracemalloc.start()
        try:
            take_in(Endless(records), Discarding(), keys=KEYS)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(30_000) < 1.1 * peak(10_000)


def test_every_kind_of_file_gives_the_same_batch(tmp_path: Path) -> None:
    """How a list is written down does not change what is sent."""
    (tmp_path / "a.jsonl").write_text(
        '{"id":"a","query":"q","surfaces":["claude","grok"],"regions":["us"]}\n'
    )
    (tmp_path / "a.ndjson").write_text('{"id":"a","prompt":"q","surfaces":["claude","grok"]}')
    (tmp_path / "a.json").write_text('[{"id":"a","query":"q","surfaces":["claude","grok"],"regions":null}]')
    (tmp_path / "a.csv").write_text("id,query,surfaces\na,q,claude;grok\n")
    batches = []
    for suffix in ("jsonl", "ndjson", "json", "csv"):
        writer = Writer()
        take_in(tmp_path / f"a.{suffix}", writer, keys=KEYS)
        batches.append([(record.index, record.id, record.key, record.body) for record in writer.records])

    assert batches == [batches[0]] * 4


def test_the_file_is_named_as_the_user_named_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem can be clicked on: FILE:LINE."""
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    Path("sub/list.csv").write_text('query,surfaces\n"a\nb",claude\nq,\n')

    with pytest.raises(InputError) as refusal:
        take_in(Path("sub/list.csv"), Writer(), keys=KEYS)
    assert str(refusal.value) == "sub/list.csv:4: surfaces: missing"


def test_requests_in_memory_are_taken_in_like_a_file() -> None:
    """Dicts and requests mix; what is wrong is named by the request's number."""
    writer = Writer()
    summary = take_in_requests([GOOD, CaptureRequest(query="q", surfaces=["claude"])], writer, keys=KEYS)

    assert (summary.requests, summary.sha256) == (2, "")
    assert [record.body[:-4] for record in writer.records] == [
        record.body[:-4] for record in taken(GOOD, GOOD)
    ]
    with pytest.raises(InputError, match="<requests>:2: surfaces: missing"):
        take_in_requests([GOOD, {"query": "q"}], Writer(), keys=KEYS)


def test_an_interrupt_ends_it() -> None:
    """Ctrl-C on a blocked standard input is nobody's to swallow."""

    class Interrupted:
        def read(self, size: int, /) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_in(Interrupted(), Writer(), keys=KEYS)


def test_a_stream_of_requests_can_be_taken_one_at_a_time() -> None:
    """Whoever has an asynchronous source feeds the intake by hand."""
    writer = Writer()
    intake = Intake(writer, keys=KEYS, source="<requests>")
    intake.add(1, read_json(b'{"query":"q","surfaces":["claude"]}'))

    assert not writer.records
    assert intake.finish().requests == len(writer.records) == 1


KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def test_random_keys_are_unique_to_batch_and_record() -> None:
    """No key is ever made twice, and each fits the most cautious reading of the documentation."""
    tokens = {new_token() for _ in range(100)}
    keys = {random_keys(token)(index, "id", b"{}") for token in tokens for index in (0, 1, 10**12)}

    assert len(keys) == 300
    assert {len(token) for token in tokens} == {22}
    assert all(KEY.fullmatch(key) for key in keys)


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4), st.binary(max_size=4)), unique=True))
def test_named_keys_are_the_same_for_the_same_and_only_for_the_same(
    parts: list[tuple[str, str, bytes]],
) -> None:
    """Where the journal is lost, name, id and body alone find the old admission again."""
    made = {(name, id_, body): named_keys(name)(0, id_, body) for name, id_, body in parts}

    assert len(set(made.values())) == len(made)
    for (name, id_, body), key in made.items():
        assert KEY.fullmatch(key)
        assert named_keys(name)(99, id_, body) == key


def test_named_keys_never_change() -> None:
    """A key derived by an older version of pacer is derived by this one."""
    assert (
        named_keys("nightly")(0, "brand-017", b'{"query":"q"}')
        == "XqXfMUolH-vItyCTGuqF3AyJ3ystoGuPDFHIsGerrrg"
    )


def test_the_example_is_a_good_batch() -> None:
    """The file that people try first: 200 requests over every surface that is documented."""
    summary = take_in(EXAMPLE, Writer(), keys=KEYS)

    assert summary.requests == 200
    assert 700 <= summary.captures <= 800
    assert summary.unknown_surfaces == ()
    assert len(summary.by_surface) == 9
