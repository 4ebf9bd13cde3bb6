"""Every sampler in a study that really uses it: it suggests, and suggests the same after an interruption."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers.drivers import drive, plan_of
from optuna.trial import TrialState

from search.study.history import History
from search.study.samplers import POPULATION, make_sampler
from search.study.store import StudyStore

NO_PRUNER = "search.pruner=none"
GRID = ("space.hidden_size=[3, 5]", "space.dropout=[0, 0.1]", "space.learning_rate=[0.003, 0.005, 0.01]")
TRIALS = {"tpe": 13, "random": 6, "grid": 12, "qmc": 9, "gp": 13, "cmaes": 11, "nsga2": 14}
"""As many as it takes until a sampler has learnt from the first ones."""


def search(folder: Path, sampler: str, *overrides: str, trials: int | None = None, **options: Any) -> StudyStore:
    """A study with that sampler."""
    extra = GRID if sampler == "grid" else ()
    count = trials or TRIALS[sampler]
    settings = (f"search.sampler={sampler}", NO_PRUNER, f"search.trials={count}", "search.portfolio=off")
    return drive(folder, *settings, *extra, *overrides, **options)


def params(store: StudyStore) -> list[dict[str, Any]]:
    return [trial.params for trial in store.record().trials]


def traces(store: StudyStore) -> list[set[str]]:
    """What a sampler has noted at each trial, without the numbers of pieces."""
    return [{key.rpartition(":")[0] or key for key in trial.system_attrs} for trial in store.study.trials]


Through = Callable[[str], StudyStore]


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Through:
    """The study of a sampler without an interruption, searched once for all tests."""
    return cache(lambda sampler: search(tmp_path_factory.mktemp(sampler), sampler))


@pytest.mark.parametrize("sampler", TRIALS)
def test_a_study_that_was_interrupted_or_killed_suggests_what_it_would_have_suggested(
    tmp_path: Path, sampler: str, through: Through
) -> None:
    """The trial that was stopped is run again with its own parameters; all later ones are as without the stop.

    That of a driver that was killed while it asked has one of three parameters, and is suggested anew.
    """
    last = TRIALS[sampler] - 2
    for stop_in in (1, last):
        stopped = search(tmp_path, sampler, stop_in=stop_in)
        states = [trial.state for trial in stopped.study.trials]
        assert states == [TrialState.COMPLETE] * stop_in + [TrialState.WAITING]
    killed = search(tmp_path, sampler, trials=last + 1)
    plan = plan_of(tmp_path, f"search.sampler={sampler}", NO_PRUNER, *(GRID if sampler == "grid" else ()))
    grid = plan.space.grid() if sampler == "grid" else None
    killed.study.sampler = make_sampler(plan.config.search.sampler, seed=0, number=last + 1, grid=grid)
    plan.space.suggest(Cut(killed.study.ask()))  # type: ignore[arg-type]
    assert len(killed.study.trials[last + 1].params) == 1
    resumed, expected = search(tmp_path, sampler), through(sampler)
    assert params(resumed) == params(expected)
    assert [trial.value for trial in resumed.study.trials] == [trial.value for trial in expected.study.trials]
    assert traces(resumed) == traces(expected)


class Cut:
    """A trial of a driver that dies after the first suggestion."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial, self._first = trial, True

    def __getattr__(self, name: str) -> Any:
        suggest = getattr(self._trial, name)

        def once(*arguments: Any, **options: Any) -> Any:
            if not self._first:
                low = arguments[1]
                return low[0] if isinstance(low, list) else low
            self._first = False
            return suggest(*arguments, **options)

        return once


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "gp", "cmaes", "nsga2"])
def test_another_seed_suggests_something_else(tmp_path: Path, sampler: str, through: Through) -> None:
    found = params(search(tmp_path, sampler, "search.seed=1", trials=2))
    assert all(one != other for one, other in zip(found, params(through(sampler)), strict=False))


def test_tpe_learns_from_ten_trials_on(through: Through) -> None:
    found = traces(through("tpe"))
    assert found == [set()] * 10 + [{"tpe:relative_params"}] * 3


def test_gp_learns_from_ten_trials_on(through: Through) -> None:
    found = traces(through("gp"))
    assert found == [set()] * 10 + [{"gp:relative_params"}] * 3


def test_cma_es_draws_generations_from_its_state_in_the_journal(through: Through) -> None:
    """Of three parameters a generation has seven: after seven, the state is kept at the trial that begins the next."""
    store = through("cmaes")
    generations = [trial.system_attrs.get("cma:generation") for trial in store.study.trials]
    assert generations == [None, *[0] * 7, *[1] * 3]
    assert ["cma:optimizer" in found for found in traces(store)] == [False] * 8 + [True] + [False] * 2


