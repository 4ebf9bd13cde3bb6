"""The decisions of a search as tables: trials and budget in, what is asked, pruned, told and queued out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.drivers import plan_of
from optuna.storages import InMemoryStorage
from optuna.trial import FixedTrial, TrialState, create_trial

from search.executors.base import Failure
from search.run.state import SearchState
from search.run.trial import TrialReport, TrialResult
from search.study.budget import LEAST_REFIT_SECONDS, Budget
from search.study.pruners import STARTUP_TRIALS
from search.study.records import EpochRecord
from search.study.store import StudyStore
from search.tasks.plan import Plan

RANDOM = ("search.sampler=random", "training.max_epochs=10")
EXPORT = 12.0
"""Seconds that the export is expected to take."""
END = EXPORT + LEAST_REFIT_SECONDS
DIED, RAISED = Failure("the worker process was killed", died=True), Failure("ValueError: bad", "traceback")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A study with the median pruner and ten epochs for each trial."""
    return plan_of(tmp_path_factory.mktemp("study"), *RANDOM, "search.pruner=median")


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A study whose candidates are screened after three of ten epochs."""
    return plan_of(tmp_path_factory.mktemp("study"), *RANDOM)


@pytest.fixture
def store(plan: Plan) -> StudyStore:
    """A new study in memory."""
    attributes = {"config": plan.config.to_dict(), "metric": plan.metric}
    return StudyStore.create(InMemoryStorage(), plan.name, direction=plan.direction, attributes=attributes)


@pytest.fixture
def state(plan: Plan, store: StudyStore) -> SearchState:
    """The search of that study."""
    return SearchState(plan, store)


def result(score: float = 1.0, stopped: str | None = None) -> TrialResult:
    """What a trial of one fold found."""
    folds: tuple[Any, ...] = () if stopped else (score,)
    return TrialResult(folds, tuple(1 for _ in folds), folds, 100, 0.001, 2.0, 3.0, None, stopped)


def report(epoch: int, value: float, seconds: float = 1.0) -> TrialReport:
    """An epoch of the first fold."""
    return TrialReport(epoch, value, EpochRecord(1, epoch, 1.0, value, seconds))


def states(store: StudyStore) -> list[str]:
    return [trial.state.name for trial in store.study.get_trials(deepcopy=False)]


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("ended", "timeout", "spent", "passed", "running", "allowed"),
    [
        (0, None, 0, 0, 0, True),
        (9, None, 0, 1e9, 0, True),
        (10, None, 0, 0, 0, False),
        (11, None, 0, 0, 0, False),
        (0, 100, 0, 0, 0, True),
        (0, 100, 0, 99 - END, 0, True),
        (0, 100, 0, 100 - END, 0, False),  # time is reserved for the export
        (0, 100, 0, 80 - EXPORT, 20, False),  # and for the refit of a trial that may end in time
        (0, 100, 0, 60 - EXPORT, 20, True),
        (0, 100, 100 - END, 0, 0, False),  # earlier runs of the study count
        (0, 100, 50, 49 - END, 0, True),
    ],
)
def test_a_trial_may_start_while_trials_and_seconds_are_left(
    state: SearchState,
    store: StudyStore,
    ended: int,
    timeout: float | None,
    spent: float,
    passed: float,
    running: float,
    allowed: bool,
) -> None:
    for _ in range(ended):
        store.study.add_trial(create_trial(value=1.0))
    if running:
        state.report(state.ask().number, report(1, 1.0, running))
    clock = Clock()
    budget = Budget(timeout, spent, clock, trials=10, export_seconds=EXPORT)
    clock.now += passed
    assert state.may_ask(budget) is allowed


@pytest.mark.parametrize(
    ("trials", "counted"),
    [
        (["tell", "fail", "prune"], 3),
        (["tell", "run"], 2),
        (["tell", "requeue"], 1),
        (["tell", "die"], 1),  # its retry counts in its place, and waits
    ],
)
def test_trials_count_when_they_run_or_ended(
    state: SearchState, store: StudyStore, trials: list[str], counted: int
) -> None:
    for what in trials:
        number = state.ask().number
        if what == "tell":
            state.tell(number, result(), 1.0)
        elif what == "prune":
            state.report(number, report(1, 1.0))
            state.tell(number, result(stopped="median"), 1.0)
        elif what in ("fail", "die"):
            state.fail(number, DIED if what == "die" else RAISED, 1.0)
        elif what == "requeue":
            state.requeue(number)
    assert [state.may_ask(Budget(None, trials=total)) for total in (counted, counted + 1)] == [False, True]


def test_a_result_is_told_with_what_the_trial_cost_and_its_curve(state: SearchState, store: StudyStore) -> None:
    number = state.ask().number
    state.report(number, report(1, 2.0))
    state.report(number, report(2, 1.5))
    assert [trial.number for trial in state.running()] == [number]
    state.tell(number, result(1.5), 4.0)
    record = state.record(number)
    assert (record.state, record.value, record.n_parameters, record.train_seconds) == ("COMPLETE", 1.5, 100, 2.0)
    assert [epoch.value for epoch in record.curve] == [2.0, 1.5]
    assert store.trial(number).intermediate_values == {1: 2.0, 2: 1.5}
    assert state.running() == ()


def test_a_trial_that_was_stopped_has_its_last_value_and_the_reason(state: SearchState) -> None:
    number = state.ask().number
    state.report(number, report(1, 2.0))
    state.tell(number, result(stopped="the time budget ended"), 4.0)
    record = state.record(number)
    assert (record.state, record.value, record.reason) == ("STOPPED", 2.0, "the time budget ended")


def test_a_trial_that_is_worse_than_the_median_is_pruned(state: SearchState) -> None:
    for _ in range(8):
        number = state.ask().number
        for epoch in range(1, 11):
            state.report(number, report(epoch, 1.0))
        assert state.stop_reason(number) is None
        state.tell(number, result(1.0), 1.0)
    number = state.ask().number
    reasons = []
    for epoch in range(1, 11):
        state.report(number, report(epoch, 5.0))
        reasons.append(state.stop_reason(number))
    assert reasons[0] is None
    assert "median" in str(reasons[-1])


def screen(state: SearchState, value: float) -> int:
    """A trial with this score in three epochs; it is told if it was stopped."""
    number = state.ask().number
    for epoch in (1, 2, 3):
        state.report(number, report(epoch, value))
    if (reason := state.stop_reason(number)) is not None:
        state.tell(number, result(stopped=reason), 1.0)
    return number


def test_candidates_are_screened_and_promoted_when_worse_ones_come(screened: Plan) -> None:
    attributes = {"config": screened.config.to_dict(), "metric": screened.metric}
    store = StudyStore.create(InMemoryStorage(), screened.name, direction=screened.direction, attributes=attributes)
    state = SearchState(screened, store)
    budget = Budget(None, trials=4)

    for value in (1.0, 2.0, 3.0, 4.0):
        assert state.may_ask(budget)
        screen(state, value)
    assert states(store) == ["RUNNING", "PRUNED", "PRUNED", "PRUNED"]
    assert "not among the best third after 3 epochs" in str(state.record(1).reason)

    assert state.may_ask(budget)  # of four candidates two may continue, though no new one may begin
    again = state.ask()
    assert (again.number, again.model) == (4, screened.space.suggest(fixed(store, 1))[0])
    assert store.trial(4).user_attrs["promoted_from"] == 1
    assert again.train.seed == store.trial(1).user_attrs["seed"]
    for epoch in (1, 2, 3, 4):
        state.report(4, report(epoch, 2.0))
    assert state.stop_reason(4) is None
    state.tell(4, result(2.0), 1.0)
    assert not state.may_ask(budget)
    assert store.counts() == (4, 0)


def test_candidates_that_violate_a_bound_are_not_compared_with_others(tmp_path: Path) -> None:
    """Each result has 100 parameters."""
    plan = plan_of(tmp_path, *RANDOM, "search.bounds=[n_parameters <= 99]")
    attributes = {"config": plan.config.to_dict(), "metric": plan.metric}
    store = StudyStore.create(InMemoryStorage(), plan.name, direction=plan.direction, attributes=attributes)
    state = SearchState(plan, store)
    state.tell(screen(state, 1.0), result(1.0), 1.0)
    assert state.stop_reason(screen(state, 2.0)) is None
    assert states(store) == ["COMPLETE", "RUNNING"]


def test_a_resumed_search_screens_as_before(screened: Plan) -> None:
    attributes = {"config": screened.config.to_dict(), "metric": screened.metric}
    store = StudyStore.create(InMemoryStorage(), screened.name, direction=screened.direction, attributes=attributes)
    first = SearchState(screened, store)
    best = screen(first, 1.0)
    first.tell(best, result(1.0), 1.0)
    for value in (2.0, 3.0):
        screen(first, value)

    later = SearchState(screened, store)
    screen(later, 4.0)
    assert later.ask().number == 4
    assert store.trial(4).user_attrs["promoted_from"] == 1


def fixed(store: StudyStore, number: int) -> FixedTrial:
    """The parameters of a trial."""
    return FixedTrial(store.trial(number).params)


def test_an_interrupted_trial_waits_and_is_asked_again_as_it_was(state: SearchState, store: StudyStore) -> None:
    first = state.ask()
    state.requeue(first.number)
    assert states(store) == ["WAITING"]
    assert state.running() == ()
    assert state.ask() == first


@pytest.mark.parametrize(
    ("failures", "told", "left"),
    [
        ([RAISED], [False], ["FAIL"]),
        ([DIED], [True], ["FAIL", "WAITING"]),
        ([DIED, DIED], [True, False], ["FAIL", "FAIL"]),
        ([DIED, RAISED], [True, False], ["FAIL", "FAIL"]),
    ],
)
def test_the_parameters_of_a_trial_whose_worker_died_are_tried_once_more(
    state: SearchState, store: StudyStore, failures: list[Failure], told: list[bool], left: list[str]
) -> None:
    asked = []
    for failure, retried in zip(failures, told, strict=True):
        asked.append(state.ask())
        assert state.fail(asked[-1].number, failure, 1.0) is retried
    assert states(store) == left
    assert all((trial.model, trial.train) == (asked[0].model, asked[0].train) for trial in asked)
    assert state.record(0).reason == failures[0].reason
    assert store.trial(0).state == TrialState.FAIL


def test_steps_that_were_reported_before_a_crash_are_not_reported_twice(
    plan: Plan, state: SearchState, store: StudyStore
) -> None:
    number = state.ask().number
    state.report(number, report(1, 2.0))
    store.requeue_orphans()
    again = SearchState(plan, store)
    assert again.ask().number == number
    for epoch in (1, 2):
        again.report(number, report(epoch, 3.0 - epoch))
    assert store.trial(number).intermediate_values == {1: 2.0, 2: 1.0}


def test_epochs_that_need_not_be_repeated_are_taken_over_and_not_judged_again(
    plan: Plan, state: SearchState, store: StudyStore
) -> None:
    for _ in range(STARTUP_TRIALS):
        steps = dict.fromkeys(range(1, 11), 1.0)
        store.study.add_trial(create_trial(value=1.0, intermediate_values=steps))
    number = state.ask().number
    state.report(number, report(1, 2.0))
    store.requeue_orphans()
    again = SearchState(plan, store)
    assert again.ask().number == number
    again.resume(number, [report(epoch, 2.0) for epoch in range(1, 6)])  # worse than the median
    assert store.trial(number).intermediate_values == dict.fromkeys(range(1, 6), 2.0)
    assert [epoch.epoch for epoch in again.record(number).curve] == [1, 2, 3, 4, 5]
    assert again.stop_reason(number) is None
    again.report(number, report(6, 2.0))
    assert again.stop_reason(number) is not None


def test_epochs_that_are_taken_over_count_at_the_rungs_of_the_screening(screened: Plan) -> None:
    attributes = {"config": screened.config.to_dict(), "metric": screened.metric}
    store = StudyStore.create(InMemoryStorage(), screened.name, direction=screened.direction, attributes=attributes)
    state = SearchState(screened, store)
    good, bad, last = (state.ask().number for _ in range(3))
    state.resume(good, [report(epoch, 1.0) for epoch in (1, 2, 3)])
    state.resume(bad, [report(epoch, 3.0) for epoch in (1, 2, 3)])
    assert (state.stop_reason(good), state.stop_reason(bad)) == (None, None)
    for epoch in (1, 2, 3):
        state.report(last, report(epoch, 2.0))
    assert state.stop_reason(last) is not None  # one of three is better


def test_a_grid_is_asked_without_a_sampler(tmp_path: Path) -> None:
    space = ("space.hidden_size=[2, 3]", "space.dropout=0", "space.learning_rate=0.01")
    plan = plan_of(tmp_path, "search.sampler=grid", *space)
    attributes = {"config": plan.config.to_dict(), "metric": plan.metric}
    store = StudyStore.create(InMemoryStorage(), plan.name, direction=plan.direction, attributes=attributes)
    state = SearchState(plan, store)
    sizes = [state.ask().model.branches[0][0].hidden_size for _ in range(plan.trials)]
    assert sorted(sizes) == [2, 3]
