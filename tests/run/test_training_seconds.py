"""Seconds that trainings are expected to take: measured ones in, expected ones out."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.combinations import each_row
from helpers.drivers import Notes, in_process, plan_of
from optuna.storages import InMemoryStorage
from optuna.trial import FixedTrial

from lstmgru.specs import LayerSpec, ModelSpec, SequenceModelSpec
from search.executors.base import Failure, Outcome
from search.executors.in_process import InProcessExecutor
from search.run.driver import Driver
from search.run.state import SearchState
from search.run.training_seconds import Estimates, refit_seconds, training_work
from search.run.trial import TrialReport, TrialResult
from search.study.budget import LEAST_REFIT_SECONDS, Budget
from search.study.records import EpochRecord
from search.study.store import StudyStore
from search.tasks.plan import Plan
from search.tracking.base import NullTracker

SEARCH = ("search.sampler=random", "training.max_epochs=20", "splits.folds=2", "search.trials=20")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A study that screens candidates after three of twenty epochs of the first of two folds."""
    return plan_of(tmp_path_factory.mktemp("study"), *SEARCH)


@pytest.fixture
def store(plan: Plan) -> StudyStore:
    """A new study in memory."""
    attributes = {"config": plan.config.to_dict(), "metric": plan.metric}
    return StudyStore.create(InMemoryStorage(), plan.name, direction=plan.direction, attributes=attributes)


def curve(*folds: list[float], epoch_seconds: float = 1.0) -> list[EpochRecord]:
    """Scores by fold."""
    found: list[EpochRecord] = []
    for fold, scores in enumerate(folds, start=1):
        for epoch, score in enumerate(scores, start=1):
            found.append(EpochRecord(fold, epoch, 0.0, score, epoch_seconds * (len(found) + 1)))
    return found


@pytest.mark.parametrize(
    ("epochs", "growth", "larger_is_better", "seconds"),
    [
        ([], 1.0, False, 0.0),
        (curve([3.0, 2.0, 1.0, 2.0]), 1.0, False, 3.0),  # as many epochs as the best one
        (curve([3.0, 2.0, 1.0, 2.0]), 1.0, True, 1.0),
        (curve([3.0, 2.0, 1.0, 2.0]), 1.5, False, 4.5),  # of more examples each
        (curve([1.0], [3.0, 2.0, 1.0]), 1.0, False, 2.0),  # the median of the folds
        (curve([2.0, 1.0], [2.0, 1.0], epoch_seconds=3.0), 2.0, False, 12.0),
    ],
)
def test_a_refit_takes_the_epochs_of_the_folds(
    epochs: list[EpochRecord], growth: float, larger_is_better: bool, seconds: float
) -> None:
    assert refit_seconds(epochs, growth, larger_is_better=larger_is_better) == pytest.approx(seconds)


def layers(*sizes: int, cell: str = "lstm", bidirectional: bool = False) -> tuple[tuple[LayerSpec, ...], ...]:
    return (tuple(LayerSpec(cell, size, bidirectional) for size in sizes),)


@each_row(
    ("small", "large"),
    [
        (ModelSpec(layers(64), 48), ModelSpec(layers(128), 48)),
        (ModelSpec(layers(64), 48), ModelSpec(layers(64, 64), 48)),
        (ModelSpec(layers(64), 48), ModelSpec(layers(64), 96)),
        (ModelSpec(layers(64), 96, segment_length=24), ModelSpec(layers(64), 96, segment_length=2)),
        (ModelSpec(layers(64, cell="gru"), 48), ModelSpec(layers(64), 48)),
        (ModelSpec(layers(64), 48), ModelSpec(layers(64, bidirectional=True), 48)),
        (SequenceModelSpec(layers(16), 48), SequenceModelSpec(layers(16), 48, fcn_filters=64)),
    ],
)
def test_larger_networks_are_expected_to_take_longer(small: Any, large: Any) -> None:
    assert training_work(small, 32) < training_work(large, 32)
    assert training_work(small, 128) < training_work(small, 32)  # fewer batches


