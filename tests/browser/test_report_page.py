"""
The page of ``pacer report --html`` in a browser.
"""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser

from pacer.cli.page import PageMaker
from pacer.instrumentation import happening
from pacer.journal.entries import Accepted, CaptureEnded, Entry, Noted, Rejected, Sent
from pacer.journal.records import Batch, Record
from pacer.journal.sqlite import SqliteJournal
from pacer.report import read_report
from tests.acceptance.processes import KEY, Command, Sandbox, write_batch
from tests.browser.conftest import visiting

pytestmark = pytest.mark.timeout(300)  # the module's first test makes the page and starts a browser

EVIL = "\"'</script><script>window.owned=1</script><!--<img src=x onerror=window.owned=2>&amp;{{7*7}}"
FIGURES = {"account", "queue", "waves", "waits", "by-surface", "by-region", "failures", "refusals"}

COVERED = """
() => [...document.querySelectorAll(".chart")].flatMap((chart) => {
  const room = chart.getBoundingClientRect();
  return [...chart.querySelectorAll("svg text")].filter((text) => {
    const box = text.getBoundingClientRect();
    const inside = box.left > room.left - 1 && box.right < room.right + 1 && box.bottom < room.bottom + 1;
    return box.width && !inside;
  }).map((text) => `${chart.id}: ${text.textContent}`);
})
"""
"""Which words of the pictures are cut off at an edge."""

CONTRAST = """
() => {
  const luminance = (color) => {
    const [r, g, b] = color.match(/[0-9.]+/g).slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const back = luminance(getComputedStyle(document.querySelector("figure")).backgroundColor);
  return [...document.querySelectorAll("h1, h3, figcaption p, td, svg text")].map((element) => {
    const style = getComputedStyle(element);
    const fore = luminance(element instanceof SVGElement ? style.fill : style.color);
    return (Math.max(fore, back) + 0.05) / (Math.min(fore, back) + 0.05);
  }).reduce((one, other) => Math.min(one, other));
}
"""
"""The lowest contrast of any text with the card it is on."""


@pytest.fixture(scope="module")
def real_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page, made by the command, of a batch that was killed, resumed and failed in part."""
    folder = tmp_path_factory.mktemp("page")
    trouble = (
        "--set",
        "failed=0.2",
        "--fault",
        "error:on=submit,status=422,code=VALIDATION_FAILED,matching=question 23",
    )
    service = Sandbox(
        folder, ["--capacity", "20", "--latency", "0.3", "--rate-limit", "25", "--rate-window", "2", *trouble]
    )
    try:
        pacer = Command(folder, {"AISEARCH_API_KEY": KEY, "AISEARCH_BASE_URL": service.base_url})
        write_batch(folder, 24, (1, 4))
        process = pacer.start("run", "batch.jsonl", "--log-format", "json")
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line)["event"] == "capture.ended":
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert pacer("run", "batch.jsonl", "--quiet").code == 1
        ran = pacer("report", "batch.pacer.db", "--html", "report.html")
        assert ran.code == 0, ran.err
        assert "report.html" in ran.out
    finally:
        service.stop()
    return folder / "report.html"


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens(chromium: Browser, real_page: Path, scheme: Literal["light", "dark"], width: int) -> None:
    """
    In light and dark, wide and narrow: every picture is drawn, nothing is written to the console, nothing but
    the file is asked for, no word is cut off, nothing needs scrolling sideways, and all text can be read.
    """
    with visiting(chromium, real_page, scheme=scheme, width=width) as visit:
        page = visit.page
        drawn = page.evaluate("() => [...document.querySelectorAll('.chart:has(svg path)')].map((c) => c.id)")
        assert set(drawn) == FIGURES
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
        assert page.evaluate(COVERED) == []
        assert page.evaluate(CONTRAST) >= 4.5
        assert visit.said == []
        assert [url for url in visit.asked if not url.startswith("data:")] == [real_page.as_uri()]


def test_it_tells_what_happened(chromium: Browser, real_page: Path) -> None:
    """The first sentence tells the outcome; pictures have their figures in words and in tables."""
    with visiting(chromium, real_page) as visit:
        page = visit.page
        assert " captures completed in" in page.inner_text("h1")
        assert "in 2 invocations" in page.inner_text(".tiles")
        for name in FIGURES - {"waits"}:
            assert page.locator(f"#figure-{name} table tbody tr").count() > 0, name
        assert "SURFACE_BLOCKED" in page.text_content("#figure-failures table")  # type: ignore[operator]
        assert "VALIDATION_FAILED" in page.text_content("#figure-failures table")  # type: ignore[operator]
        assert "not told" in page.text_content("#account")  # type: ignore[operator]
        assert "a process that was killed" in page.text_content("#figure-account table")  # type: ignore[operator]


def test_figures_where_the_pointer_is(chromium: Browser, real_page: Path) -> None:
    """Wherever the pointer is in the picture of the queue, the nearest reading is shown."""
    with visiting(chromium, real_page) as visit:
        visit.page.locator("#queue svg").hover(position={"x": 500, "y": 60}, force=True)
        shown = visit.page.locator("#vg-tooltip-element.visible").inner_text()
        assert "Depth" in shown
        assert "undefined" not in shown


def test_without_scripts(chromium: Browser, real_page: Path) -> None:
    """Where scripts are off every figure is still there, and a sentence says why there is no picture."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(real_page.as_uri())
    assert "which is off" in page.inner_text("noscript")
    assert page.locator("#figure-queue table tbody tr").count() > 0
    context.close()


