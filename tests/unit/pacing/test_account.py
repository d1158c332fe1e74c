"""Where the time went: seconds by bound add up to the run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.pacing.account import Account
from pacer.pacing.decisions import Bound


def test_time_is_booked_on_the_bound_in_force() -> None:
    """Three waits of 2, 3 and 5 seconds stand under their own names."""
    account = Account()
    account.now_bound_by(Bound.DRAIN, now=10.0)
    account.now_bound_by(Bound.GATE, now=12.0)
    account.now_bound_by(Bound.DRAIN, now=15.0)
    account.settle(now=20.0)

    assert account.seconds == {Bound.DRAIN: 7.0, Bound.GATE: 3.0}


@given(st.lists(st.tuples(st.sampled_from(Bound), st.floats(0, 1e6)), min_size=1))
def test_seconds_add_up_to_the_run(moments: list[tuple[Bound, float]]) -> None:
    """Whatever is booked, in whatever order it is told, the sum is the time that passed."""
    account = Account()
    for bound, now in moments:
        account.now_bound_by(bound, now=now)
    first, last = moments[0][1], max(now for _, now in moments)

    assert sum(account.seconds.values()) == pytest.approx(last - first)


def test_time_that_goes_back_is_not_booked_twice() -> None:
    """A clock reading from before the last one adds nothing."""
    account = Account()
    account.now_bound_by(Bound.DRAIN, now=10.0)
    account.settle(now=20.0)
    account.settle(now=15.0)
    account.settle(now=21.0)

    assert account.seconds == {Bound.DRAIN: 11.0}
