"""Which captures are read, and when; one read each is the floor."""

from __future__ import annotations

from math import inf

import pytest

from pacer.pacing.collection import Collection
from pacer.pacing.decisions import Finished
from pacer.pacing.events import Adopted, CaptureRead, Item, JobMissing, JobRead, ParentRead
from pacer.pacing.policy import Policy

from .service import Service
from .world import Fault, World

POLICY = Policy()


def outstanding(*fan_outs: int, at: float = 0.0) -> Collection:
    """Return a collection with requests accepted at *at*."""
    collection = Collection(POLICY)
    for index, fan_out in enumerate(fan_outs):
        collection.accepted(index, at=at, children=fan_out, expected=fan_out, surfaces=("claude",))
    return collection


def seen(collection: Collection, at: float, inflight: int | None, *, shared: bool = False) -> None:
    """Feed a snapshot that was asked for and answered at *at*."""
    collection.snapshot(at=at, asked_at=at, inflight=inflight, by_surface=None, shared=shared)


def read(collection: Collection, call: JobRead, at: float, *, terminal: bool) -> None:
    """Feed the outcome of a read of a child."""
    assert call.child is not None
    collection.read(CaptureRead(at, at, call.index, call.child, terminal))


def test_nothing_in_flight_means_that_all_have_ended() -> None:
    """A snapshot asked for after the accept with ``inflight`` 0 makes every capture due, once each."""
    collection = outstanding(2, 1)
    seen(collection, 1.0, 0)

    due = collection.due(now=1.0, limit=10)

    assert due == (JobRead(0, 0), JobRead(0, 1), JobRead(1, 0))
    assert collection.due(now=1.0, limit=10) == ()


def test_a_count_that_is_proved_wrong_is_not_followed() -> None:
    """Of 200 captures that an old snapshot takes for ended 16 are looked at, none after one that is not."""
    collection = outstanding(200)
    seen(collection, 1.0, 0)

    first = collection.due(now=1.0, limit=100)
    assert len(first) == 16
    read(collection, first[0], 1.1, terminal=False)

    assert collection.due(now=1.1, limit=100) == ()
    assert collection.probably_ended == 0


def test_a_count_that_proves_right_is_followed_ever_faster() -> None:
    """Each read that finds its capture ended lets two more go: the reads in flight double in a round trip."""
    collection = outstanding(200)
    seen(collection, 1.0, 0)
    in_flight = []
    due = collection.due(now=1.0, limit=200)
    while due:
        in_flight.append(len(due))
        for call in due:
            read(collection, call, 1.0, terminal=True)
        due = collection.due(now=1.0, limit=200)

    assert in_flight == [16, 32, 64, 88]


def test_the_last_captures_are_read_when_all_but_a_few_have_ended() -> None:
    """With nothing left to submit, two of twenty in flight keep none of the others waiting for a margin."""
    collection = outstanding(20)
    collection.snapshot(at=9.0, asked_at=9.0, inflight=2, by_surface=None, shared=False, last=True)

    read_now: list[JobRead] = []
    while due := collection.due(now=9.0, limit=100):
        for call in due:
            read(collection, call, 9.0, terminal=call.child not in (3, 7))
        read_now += due

    assert sorted(call.child or 0 for call in read_now) == list(range(20))
    assert collection.wasted == 2


def test_with_more_to_submit_the_margin_stays() -> None:
    """The same count in the midst of a batch leaves those that may have been overtaken for later."""
    collection = outstanding(20)
    seen(collection, 9.0, 2)
    assert len(collection.due(now=9.0, limit=100)) == 14


def test_a_snapshot_from_before_the_accept_means_nothing() -> None:
    """``inflight`` 0 as of a moment before a request was accepted says nothing of it."""
    collection = outstanding(1, at=5.0)
    seen(collection, 4.9, 0)
    assert collection.due(now=5.0, limit=10) == ()


def test_an_absent_inflight_means_nothing() -> None:
    """A snapshot without ``inflight`` makes nothing due."""
    collection = outstanding(5)
    seen(collection, 1.0, None)
    assert collection.due(now=1.0, limit=10) == ()


def test_counted_captures_are_the_oldest_and_leave_a_margin() -> None:
    """Of 40 captures with 20 in flight about 20 have ended: fewer than that are read, oldest first."""
    collection = outstanding(*[1] * 40)
    seen(collection, 1.0, 20)

    due = collection.due(now=1.0, limit=100)

    assert 0 < len(due) <= 20
    assert due == tuple(JobRead(n, 0) for n in range(len(due)))


