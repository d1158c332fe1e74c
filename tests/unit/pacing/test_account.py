"""Where the time went: seconds by bound add up to the run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.pacing.account import Account
from pacer.pacing.decisions import Bound


def test_time_is_booked_on_the_bound_in_force() -> None:
    """Three waits of 2, 3 and 5 seconds stand under their own names."""
    account = Account(now=10.0)
    account.now_bound_by(Bound.DRAIN, now=10.0)
    account.now_bound_by(Bound.GATE, now=12.0)
    account.now_bound_by(Bound.DRAIN, now=15.0)
    account.settle(now=20.0)

    assert account.seconds == {Bound.DRAIN: 7.0, Bound.GATE: 3.0}


MOMENT = st.floats(0, 1e6)


@given(
    MOMENT, st.lists(st.tuples(st.sampled_from(Bound), MOMENT, MOMENT | st.just(float("inf"))), min_size=1)
)
def test_seconds_add_up_to_the_run(began: float, moments: list[tuple[Bound, float, float]]) -> None:
    """Whatever is booked, in whatever order and until whenever, the sum is the time that passed."""
    account = Account(now=began)
    for bound, now, until in moments:
        account.now_bound_by(bound, now=now, until=until)
    last = max(began, *(now for _, now, _ in moments))

    assert sum(account.seconds.values()) == pytest.approx(last - began)
    assert min(account.seconds.values(), default=0.0) >= 0.0


def test_pacer_books_its_own_delays_on_itself() -> None:
    """What passes before the first decision, and beyond the end of a wait, is pacer's own."""
    account = Account(now=1.0)
    account.now_bound_by(Bound.DRAIN, now=3.0, until=10.0)
    account.settle(now=10.5)

    assert account.seconds == {Bound.PACER: 2.5, Bound.DRAIN: 7.0}


def test_time_that_goes_back_is_not_booked_twice() -> None:
    """A clock reading from before the last one adds nothing."""
    account = Account(now=10.0)
    account.now_bound_by(Bound.DRAIN, now=10.0)
    account.settle(now=20.0)
    account.settle(now=15.0)
    account.settle(now=21.0)

    assert account.seconds == {Bound.DRAIN: 11.0}
