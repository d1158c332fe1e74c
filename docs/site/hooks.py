"""
What mkdocs alone does not do: the reference of the commands, and a look at what was built.
"""

from __future__ import annotations

import html
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

LOG = logging.getLogger("mkdocs.hooks.pacer")

COMMANDS_HERE = "<!-- the commands -->"
EXAMPLE = re.compile(r"^(?:[A-Z_]+=\S+ |[a-z-]+ \| )?pacer \S.*$", re.MULTILINE)
"""A line of a command's help that is a command itself."""

LOADING = {
    "audio": ("src",), "embed": ("src",), "iframe": ("src",), "image": ("href",), "img": ("src", "srcset"),
    "link": ("href",), "object": ("data",), "script": ("src",), "source": ("src", "srcset"),
    "use": ("href",), "video": ("src", "poster"),
}  # fmt: skip
"""What a browser fetches unasked, by tag."""

NOT_FETCHED = {"canonical", "next", "prev"}
"""Kinds of ``link`` that only name something."""

OUTSIDE = re.compile(r"^\s*(?:https?:)?//")
OUTSIDE_IN_CSS = re.compile(r"(?:url\(|@import)\s*[\"']?\s*(?:https?:)?//[^)\"']*")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the commands' own help where the page asks for it."""
    return markdown.replace(COMMANDS_HERE, commands()) if COMMANDS_HERE in markdown else markdown


def commands() -> str:
    """Return the help of every command as Markdown, from the code as it is now."""
    typer = [sys.executable, "-m", "typer", "pacer.cli.app", "utils", "docs", "--name", "pacer"]
    text = subprocess.run(typer, check=True, capture_output=True, text=True).stdout
    text = text.removeprefix("# `pacer`\n")
    text = re.sub(r"<span[^>]*>(.*?)</span>", r"\1", text)  # dimmed: unreadable on one of the two pages
    text = re.sub(r"\[(/?)(?:b|dim|i)\]", lambda found: "**" if found[0] in ("[b]", "[/b]") else "", text)
    text = EXAMPLE.sub(lambda found: f"```sh\n{html.unescape(found[0])}\n```", text)
    return re.sub(r"(?<=\n)```\n+```sh\n", "", text)  # one block for commands that follow each other


def on_post_build(config: Any, **_: Any) -> None:
    """Warn, and with ``--strict`` fail, if a page would make the reader's browser call anybody."""
    for file in sorted(Path(config["site_dir"]).rglob("*")):
        if file.suffix in (".html", ".css", ".svg"):
            for address in loads(file.read_text(encoding="utf-8"), css=file.suffix == ".css"):
                LOG.warning("%s loads %s", file.relative_to(config["site_dir"]), address)


def loads(text: str, *, css: bool) -> Iterator[str]:
    """Yield the addresses outside the site that a browser would load for a page or a style sheet."""
    yield from OUTSIDE_IN_CSS.findall(text)
    if not css:
        parser = _Loads()
        parser.feed(text)
        yield from parser.found


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and NOT_FETCHED & set((values.get("rel") or "").split()):
            return
        for name in LOADING.get(tag, ()):
            self.found += [part for part in (values.get(name) or "").split(",") if OUTSIDE.match(part)]
