"""
Fixtures: a sandbox process, and the command in a directory of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import KEY, Command, Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Return what starts a sandbox with the given options."""
    started: list[Sandbox] = []

    def start(*options: str) -> Sandbox:
        started.append(Sandbox(tmp_path, list(options)))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        if one.process.stdout is not None:
            one.process.stdout.close()


@pytest.fixture
def pacer(tmp_path: Path) -> Command:
    """Return the command, in an empty directory, without a key."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Command(folder)


@pytest.fixture
def pacer_at(pacer: Command) -> Callable[[Sandbox], Command]:
    """Return what points the command at a sandbox, with its key."""

    def point(at: Sandbox) -> Command:
        pacer.variables |= {"AISEARCH_BASE_URL": at.base_url, "AISEARCH_API_KEY": KEY}
        return pacer

    return point
