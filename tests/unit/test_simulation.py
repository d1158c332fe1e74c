"""
The simulation itself: virtual time, references, measures, the report.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from pacer.pacing.events import StatusRead, Submission
from pacer.pacing.policy import Policy
from pacer.sandbox import Answer
from pacer.simulation.catalogue import scenarios
from pacer.simulation.limits import LIMITS
from pacer.simulation.network import Network, SimulationError, Turn
from pacer.simulation.outcome import Outcome, run
from pacer.simulation.reference import reference
from pacer.simulation.report import HEADINGS, chosen, findings, simulate, table
from pacer.simulation.rivals import RIVALS, run_rival
from pacer.simulation.scenario import Scenario, shape
from pacer.simulation.targets import verdict

SMALL = Scenario(name="00 small", requests=120, capacity=20, workers=10)


class Scripted:
    """A client that makes the same turn whenever it is asked."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.answers: list[tuple[float, float, int]] = []

    def act(self, *, now: float) -> Turn:
        return self.turn

    def answered(self, call: object, answer: Answer, *, sent_at: float, now: float) -> None:
        self.answers.append((sent_at, now, answer.status))
        self.turn = Turn(done=True)


def by_number(number: str) -> Scenario:
    (scenario,) = (s for s in scenarios() if s.number == number)
    return scenario


