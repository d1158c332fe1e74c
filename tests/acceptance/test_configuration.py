"""
``pacer.toml``, the environment and the command line; and what ``pacer doctor`` finds of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.processes import KEY, Command, Sandbox, environment, write_batch

Start = Callable[..., Sandbox]
Point = Callable[[Sandbox], Command]


def test_file_environment_flag(pacer: Command) -> None:
    """In this rising order, for every command with the option; help and completion read no file."""
    write_batch(pacer.folder, 2)

    def unit(*words: str) -> str:
        ran = pacer("plan", "batch.jsonl", "--json", *words)
        assert ran.code == 0, ran.err
        return str(json.loads(ran.out)["unit"])

    assert unit() == "both"
    (pacer.folder / "pacer.toml").write_text('unit = "children"\n')
    assert unit() == "children"
    (pacer.folder / "other.toml").write_text('[plan]\nunit = "both"\n')
    assert unit("--config", "other.toml") == "both"
    pacer.variables["PACER_CONFIG"] = "/dev/null"
    assert unit() == "both"
    del pacer.variables["PACER_CONFIG"]
    pacer.variables["PACER_UNIT"] = "parents"
    assert unit() == "parents"
    assert unit("--unit", "children") == "children"
    (pacer.folder / "pacer.toml").write_text("nonsense")
    assert pacer("plan", "--help").code == 0
    assert pacer("report", "--help").code == 0


def test_a_run_takes_its_settings(pacer: Command) -> None:
    """A file can stand for the whole command line of a run."""
    write_batch(pacer.folder, 3)
    (pacer.folder / "pacer.toml").write_text(
        '[run]\nsandbox = true\njson = true\nquiet = true\njournal = "kept.db"\nout = "found.jsonl"\n'
    )
    ran = pacer("run", "batch.jsonl")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["files"] == {"results": "found.jsonl", "journal": "kept.db"}
    assert len(pacer.results("found.jsonl")) == 3


def test_a_wrong_setting_ends_the_command(pacer: Command) -> None:
    """With 2 and a line for each, before anything happens; a key is refused and not shown."""
    write_batch(pacer.folder, 3)
    pacer.variables["PACER_CONCURRENCY"] = "many"
    (pacer.folder / "pacer.toml").write_text('reserv = 3\n[run]\nquiet = "yes"\n')
    ran = pacer("run", "batch.jsonl", "--sandbox")
    assert ran.code == 2
    first, second, third = ran.err.splitlines()
    assert first == "pacer.toml: reserv: there is no such setting. Is reserve meant?"
    assert second == "pacer.toml: run.quiet: must be true or false, without quotes."
    assert third.startswith("PACER_CONCURRENCY: ")
    (pacer.folder / "pacer.toml").write_text(f'AISEARCH_API_KEY = "{KEY}"\n')
    ran = pacer("status")
    assert ran.code == 2
    assert "does not belong in a file" in ran.err
    assert KEY not in ran.err
    assert pacer("run", "batch.jsonl", "--config", "none.toml").err.startswith("none.toml: it cannot be read")


# The doctor --------------------------------------------------------------------------------


def examined(pacer: Command, *words: str) -> tuple[int, dict[str, list[tuple[str, str]]], str]:
    """Run ``pacer doctor --json``; return its exit code, states and texts by name, and all it wrote."""
    ran = pacer("doctor", "--json", *words)
    said = json.loads(ran.out)
    assert said["exit_code"] == ran.code
    found: dict[str, list[tuple[str, str]]] = {}
    for one in said["findings"]:
        found.setdefault(one["name"], []).append((one["state"], one["text"]))
        assert (
            one["state"] == "ok"
            or one["advice"]
            or "Correct" in one["text"]
            or one["name"] in ("settings", "url", "key", "proxy")
        ), one
    return ran.code, found, ran.out + ran.err


def test_all_is_well(sandbox: Start, pacer_at: Point) -> None:
    """Every value with its source, the queue, and 0; it costs one status read and leaves nothing behind."""
    service = sandbox("--capacity", "40")
    pacer = pacer_at(service)
    (pacer.folder / "pacer.toml").write_text('reserve = "10%"\n')
    pacer.variables |= {"PACER_CONCURRENCY": "32", "PACER_REPETE": "1"}
    code, found, written = examined(pacer)
    assert code == 0
    settings = [text for _, text in found["settings"]]
    assert "run, plan, status: --reserve 10%, from pacer.toml" in settings
    assert "run: --concurrency 32, from PACER_CONCURRENCY" in settings
    assert ("warning", "PACER_REPETE is set, and is no setting") in found["settings"]
    assert found["url"] == [("ok", f"{service.base_url}, from AISEARCH_BASE_URL")]
    assert found["service"][0][1].startswith("accepts the key")
    assert found["queue"] == [("ok", "depth 0 of 40, room for 36 (4 kept free by --reserve)")]
    assert found["clock"][0][0] == "ok"
    assert found["disk"][0][0] == "ok"
    assert KEY not in written
    shown = pacer("doctor")
    assert shown.code == 0
    assert shown.out.startswith("1 warning\n")
    assert KEY not in shown.out + shown.err
    assert [path.name for path in pacer.folder.iterdir()] == ["pacer.toml"]
    assert [entry["what"] for entry in service.stop()] == ["status", "status"]


def test_without_a_key(pacer: Command) -> None:
    """It ends with 2, and all the rest is looked at all the same."""
    code, found, _ = examined(pacer)
    assert code == 2
    assert found["key"][0][0] == "fault"
    assert {"disk", "proxy", "certificates", "url"} <= found.keys()


def test_a_key_that_is_refused(sandbox: Start, pacer_at: Point) -> None:
    """It ends with 3, and says what to set; the key is not shown."""
    pacer = pacer_at(sandbox())
    wrong = KEY[::-1]
    pacer.variables["AISEARCH_API_KEY"] = wrong
    code, found, written = examined(pacer)
    assert code == 3
    assert found["service"] == [("fault", "refuses the key: this API key is not known (AUTH_INVALID)")]
    assert wrong not in written


@pytest.mark.parametrize(
    ("fault", "code", "state", "text"),
    [
        ("error:on=status,status=404", 0, "warning", "has no status endpoint"),
        ("error:on=status,status=503", 3, "fault", "503"),
        ("error:on=status,status=429,retry_after=30", 3, "fault", "try again in 30 s"),
        ("delay:on=status,seconds=60", 3, "fault", "no answer within"),
        ("redirect:on=status", 3, "fault", ""),
    ],
)
def test_a_service_that_will_not_do(
    sandbox: Start, pacer_at: Point, fault: str, code: int, state: str, text: str
) -> None:
    """What the service does is told, with what to do about it."""
    ended, found, _ = examined(pacer_at(sandbox("--fault", fault)))
    assert ended == code, found
    assert found["service"][0][0] == state
    assert text in found["service"][0][1]


def test_where_the_base_url_is_from(pacer: Command) -> None:
    """The file is asked last, and plain http may be allowed there as well; it is said who named it."""
    (pacer.folder / "pacer.toml").write_text('base-url = "http://service.invalid"\n')
    _, found, _ = examined(pacer)
    assert found["url"][0][0] == "fault"
    (pacer.folder / "pacer.toml").write_text('base-url = "http://service.invalid"\nallow-http = true\n')
    _, found, _ = examined(pacer)
    assert found["url"] == [("ok", "http://service.invalid, from pacer.toml")]
    pacer.variables["AISEARCH_BASE_URL"] = "https://other.invalid"
    _, found, _ = examined(pacer)
    assert found["url"] == [("ok", "https://other.invalid, from AISEARCH_BASE_URL")]


def test_nobody_there(pacer: Command) -> None:
    """A host that cannot be reached ends it with 3."""
    pacer.variables |= {"AISEARCH_API_KEY": KEY}
    code, found, _ = examined(pacer, "--base-url", "http://127.0.0.1:9")
    assert code == 3
    assert found["url"] == [("ok", "http://127.0.0.1:9, from --base-url")]
    assert found["service"][0][0] == "fault"


def test_a_clock_that_is_wrong(sandbox: Start, pacer_at: Point) -> None:
    """A clock that is a minute off is noticed by the reply's Date."""
    _, found, _ = examined(pacer_at(sandbox("--set", "clock_skew=60")))
    [(state, text)] = found["clock"]
    assert state == "warning"
    assert "behind the service's" in text


