"""
``pacer simulate``: runs in virtual time, as a table or a document.
"""

import json

import pytest

from pacer.cli.simulating import listing, simulated
from pacer.errors import UsageError


def test_a_scenario_is_run_and_judged(capsys: pytest.CaptureFixture[str]) -> None:
    """The document has every run with its ratio to the clairvoyant, and what breaks a target."""
    assert simulated(["15"], seeds=1, rivals=False, processes=1, as_json=True) in (0, 1)
    document = json.loads(capsys.readouterr().out)
    assert [run["scenario"].split()[0] for run in document["runs"]] == ["15", "15"]
    assert all(run["ratio"] > 0.9 for run in document["runs"])
    assert "times the clairvoyant" in document["medians"]
    assert document["missed"] == []


def test_a_word_that_fits_no_scenario_is_a_usage_error() -> None:
    """A mistyped scenario is named, and the way to the right ones."""
    with pytest.raises(UsageError, match=r"nope.*--list"):
        simulated(["nope"], seeds=1, rivals=False, processes=1, as_json=False)


def test_the_list_names_every_scenario_once(capsys: pytest.CaptureFixture[str]) -> None:
    """``--list`` runs nothing and leaves none out."""
    assert listing([], as_json=True) == 0
    names = json.loads(capsys.readouterr().out)
    assert len(names) == len(set(names)) >= 66
