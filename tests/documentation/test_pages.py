"""Every command and snippet that README, examples and the site show, run as its reader would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacer.cli.app import app
from tests.acceptance.processes import Sandbox
from tests.documentation.running import KEYS, PAGES, ROOT, Reader, left_out

pytestmark = pytest.mark.timeout(600)  # a page is as long as its blocks together


LEFT_OUT = {
    ("README.md", "16:31:31 wave 1: 20 requests, "),
    ("README.md", "python3 -m venv .venv && .venv"),
    ("docs/configuration.md", "All is well."),
    ("docs/events.md", '{"at": "2026-11-26T03:55:59.97'),
    ("docs/how-pacing-works.md", "python docs/site/pictures.py"),
    ("docs/index.md", "python3 -m venv .venv"),
    ("docs/index.md", "03:45:23 429 RATE_LIMIT_EXCEED"),
    ("docs/performance.md", "pacer simulate 09 --rivals"),
    ("docs/performance.md", "pip install -e '.[bench]'"),
    ("docs/performance.md", "python -m benchmarks cost"),
    ("docs/recipes/kubernetes.md", "FROM python:3.13-slim"),
    ("docs/recipes/nightly.md", "AISEARCH_API_KEY=sk_live_..."),
    ("docs/recipes/scripts.md", 'p = await Pacer(journal="noteb'),
    ("docs/recipes/service.md", "python examples/aiohttp_servic"),
    ("docs/reference/commands.md", "pacer --install-completion"),
}
"""By page and the first thirty characters, what nobody can or should run here."""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A quick service on loopback that knows the keys of the pages."""
    keys = ",".join(f'"{key}"' for key in KEYS)
    options = ["--set", f"api_keys=[{keys}]", "--latency", "0.05", "--capacity", "80"]
    started = Sandbox(tmp_path_factory.mktemp("sandbox"), options)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def reader(tmp_path: Path, sandbox: Sandbox) -> Reader:
    """A reader in a folder of their own."""
    return Reader(tmp_path, sandbox)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_can_be_followed(page: Path, reader: Reader) -> None:
    """From top to bottom each command succeeds, each snippet is what it says, each output is printed."""
    reader.follow(page)


def test_examples_in_the_help_work(reader: Reader) -> None:
    """The commands below each ``--help`` can be typed as they stand; those without an end begin."""
    epilogs = [command.epilog or "" for command in app.registered_commands]
    commands = [line for text in epilogs for line in text.splitlines() if re.search(r"(^|\s)pacer \w", line)]

    assert {line.split("pacer ")[1].split()[0] for line in commands} == set(cli_names())
    for command in commands:
        if command.startswith("pacer simulate"):
            reader.shell(f"{command} --list")  # its scenarios have tests, and take minutes
        elif command.startswith(("pacer sandbox", "pacer status --watch")):
            reader.shell(f"timeout --preserve-status --signal INT 5 {command} || test $? = 130")
        else:
            reader.shell(command)


def cli_names() -> list[str]:
    """Return the names of all commands."""
    return [command.callback.__name__ for command in app.registered_commands if command.callback is not None]


def test_few_blocks_are_left_out() -> None:
    """What is not run is on this list, and its page says why."""
    found = [(str(page.relative_to(ROOT)), *block) for page in PAGES for block in left_out(page)]

    assert {(page, first[:30]) for page, first, _ in found} == LEFT_OUT
    assert all(len(reason.split()) > 3 for *_, reason in found)
