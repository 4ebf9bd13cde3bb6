"""The space: what it can suggest, how large it is, and which grids are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import optuna
import pytest

from lstmgru.specs import ForecastSpec
from search.errors import StudyFileError
from search.samplers import derive_seed, make_sampler
from search.space import PRESETS, SearchSpace, check_grid, default_contexts
from search.values import Choices, FloatRange, IntRange

FORECAST = ForecastSpec(horizon=7, season_length=7)
STANDARD = replace(PRESETS["standard"], context_length=default_contexts(FORECAST))
GRID = replace(
    STANDARD,
    n_layers=Choices((2,)),
    hidden_size=Choices((8, 16)),
    dropout=Choices((0.0,)),
    learning_rate=Choices((1e-3, 1e-2)),
    context_length=Choices((7,)),
    normalization=Choices(("fold",)),
    batch_size=Choices((32,)),
    weight_decay=FloatRange(low=0.0, high=0.2, step=0.1),
)


def architectures(space: SearchSpace, count: int = 300) -> set[str]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return {space.suggest(study.ask())[0].architecture for _ in range(count)}


def test_every_order_and_mix_of_cells_can_be_found() -> None:
    found = {text.replace("(16)", "") for text in architectures(replace(STANDARD, hidden_size=Choices((16,))))}
    cells = ("lstm", "gru")
    one = set(cells)
    two = {f"{a} > {b}" for a in cells for b in cells}
    three = {f"{pair} > {c}" for pair in two for c in cells}
    assert found == one | two | three


def test_each_layer_has_a_width_of_its_own() -> None:
    space = replace(STANDARD, n_layers=Choices((2,)), hidden_size=Choices((8, 16)), cell=Choices(("gru",)))
    assert architectures(space, 60) == {f"gru({a}) > gru({b})" for a in (8, 16) for b in (8, 16)}


def test_parameters_of_a_third_layer_exist_with_three_layers_only() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(50):
        trial = study.ask()
        STANDARD.suggest(trial)
        assert ("cell_3" in trial.params) == (trial.params["n_layers"] == 3)


def test_a_fixed_value_is_no_parameter_and_is_used() -> None:
    study = optuna.create_study()
    trial = study.ask()
    model, settings = replace(GRID, weight_decay=Choices((0.25,)), learning_rate=Choices((0.5,))).suggest(trial)
    assert (settings.weight_decay, settings.learning_rate, model.context_length) == (0.25, 0.5, 7)
    assert set(trial.params) == {"cell_1", "cell_2", "hidden_size_1", "hidden_size_2"}


def test_the_parameters_of_a_trial_give_its_candidate_back() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    trial = study.ask()
    candidate = STANDARD.suggest(trial)
    assert STANDARD.suggest(optuna.trial.FixedTrial(trial.params)) == candidate


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, 2**2 * 2**2 * 2 * 3),
        ({"n_layers": Choices((1,))}, 2 * 2 * 2 * 3),
        ({"n_layers": IntRange(low=1, high=2)}, (4 + 16) * 2 * 3),
        ({"hidden_size": IntRange(low=8, high=16, step=4)}, (2 * 3) ** 2 * 2 * 3),
        ({"dropout": FloatRange(low=0.0, high=0.5)}, None),
    ],
)
def test_the_size_counts_the_candidates(changes: dict[str, Any], size: int | None) -> None:
    assert replace(GRID, **changes).size == size


def test_a_grid_visits_every_candidate_once() -> None:
    study = optuna.create_study()
    seen = []
    for number in range(GRID.size or 0):
        study.sampler = make_sampler("grid", seed=0, number=number, grid=GRID.grid())
        trial = study.ask()
        seen.append(GRID.suggest(trial))
        study.tell(trial, 1.0)
    assert len(seen) == len(set(seen)) == GRID.size


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        (
            {"n_layers": IntRange(low=1, high=2)},
            ["space.n_layers", "would try a shallow network again", "random or tpe"],
        ),
        ({"dropout": FloatRange(low=0.0, high=0.5)}, ["space.dropout", "list its values"]),
        (
            {"dropout": FloatRange(low=0.0, high=0.5), "n_layers": Choices((1, 2))},
            ["2 problems", "space.dropout", "space.n_layers"],
        ),
    ],
)
def test_what_is_no_grid_is_an_error_that_says_why(changes: dict[str, Any], fragments: list[str]) -> None:
    with pytest.raises(StudyFileError) as error:
        check_grid(replace(GRID, **changes), "demo")
    assert all(fragment in str(error.value) for fragment in fragments)


@pytest.mark.parametrize(
    ("forecast", "expected"),
    [
        (ForecastSpec(7, 7), (7, 14, 28)),
        (ForecastSpec(12, 24), (24, 48, 96)),
        (ForecastSpec(96, 24), (96, 192, 384)),
        (ForecastSpec(1, 1), (4, 8, 16)),
    ],
)
def test_contexts_follow_the_horizon_or_the_season(forecast: ForecastSpec, expected: tuple[int, ...]) -> None:
    assert default_contexts(forecast).values == expected


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_a_suggestion_depends_on_the_seed_the_number_and_the_history_alone(name: str) -> None:
    """An interrupted study goes on with the very suggestions that it would have made."""

    def suggestions(seed: int, pause_at: int) -> list[dict[str, Any]]:
        study = optuna.create_study()
        params = []
        for number in range(14):
            if number == pause_at:
                finished = study.trials
                study = optuna.create_study()
                study.add_trials(finished)
            study.sampler = make_sampler(name, seed=seed, number=number)  # type: ignore[arg-type]
            trial = study.ask()
            model, _ = STANDARD.suggest(trial)
            study.tell(trial, float(model.context_length + len(model.layers)))
            params.append(trial.params)
        return params

    assert suggestions(1, pause_at=99) == suggestions(1, pause_at=12)
    assert suggestions(1, pause_at=99) != suggestions(2, pause_at=99)


def test_trials_have_seeds_of_their_own() -> None:
    assert len({derive_seed(seed, number) for seed in range(3) for number in range(50)}) == 150