def run(state: SearchState, epochs: list[EpochRecord], *, complete: bool = True) -> int:
    """Ask for a trial that reports these epochs and, if it is complete, is told."""
    number = state.ask().number
    for step, epoch in enumerate(epochs, start=1):
        state.report(number, TrialReport(step, epoch.value, epoch))
    if complete:
        folds = (epochs[-1].value,) * 2
        state.tell(number, TrialResult(folds, (10, 10), (1.0, 1.0), 100, 0.001, 2.0, 3.0, None, None), 1.0)
    return number


def limits(seconds: float) -> Budget:
    """A study with as many seconds left for its search, if no refit follows."""
    return Budget(seconds + LEAST_REFIT_SECONDS, trials=20, export_seconds=0.0)


SLOW = curve([2.0] * 4, epoch_seconds=10.0)
"""Four epochs of ten seconds: the first rung takes 30 s, half of all epochs 200 s."""


@pytest.mark.parametrize(
    ("measured", "seconds", "begun", "waiting"),
    [
        ([], 1.0, True, 0),  # nothing is known yet
        (SLOW, 250.0, True, 0),
        (SLOW, 100.0, True, 4),  # none can be expected to end: the quickest of five
        (SLOW, 40.0, True, 4),
        (SLOW, 20.0, False, 5),  # none can be expected to be compared with others
    ],
)
def test_a_candidate_that_cannot_reach_its_first_rung_in_time_waits(
    plan: Plan, store: StudyStore, measured: list[EpochRecord], seconds: float, begun: bool, waiting: int
) -> None:
    state, budget = SearchState(plan, store), limits(seconds)
    assert state.may_ask(budget)
    running = [run(state, measured, complete=False)] if measured else []
    found = state.ask_within(budget)
    assert (found is not None) is begun
    assert [trial.number for trial in state.running()] == [*running, *([found.number] if found else [])]
    assert store.counts()[1] == waiting
    assert state.may_ask(budget) is begun
    assert SearchState(plan, store).ask_within(limits(float("inf"))) is not None  # a longer run goes on with them


@pytest.mark.parametrize(("seconds", "begun"), [(250.0, True), (20.0, False)])
def test_a_driver_begins_no_candidate_that_cannot_reach_its_first_rung_in_time(
    plan: Plan, store: StudyStore, seconds: float, begun: bool
) -> None:
    state = SearchState(plan, store)
    number = run(state, SLOW, complete=False)
    state.tell(number, TrialResult((), (), (), 100, 0.001, 40.0, 40.0, None, "pruned"), 40.0)
    store.set("baselines", {name: {"folds": 1.0} for name in plan.search_data().baselines})
    with in_process() as executor:
        driver = Driver(plan, store, executor, limits(seconds), NullTracker(), Notes())
        assert (driver.next_job() is not None) is begun


@pytest.mark.parametrize(("workers", "seconds"), [(1, 19 * 40.0), (8, 19 * 5.0)])
def test_the_time_left_is_that_of_all_workers_of_a_cluster_which_may_have_grown(
    plan: Plan, store: StudyStore, workers: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InProcessExecutor, "ready", workers)
    with in_process() as executor:
        driver = Driver(plan, store, executor, Budget(None, trials=20), NullTracker(), Notes())
        job = driver.ask()
        driver._began[job.key] -= 40.0
        driver.on_outcome(Outcome(job.key, failure=Failure("nothing")))
        assert driver.progress().seconds_left == pytest.approx(seconds, rel=0.05)


def test_the_quickest_candidate_is_the_one_that_begins(plan: Plan, store: StudyStore) -> None:
    state = SearchState(plan, store)
    assert state.may_ask(limits(100.0))
    run(state, SLOW, complete=False)
    found = state.ask_within(limits(100.0))
    assert found is not None
    waiting = [trial.params for trial in store.study.get_trials() if trial.state.name == "WAITING"]
    chosen = store.trial(found.number).params
    assert work(plan, chosen) == min(work(plan, params) for params in [chosen, *waiting])


