"""
How a command ends.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from pacer.cli.exits import end
from pacer.cli.signals import Interrupted
from pacer.errors import BatchStopped, InputError, InputProblem, JournalLost, OutputLost, UsageError

KEY = "sk_test_0123456789"


def ended(body: Callable[[], int], **options: bool) -> int:
    """Return the exit code of *body*."""
    with pytest.raises(typer.Exit) as caught:
        end(body, **options)
    return caught.value.exit_code


def raising(error: BaseException) -> Callable[[], int]:
    """Return a body that raises *error*."""

    def body() -> int:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no"), 2),
        (InputError("b.jsonl", [InputProblem(3, "query", "missing")], 1), 2),
        (BatchStopped("AUTH_INVALID", "The key was refused."), 3),
        (JournalLost("The disk is full."), 3),
        (OutputLost("The disk is full."), 3),
        (Interrupted(signal.SIGINT), 130),
        (Interrupted(signal.SIGTERM), 143),
        (KeyboardInterrupt(), 130),
        (ExceptionGroup("g", [ExceptionGroup("g", [UsageError("no")])]), 2),
        (ExceptionGroup("g", [OutputLost("no"), JournalLost("The disk is full.")]), 3),
    ],
)
def test_codes(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Each error has its exit code and its sentence, also out of a group, and no traceback."""
    assert ended(raising(error)) == code
    err = capsys.readouterr().err
    assert err.strip()
    assert "Traceback" not in err


def test_a_defect(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A defect ends with 70 and one line; the traceback is in a file of its own, without the key."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("AISEARCH_API_KEY", KEY)
    monkeypatch.delenv("PACER_DEBUG", raising=False)
    assert ended(raising(ValueError(f"Bearer {KEY}"))) == 70
    [line] = capsys.readouterr().err.splitlines()
    [file] = tmp_path.iterdir()
    assert str(file) in line
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert "Traceback" in text
    assert "Bearer [key]" in text
    assert KEY not in text


def test_a_defect_in_sight(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With PACER_DEBUG the traceback is shown, without the key."""
    monkeypatch.setenv("PACER_DEBUG", "1")
    monkeypatch.setenv("AISEARCH_API_KEY", KEY)
    assert ended(raising(ValueError(f"Bearer {KEY}"))) == 70
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert KEY not in err


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json an error is one document on standard output; with JSON logs it is one event."""
    assert ended(raising(UsageError("no\x1b[31m!")), as_json=True, log_json=True) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["exit_code"] == 2
    assert json.loads(shown.err) == {"event": "error", "level": "error", "message": "no!"}


def test_input_problems_stand_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Each problem of the input is a line of the form that editors jump to."""
    problems = [InputProblem(n, "query", "missing") for n in (1, 2)]
    assert ended(raising(InputError("b.jsonl", problems, 5))) == 2
    assert capsys.readouterr().err.splitlines() == [
        "b.jsonl:1: query: missing",
        "b.jsonl:2: query: missing",
        "... and 3 more.",
    ]