def test_a_run_repeats_itself_exactly() -> None:
    """The same scenario and seed give the same outcome in every figure; another seed does not."""
    first, again, other = (run(SMALL, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.makespan != other.makespan


def test_a_call_takes_half_a_round_trip_each_way() -> None:
    """The service sees a call half a round trip after it left, the client its answer as much later."""
    network = Network(SMALL, seed=1)
    client = Scripted(Turn([StatusRead()]))
    network.run(client, limit=10.0)
    ((sent_at, now, status),) = client.answers
    assert (sent_at, status) == (0.0, 200)
    assert now == pytest.approx(0.08)


def test_a_client_that_waits_for_nothing_is_an_error() -> None:
    """Infinity with nothing under way ends the run at once, by name."""
    with pytest.raises(SimulationError, match="waits for ever"):
        Network(SMALL, seed=1).run(Scripted(Turn()), limit=10.0)


def test_a_client_that_turns_on_the_spot_is_an_error() -> None:
    """A wait that is over before it began ends the run as a busy loop."""
    with pytest.raises(SimulationError, match="turns on the spot"):
        Network(SMALL, seed=1).run(Scripted(Turn(wake_at=0.0)), limit=10.0)


def test_what_leaves_inside_a_gate_is_counted() -> None:
    """A submission that leaves after a queue 429 was read and before its deadline is seen; a read is not."""
    network = Network(Scenario(name="00 full", requests=9, capacity=1, workers=1), seed=1)
    turns = [Turn([Submission(n) for n in range(4)]), Turn([Submission(5), StatusRead()]), Turn(done=True)]

    class Eager(Scripted):
        def act(self, *, now: float) -> Turn:
            if not self.answers:
                return turns[0] if now == 0.0 else Turn()
            return turns[1] if len(self.answers) == 4 else Turn(done=len(self.answers) > 4)

        def answered(self, call: object, answer: Answer, *, sent_at: float, now: float) -> None:
            self.answers.append((sent_at, now, answer.status))

    network.run(Eager(Turn()), limit=10.0)
    assert network.observed.inside_gate == 1
    assert network.observed.queue_bursts == 1


def test_the_oracle_cannot_be_beaten_where_latency_is_constant() -> None:
    """Where no chance is involved, no client of any kind ends before the oracle."""
    scenario = by_number("01")
    assert run(scenario, seed=1).to_oracle >= 1.0
    assert run_rival(scenario, "poll every second", seed=1).to_oracle >= 1.0


def test_fillings_are_counted_with_packing() -> None:
    """Ten units hold two requests of four, whatever is left over: Q is N / 2."""
    assert reference(by_number("40"), 1).fillings == 500


def test_fillings_follow_the_capacity_in_force() -> None:
    """Where capacity changes, each filling is as large as the queue then was."""
    measure = reference(by_number("26"), 1)
    assert 3000 / 400 < measure.fillings < 3000 / 40


def test_in_a_window_the_reference_pays_for_reads_and_collection() -> None:
    """600 submissions and 600 captures at 60 a minute cannot end before the twentieth window."""
    scenario = by_number("22")
    assert reference(scenario, 1).oracle >= 60.0 * (2 * scenario.requests / 60 - 2)


def test_one_request_at_a_time_admits_at_most_one_in_two_round_trips() -> None:
    """C = 1 at 0.8 s: the clairvoyant takes 1.6 s a request, and pacer no more than 5 % over that."""
    scenario = by_number("20")
    measure = reference(scenario, 1)
    assert measure.clairvoyant == pytest.approx(1500 * 1.6 + 1.6)
    assert not measure.light


@pytest.mark.parametrize("fan_out", [1, 2, 3, 4, 8, 70])
def test_surfaces_and_regions_multiply_to_the_fan_out(fan_out: int) -> None:
    """Each request has exactly the children that its scenario says."""
    surfaces, regions = shape(fan_out, 5)
    assert len(set(surfaces)) * len(set(regions)) == fan_out


def test_a_fan_out_that_cannot_be_is_refused() -> None:
    """71 is a prime above both factors."""
    with pytest.raises(ValueError, match="71 is no product"):
        shape(71, 0)


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_finishes_a_small_batch(name: str) -> None:
    """Each policy gets the whole batch admitted, and is measured like any other run."""
    outcome = run_rival(SMALL, name, seed=1)
    assert not outcome.error
    assert outcome.ratio > 0.9


def test_half_the_right_rate_takes_twice_as_long() -> None:
    """A rate that was guessed at half is obeyed to the letter."""
    outcome = run_rival(by_number("15"), "rate, half", seed=1)
    assert 1.85 < outcome.ratio < 2.05
    assert outcome.queue_429 == 0


def test_an_unknown_rival_is_named() -> None:
    """A name that fits none lists those that there are."""
    with pytest.raises(LookupError, match="aws adaptive"):
        run_rival(SMALL, "nobody", seed=1)


def test_scenarios_are_chosen_by_number_or_by_words() -> None:
    """A number fits one scenario, a word every name that holds it, and nothing fits nothing."""
    assert [s.number for s in chosen(["02"])] == ["02"]
    assert len(chosen(["greedy"])) == 3
    assert len(chosen()) == len(scenarios()) >= 66
    with pytest.raises(LookupError, match="no scenario is called 'nowhere'"):
        chosen(["nowhere"])


def test_names_and_numbers_of_scenarios_are_unique() -> None:
    """A number names exactly one scenario."""
    numbers = [s.number for s in scenarios()]
    assert len(set(numbers)) == len(numbers)


def test_the_table_has_a_cell_for_every_heading() -> None:
    """Rows of pacer and of rivals are as wide as the headings."""
    outcomes = list(simulate(["32"], seeds=(1,), clients=("auto",), rivals=True, processes=1))
    assert len(outcomes) == 1 + len(RIVALS)
    assert {len(row) for row in table(outcomes)} == {len(HEADINGS)}
    assert findings(outcomes).medians == ""  # beside a tenant there is none


def test_a_broken_target_is_a_sentence_with_its_figure() -> None:
    """What is wrong with a run is said, with the number that shows it."""
    late = Outcome(
        scenario="02 C200 K50 logn", seed=1, makespan=1400.0, ratio=1.5, reads=1000, inside_gate=1,
        wasted=0.5, starved=14.0, queue_429=3, queue_bursts=2, rate_429=1, rate_bursts=1,
    )  # fmt: skip
    said = " / ".join(verdict(late, by_number("02")).broken)
    for part in (
        "1.500 times the clairvoyant", "3 queue 429s", "1 calls inside a gate", "1000 reads",
        "0.500 polls wasted", "starved 1.00 %", "1 bursts of rate 429s", "the account adds up to 0.000 s",
    ):  # fmt: skip
        assert part in said


def test_a_greedy_tenant_costs_at_most_one_burst_for_each_retry_after() -> None:
    """A hundred seconds at a Retry-After of 1 s hold a hundred and one bursts, and no more."""
    scenario = by_number("34")
    beside = Outcome(scenario=scenario.name, seed=1, makespan=100.0, ratio=1.5, account={"gate": 100.0})
    assert verdict(replace(beside, queue_bursts=101), scenario).broken == ()
    (said,) = verdict(replace(beside, queue_bursts=102), scenario).broken
    assert said.startswith("102 bursts of 429s")


def test_what_is_excused_has_a_limit_of_its_own() -> None:
    """A figure beyond its target is excused by name, up to what is derived for it and not beyond."""
    for limit in LIMITS:
        assert by_number(limit.number)
    scenario = by_number("65")
    run = Outcome(scenario=scenario.name, seed=1, makespan=900.0, account={"drain": 900.0})
    found = verdict(replace(run, ratio=1.05), scenario)
    assert found.broken == ()
    assert "docs/pacing-limits.md, section 3" in found.excused[0]
    assert verdict(replace(run, ratio=1.06), scenario).broken


def test_a_unit_that_is_unknown_and_costs_something_must_have_been_said() -> None:
    """The same slow run is a miss without the flag, and none with it."""
    scenario = by_number("21")
    run = Outcome(scenario=scenario.name, seed=1, makespan=900.0, ratio=2.6, account={"unit": 900.0})
    assert verdict(run, scenario).broken
    named = replace(run, starved_by_unit=True)
    assert verdict(named, scenario).broken == ()
    assert len(findings([named]).unit) == 1


def test_a_document_of_figures_is_short() -> None:
    """Six digits of each number, and of the account what is not 0."""
    figures = Outcome(scenario="02", seed=1, ratio=1.23456789, account={"drain": 2.0, "unit": 0.0}).as_json()
    assert figures["ratio"] == 1.23457
    assert figures["account"] == {"drain": 2.0}


def test_the_last_request_of_a_wave_rival_is_sent_again_when_refused() -> None:
    """A refusal at the end of the batch, with nothing new left to send, does not leave it hanging."""
    client = RIVALS["poll every second"](Scenario(name="00 one", requests=1, capacity=10), 1)
    room = Answer(200, {}, {"admissionQueue": {"depth": 0, "capacity": 10}})
    sent: list[int] = []
    for now in (0.0, 5.0):
        assert list(client.act(now=now).calls) == [StatusRead()]
        client.answered(StatusRead(), room, sent_at=now, now=now + 0.1)
        sent += [call.index for call in client.act(now=now + 0.1).calls if isinstance(call, Submission)]
        client.answered(Submission(0), Answer(429, {"Retry-After": "1"}, {}), sent_at=now, now=now + 0.2)
    assert sent == [0, 0]


def test_a_wave_that_waits_for_a_full_drain_starves_small_queues() -> None:
    """The policy's full drain is a setting that costs what the documentation's barrier costs."""
    patient = run(by_number("16"), seed=1, policy=Policy(full_drain=True))
    eager = run(by_number("16"), seed=1)
    assert patient.starved > eager.starved