def test_candidates_that_wait_are_compared_without_being_asked_for_again(plan: Plan, store: StudyStore) -> None:
    state = SearchState(plan, store)
    assert state.may_ask(limits(100.0))
    first = run(state, SLOW, complete=False)
    quickest = state.ask_within(limits(100.0))
    assert quickest is not None
    works = {trial.number: work(plan, trial.params) for trial in store.waiting()}
    before = {number: store.trial(number) for number in works}
    assert len(works) == 4

    found = state.ask_within(limits(100.0))

    assert found is not None
    assert works[found.number] == min(works.values())
    assert found.model == plan.space.suggest(FixedTrial(before[found.number].params))[0]
    assert [trial.number for trial in state.running()] == sorted([first, quickest.number, found.number])
    untouched = [trial for trial in store.waiting() if trial.number in works]
    assert len(untouched) == 3
    # A trial that is started has a time of its start, and a queued one that was never started has none.
    assert [trial.datetime_start for trial in untouched] == [before[t.number].datetime_start for t in untouched]


@pytest.mark.parametrize("how", ["requeue", "fail"])
def test_the_refit_of_a_trial_that_ended_is_not_expected_any_more(plan: Plan, store: StudyStore, how: str) -> None:
    state = SearchState(plan, store)
    budget = limits(100.0)
    before = state.seconds_left(budget)
    last_fold = curve([1.0], [9.0, 8.0, 7.0, 6.0], epoch_seconds=10.0)
    number = run(state, last_fold, complete=False)
    assert state.seconds_left(budget) < before - 1
    if how == "requeue":
        state.requeue(number)
    else:
        state.fail(number, Failure("broken"), 1.0)
    assert state.seconds_left(budget) == pytest.approx(before, abs=1)


def work(plan: Plan, parameters: dict[str, Any]) -> float:
    model, settings = plan.space.suggest(FixedTrial(parameters))
    return training_work(model, settings.batch_size)


def test_the_refits_of_the_best_trials_and_of_the_baselines_are_expected(plan: Plan, store: StudyStore) -> None:
    last, whole = plan.search_data().folds[-1].n_train, len(plan.search_data().panel.values)  # type: ignore[attr-defined]
    before, everything = plan.holdout.n_train / last, whole / last
    state = SearchState(plan, store)
    assert Estimates(plan, store).trainings([]) == ([0.0], [])
    # Nothing is exported of a trial in its first fold, but a trial in its last one may be complete soon.
    assert Estimates(plan, store).trainings([SLOW]) == ([0.0], [])
    assert Estimates(plan, store).trainings([curve([1.0], [2.0, 1.0])]) == ([pytest.approx(1.5 * before)], [])
    for score in (5.0, 4.0, 3.0, 2.0, 1.0):
        run(state, curve([9.0, score], [9.0, 9.0, 9.0, score], epoch_seconds=score))
    store.set("baseline_seconds", {"-1": 6.0})
    scored, exported = Estimates(plan, store).trainings([SLOW])
    assert scored == pytest.approx([*(3 * score * before for score in (1.0, 2.0, 3.0, 4.0)), 3.0 * before])
    assert exported == pytest.approx([3 * score * everything for score in (1.0, 2.0, 3.0, 4.0)])


@pytest.mark.parametrize(("complete", "networks"), [(0, 0), (1, 1), (5, 4)])
def test_as_many_networks_as_a_blend_usually_has_are_expected_in_the_onnx_graph(
    plan: Plan, store: StudyStore, complete: int, networks: int
) -> None:
    state = SearchState(plan, store)
    for _ in range(complete):
        run(state, curve([1.0], [1.0]))
    assert Estimates(plan, store).onnx_networks == networks
