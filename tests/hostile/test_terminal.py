"""
Strangers' text in front of a person: nothing that a terminal would obey, wherever it stands.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pacer.sandbox import Fault
from tests.crash.scene import KEY, Scene, environment, scene, settings

TITLE = "\x1b]0;owned\x07"
OBEYED = {
    "a title": TITLE,
    "a screen that is cleared": "\x1b[2J",
    "a bell": "\x07",
    "CSI in one character": "\x9b31m",
    "OSC in one character": "\x9d0;owned\x9c",
    "a carriage return": "\r",
    "a backspace": "\b",
    "a delete": "\x7f",
    "a right-to-left override": "\u202e",
    "a line separator": "\u2028",
}
EVIL = "".join(OBEYED.values())

FAULTS = (
    Fault("error", on="submit", status=422, code=f"PIN{EVIL}", message=f"no{EVIL}way", matching="question 0"),
    Fault("error", on="submit", status=500, code=f"X{EVIL}", message=f"down{EVIL}", calls=(2, 4)),
    Fault("error", on="status", status=400, message=f"bad{EVIL}", calls=(2,)),
    Fault("error", on="job", status=500, message=f"gone{EVIL}", calls=(1, 2)),
    Fault("error", status=402, code="NO_CREDIT", message=f"poor{EVIL}", after=40),
)


def obeyed_in(text: str) -> list[str]:
    """Return what of :data:`OBEYED` stands raw in *text*."""
    return [name for name, what in OBEYED.items() if what in text]


def write_evil(one: Scene, number: int, name: str = "batch.jsonl") -> None:
    """Write a batch whose ids, queries and surfaces are full of it."""
    made: list[dict[str, Any]] = [
        {
            "id": f"{EVIL}q{n}[bold]",
            "query": f"{EVIL} question {n}",
            "surfaces": ["claude", f"odd{EVIL}"][: 1 + n % 2],
        }
        for n in range(number)
    ]
    (one.folder / name).write_text("".join(json.dumps(request) + "\n" for request in made))


async def said_of(one: Scene, *words: str) -> list[str]:
    """Run a command; return what it wrote to standard output and error."""
    ran = await (await one.start(*words)).ended()
    assert "Traceback" not in ran.err
    return [ran.out, ran.err]


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_in_logs_summaries_and_reports(tmp_path: Path, log_format: str) -> None:
    """
    Escape sequences and other controls in ids, queries, surfaces, codes and messages reach
    neither the log nor the summary, the JSON documents or the report.
    """
    async with scene(tmp_path, settings(latency=0.05), FAULTS) as one:
        write_evil(one, 30)
        said = await said_of(one, "run", "batch.jsonl", "--json", "--log-format", log_format)
        assert "NO_CREDIT" in said[0]
        said += await said_of(one, "report", "batch.pacer.db")
        said += await said_of(one, "report", "batch.pacer.db", "--json")
        said += await said_of(one, "status", "--json")
        said += [one.out.read_text()]
        assert len(one.out.read_text().splitlines()) == one.out.read_bytes().count(b"\n")
        assert [found for text in said if (found := obeyed_in(text))] == []


async def test_in_complaints_of_the_input(tmp_path: Path) -> None:
    """An input's bad fields and a file's own name come back harmless."""
    name = "batch\x1b[2J\x07\u202e.jsonl"
    async with scene(tmp_path) as one:
        bad = {"id": EVIL, "query": EVIL, "surfaces": [EVIL, EVIL], EVIL: 1, "regions": [EVIL]}
        (tmp_path / name).write_text(json.dumps(bad) + "\n" + EVIL + "\n")
        for words in (["run", name, "--json"], ["plan", name], ["run", "x" + EVIL], ["report", EVIL]):
            out, err = await said_of(one, *words)
            assert obeyed_in(out) == []
            assert obeyed_in(err) == []
            assert out + err


@pytest.mark.parametrize("words", [["run", "batch.jsonl"], ["run", "batch.jsonl", "--sandbox"]])
async def test_on_a_terminal(tmp_path: Path, words: list[str]) -> None:
    """On a real terminal the live display draws with sequences of its own, and lets no stranger's through."""
    async with scene(tmp_path, settings(latency=0.05), FAULTS[:-1]) as one:
        write_evil(one, 12)
        shown = await asyncio.to_thread(_on_a_terminal, one, words)
        assert [found for found in obeyed_in(shown) if found != "a carriage return"] == []


def _on_a_terminal(one: Scene, words: list[str]) -> str:
    """Run a command with a pseudo-terminal as its terminal; return all that it drew."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(one.folder)
        variables = environment(AISEARCH_BASE_URL=one.url, AISEARCH_API_KEY=KEY, TERM="xterm-256color")
        os.execve(sys.executable, [sys.executable, "-m", "pacer", *words], variables)
    shown = bytearray()
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # how Linux says that the other end has gone
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    os.waitpid(pid, 0)
    return shown.decode(errors="replace")