def test_a_scout_goes_alone_until_it_finds_something() -> None:
    """Without evidence one read goes when a capture is older than usual; finds bring company."""
    collection = outstanding(*[1] * 40)
    seen(collection, 0.1, None)
    at = collection.next_at()
    assert 0.1 < at < 60.0
    first = collection.due(now=at, limit=100)
    assert len(first) == 1
    assert collection.due(now=at, limit=100) == ()

    read(collection, first[0], at, terminal=True)
    assert 1 <= len(collection.due(now=at + 30.0, limit=100)) <= 4


def test_a_straggler_is_read_again_after_pauses_that_grow() -> None:
    """A capture read in vain is due later, each time later, and at least once a minute or so."""
    collection = outstanding(1)
    seen(collection, 1.0, 0)
    (call,) = collection.due(now=1.0, limit=10)
    at, pauses = 1.0, []
    for _ in range(12):
        read(collection, call, at, terminal=False)
        due = collection.next_at()
        assert collection.due(now=at, limit=10) == ()
        pauses.append(round(due - at, 6))
        at = due
        assert collection.due(now=at, limit=10) == (call,)
    assert pauses == sorted(pauses)
    assert pauses[0] >= 1.0
    assert pauses[-1] <= 61.0


def test_many_stragglers_of_one_request_are_looked_at_through_their_parent() -> None:
    """Six captures read in vain are asked after by one read, and only those that ended are read again."""
    collection = outstanding(6)
    seen(collection, 1.0, 0)
    for call in collection.due(now=1.0, limit=10):
        read(collection, call, 1.0, terminal=False)
    at = collection.next_at()

    assert collection.due(now=at, limit=10) == (JobRead(0, None),)
    collection.parent(ParentRead(at, at, 0, 6, frozenset({1, 4})))
    assert collection.due(now=at, limit=10) == (JobRead(0, 1), JobRead(0, 4))


def test_unknown_children_are_learnt_from_the_parent() -> None:
    """A request whose reply listed no children is asked after by its parent, and then read child by child."""
    collection = Collection(POLICY)
    collection.accepted(0, at=0.0, children=0, expected=3, surfaces=())
    seen(collection, 1.0, 0)

    assert collection.due(now=1.0, limit=10) == (JobRead(0, None),)
    collection.parent(ParentRead(1.0, 1.0, 0, 4, frozenset({0, 1, 2, 3})))
    assert collection.unended == 4
    for call in collection.due(now=1.0, limit=10):
        read(collection, call, 1.0, terminal=True)
    assert collection.unended == 0


def test_what_has_ended_before_is_never_read() -> None:
    """An adopted request is read only where an earlier invocation has not."""
    collection = Collection(POLICY)
    collection.accepted(0, at=-50.0, children=3, expected=3, surfaces=(), ended=frozenset({0, 2}))
    seen(collection, 1.0, 0)
    assert collection.due(now=1.0, limit=10) == (JobRead(0, 1),)


def test_a_capture_not_ended_in_time_is_no_result() -> None:
    """Its last read in vain after --capture-timeout ends it by name; one before does not."""
    for at, gives_up in ((3599.9, False), (3600.0, True)):
        collection = outstanding(1)
        seen(collection, 1.0, 0)
        (call,) = collection.due(now=1.0, limit=10)
        read(collection, call, at, terminal=False)
        assert [(g.index, g.child, g.code) for g in collection.give_ups] == [(0, 0, "NO_RESULT")] * gives_up
        assert collection.unended == 1 - gives_up


def test_a_hundred_captures_that_never_end_all_end_by_name_soon_after_the_time_out() -> None:
    """Endless captures do not queue up behind one another: each is given up within minutes of its time."""
    service = Service(unit="both", capacity=500, workers=5, latency=2.0, endless=frozenset(range(100)))
    world = World(service, [Item(n, 1) for n in range(110)], Policy(capture_timeout=600.0))

    assert world.drive() == Finished()

    world.check_complete()
    assert sum(code == "NO_RESULT" for code in world.captures.values()) == 100
    assert world.now <= 600.0 + 120.0


@pytest.mark.parametrize(("at", "codes"), [(60.9, []), (61.0, ["JOB_NOT_FOUND"])])
def test_a_404_has_a_minute_of_grace(at: float, codes: list[str]) -> None:
    """A job may be unknown for 60 s from its first 404, one tick less than which is no end."""
    collection = outstanding(1)
    seen(collection, 1.0, 0)
    (call,) = collection.due(now=1.0, limit=10)
    collection.missing(JobMissing(1.0, call))
    assert not collection.give_ups
    (again,) = collection.due(now=collection.next_at(), limit=10)
    collection.missing(JobMissing(at, again))

    assert [g.code for g in collection.give_ups] == codes


