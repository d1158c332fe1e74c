"""
The page of a report: its words, and the file it is put in.
"""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from pacer.cli.page import PageMaker
from pacer.cli.page.figures import headline
from pacer.cli.page.file import write_page
from pacer.cli.page.rendering import MARK
from pacer.cli.page.words import duration, lane, unbroken
from pacer.cli.wording import share
from pacer.errors import OutputLost, UsageError
from pacer.journal.records import Batch
from pacer.journal.sqlite import SqliteJournal
from pacer.journal.views import Counts
from pacer.pacing.decisions import Bound
from pacer.report import Invocation, Report, all_booked, read_report

BATCH = Batch(token="t", source="b.jsonl", input_sha256="", base_url="https://x", created_at=1.0)


def report(*invocations: Invocation, completed: int = 711, captures: int = 711) -> Report:
    """Return the report of a batch."""
    counts = Counts(
        requests=200,
        pending=0,
        sent=0,
        accepted=0,
        done=200 if captures else 0,
        rejected=0 if captures else 200,
        captures=captures,
        ended={"completed": completed},
    )
    return Report(BATCH, counts, {}, invocations)


def worked(seconds: float, **account: float) -> Invocation:
    """Return an invocation that took so long."""
    return Invocation(0.0, seconds, "finished", seconds=seconds, account=account)


def told(one: Report) -> str:
    """Return its headline."""
    return headline(one, all_booked(one.invocations))


def test_headlines() -> None:
    """The first sentence says what came of it, how long it took, and what held it longest."""
    assert told(report(worked(12.0, gate=4.0, drain=3.9, captures=4.1 - 0.2, round_trip=0.2))) == (
        "711 of 711 captures completed in 12 s; 33 % of it: Retry-After"
    )
    assert told(report(worked(60.0, drain=60.0), worked(65.0, drain=60.0, gate=5.0), completed=3)) == (
        "3 of 711 captures completed in 2 min 5 s; 96 % of it: the service's drain"
    )
    assert told(report()) == "711 of 711 captures completed: nobody has worked on this batch yet"
    assert told(report(worked(1.5), captures=0)) == ("No capture: 200 of 200 requests rejected in 1.5 s")


def test_what_a_killed_invocation_did_not_tell() -> None:
    """Shares are of all the time worked, and what nobody told is never what held it longest."""
    assert told(report(worked(10.0), worked(30.0), worked(20.0, drain=20.0))).endswith(
        "33 % of it: the service's drain"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (0.24, "240 ms"),
        (4.21, "4.2 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (125.0, "2 min 5 s"),
        (11_400.0, "3 h 10 min"),
        (200_000.0, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """A length of time has its units."""
    assert duration(seconds) == text


def test_shares() -> None:
    """A share is never called nothing when it is something."""
    assert [share(*pair) for pair in ((1, 3), (1, 1000), (0, 3), (1, 0))] == ["33 %", "<1 %", "0 %", "0 %"]


def test_a_figure_and_its_unit_stay_together() -> None:
    """A headline is not broken between a number and its unit, and everything else may be."""
    assert unbroken("3 captures in 2 min 5 s; 33 % of it") == (
        "3 captures in 2\u00a0min 5\u00a0s; 33\u00a0% of it"
    )


def test_every_bound_has_a_name() -> None:
    """What the core can be held by has a short name of its own in the pictures."""
    names = {lane(bound.value) for bound in Bound}
    assert len(names) == len(Bound)
    assert not any("_" in name for name in names)


def test_the_page_is_private_and_replaces_only_pages(tmp_path: Path) -> None:
    """A page is mode 0600; it replaces an older page or an empty file, and nothing else is left beside it."""
    target = tmp_path / "r.html"
    target.touch(0o644)
    for text in ("one", "two"):
        PageMaker.prepare(str(target), as_json=False)
        write_page(MARK + text, target)
        assert target.read_text() == MARK + text
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_one(tmp_path: Path) -> None:
    """Where FILE is a symbolic link, what it leads to is replaced."""
    (tmp_path / "link.html").symlink_to(tmp_path / "real.html")
    write_page(MARK, tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_text() == MARK


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """A file that pacer did not make, a directory, a device and a place that is not there are refused."""
    (tmp_path / "mine.html").write_text("<!doctype html><p>mine")
    for name in ("mine.html", ".", "no/page.html", "/dev/null"):
        with pytest.raises(UsageError, match=r"--html|Create it"):
            PageMaker.prepare(str(tmp_path / name), as_json=False)
    assert (tmp_path / "mine.html").read_text() == "<!doctype html><p>mine"


def test_one_standard_output_for_two(tmp_path: Path) -> None:
    """A page and a document cannot both go to standard output."""
    with pytest.raises(UsageError, match="standard output"):
        PageMaker.prepare("-", as_json=True)
    assert PageMaker.prepare("-", as_json=False).target is None


def test_a_place_that_is_lost(tmp_path: Path) -> None:
    """A page that can no longer be written is told in a sentence, and leaves nothing behind."""
    (tmp_path / "r.html").mkdir()
    with pytest.raises(OutputLost, match=r"cannot be written to .*r\.html"):
        write_page(MARK, tmp_path / "r.html")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize("library", ["jinja2", "vl_convert"])
def test_without_the_extra(library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the libraries are missing the command says what to install, and touches nothing."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=r"pip install 'aisearch-pacer\[report\]'"):
        PageMaker.prepare(str(tmp_path / "r.html"), as_json=False)
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_not_in_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was pasted where it does not belong is blotted out of the page."""
    key = "sk_test_pasted_into_the_wrong_place"
    monkeypatch.setenv("AISEARCH_API_KEY", key)
    with_key = Batch(
        token="t", source=f"{key}.jsonl", input_sha256="", base_url=f"https://x/{key}", created_at=1.0
    )
    journal = SqliteJournal.open(tmp_path / "b.db", create=True)
    with journal.intake() as writer:
        writer.commit(with_key)
    PageMaker(tmp_path / "r.html").make(journal, read_report(journal), tmp_path / key)
    journal.close()
    page = (tmp_path / "r.html").read_text()
    assert page.startswith(MARK)
    assert "[key].jsonl" in page
    assert key not in page
