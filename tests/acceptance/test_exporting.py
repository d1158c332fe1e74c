"""
``pacer export``, and input in the formats that people have, through the command.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from tests.acceptance.processes import PYTHON, Command, Sandbox, environment, requests, write_batch

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


def test_export(sandbox: Callable[..., Sandbox], pacer_at: Callable[[Sandbox], Command]) -> None:
    """
    Lines are those of the results file and valid by the schema, failures and refusals included;
    ordered they follow the input; the tables have a row for each.
    """
    pacer = pacer_at(
        sandbox(
            "--latency", "0.05", "--set", "failed=0.3", "--fault", "error:on=submit,status=422,calls=[3,4]"
        )
    )
    write_batch(pacer.folder, 40, (1, 4))
    assert pacer("run", "batch.jsonl", "--quiet").code == 1
    results = pacer.results()
    valid = Draft202012Validator(json.loads((SCHEMAS / "result.schema.json").read_text()))
    for line in results:
        valid.validate(line)
    assert {"completed", "failed", "rejected"} <= {line["status"] for line in results}

    plain = pacer("export", "batch.pacer.db")
    assert (plain.code, plain.err) == (0, "")
    assert plain.out == (pacer.folder / "batch.results.jsonl").read_text()
    ordered = [json.loads(line) for line in pacer("export", "batch.pacer.db", "--ordered").out.splitlines()]
    indexes = [line["index"] for line in ordered]
    assert indexes == sorted(indexes)
    assert len(ordered) == len(results)

    told = pacer("export", "batch.pacer.db", "--out", "batch.csv")
    assert told.code == 0
    assert told.err == f"{len(results)} results of batch.pacer.db written to batch.csv.\n"
    with (pacer.folder / "batch.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["child"] or None, row["status"]) for row in rows] == [
        (line["child"], line["status"]) for line in results
    ]
    assert all(row["query"].startswith("question ") for row in rows)
    assert pacer("export", "batch.pacer.db", "--out", "batch.parquet", "-q", "--ordered").code == 0
    assert pq.read_table(pacer.folder / "batch.parquet").column("index").to_pylist() == indexes


def test_export_to_a_pipe_that_closes(pacer: Command) -> None:
    """A reader that has seen enough is no error to be told of; a full disk is one, in a sentence."""
    write_batch(pacer.folder, 60)
    assert pacer("run", "batch.jsonl", "--sandbox", "--quiet").code == 0
    for form in ("jsonl", "csv", "parquet"):
        words = ["export", "batch.sandbox.pacer.db", "--format", form]
        process = pacer.start(*words)
        assert process.stdout is not None
        process.stdout.close()
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (3, "")
        with open("/dev/full", "w") as full:
            ran = subprocess.run(
                [*PYTHON, *words],
                cwd=pacer.folder,
                env=environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert ran.returncode == 3
        assert ran.stderr.startswith(
            "The export cannot be written to standard output: No space left on device."
        )
        assert ran.stderr.count("\n") == 1


def as_csv(delimiter: str) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["ID", "Query", "Surfaces", "Regions"])
    for one in requests(5, (1, 4)):
        writer.writerow([one["id"], one["query"], ";".join(one["surfaces"]), ";".join(one["regions"])])
    return out.getvalue().encode()


def as_parquet() -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([dict(one) for one in requests(5, (1, 4))]), out)
    return bytes(out.getvalue())


LINES = "".join(json.dumps(one) + "\n" for one in requests(5, (1, 4))).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("batch.jsonl.gz", gzip.compress(LINES, mtime=0)),
        ("batch.csv", as_csv(";")),
        ("batch.tsv", as_csv("\t")),
        ("batch.csv.gz", gzip.compress(as_csv("|"), mtime=0)),
        ("batch.parquet", as_parquet()),
    ],
    ids=["jsonl.gz", "csv", "tsv", "csv.gz", "parquet"],
)
def test_formats_in(pacer: Command, name: str, content: bytes) -> None:
    """A batch in any format runs, its files stand beside it, and it is known again when it is run again."""
    (pacer.folder / name).write_bytes(content)
    ran = pacer("run", name, "--sandbox", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    results = pacer.results("batch.sandbox.results.jsonl")
    assert {line["request"] for line in results} == {f"q{n}" for n in range(5)}
    assert len(results) == 3 * 1 + 2 * 4
    assert {path.name for path in pacer.folder.iterdir()} == {
        name,
        "batch.sandbox.pacer.db",
        "batch.sandbox.results.jsonl",
    }


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("batch.jsonl.gz", gzip.compress(LINES, mtime=0)[:-9], "batch.jsonl.gz is cut off"),
        ("batch.csv", b"query;surfaces\nq;claude;x\n", "batch.csv:2: 3 cells under 2 columns"),
        ("batch.parquet", as_parquet()[:-9], "batch.parquet: not Parquet"),
        ("batch.csv.zip", b"", "batch.csv.zip: the suffix says"),
    ],
    ids=["jsonl.gz", "csv", "parquet", "zip"],
)
def test_broken_formats_in(pacer: Command, name: str, content: bytes, complaint: str) -> None:
    """What cannot be read ends the command with 2 and a sentence, and leaves no file behind."""
    (pacer.folder / name).write_bytes(content)
    for command in (["run", name, "--sandbox"], ["plan", name]):
        ran = pacer(*command)
        assert ran.code == 2
        assert ran.err.startswith(complaint)
        assert "Traceback" not in ran.err
    assert [path.name for path in pacer.folder.iterdir()] == [name]