def test_a_404_that_was_late_knowledge_is_forgotten_once_the_job_is_found() -> None:
    """A capture that was found after a 404 has its whole grace again."""
    collection = outstanding(1)
    seen(collection, 1.0, 0)
    (call,) = collection.due(now=1.0, limit=10)
    collection.missing(JobMissing(1.0, call))
    (call,) = collection.due(now=50.0, limit=10)
    read(collection, call, 50.0, terminal=False)
    (call,) = collection.due(now=200.0, limit=10)
    collection.missing(JobMissing(200.0, call))
    assert not collection.give_ups


def test_a_lost_parent_ends_only_what_it_was_to_tell_of() -> None:
    """Where a parent's summary is gone, captures already read stay read and only the others end."""
    collection = outstanding(6)
    seen(collection, 1.0, 0)
    calls = collection.due(now=1.0, limit=10)
    read(collection, calls[0], 1.0, terminal=True)
    for call in calls[1:]:
        read(collection, call, 1.0, terminal=False)
    at = collection.next_at()
    (parent,) = collection.due(now=at, limit=10)
    assert parent == JobRead(0, None)
    collection.missing(JobMissing(at, parent))
    (parent,) = collection.due(now=at + 90.0, limit=10)
    collection.missing(JobMissing(at + 90.0, parent))

    ended = sorted((g.index, g.child) for g in collection.give_ups if g.child is not None)
    assert ended == [(0, n) for n in range(1, 6)]
    assert len(collection.give_ups) == 5
    assert collection.unended == 0


def test_a_lost_read_is_tried_again() -> None:
    """A read that brought nothing is due after a back-off, and nothing is given up."""
    collection = outstanding(1)
    seen(collection, 1.0, 0)
    (call,) = collection.due(now=1.0, limit=10)
    collection.lost(call, at=1.0, jitter=0.0)
    assert collection.due(now=1.4, limit=10) == ()
    assert collection.due(now=1.5, limit=10) == (call,)


# Whole runs -----------------------------------------------------------------------------


@pytest.mark.parametrize("blind", [False, True])
def test_nearly_every_read_finds_something(blind: bool) -> None:
    """One read per capture is the floor: with ``inflight`` at most 6 % more, without it at most 25 %."""
    service = Service(unit="both", capacity=60, workers=20, latency=6.0)
    world = World(service, [Item(n, 1 + n % 4) for n in range(400)])
    if blind:
        world.fault = lambda call, now: None if isinstance(call, JobRead) else Fault("blind")

    assert world.drive() == Finished()

    world.check_complete()
    reads = sum(isinstance(call, JobRead) for _, call in world.sent)
    assert reads <= 1000 * (1.25 if blind else 1.06)


def test_a_resume_collects_what_an_earlier_invocation_was_promised() -> None:
    """Adopted requests are collected although nothing is submitted."""
    service = Service(unit="both", capacity=60, workers=20, latency=6.0)
    world = World(service, [Item(n, 3) for n in range(10)])
    world.adopt(10, listed=True)

    assert world.drive() == Finished()

    world.check_complete()
    assert service.jobs.keys() == set(range(10))


def test_without_collection_a_request_ends_with_its_acceptance() -> None:
    """With collect off no job is read, and the run is finished when all are accepted."""
    service = Service(unit="both", capacity=60, workers=20, latency=6.0)
    world = World(service, [Item(n, 3) for n in range(100)], Policy(collect=False))

    assert world.drive() == Finished()

    world.check_complete()
    assert not [call for _, call in world.sent if isinstance(call, JobRead)]


def test_adopting_twice_counts_once() -> None:
    """The same request told twice is outstanding once."""
    world = World(Service(), [Item(0, 2)])
    event = Adopted(0.0, 0, -5.0, 2, (), frozenset())
    world.controller.receive(event)
    world.controller.receive(event)
    assert world.controller.statistics().unended == 2
    assert world.controller.collection.next_at() < inf


def test_one_read_of_a_parent_at_a_time() -> None:
    """Stragglers that join while their parent is being read wait for the next look at it."""
    collection = outstanding(8)
    seen(collection, 1.0, 0)
    calls = collection.due(now=1.0, limit=20)
    for call in calls[:4]:
        read(collection, call, 1.0, terminal=False)
    (parent,) = collection.due(now=10.0, limit=20)
    for call in calls[4:]:
        read(collection, call, 10.0, terminal=False)

    assert parent == JobRead(0, None)
    assert collection.due(now=100.0, limit=20) == ()
    collection.parent(ParentRead(100.0, 100.0, 0, 8, frozenset(range(7))))
    assert len(collection.due(now=100.0, limit=20)) == 7
    assert collection.due(now=200.0, limit=20) == (JobRead(0, None),)
