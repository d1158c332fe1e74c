"""Requests that leave the backlog because nobody wants them any more, and hours without any."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pacer.pacing.backlog import Backlog
from pacer.pacing.capacity import CapacitySnapshot
from pacer.pacing.controller import PacingController
from pacer.pacing.decisions import Bound, Finished, ReadSnapshot, SubmitWave, WaitUntil
from pacer.pacing.events import Dropped, Item, Queued, SnapshotTaken, StatusRead, Unasked
from pacer.pacing.policy import Policy

NOW = 0.0


@given(st.lists(st.tuples(st.sampled_from(["add", "drop", "again", "pop"]), st.integers(0, 9)), max_size=60))
def test_what_is_dropped_is_not_handed_out_and_the_rest_keeps_its_order(
    steps: list[tuple[str, int]],
) -> None:
    """However requests are queued, dropped, asked for again and taken, a plain list says the same."""
    backlog = Backlog()
    line: list[int] = []  # everything that stands in line, dropped or not
    dropped: set[int] = set()
    number = 0
    for step, choice in steps:
        alive = [index for index in line if index not in dropped]
        gone = [index for index in line if index in dropped]
        if step == "add":
            backlog.extend((Item(number, 1),))
            line.append(number)
            number += 1
        elif step == "drop" and alive:
            index = alive[choice % len(alive)]
            backlog.drop(index)
            dropped.add(index)
        elif step == "again" and gone:
            index = gone[choice % len(gone)]
            at_head = line.index(index) < line.index(alive[0]) if alive else True
            backlog.extend((Item(index, 1),))
            dropped.discard(index)
            if at_head:  # it had left the line altogether
                line.remove(index)
                line.append(index)
        elif step == "pop" and alive:
            assert backlog.pop(now=NOW).index == alive[0]
            line.remove(alive[0])
        alive = [index for index in line if index not in dropped]
        head = backlog.head(now=NOW)
        assert len(backlog) == len(alive)
        assert (None if head is None else head.index) == (alive[0] if alive else None)


def snapshot(controller: PacingController, *, at: float, capacity: int = 10) -> None:
    """Answer a read."""
    controller.receive(SnapshotTaken(at, at - 0.1, CapacitySnapshot(depth=0, capacity=capacity)))


def test_with_its_last_request_given_up_a_batch_is_finished_at_once() -> None:
    """Even while the queue is full: nothing is waited for that nobody wants."""
    controller = PacingController(Policy(), now=0.0)
    controller.receive(Queued(0.0, (Item(0, 5),), more=False))
    assert controller.decide(now=0.0) == ReadSnapshot()
    snapshot(controller, at=0.1, capacity=0)
    assert isinstance(controller.decide(now=0.1), WaitUntil)
    controller.receive(Dropped(0.2, 0))
    assert controller.decide(now=0.2) == Finished()


def test_given_up_when_decided_it_frees_its_room() -> None:
    """A request that was about to leave counts no longer; the next one takes its place."""
    controller = PacingController(Policy(), now=0.0)
    controller.receive(Queued(0.0, (Item(0, 4), Item(1, 4)), more=False))
    controller.decide(now=0.0)
    snapshot(controller, at=0.1, capacity=6)
    assert controller.decide(now=0.1) == SubmitWave((0,))
    controller.receive(Dropped(0.1, 0))
    assert controller.decide(now=0.1) == SubmitWave((1,))


def test_hours_without_requests_are_neither_a_stall_nor_a_dead_host() -> None:
    """The limits on silence and on progress count from when there is something to do."""
    controller = PacingController(Policy(), now=0.0)
    assert controller.decide(now=0.0) == Finished()
    assert controller.decide(now=7_200.0) == Finished()
    controller.receive(Queued(7_200.0, (Item(0, 1),), more=False))
    assert controller.decide(now=7_200.0) == ReadSnapshot()
    wait = controller.decide(now=7_200.0)
    assert wait == WaitUntil(7_260.0, Bound.ROUND_TRIP)


def test_a_snapshot_that_is_wanted_is_read_though_nothing_is_to_be_sent() -> None:
    """Once; and again if it was kept from leaving."""
    controller = PacingController(Policy(), now=0.0)
    controller.want_snapshot(now=500.0)
    assert controller.decide(now=500.0) == ReadSnapshot()
    controller.receive(Unasked(500.0, StatusRead()))
    assert controller.decide(now=501.0) == ReadSnapshot()
    snapshot(controller, at=501.1)
    assert controller.decide(now=501.1) == Finished()
