"""
A page as its reader would follow it: its fenced blocks, one after the other, in one folder.

What a block means follows from its language:

- ``sh`` is run by bash; ``# exit code 2`` behind a command says how it ends. A block that begins with
  ``pacer sandbox`` is started, and ended when it is up.
- ``python`` is run as a script. One that includes a file of ``examples/`` is not: that has tests of its own.
- ``text`` is part of what the last ``sh`` printed, whatever its numbers.
- ``crontab`` is run without its five fields. ``json``, ``yaml``, ``toml``, ``csv`` are parsed; the
  command of a Kubernetes manifest is run.
- With ``title="NAME"`` a block is also written to the file of that name.

``<!--- skip: next "the reason" -->`` before a block leaves it out.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import SkipTest

import yaml
from sybil import Document, Example, Region
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer
from sybil.typing import Evaluator

from tests.acceptance.processes import Sandbox, environment

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (ROOT / "README.md", ROOT / "examples" / "README.md", *(ROOT / "docs").rglob("*.md"))
    if "```" in path.read_text(encoding="utf-8")
)

KEYS = ("sk_live_...", "sk_sandbox_2f9c41d8_opens_nothing_elsewhere")
"""The keys that stand on the pages."""

PATIENCE = 150.0
"""Seconds for one block, on a machine that is busy with other tests."""

PRELUDE = """set -euo pipefail
make-requests() { cat captures.jsonl; }
load-results() { cat; }
"""
"""What stands on the pages for programs of the reader's own."""

LIST = [
    {"id": "brand-17", "query": "best trail running shoes", "surfaces": ["chatgpt", "perplexity"]},
    {"id": "brand-18", "query": "best road running shoes", "surfaces": ["chatgpt"], "regions": ["DE"]},
]
"""The reader's own list, in the files that the pages take for given."""


class Reader:
    """Follows pages in a folder, against a sandbox that stands for the service."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self._printed = ""
        self._texts = {
            "/srv/captures": str(folder),
            "http://127.0.0.1:8700": sandbox.base_url,
            "--port 8700": "--port 0",
        }
        self._meanings: Mapping[str, Callable[[str], object]] = {
            "sh": self.shell, "python": self._python, "text": self._text, "crontab": self._crontab,
            "json": self._json, "csv": self._csv, "yaml": self._yaml, "toml": tomllib.loads,
        }  # fmt: skip
        self._environment = environment(
            AISEARCH_BASE_URL=sandbox.base_url,
            AISEARCH_API_KEY=KEYS[0],
            PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        )
        shutil.copytree(ROOT / "examples", folder / "examples")
        for name in ("captures.jsonl", "nightly.jsonl"):
            (folder / name).write_text("".join(json.dumps(request) + "\n" for request in LIST))

    def follow(self, page: Path) -> None:
        """Do all that *page* says; a block that does not work raises ``AssertionError``."""
        for example in examples(page, self._block):
            try:
                example.evaluate()
            except SkipTest:
                continue

    def _block(self, example: Example) -> None:
        language, _, attributes = example.region.lexemes["language"].partition(" ")
        title = re.search(r'title="([^"]+)"', attributes)
        source = str(example.parsed)
        for shown, actual in self._texts.items():
            source = source.replace(shown, actual)
        try:
            if title:
                (self.folder / title[1]).write_text(source)
            assert language in self._meanings, f"see {__name__} for the languages that are understood"
            self._meanings[language](source)
        except (AssertionError, LookupError, ValueError, yaml.YAMLError, subprocess.TimeoutExpired) as error:
            where = f"{Path(example.path).relative_to(ROOT)}:{example.line}"
            raise AssertionError(f"{where}: this {language} block: {error}") from error

    def shell(self, text: str) -> None:
        """Run commands, and keep what they print."""
        if text.startswith("pacer sandbox"):
            self._serve(text)
            return
        expected = re.search(r"# exit code (\d+)", text)
        self._run(["bash", "-c", PRELUDE + text], int(expected[1]) if expected else 0)

    def _python(self, text: str) -> None:
        if included := re.fullmatch(r'--8<-- "(examples/\w+\.py)"\s*', text):
            assert (ROOT / included[1]).is_file(), f"there is no {included[1]}"
            return
        self._run([sys.executable, "-c", text], 0)

    def _text(self, text: str) -> None:
        printed = {_without_numbers(line) for line in self._printed.splitlines()}
        for line in text.splitlines():
            assert _without_numbers(line) in printed, f"{line!r} was not printed; this was:\n{self._printed}"

    def _crontab(self, text: str) -> None:
        for line in text.splitlines():
            self.shell(line.split(maxsplit=5)[5])

    def _json(self, text: str) -> None:
        try:
            json.loads(text)
        except ValueError:  # JSON Lines, then
            for line in text.splitlines():
                json.loads(line)

    def _csv(self, text: str) -> None:
        header, *rows = csv.reader(text.splitlines())
        assert all(len(row) == len(header) for row in rows)

    def _yaml(self, text: str) -> None:
        for document in yaml.safe_load_all(_included(text)):
            if document.get("kind") == "CronJob":
                self._container(document["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0])

    def _container(self, container: dict[str, Any]) -> None:
        """Run a container's command, its volumes folders of ours."""
        words = [*container["command"], *container["args"]]
        for mount in container["volumeMounts"]:
            path = mount["mountPath"]
            shutil.copytree(self.folder, self.folder / "mounted" / path[1:], ignore=lambda *_: ["mounted"])
            words = [word.replace(path, str(self.folder / "mounted" / path[1:])) for word in words]
        names = {each["name"] for each in container["env"]}
        assert names >= {"AISEARCH_API_KEY"}
        self._run([word.replace("$(JOB)", "nightly-captures-29391240") for word in words], 0)

    def _run(self, words: list[str], expected: int) -> None:
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        self._printed = done.stdout
        assert done.returncode == expected, f"exit code {done.returncode}:\n{done.stdout}"

    def _serve(self, text: str) -> None:
        command = ["bash", "-c", f"exec {text}"]
        with subprocess.Popen(
            command, cwd=self.folder, env=self._environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                assert process.stdout.readline().startswith("export AISEARCH_BASE_URL=http://127.0.0.1:")
                process.send_signal(signal.SIGINT)
                assert process.wait(PATIENCE) == 0
            finally:
                process.kill()


def examples(page: Path, evaluator: Evaluator | None = None) -> Iterator[Example]:
    """Yield the fenced blocks of *page*, and the marks that leave some of them out."""

    def fences(document: Document) -> Iterator[Region]:
        for region in FencedCodeBlockLexer(".*")(document):
            region.parsed, region.evaluator = region.lexemes["source"], evaluator
            yield region

    return iter(Document.parse(str(page), fences, SkipParser(), encoding="utf-8").examples())


def left_out(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the first line of each block of *page* that is left out, and the reason."""
    marked = examples(page)
    for example in marked:
        if isinstance(example.parsed, tuple):
            action, reason = example.parsed
            assert action == "next", "a mark leaves one block out"
            yield str(next(marked).parsed).partition("\n")[0], reason


def _included(text: str) -> str:
    """Return *text* with the files of ``examples/`` that it includes."""
    return re.sub(r'--8<-- "(examples/[\w.-]+)"', lambda found: (ROOT / found[1]).read_text(), text)


def _without_numbers(line: str) -> str:
    return re.sub(r"\d[\d,.:]*", "#", line.strip())
