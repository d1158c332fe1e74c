"""
The key is a secret, and what strangers send is not obeyed.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.acceptance.processes import KEY, Command, Sandbox, write_batch

Start = Callable[..., Sandbox]
Point = Callable[[Sandbox], Command]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_refused_key(sandbox: Start, pacer_at: Point, log_format: str) -> None:
    """A key that is refused ends the command with 3 after one request; it is in no file and no output."""
    service = sandbox()
    pacer = pacer_at(service)
    wrong = KEY[::-1]
    pacer.variables |= {"AISEARCH_API_KEY": wrong, "PACER_DEBUG": "1"}
    write_batch(pacer.folder, 100)
    ran = pacer("run", "batch.jsonl", "--json", "--log-format", log_format)
    assert ran.code == 3
    assert json.loads(ran.out)["code"] == "AUTH_INVALID"
    assert wrong not in ran.out + ran.err
    for path in pacer.folder.iterdir():
        assert wrong.encode() not in path.read_bytes()
    assert len(service.stop()) == 1


def test_a_redirect(sandbox: Start, pacer_at: Point) -> None:
    """A redirect to another host is not followed: the batch stops, and the key stays."""
    pacer = pacer_at(sandbox("--fault", "redirect"))
    write_batch(pacer.folder, 3)
    ran = pacer("run", "batch.jsonl")
    assert ran.code == 3, ran.err
    assert KEY not in ran.out + ran.err


def test_control_characters(sandbox: Start, pacer_at: Point) -> None:
    """Escape sequences in ids and in the service's messages reach no terminal."""
    pacer = pacer_at(sandbox("--fault", "error:on=submit,status=422,message=\x1b[31mred\x07"))
    (pacer.folder / "batch.jsonl").write_text(
        json.dumps({"id": "\x1b]0;title\x07[bold]x", "query": "\x1b[2J", "surfaces": ["claude"]}) + "\n"
    )
    ran = pacer("run", "batch.jsonl")
    assert ran.code == 1
    assert "\x1b" not in ran.err + ran.out
    assert "\x07" not in ran.err + ran.out
    assert "red" in ran.err
