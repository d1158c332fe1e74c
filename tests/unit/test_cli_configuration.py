"""
Settings from a file and the environment: their order, their words, and what is refused.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.main import get_command

from pacer.cli.app import app
from pacer.cli.configuration import CONFIGURED, Settings, read_settings

CONTEXT = typer.Context(get_command(app), info_name="pacer")

SECRET = "sk_live_51Habc_not_for_a_file"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set."""
    for name in os.environ:
        if name.startswith(("PACER_", "AISEARCH_")):
            monkeypatch.delenv(name)


def read(text: str | bytes) -> Settings:
    """Read a file with this content, and the environment."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pacer.toml"
        file.write_bytes(text.encode("utf-8", "replace") if isinstance(text, str) else text)
        return read_settings(CONTEXT, file)


def problem(text: str | bytes) -> str:
    """Return the one thing that is wrong with a file, without the folder's name."""
    [said] = read(text).problems
    return re.sub(r"^\S*pacer\.toml", "pacer.toml", said)


def test_the_top_is_for_all_a_table_for_one() -> None:
    """A value at the top holds for every command that has the option; a table's wins over it."""
    values = read('reserve = 20\nunit = "children"\n[plan]\nreserve = "15%"\n').values
    assert values["run"]["reserve"].value == "20"
    assert values["plan"]["reserve"].value == "15%"
    assert values["plan"]["reserve"].source.endswith("pacer.toml [plan]")
    assert {command for command in values if "unit" in values[command]} == {"run", "plan"}


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is the option's name in capitals; an empty one counts as unset."""
    monkeypatch.setenv("PACER_MAX_RETRY_AFTER", "60")
    monkeypatch.setenv("PACER_QUIET", "yes")
    monkeypatch.setenv("PACER_UNIT", "")
    values = read('[run]\nmax-retry-after = 900\nunit = "both"\n').values["run"]
    assert (values["max-retry-after"].value, values["max-retry-after"].source) == (
        "60",
        "PACER_MAX_RETRY_AFTER",
    )
    assert values["quiet"].value is True
    assert values["unit"].value == "both"


DECIDED_ANEW = ("abandon", "resend-in-doubt", "retry-failed")


def test_every_option_can_be_set() -> None:
    """Each option of run, plan and status has a setting, but those that are decided anew each time."""
    commands = CONTEXT.command.commands  # type: ignore[attr-defined] # it is a group
    for command in CONFIGURED:
        for option in commands[command].params:
            if option.param_type_name != "option" or option.name in ("help", "config"):
                continue
            name = max(option.opts, key=len)[2:]
            value = "true" if option.is_flag else '"1"'
            said = " ".join(read(f"[{command}]\n{name} = {value}\n").problems)
            assert "no such setting" not in said
            assert ("anew each time" in said) is (name in DECIDED_ANEW), name


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("concurency = 3", "pacer.toml: concurency: there is no such setting. Is concurrency meant?"),
        (
            "max_retry_after = 3",
            "pacer.toml: max_retry_after: there is no such setting. Is max-retry-after meant?",
        ),
        ("[run]\nwatch = true", "pacer.toml: run.watch: there is no such setting."),
        (
            "[report]\njson = true",
            "pacer.toml: [report]: there is no such table; known: [run], [plan], [status].",
        ),
        ("[run]\nquiet = 1", "pacer.toml: run.quiet: must be true or false, without quotes."),
        ("[run]\nconcurrency = true", "pacer.toml: run.concurrency: must be a number, or text in quotes."),
        ("[run]\nbatch = 2026-11-26", "pacer.toml: run.batch: must be a number, or text in quotes."),
        ("[run]\nconcurrency = [1]", "pacer.toml: run.concurrency: must be a number, or text in quotes."),
        ("reserve = 'much'", "pacer.toml: reserve: A reserve of much is neither a number of units, like 20"),
        (
            "[run]\nabandon = true",
            "pacer.toml: run.abandon: this is decided anew each time, on the command line",
        ),
        ("x = ", "pacer.toml: no TOML: "),
        (b"\xff\xfe", "pacer.toml: it is not UTF-8 text."),
        ("x = " + "[" * 5_000, "pacer.toml: "),
    ],
)
def test_what_is_refused_is_named(text: str | bytes, complaint: str) -> None:
    """Each problem names the file and the key, and what may be meant."""
    assert problem(text).startswith(complaint)


@pytest.mark.parametrize(
    "value", ["concurrency = 0", "concurrency = 3.5", "max-retry-after = 'soon'", "unit = 'x'"]
)
def test_a_value_is_checked_by_its_option(value: str) -> None:
    """What could not be typed cannot be set."""
    assert problem(f"[run]\n{value}\n").startswith(f"pacer.toml: run.{value.split()[0]}: ")


def test_what_is_wrong_with_a_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the option: nobody typed that."""
    monkeypatch.setenv("PACER_CONCURRENCY", "many")
    assert problem("").startswith("PACER_CONCURRENCY: ")


def test_a_variable_that_means_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hinders nobody (it may be another program's), and pacer doctor says so."""
    monkeypatch.setenv("PACER_CONCURENCY", "3")
    monkeypatch.setenv("PACER_DEBUG", "1")
    found = read("")
    assert found.problems == []
    assert found.unknown == {"PACER_CONCURENCY": "Is PACER_CONCURRENCY meant?"}


@pytest.mark.parametrize(
    "text",
    [
        f'api_key = "{SECRET}"',
        f'AISEARCH_API_KEY = "{SECRET}"',
        f"AISEARCH_API_KEY={SECRET}",
        f'[run]\nbatch = "{SECRET}"',
        f'[run.auth]\nbearer = "{SECRET}"',
        f"# {SECRET}\nreserve = 3",
        'api-key = "anything at all"',
        '[run]\ntoken = "anything at all"',
        '[run]\nbatch = "\\u0073k_live_51Habc_not_for_a_file"',
    ],
)
def test_a_key_in_a_file_is_refused(text: str) -> None:
    """By its name or by its looks, even in a comment or a file that is no TOML; and it is not shown."""
    said = problem(text)
    assert "an API key does not belong in a file" in said
    assert "AISEARCH_API_KEY in the environment" in said
    assert SECRET not in said


def test_the_key_itself_in_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it looks like, and wherever it stands."""
    monkeypatch.setenv("AISEARCH_API_KEY", "Zq7-an-unusual-one")
    assert "line 2" in problem('reserve = 3\nout = "x-Zq7-an-unusual-one"\n')


def test_a_path_is_no_key() -> None:
    """``sk_`` in the middle of a word is an innocent name."""
    assert read('[run]\njournal = "/data/task_7/desk_sk_1.db"\n').problems == []


@settings(deadline=None)
@given(st.text() | st.binary() | st.from_regex(r"(reserve|\[run\]\n[a-z-]+) = [^\n]*\n", fullmatch=True))
def test_any_file_is_settings_or_a_sentence(text: str | bytes) -> None:
    """Nothing that a file holds is a traceback, and each problem is one line."""
    assert all(said.isprintable() for said in read(text).problems)
