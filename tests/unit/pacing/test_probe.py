"""
The probe: finding the unit by trying, once, because the user allowed it.
"""

from pacer.pacing.probe import STARVED, Probe


def starved(probe: Probe, *, wave: int = 2, capacity: int = 10) -> None:
    """Bring *probe* to where it begins."""
    for censored in range(1, STARVED + 1):
        probe.snapshot(censored=censored, wave=wave, capacity=capacity, known=False)


def test_it_does_nothing_unless_allowed() -> None:
    """Without ``--probe`` no wave is ever larger than the safe charge allows."""
    probe = Probe(allowed=False)
    starved(probe)
    assert probe.limit is None


def test_it_begins_at_the_sixth_empty_reading_and_not_before() -> None:
    """Only a queue that was empty at six readings running is worth a 429."""
    probe = Probe(allowed=True)
    for censored in range(1, STARVED):
        probe.snapshot(censored=censored, wave=2, capacity=10, known=False)
    assert probe.limit is None
    probe.snapshot(censored=STARVED, wave=2, capacity=10, known=False)
    assert probe.limit == 4


def test_waves_double_until_a_queue_of_parents_was_accepted() -> None:
    """Each wave is at most twice the largest accepted whole; a queue's worth of parents is proof."""
    probe = Probe(allowed=True)
    starved(probe, wave=2, capacity=10)
    assert not probe.snapshot(censored=7, wave=4, capacity=10, known=False)
    assert probe.limit == 8
    assert not probe.snapshot(censored=8, wave=8, capacity=10, known=False)
    assert probe.limit == 10
    assert probe.snapshot(censored=9, wave=10, capacity=10, known=False)
    assert probe.spent


def test_a_wave_that_was_not_full_proves_nothing() -> None:
    """A short wave, for lack of backlog, neither doubles the limit nor ends the probe."""
    probe = Probe(allowed=True)
    starved(probe)
    assert not probe.snapshot(censored=7, wave=3, capacity=10, known=False)
    assert probe.limit == 4


def test_a_refusal_ends_it_for_good() -> None:
    """After one refusal nothing brings the probe back."""
    probe = Probe(allowed=True)
    starved(probe)
    probe.end()
    starved(probe)
    assert probe.limit is None