@pytest.fixture
def evil_page(tmp_path: Path) -> Path:
    """Return the page of a journal in which every stranger's text is an attack."""
    path = tmp_path / "b.db"
    journal = SqliteJournal.open(path, create=True)
    with journal.intake() as writer:
        writer.add([Record(n, f"{EVIL}{n}", f"k{n}", b"{}", 1, (EVIL,), n + 1) for n in range(2)])
        writer.commit(
            Batch(token="t", source=EVIL, input_sha256="", base_url=EVIL, created_at=1e9, name=EVIL)
        )
    journal.write(list(evil_entries()))
    target = tmp_path / "evil.html"
    PageMaker.prepare(str(target), as_json=False).make(journal, read_report(journal), Path(EVIL))
    journal.close()
    return target


def evil_entries() -> Iterator[Entry]:
    """Yield what an evil service, and an evil user, could have left in a journal."""

    def note(at: float, kind: str, **facts: Any) -> Noted:
        return Noted(1e9 + at, kind, facts)

    told = {"job": {"requestedAt": "2026-08-02T10:00:00Z", "completedAt": "2026-08-02T10:00:12Z"}}
    error = {"code": EVIL, "message": EVIL}
    yield Sent(0, 1e9)
    yield Sent(1, 1e9)
    yield Rejected(1, 1e9, error)
    yield Accepted(0, 1e9, EVIL, (EVIL, "2"))
    yield CaptureEnded(0, EVIL, 1e9, EVIL, EVIL, "partial", told, error)
    yield CaptureEnded(0, "2", 1e9, "claude", "US", "failed", None, {"code": "A.B[0]", "message": "m"})
    yield note(0, happening.RUN_STARTED)
    yield note(1, happening.SNAPSHOT_READ, depth=1, capacity=None, headroom=0, inflight=None)
    yield note(2, happening.WAVE_SENT, number=1, requests=1, captures=2)
    yield note(3, happening.THROTTLED, lane="rate", code=EVIL, retry_after=3.0, until=0, call="")
    yield note(3, happening.WAIT_BEGAN, bound=EVIL, until=1e9, seconds=3.0)
    yield note(
        9,
        happening.RUN_ENDED,
        outcome="stopped",
        code=EVIL,
        reason=EVIL,
        seconds=9.0,
        statistics={"account": {EVIL: 9.0}},
    )


def test_strangers_text_is_text(chromium: Browser, evil_page: Path) -> None:
    """Markup and scripts in ids, codes, messages, surfaces, regions and names are shown, and never obeyed."""
    with visiting(chromium, evil_page) as visit:
        page = visit.page
        assert page.evaluate("() => window.owned") is None
        assert page.locator("script").count() == 3
        assert page.locator("img").count() == 0
        assert EVIL in page.inner_text("h1, .facts >> nth=0") or EVIL in page.inner_text(".facts")
        assert EVIL in page.text_content("#figure-failures table")  # type: ignore[operator]
        assert page.locator(".chart svg").count() == len(FIGURES)
        page.locator("#failures path[aria-roledescription=bar]").first.hover()
        shown = page.locator("#vg-tooltip-element.visible")
        assert "<script>" in shown.inner_text()
        assert shown.locator("script, img").count() == 0
        assert page.evaluate("() => window.owned") is None
        assert visit.said == []
        assert visit.asked[0] == evil_page.as_uri()
        assert [url for url in visit.asked[1:] if not url.startswith("data:")] == []


def test_the_policy_holds(chromium: Browser, real_page: Path, tmp_path: Path) -> None:
    """Even a script that got into the page would neither run nor reach anybody."""
    page = tmp_path / "attacked.html"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        attack = f"<script>window.owned=1</script><img src='{address}' onerror='window.owned=2'>"
        page.write_text(real_page.read_text().replace("<main>", f"<main>{attack}"))
        with visiting(chromium, page, offline=False) as visit:
            assert any("Content Security Policy" in line for line in visit.said)
            asked = f"() => fetch('{address}').then(() => 'answered', (error) => error.name)"
            assert visit.page.evaluate(asked) == "TypeError"
            assert visit.page.evaluate("() => window.owned") is None
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_a_batch_that_nobody_worked_on(chromium: Browser, tmp_path: Path) -> None:
    """A page of nothing says so, without a picture."""
    journal = SqliteJournal.open(tmp_path / "b.db", create=True)
    with journal.intake() as writer:
        writer.add([Record(0, "q", "k", b"{}", 1, ("claude",), 1)])
        writer.commit(
            Batch(token="t", source="b", input_sha256="", base_url="https://x", created_at=time.time())
        )
    target = tmp_path / "page.html"
    PageMaker.prepare(str(target), as_json=False).make(journal, read_report(journal), tmp_path / "b.db")
    journal.close()
    with visiting(chromium, target) as visit:
        assert "nobody has worked on this batch yet" in visit.page.inner_text("h1")
        assert visit.page.locator(".chart").count() == 0
        assert visit.said == []