def test_nsga_ii_breeds_generations(through: Through) -> None:
    store = through("nsga2")
    generations = [trial.system_attrs["NSGAIISampler:generation"] for trial in store.study.trials]
    assert generations == [0] * POPULATION + [1] * (len(generations) - POPULATION)
    first, children = store.study.trials[:POPULATION], store.study.trials[POPULATION:]
    inherited = sum(
        any(child.params[name] == parent.params[name] for parent in first)
        for child in children
        for name in child.params
    )
    assert inherited > len(children)  # a parameter of three mutates


def test_qmc_is_the_scrambled_sobol_sequence(through: Through) -> None:
    """The first trial is drawn at random; eight points of the sequence fall into eight different eighths."""
    store = through("qmc")
    values = [trial.params["dropout"] for trial in store.study.trials[1:]]
    assert sorted(int(8 * value / 0.3) for value in values) == list(range(8))


def test_a_grid_is_exhausted(tmp_path: Path) -> None:
    found = params(search(tmp_path, "grid", trials=50))
    assert len(found) == len({tuple(sorted(each.items())) for each in found}) == 12


def enough(sampler: str) -> int:
    """Trials to see that a sampler that learns has learnt, and that another one goes on."""
    return TRIALS[sampler] if sampler in ("tpe", "gp", "nsga2") else 5


BOUND = "search.bounds=n_parameters <= 100"
"""A GRU with 4 features has 99 parameters here, one with 5 has 138."""


def check_bounds(store: StudyStore) -> None:
    """Every trial says by how much it breaks the bound, and some do."""
    for trial in store.study.trials:
        assert list(trial.constraints) == ["n_parameters"]
        assert (trial.constraints["n_parameters"] <= 0) == (trial.params["hidden_size_1"] <= 4)
    assert any(trial.constraints["n_parameters"] > 0 for trial in store.study.trials)


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "qmc", "gp", "nsga2"])
def test_a_sampler_of_several_objectives_has_all_of_them_and_goes_on_where_bounds_are_broken(
    tmp_path: Path, sampler: str
) -> None:
    goal = ("search.objectives=[n_parameters, score]", "search.prefer={score: 1, n_parameters: 1}")
    store = search(tmp_path, sampler, *goal, BOUND, trials=enough(sampler))
    for trial, record in zip(store.study.trials, store.record().trials, strict=True):
        assert trial.values == [record.n_parameters, record.value]
    assert store.study.metric_names == ["n_parameters", "score"]
    assert sorted(trial.number for trial in store.study.best_trials) == store.record().front
    check_bounds(store)


@pytest.mark.parametrize("sampler", ["random", "gp"])
def test_the_best_trial_is_one_within_the_bounds(tmp_path: Path, sampler: str) -> None:
    store = search(tmp_path, sampler, BOUND, trials=enough(sampler))
    check_bounds(store)
    best = store.best()
    assert best is not None
    assert best.number == store.study.best_trial.number
    assert best.params["hidden_size_1"] <= 4


def test_samplers_say_nothing_on_their_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Warnings of Optuna's about what is experimental or sampled otherwise are no news to a user."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for sampler in TRIALS:
        folder = tmp_path / sampler
        folder.mkdir()
        search(folder, sampler, trials=1)
    assert capfd.readouterr().err == ""


def test_tpe_suggests_the_same_whether_or_not_it_remembers_which_parameters_there_are() -> None:
    """With parameters that some trials lack, pruned and failed ones, and one that is told late."""

    def suggested(*, remembering: bool) -> list[dict[str, Any]]:
        study, history = optuna.create_study(), History()
        late: optuna.trial.Trial | None = None
        for number in range(40):
            study.sampler = make_sampler("tpe", seed=3, number=number, history=history if remembering else None)
            trial = study.ask()
            value = trial.suggest_float("a", 0, 1) + trial.suggest_int("b", 1, 5)
            if number % 3:
                value += trial.suggest_float("c", 0, 1)
            if number == 5:
                late = trial
            elif number % 7 == 6:
                study.tell(trial, state=TrialState.FAIL)
            elif number % 7 == 5:
                trial.report(value, 1)
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, value)
            if number == 20 and late is not None:
                study.tell(late, 0.5)
        return [trial.params for trial in study.trials]

    assert suggested(remembering=True) == suggested(remembering=False)
