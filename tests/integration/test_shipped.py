"""
What is shipped to be copied: settings, a CronJob, the snippets of the pages on watching.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from pacer.cli.app import app
from pacer.cli.configuration import read_settings
from pacer.sandbox import SANDBOX_KEY, SandboxServer, Service, Settings
from tests.acceptance.processes import environment

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CONTEXT = typer.Context(get_command(app), info_name="pacer")


def snippets(page: str, language: str) -> list[str]:
    """Return the blocks of a page in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.M | re.S)


def test_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example is what the page shows, and every key of it is a setting."""
    monkeypatch.delenv("AISEARCH_API_KEY", raising=False)
    settings = read_settings(CONTEXT, EXAMPLES / "pacer.toml")
    assert settings.problems == []
    assert settings.values["plan"].keys() >= {"reserve"}
    assert settings.values["run"].keys() >= {"reserve", "max-retry-after", "log-format", "metrics-port"}
    [shown] = snippets("configuration.md", "toml")
    assert shown in (EXAMPLES / "pacer.toml").read_text()


def test_the_cronjob(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command line and its variables are ones that pacer takes; the port is the metrics'."""
    job = import_module("yaml").safe_load((EXAMPLES / "cronjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    template = job["spec"]["jobTemplate"]["spec"]["template"]
    [container] = template["spec"]["containers"]
    variables: dict[str, Any] = {each["name"]: each.get("value") for each in container["env"]}
    words = [*container["command"], *container["args"]]
    assert words[:2] == ["pacer", "run"]
    assert set(re.findall(r"\$\((\w+)\)", " ".join(words))) <= variables.keys()

    run = CONTEXT.command.commands["run"]  # type: ignore[attr-defined] # it is a group
    with run.make_context(
        "run", [word.replace("$(JOB)", "nightly-1") for word in words[2:]], parent=CONTEXT
    ) as parsed:
        assert parsed.params["batch"] == "nightly-1"
        assert str(parsed.params["journal"]) == "nightly-1.pacer.db"

    for name, value in variables.items():
        if name.startswith("PACER_"):
            monkeypatch.setenv(name, value)
    settings = read_settings(CONTEXT, Path("/dev/null"))
    assert settings.problems == []
    assert not settings.unknown.keys() & variables.keys()
    assert [port["containerPort"] for port in container["ports"] if port["name"] == "metrics"] == [
        int(str(settings.values["run"]["metrics-port"].value))
    ]
    assert template["spec"]["enableServiceLinks"] is False
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in template["spec"]["volumes"]
    }


async def test_metrics_in_a_service_of_your_own(tmp_path: Path) -> None:
    """The page's snippet counts what its Pacer does, beside the host's own metrics."""
    [snippet] = snippets("metrics.md", "python")
    program = f"{snippet}\nimport asyncio\nprint(asyncio.run(work()).decode())\n"
    async with SandboxServer(Service(Settings())) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            env=environment(AISEARCH_BASE_URL=server.base_url, AISEARCH_API_KEY=SANDBOX_KEY),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
        )
        printed, _ = await process.communicate()
    assert process.returncode == 0
    page = printed.decode()
    assert "pacer_requests_accepted_total 1.0" in page
    assert "pacer_open_captures 1.0" in page
    assert "python_info" in page


def test_the_events_go_to_structlog() -> None:
    """The page's snippet is a Pacer whose listener is a structlog logger."""
    [snippet] = snippets("events.md", "python")
    ran = subprocess.run(
        [sys.executable, "-c", snippet], env=environment(AISEARCH_API_KEY=SANDBOX_KEY), check=True
    )
    assert ran.returncode == 0


def test_the_pages_name_options_that_exist() -> None:
    """Every option on the pages is one of pacer's, and every link leads to a file."""
    commands = CONTEXT.command.commands.values()  # type: ignore[attr-defined] # it is a group
    options = {name for command in commands for option in command.params for name in option.opts}
    for page in ("configuration.md", "metrics.md", "events.md"):
        text = (ROOT / "docs" / page).read_text()
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= options, page
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert (ROOT / "docs" / link).exists(), link


def test_the_commands_of_the_pages() -> None:
    """Each command that a page shows can be parsed."""
    commands = CONTEXT.command.commands  # type: ignore[attr-defined] # it is a group
    for page in ("configuration.md", "events.md"):
        for line in re.findall(r"^\$ pacer (.+)$", (ROOT / "docs" / page).read_text(), re.M):
            name, *words = shlex.split(line)
            with commands[name].make_context(name, words, parent=CONTEXT, resilient_parsing=True):
                pass
