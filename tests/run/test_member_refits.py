"""The rules of the deadline: which trainings run in the time that is left, and what is exported of those that ended."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from helpers.combinations import each_row
from helpers.drivers import plan_of
from helpers.running_comparisons import label_plan_of
from optuna.storages import InMemoryStorage

from lstmgru.specs import TrainSpec
from search.executors.base import Failure, Outcome
from search.run.finalize import Finalizer
from search.run.member_refits import Refits, Training, is_trained, retrained_members
from search.run.progress import SilentListener
from search.run.recipes import mean_curve, trial_recipe
from search.run.state import SearchState
from search.study.blend_records import Candidate
from search.study.budget import Budget
from search.study.out_of_fold import Predictions
from search.study.paths import StudyPaths
from search.study.store import StudyStore
from search.tasks.baselines import baseline_groups
from search.tasks.data import DroppedBaseline
from search.tasks.final_job import FinalMember, Recipe, Refitted


def before(candidate: Candidate) -> Training:
    return Training(candidate, "all")


def everything(candidate: Candidate) -> Training:
    return Training(candidate, "everything")


def done(seconds: float = 1.0, *, stopped: bool = False) -> Refitted:
    return Refitted(b"", seconds, epochs=4, stopped=stopped)


ORDER = [before(3), before("linear"), before(7), before("naive"), everything(3), everything("linear"), everything(7)]
"""The blend of trial 3, linear and trial 7."""


class Time:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def refits_of(budget: Budget, growth: float = 1.0) -> Refits:
    return Refits(
        task=None,  # type: ignore[arg-type]  # nothing runs here
        end=None,
        trainings=ORDER,
        always=[before(3), before("naive")],
        recipes={number: Recipe(number, None, TrainSpec(), None) for number in (3, 7)},
        baseline_seconds=60.0,
        budget=budget,
        listener=SilentListener(),
        interrupted=lambda: False,
        growth=growth,
    )


def test_a_network_may_take_all_of_the_time_and_a_baseline_its_share() -> None:
    refits = refits_of(Budget(1000.0, clock=Time(), trials=1, export_seconds=100.0))
    network, baseline = refits.next_job(), refits.next_job()
    assert network is not None
    assert baseline is not None
    assert (network.arguments[-1], baseline.arguments[-1]) == (900.0, 60.0)


def run(
    seconds: dict[Training, float], *, timeout: float | None, fails: tuple[Training, ...] = (), growth: float = 1.0
) -> list[Training]:
    """The trainings that were run one after the other.

    Args:
        seconds: How long trainings take; others take a second.
        timeout: Of the study; the export needs nothing.
        fails: Those that fail.
        growth: See :class:`Refits`.
    """
    clock = Time()
    refits = refits_of(Budget(timeout, clock=clock, trials=1, export_seconds=0.0), growth)
    ran = []
    while (job := refits.next_job()) is not None:
        training = ORDER[job.key]
        ran.append(training)
        limit = job.arguments[-1]
        took = min(seconds.get(training, 1.0), limit)
        clock.now += took
        if training in fails:
            refits.on_outcome(Outcome(job.key, failure=Failure("ValueError: bad")))
        else:
            refits.on_outcome(Outcome(job.key, done(took, stopped=took < seconds.get(training, 1.0))))
    return ran


@each_row(
    ("seconds", "timeout", "fails", "left_out"),
    [
        ({}, None, (), []),
        ({}, 100.0, (), []),
        ({}, 7.0, (), []),
        # The last ones in the row are the first to be left out.
        ({}, 6.0, (), [everything(7)]),
        ({}, 4.0, (), [everything(3), everything("linear"), everything(7)]),
        ({}, 2.0, (), [before(7), everything(3), everything("linear"), everything(7)]),
        # Without any time the first network is trained all the same, and so are the quick baselines.
        ({}, 0.0, (), [before("linear"), before(7), everything(3), everything("linear"), everything(7)]),
        # A training that took longer than what is left is not begun again; a quicker one is.
        ({before(3): 10.0}, 20.0, (), [everything(3)]),
        # What was cut before the holdout is not trained on everything.
        ({before(3): 50.0}, 20.0, (), [each for each in ORDER if each not in (before(3), before("naive"))]),
        # Neither is what failed.
        ({}, None, (before(7), before("linear")), [everything("linear"), everything(7)]),
    ],
)  # fmt: skip
def test_trainings_run_by_weight_as_far_as_the_time_allows(
    seconds: dict[Training, float], timeout: float | None, fails: tuple[Training, ...], left_out: list[Training]
) -> None:
    assert run(seconds, timeout=timeout, fails=fails) == [each for each in ORDER if each not in left_out]


def test_a_training_on_everything_is_begun_if_it_fits_with_the_holdout_in_it() -> None:
    """As one that would be cut takes the time of the baselines that come last."""
    assert everything(3) in run({before(3): 10.0}, timeout=24.0)
    assert everything(3) not in run({before(3): 10.0}, timeout=24.0, growth=1.5)


@pytest.mark.parametrize(("left", "failures"), [(10.0, {}), (None, {before("linear"): "it would take 90 s"})])
def test_a_baseline_that_a_longer_time_limit_might_fit_has_not_failed(
    left: float | None, failures: dict[Training, str]
) -> None:
    """None would fit it where it had all the time that a baseline may take."""
    refits = refits_of(Budget(left, clock=Time(), trials=1, export_seconds=0.0))
    jobs = [refits.next_job(), refits.next_job()]
    assert jobs[1] is not None
    refits.on_outcome(Outcome(jobs[1].key, DroppedBaseline("it would take 90 s")))
    assert refits.failures == failures
    rest = []
    while (job := refits.next_job()) is not None:
        rest.append(ORDER[job.key])
    assert rest == [before(7), before("naive"), everything(3), everything(7)]


def test_no_more_workers_are_kept_than_there_are_trainings() -> None:
    executor: Any = Mock(free=0)
    refits = refits_of(Budget(None, trials=1))
    refits.stopping = lambda: True  # type: ignore[method-assign]  # nothing runs here

    refits.run(executor)

    executor.scale_down.assert_called_once_with(len(ORDER))


def test_of_the_slow_baselines_the_best_one_is_trained_first(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    store = StudyStore.create(
        InMemoryStorage(), plan.name, direction="minimize", attributes={"config": plan.config.to_dict()}
    )
    quick, *slow = baseline_groups(plan.search_data())
    unknown, *known = [name for (name,) in slow]
    scores = {unknown: None, **{name: float(-place) for place, name in enumerate(known)}, **dict.fromkeys(quick, 1.0)}
    store.set("baselines", {name: {"folds": score} for name, score in scores.items()})
    finalizer = Finalizer(
        plan,
        store,
        Predictions(tmp_path, ""),
        None,  # type: ignore[arg-type]  # nothing runs here
        Budget(None, trials=1),
        SilentListener(),
        StudyPaths(tmp_path, plan.name),
        lambda: False,
    )
    assert finalizer._baselines() == (list(quick), known[::-1])


def members(*weights: tuple[Candidate, float]) -> list[FinalMember[Any]]:
    train = TrainSpec(max_epochs=9)
    return [
        FinalMember(name, weight, recipe=Recipe(name, None, train, None) if isinstance(name, int) else None)
        for name, weight in weights
    ]


BLEND = members((3, 0.5), ("linear", 0.3), (7, 0.2))
ALL = {each: done() for each in ORDER}


@pytest.mark.parametrize(
    ("missing", "cut", "weights", "exported", "notes"),
    [
        ([], [], {3: 0.5, "linear": 0.3, 7: 0.2}, {3, "linear", 7}, []),
        (
            [before(7)],
            [],
            {3: 0.625, "linear": 0.375},
            {3, "linear"},
            ["trial 7 is left out of the blend, as the time was too short to train it again; rerun with a longer "
             "--timeout"],
        ),
        (
            [],
            [before(3)],
            {"linear": 0.6, 7: 0.4},
            {"linear", 7},
            ["trial 3 is left out of the blend, as the time was too short to train it again; rerun with a longer "
             "--timeout"],
        ),
        (
            [everything("linear")],
            [everything(7)],
            {3: 0.5, "linear": 0.3, 7: 0.2},
            {3},
            ["linear and trial 7 are exported as trained before the holdout, as the time was too short to train them "
             "on everything; rerun with a longer --timeout"],
        ),
        (
            [before("linear"), before(7), everything("linear"), everything(7)],
            [before(3)],
            {3: 1.0},
            {3},
            ["the time budget cut the refit to 4 of 9 epochs; rerun with a longer --timeout",
             "linear and trial 7 are left out of the blend, as the time was too short to train them again; rerun with "
             "a longer --timeout"],
        ),
    ],
)  # fmt: skip
def test_weights_grow_in_proportion_where_members_are_left_out(
    missing: list[Training],
    cut: list[Training],
    weights: dict[Candidate, float],
    exported: set[Candidate],
    notes: list[str],
) -> None:
    results = {each: done(stopped=each in cut) for each in ALL if each not in missing}
    found = retrained_members(BLEND, results, {}, part="all", everything=True)
    assert {member.candidate: member.weight for member in found.members} == pytest.approx(weights)
    assert {member.candidate for member in found.members if member.exported is not None} == exported
    assert list(found.notes) == notes
    assert found.cut == bool(notes)


def test_a_failure_is_told_and_more_time_would_not_change_it() -> None:
    results = {each: done() for each in ALL if each.candidate != 7}
    found = retrained_members(BLEND, results, {before(7): "ValueError: bad"}, part="all", everything=True)
    assert found.notes == ("trial 7 is left out of the blend, as its refit failed: ValueError: bad",)
    assert not found.cut


def test_where_nothing_is_left_the_reason_of_the_first_one_is_the_problem() -> None:
    found = retrained_members(members((3, 1.0)), {}, {before(3): "ValueError: bad"}, part="all", everything=True)
    assert found.members == ()
    assert found.left_out == (3,)
    assert found.problem == "the refit of trial 3 failed: ValueError: bad"
    assert not found.cut


@pytest.mark.parametrize(
    ("curve", "epochs", "enough"),
    [
        ((3.0, 2.0, 1.005, 1.0), 3, True),  # half a percent from the last one
        ((3.0, 2.0, 1.02, 1.0), 3, False),
        ((3.0, 2.0, 1.0), 0, False),
        ((), 3, False),  # of an earlier version
        ((0.5, 0.899, 0.9), 2, True),  # a score that is maximized
        ((300.0, 200.0, 100.5, 100.0), 3, True),  # in other units
        ((0.03, 0.02, 0.0102, 0.01), 3, False),
    ],
)
def test_a_training_that_was_stopped_counts_if_its_score_on_the_folds_was_nearly_the_last_one(
    curve: tuple[float, ...], epochs: int, enough: bool
) -> None:
    recipe: Recipe[Any] = Recipe(3, None, TrainSpec(), None, curve)
    assert is_trained(recipe, Refitted(b"", 1.0, epochs=epochs, stopped=True)) is enough
    assert is_trained(recipe, Refitted(b"", 1.0, epochs=epochs))


def test_a_member_that_was_stopped_late_enough_stays_and_is_told() -> None:
    train = TrainSpec(max_epochs=9)
    blend = [FinalMember(3, 0.5, recipe=Recipe(3, None, train, None, (2.0, 1.5, 1.01, 1.002, 1.0))), BLEND[1]]
    results = {**ALL, before(3): done(stopped=True), everything(3): done(stopped=True)}
    found = retrained_members(blend, results, {}, part="all", everything=True)
    assert [(member.candidate, member.exported is not None) for member in found.members] == [
        (3, True),
        ("linear", True),
    ]
    assert found.notes == (
        "the time budget ended the refit of trial 3 after 4 of 9 epochs, whose score on the folds was nearly that of "
        "all",
    )
    assert found.cut
    assert not found.left_out


def test_the_curve_of_a_refit_is_the_mean_over_the_folds() -> None:
    rows = [(1, 1, 0.9, 4.0), (1, 2, 0.8, 2.0), (2, 1, 0.9, 6.0), (2, 2, 0.8, 5.0), (2, 3, 0.7, 1.0)]
    assert mean_curve(rows) == (5.0, 3.5, 1.5)
    assert mean_curve([]) == ()


@pytest.mark.parametrize(("study", "epochs"), [("forecasts", 2), ("labels", 1)])
def test_a_trial_that_was_stopped_in_its_first_fold_is_trained_again_up_to_its_best_epoch(
    tmp_path: Path, study: str, epochs: int
) -> None:
    plan = plan_of(tmp_path) if study == "forecasts" else label_plan_of(tmp_path)
    attributes = {"config": plan.config.to_dict(), "metric": plan.metric}
    store = StudyStore.create(InMemoryStorage(), plan.name, direction=plan.direction, attributes=attributes)
    number = SearchState(plan, store).ask().number
    curve = [(1, epoch, 1.0, score, 1.0) for epoch, score in ((1, 0.9), (2, 0.2), (3, 0.5))]
    store._storage.set_trial_user_attr(store._trial_id(number), "result", {"best_epochs": [], "curve": curve})

    recipe = trial_recipe(plan, store, number, part="all")

    assert recipe.train.max_epochs == epochs
    assert recipe.curve == (0.9, 0.2, 0.5)[:epochs]


@pytest.mark.parametrize(
    ("schedule", "best_epochs", "epochs", "curve"),
    [
        ("constant", [1, 2], 2, (0.7, 0.3)),  # the weights of the fold's best epoch, without the epochs of patience
        ("cosine", [1, 2], 4, (0.7, 0.3, 0.3, 0.3)),  # the learning rates depend on the number of epochs
        ("constant", [1], 4, ()),  # the last fold was not finished
    ],
)
def test_a_refit_of_the_last_fold_repeats_it_up_to_its_best_epoch(
    tmp_path: Path, schedule: str, best_epochs: list[int], epochs: int, curve: tuple[float, ...]
) -> None:
    plan = plan_of(tmp_path, "splits.folds=2", "training.max_epochs=4", f"space.schedule={schedule}")
    attributes = {"config": plan.config.to_dict(), "metric": plan.metric}
    store = StudyStore.create(InMemoryStorage(), plan.name, direction=plan.direction, attributes=attributes)
    number = SearchState(plan, store).ask().number
    scores = [(1, 1, 0.2), (1, 2, 0.9), (2, 1, 0.7), (2, 2, 0.3), (2, 3, 0.4), (2, 4, 0.6)]
    rows = [(fold, epoch, 1.0, score, 1.0) for fold, epoch, score in scores]
    store._storage.set_trial_user_attr(store._trial_id(number), "result", {"best_epochs": best_epochs, "curve": rows})

    recipe = trial_recipe(plan, store, number, part="last_fold")

    assert (recipe.train.max_epochs, recipe.curve) == (epochs, curve)


def test_a_bundle_says_how_many_epochs_its_networks_were_trained_for() -> None:
    """Neither ran as long as the recipe allows."""
    scored, exported = (
        Refitted(pickle.dumps(SimpleNamespace(network=SimpleNamespace(spec=name), epochs=range(count))), 1.0)
        for name, count in (("scored", 8), ("exported", 7))
    )
    (member,) = members((3, 1.0))
    for exports, name, count in ((None, "scored", 8), (exported, "exported", 7)):
        found: Any = replace(member, scored=scored, exported=exports).bundled(dict, dict, lambda fitted: {})
        assert (found["model_spec"], found["train_spec"].max_epochs) == (name, count)
