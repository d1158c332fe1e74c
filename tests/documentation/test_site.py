"""What the site does beyond mkdocs: the commands' reference, and that no page calls anybody."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
import typer.main

from pacer.cli.app import app
from tests.documentation.running import ROOT


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """The module that mkdocs loads."""
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="logo.svg" srcset="a.png 1x, https://img.example/b.png 2x">',
        '<style>body { background: url("https://img.example/b.png") }</style>',
        '<svg><image href="http://img.example/b.png"/></svg>',
        "<iframe src=https://video.example></iframe>",
    ],
)
def test_what_a_browser_would_load_from_outside_is_found(hooks: ModuleType, page: str) -> None:
    """Scripts, styles, fonts, pictures and frames of other hosts are each named."""
    assert len(list(hooks.loads(page, css=False))) == 1


def test_links_and_our_own_files_are_no_loads(hooks: ModuleType) -> None:
    """A link that a person may follow calls nobody by itself."""
    page = (
        '<a href="https://docs.example">x</a><link rel="canonical" href="https://pacer.example">'
        '<script src="assets/x.js"></script><img src="a.svg"><img src="data:image/png;base64,AA==">'
    )
    assert list(hooks.loads(page, css=False)) == []
    assert list(hooks.loads("a { background: url(data:x) }", css=True)) == []
    assert list(hooks.loads("@import url(https://fonts.example/a.css);", css=True)) != []


def test_the_reference_of_commands_has_every_command_and_option(hooks: ModuleType) -> None:
    """It is made from the code, readable as Markdown, with the examples as commands."""
    text = hooks.commands()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"## `pacer {name}`" in text
        options = [option for each in command.params for option in each.opts if option.startswith("--")]
        assert [option for option in options if f"{option} " not in text and f"{option}`" not in text] == []
    assert "```sh\npacer run captures.jsonl --sandbox\n" in text
    assert "[b]" not in text
    assert "<span" not in text
