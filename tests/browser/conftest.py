"""
A headless Chromium that is installed on this machine, and what a page does in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE = 40_000
"""Milliseconds that a loaded machine may take to open a page."""


@dataclass
class Visit:
    """
    A page that was opened.

    Attributes:
        said: Everything that it wrote to the console, and each error that nobody caught.

        asked: The address of everything that it asked for.
    """

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """
    Return a browser, or skip: PACER_REQUIRE_CHROMIUM=1 makes a missing one a failure.

    Not for the whole session: as long as it is there its event loop counts as
    running, and no asynchronous test could start.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        if os.environ.get("PACER_REQUIRE_CHROMIUM"):
            pytest.fail(f"None of {', '.join(NAMES)} is installed, and PACER_REQUIRE_CHROMIUM is set.")
        pytest.skip(f"None of {', '.join(NAMES)} is installed.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET], timeout=PATIENCE)
        yield browser
        browser.close()


@contextmanager
def visiting(
    browser: Browser,
    file: Path,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    offline: bool = True,
) -> Iterator[Visit]:
    """Open *file*, and wait until its pictures are drawn."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    visit = Visit(page)
    page.on("console", lambda message: visit.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: visit.said.append(str(error)))
    page.on("request", lambda request: visit.asked.append(request.url))
    context.set_offline(offline)
    try:
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        yield visit
    finally:
        context.close()
