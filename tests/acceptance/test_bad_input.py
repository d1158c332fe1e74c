"""
What cannot be right is refused with file, line and field, before anything is sent.
"""

from __future__ import annotations

import pytest

from tests.acceptance.processes import KEY, Command

GOOD = b'{"query": "a", "surfaces": ["chatgpt"]}\n'

BAD = {
    "not JSON": (b"{nope\n", "batch.jsonl:2: not JSON"),
    "no query": (b'{"surfaces": ["chatgpt"]}\n', "batch.jsonl:2: query: "),
    "a query too long": (
        b'{"query": "%s", "surfaces": ["chatgpt"]}\n' % (b"x" * 10_001),
        "batch.jsonl:2: query: ",
    ),
    "no surfaces": (b'{"query": "a", "surfaces": []}\n', "batch.jsonl:2: surfaces: "),
    "a region of three letters": (
        b'{"query": "a", "surfaces": ["chatgpt"], "regions": ["USA"]}\n',
        "batch.jsonl:2: regions.0",
    ),
    "eleven regions": (
        b'{"query": "a", "surfaces": ["chatgpt"], '
        b'"regions": ["US","DE","FR","GB","IN","JP","BR","CA","ES","IT","SE"]}\n',
        "batch.jsonl:2: regions: ",
    ),
    "priority 99": (
        b'{"query": "a", "surfaces": ["chatgpt"], "priority": 99}\n',
        "batch.jsonl:2: priority: ",
    ),
    "an array": (b'["a"]\n', "batch.jsonl:2: "),
    "a repeated id": (
        b'{"id": "q", "query": "a", "surfaces": ["claude"]}\n' * 2,
        "batch.jsonl:3: id: ",
    ),
    "binary": (b"\x00\xff\xfe\x80\n", "batch.jsonl:2: "),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_record(pacer: Command, kind: str) -> None:
    """A bad record ends the command with 2, names its line and field, and leaves no file behind."""
    record, complaint = BAD[kind]
    (pacer.folder / "batch.jsonl").write_bytes(GOOD + record)
    # Nothing listens there: a request would be an outage, not a refusal.
    pacer.variables |= {"AISEARCH_API_KEY": KEY, "AISEARCH_BASE_URL": "http://127.0.0.1:9"}
    ran = pacer("run", "batch.jsonl")
    assert ran.code == 2
    assert complaint in ran.err
    assert "Traceback" not in ran.err
    assert [path.name for path in pacer.folder.iterdir()] == ["batch.jsonl"]


@pytest.mark.parametrize(("name", "content"), [("batch.jsonl", b""), ("none.jsonl", None)])
def test_no_records(pacer: Command, name: str, content: bytes | None) -> None:
    """An empty and a missing file end the command with 2 and are named."""
    if content is not None:
        (pacer.folder / name).write_bytes(content)
    pacer.variables["AISEARCH_API_KEY"] = KEY
    ran = pacer("run", name)
    assert ran.code == 2
    assert name in ran.err
    assert "Traceback" not in ran.err


def test_twenty_problems_at_most(pacer: Command) -> None:
    """Of many problems the first twenty are told, and how many more there are."""
    (pacer.folder / "batch.jsonl").write_bytes(b"{}\n" * 50)
    ran = pacer("run", "batch.jsonl", "--sandbox")
    assert ran.code == 2
    lines = ran.err.splitlines()
    assert len([line for line in lines if line.startswith("batch.jsonl:")]) == 20
    assert "80 more" in lines[-1]


def test_no_key(pacer: Command) -> None:
    """Without a key, or with an empty one, the command ends with 2 and names the variable."""
    (pacer.folder / "batch.jsonl").write_bytes(GOOD)
    for variables in ({}, {"AISEARCH_API_KEY": ""}):
        pacer.variables = variables
        ran = pacer("run", "batch.jsonl")
        assert ran.code == 2
        assert "AISEARCH_API_KEY" in ran.err
    assert [path.name for path in pacer.folder.iterdir()] == ["batch.jsonl"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["-"], "--out"),
        (["batch.jsonl", "--json", "--out", "-"], "standard output"),
        (["batch.jsonl", "--repeat", "--abandon"], "--repeat"),
        (["batch.jsonl", "--base-url", "http://example.org"], "--allow-http"),
        (["batch.jsonl", "--out", "batch.jsonl"], "the same file"),
        (["batch.jsonl", "--out", "taken.txt"], "not empty"),
        (["batch.jsonl", "--out", "no/such/place.jsonl"], "no directory"),
        (["batch.jsonl", "--journal", "taken.txt"], "no pacer journal"),
        (["batch.jsonl", "--reserve", "some"], "--reserve"),
        (["batch.jsonl", "--jornal", "x.db"], "--journal"),
        (["batch.txt"], ".jsonl"),
    ],
)
def test_what_contradicts_itself(pacer: Command, words: list[str], complaint: str) -> None:
    """Options and files that cannot go together end the command with 2, and the text names a way out."""
    (pacer.folder / "batch.jsonl").write_bytes(GOOD)
    (pacer.folder / "batch.txt").write_bytes(GOOD)
    (pacer.folder / "taken.txt").write_text("precious\n")
    pacer.variables["AISEARCH_API_KEY"] = KEY
    ran = pacer("run", *words)
    assert ran.code == 2
    assert complaint in ran.err
    assert "Traceback" not in ran.err
    assert (pacer.folder / "taken.txt").read_text() == "precious\n"
    assert not list(pacer.folder.glob("*.db"))
