"""The portfolio in a study: which trials it has, what comes before it, what a resumed study keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from helpers.combinations import each_row
from helpers.drivers import drive, plan_of
from optuna.trial import TrialState

from search.study.journal import open_storage
from search.study.paths import StudyPaths
from search.study.samplers import derive_seed
from search.study.store import StudyStore
from search.tasks.plan import Plan, identity

FIRST = "search.try_first=[{hidden_size_1: 5, dropout: 0.2}, {learning_rate: 0.002, cell_1: gru}]"


def origins(store: StudyStore) -> list[str | None]:
    return [trial.origin for trial in store.record().trials]


def test_a_study_begins_with_its_portfolio_whatever_its_seed(tmp_path: Path) -> None:
    folders = [tmp_path / seed for seed in ("0", "1")]
    for folder in folders:
        folder.mkdir()
    plan = plan_of(tmp_path, "search.trials=13")
    stores = [drive(folder, "search.trials=13", f"search.seed={folder.name}") for folder in folders]
    count = len(plan.portfolio)
    assert 2 <= count <= 6
    for store in stores:
        trials = store.record().trials
        assert tuple(trial.params for trial in trials[:count]) == plan.portfolio
        assert origins(store) == ["portfolio"] * count + [None] * (13 - count)
    first, second = ([trial.params for trial in store.record().trials] for store in stores)
    assert first[count:] != second[count:]


def test_tpe_learns_from_the_portfolio(tmp_path: Path) -> None:
    """Its trials count as TPE's startup trials; told the same, Optuna alone suggests the same."""
    plan, store = plan_of(tmp_path, "search.trials=14"), drive(tmp_path, "search.trials=14")
    alone = optuna.create_study()
    for parameters in plan.portfolio:
        alone.enqueue_trial(parameters)
    for trial in store.study.trials:
        alone.sampler = optuna.samplers.TPESampler(seed=derive_seed(0, trial.number))
        asked = alone.ask()
        plan.space.suggest(asked)
        assert asked.params == trial.params
        alone.tell(asked, trial.value if trial.state == TrialState.COMPLETE else None, state=trial.state)


@each_row(
    ("changes", "expected"),
    [
        (("search.trials=5",), 2),
        (("search.trials=1",), 0),
        (("search.portfolio=off",), 0),
        (("search.sampler=random",), 0),
        (("search.sampler=qmc",), 0),
        (("search.sampler=cmaes", "search.pruner=none"), 0),
        (("search.sampler=gp", "search.pruner=none"), 2),
        (("search.sampler=nsga2", "search.pruner=none"), 0),
        (("search.trials=3", FIRST), 1),
        (("search.trials=2", FIRST), 0),
    ],
)
def test_it_has_at_most_half_of_the_trials_and_only_samplers_that_learn_have_one(
    tmp_path: Path, changes: tuple[str, ...], expected: int
) -> None:
    assert len(plan_of(tmp_path, *changes).portfolio) == expected


def test_without_a_number_of_trials_it_is_whole(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "search.trials=auto", "search.timeout=1m")
    assert plan.trials is None
    assert plan.portfolio == plan_of(tmp_path, "search.trials=100").portfolio


def test_configurations_of_the_user_come_before_it(tmp_path: Path) -> None:
    drive(tmp_path, "name=earlier", "search.sampler=random", "search.trials=1")
    stopped = drive(tmp_path, FIRST, "search.warm_start=earlier", "search.trials=8", stop_in=0)
    expected = ["search.try_first"] * 2 + ["study earlier"] + ["portfolio"] * 4
    assert origins(stopped) == expected
    store = drive(tmp_path, FIRST, "search.warm_start=earlier", "search.trials=8")
    assert origins(store) == [*expected, None]


def test_a_study_has_no_more_of_it_than_there_is_room_for(tmp_path: Path) -> None:
    drive(tmp_path, "name=earlier", "search.sampler=random", "search.pruner=none", "search.trials=5")
    store = drive(tmp_path, "search.warm_start=earlier", "search.trials=6", stop_in=0)
    assert origins(store) == ["study earlier"] * 5 + ["portfolio"]


def test_a_configuration_that_the_user_tries_already_is_not_tried_again(tmp_path: Path) -> None:
    first, *others = plan_of(tmp_path, "search.trials=8").portfolio
    given = ", ".join(f"{name}: {value}" for name, value in first.items())
    store = drive(tmp_path, f"search.try_first=[{{{given}}}]", "search.trials=8", stop_in=0)
    assert [trial.user_attrs["known"]["parameters"] for trial in store.study.trials] == [first, *others]
    assert origins(store) == ["search.try_first"] + ["portfolio"] * len(others)


def test_an_interrupted_or_longer_study_keeps_the_portfolio_it_began_with(tmp_path: Path) -> None:
    stopped = drive(tmp_path, "search.trials=4", stop_in=1)
    assert [trial.state for trial in stopped.study.trials] == [TrialState.COMPLETE, TrialState.WAITING]
    store = drive(tmp_path, "search.trials=9", "search.portfolio=off")
    assert origins(store) == ["portfolio"] * 2 + [None] * 7


def begin(plan: Plan, folder: Path, **attributes: Any) -> None:
    """Create the study without a trial, as an earlier version did, or one that was killed then."""
    paths = StudyPaths(folder, plan.name)
    paths.studies.mkdir()
    known = {
        "task": plan.config.task,
        "metric": plan.metric,
        "config": plan.config.to_dict(),
        "identity": identity(plan).values,
        "data": plan.describe_data(),
        "defaults": plan.defaults,
    }
    StudyStore.create(open_storage(paths.journal), plan.name, direction="minimize", attributes=known | attributes)


def test_one_that_was_begun_before_there_was_a_portfolio_goes_on_without(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "search.trials=6")
    config = plan.config.to_dict()
    del config["search"]["portfolio"]
    begin(plan, tmp_path, config=config)
    assert origins(drive(tmp_path, "search.trials=6")) == [None] * 6


def test_one_that_was_killed_before_all_of_it_was_queued_completes_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "search.trials=6")
    begin(plan, tmp_path, portfolio=list(plan.portfolio))
    store = drive(tmp_path, "search.trials=6")
    assert origins(store) == ["portfolio"] * 3 + [None] * 3
    assert tuple(trial.params for trial in store.study.trials[:3]) == plan.portfolio