def test_what_is_wrong_here_comes_first(sandbox: Start, pacer_at: Point) -> None:
    """A wrong setting, proxy or CA bundle ends it with 2; passwords and keys in them are not shown."""
    service = sandbox()
    pacer = pacer_at(service)
    (pacer.folder / "pacer.toml").write_text("[run]\nconcurency = 3\n")
    code, found, _ = examined(pacer)
    assert code == 2
    assert any(state == "fault" and "concurency" in text for state, text in found["settings"])
    (pacer.folder / "pacer.toml").unlink()

    pacer.variables |= {
        "AISEARCH_BASE_URL": "https://service.invalid",
        "HTTPS_PROXY": "socks5://u:hunter22@p:1",
    }
    code, found, written = examined(pacer)
    assert code == 2
    assert found["proxy"][0][0] == "fault"
    assert "hunter22" not in written

    pacer.variables |= {"HTTPS_PROXY": "http://u:hunter22@127.0.0.1:9", "SSL_CERT_FILE": "none.pem"}
    code, found, written = examined(pacer)
    assert code == 2
    assert found["proxy"] == [("ok", "http://***@127.0.0.1:9, from HTTPS_PROXY")]
    assert "none.pem" in found["certificates"][0][1]
    assert "hunter22" not in written

    code, found, written = examined(pacer, "--base-url", f"https://user:{KEY}@service.invalid")
    assert code == 2
    assert KEY not in written


def test_a_folder_that_cannot_hold_a_journal(pacer: Command) -> None:
    """A folder that is not there, or may not be written, ends it with 2 and is named."""
    pacer.variables["PACER_JOURNAL"] = "no/such/place/x.db"
    code, found, _ = examined(pacer)
    assert code == 2
    assert found["disk"][0][0] == "fault"
    assert "no/such/place" in found["disk"][0][1]


# Completion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(pacer: Command, shell: str) -> None:
    """Each shell gets a script; commands, options and choices are completed, and no file is read for it."""
    shown = pacer("--show-completion", shell)
    assert shown.code == 0
    assert "_PACER_COMPLETE" in shown.out
    (pacer.folder / "pacer.toml").write_text("nonsense")
    for typed, wanted in (
        ("pacer do", "doctor"),
        ("pacer run --met", "--metrics-port"),
        ("pacer run --unit ch", "children"),
    ):
        words = typed.split()
        pacer.variables = {
            "_PACER_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": typed,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        completed = pacer()
        assert wanted in completed.out, (completed.out, completed.err)
        assert completed.err == ""


COMPLETE = """
source ~/.bashrc
COMP_WORDS=(pacer run --metrics-p); COMP_CWORD=2
_pacer_completion pacer
echo "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to complete in")
def test_completion_in_bash(pacer: Command) -> None:
    """After --install-completion, a new bash completes."""
    pacer.variables["HOME"] = str(pacer.folder)
    assert pacer("--install-completion", "bash").code == 0
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE],
        env=environment(HOME=str(pacer.folder), PATH=path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["--metrics-port"], ran.stderr
