"""Configurations that are known already: which of their values a space has, and what is said of the others."""

from __future__ import annotations

import re
from typing import Any

import optuna
import pytest
from helpers.combinations import each_row

from search.config.space_values import Choices, FloatRange, IntRange
from search.space.configurations import complete, fit, known_configurations
from search.space.space import SearchSpace, key_of
from search.tasks.forecasting.presets import PRESETS

SPACE = PRESETS["full"].replacing(
    n_branches=Choices((1, 2)),
    n_layers=IntRange(low=1, high=3),
    hidden_size=IntRange(low=8, high=64, step=8),
    segment_length=Choices((1,)),
    channels=Choices(("joint",)),
    normalization=Choices(("fold", "last")),
    transform=Choices(("none",)),
    series_embedding=Choices((0,)),
    dropout=FloatRange(low=0.0, high=0.5, step=0.1),
    context_length=Choices((7, 14)),
    loss=Choices(("mae",)),
)
"""A space with everything conditional that there is."""


@each_row(
    ("configuration", "parameters"),
    [
        ({}, {}),
        ({"n_layers": 2}, {"n_layers": 2}),
        ({"cell_1": "gru", "hidden_size_1": 16}, {"cell_1": "gru", "hidden_size_1": 16}),
        ({"n_layers": 2, "cell_2": "gru"}, {"n_layers": 2, "cell_2": "gru"}),
        ({"cell_2": "gru", "n_layers": 3}, {"cell_2": "gru", "n_layers": 3}),  # in any order
        ({"n_branches": 2, "branch_2_cell_1": "gru"}, {"n_branches": 2, "branch_2_cell_1": "gru"}),
        ({"n_branches": 2, "merge": "sum"}, {"n_branches": 2, "merge": "sum"}),
        ({"n_layers": 2, "residual": True}, {"n_layers": 2, "residual": True}),
        (
            {"n_branches": 2, "n_layers": 1, "branch_2_n_layers": 2, "residual": True},
            {"n_branches": 2, "n_layers": 1, "branch_2_n_layers": 2, "residual": True},
        ),
        ({"pooling": "multihead", "n_heads": 4}, {"pooling": "multihead", "n_heads": 4}),
        ({"loss": "mae", "series_embedding": 0}, {}),  # fixed, and equal
        ({"dropout": 0}, {"dropout": 0.0}),
        ({"dropout": 0.3}, {"dropout": 0.3}),
        ({"context_length": 7.0}, {"context_length": 7}),
        ({"bidirectional_1": False}, {"bidirectional_1": False}),
    ],
)
def test_values_of_the_space_are_what_a_trial_has(configuration: dict[str, Any], parameters: dict[str, Any]) -> None:
    found, problems = fit(SPACE, configuration)
    assert problems == {}
    assert found == parameters
    assert [type(found[name]) for name in parameters] == [type(value) for value in parameters.values()]


@pytest.mark.parametrize("configuration", [{"n_layers": 2, "cell_2": "gru", "hidden_size_1": 24, "dropout": 0.1}])
def test_optuna_takes_them_as_they_are_and_suggests_the_rest(configuration: dict[str, Any]) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(fit(SPACE, configuration)[0])
    trial = study.ask()
    SPACE.suggest(trial)
    assert configuration.items() <= trial.params.items()
    assert {"learning_rate", "cell_1", "hidden_size_2"} <= trial.params.keys()


@each_row(
    ("configuration", "name", "message"),
    [
        ({"learning_rat": 0.1}, "learning_rat", "is not a parameter of this space; did you mean 'learning_rate'?"),
        ({"hidden_size": 16}, "hidden_size", "is not a parameter of this space; name the layer too: hidden_size_1"),
        ({"hidden_size_4": 16}, "hidden_size_4", "is not a parameter of this space; did you mean 'hidden_size_"),
        (
            {"branch_3_cell_1": "gru"},
            "branch_3_cell_1",
            "is not a parameter of this space; did you mean 'branch_2_cell_1'?",
        ),
        ({"cell_1": "rnn"}, "cell_1", "must be one of lstm, gru, fused but got 'rnn'"),
        ({"hidden_size_1": 20}, "hidden_size_1", "must be a whole number from 8 to 64 in steps of 8 but got 20"),
        ({"hidden_size_1": 72}, "hidden_size_1", "must be a whole number from 8 to 64 in steps of 8 but got 72"),
        ({"hidden_size_1": 16.5}, "hidden_size_1", "must be a whole number from 8 to 64 in steps of 8 but got 16.5"),
        ({"hidden_size_1": True}, "hidden_size_1", "but got true"),
        ({"dropout": 0.25}, "dropout", "must be a number from 0 to 0.5 in steps of 0.1 but got 0.25"),
        ({"dropout": "none"}, "dropout", "but got 'none'"),
        ({"learning_rate": 1}, "learning_rate", "must be a number from 0.0005 to 0.01 but got 1"),
        ({"learning_rate": float("nan")}, "learning_rate", "but got nan"),
        ({"bidirectional_1": 1}, "bidirectional_1", "must be one of false, true but got 1"),
        ({"loss": "mse"}, "loss", "must be mae, which the space fixes, but got 'mse'"),
        ({"cell_2": "gru"}, "cell_2", "is a parameter only where n_layers is at least 2, so give n_layers too"),
        (
            {"n_layers": 1, "cell_2": "gru"},
            "cell_2",
            "is a parameter only where n_layers is at least 2, but it is 1 here",
        ),
        ({"branch_2_cell_1": "gru"}, "branch_2_cell_1", "only where n_branches is at least 2, so give n_branches too"),
        (
            {"n_branches": 2, "branch_2_cell_2": "gru"},
            "branch_2_cell_2",
            "only where branch_2_n_layers is at least 2, so give branch_2_n_layers too",
        ),
        ({"n_branches": 1, "merge": "sum"}, "merge", "only where n_branches is at least 2, but it is 1 here"),
        ({"residual": True}, "residual", "only where n_layers is at least 2, so give n_layers too"),
        ({"n_layers": 1, "residual": True}, "residual", "only where n_layers is at least 2, but it is 1 here"),
        ({"n_heads": 4}, "n_heads", "is a parameter only where pooling is multihead, so give pooling too"),
        ({"pooling": "max", "n_heads": 4}, "n_heads", "only where pooling is multihead, but it is max here"),
    ],
)
def test_other_values_are_named_with_the_rule(configuration: dict[str, Any], name: str, message: str) -> None:
    _, problems = fit(SPACE, configuration)
    assert list(problems) == [name]
    assert message in problems[name]


@pytest.mark.parametrize(
    ("changes", "configuration", "parameters"),
    [
        ({"n_layers": Choices((2,))}, {"cell_2": "gru", "n_layers": 2}, {"cell_2": "gru"}),
        ({"n_layers": IntRange(low=2, high=3)}, {"cell_2": "gru"}, {"cell_2": "gru"}),
        ({"n_layers": IntRange(low=2, high=3)}, {"residual": False}, {"residual": False}),
        ({"pooling": Choices(("multihead",))}, {"n_heads": 2}, {"n_heads": 2}),
        ({"n_branches": Choices((2,))}, {"branch_2_n_layers": 1}, {"branch_2_n_layers": 1}),
        ({"n_branches": Choices((2,))}, {"merge": "sum"}, {"merge": "sum"}),
    ],
)
def test_what_exists_in_every_candidate_needs_no_parent(
    changes: dict[str, Any], configuration: dict[str, Any], parameters: dict[str, Any]
) -> None:
    assert fit(SPACE.replacing(**changes), configuration) == (parameters, {})


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"n_layers": Choices((1,))}, "cell_2"),
        ({"n_layers": Choices((1,))}, "residual"),
        ({"n_branches": Choices((1,))}, "merge"),
        ({"pooling": Choices(("last", "max"))}, "n_heads"),
    ],
)
def test_what_no_candidate_has_is_no_parameter(changes: dict[str, Any], name: str) -> None:
    _, problems = fit(SPACE.replacing(**changes), {name: 4})
    assert problems[name].startswith("is not a parameter of this space")


def test_every_problem_of_every_configuration_is_reported() -> None:
    found, problems = known_configurations(SPACE, [{"n_layers": 2}, {"cell_1": "rnn", "loss": "mse"}, {"n_layers": 9}])
    assert found == ({"n_layers": 2}, {}, {})
    assert [problem.key for problem in problems] == [
        "search.try_first[1].cell_1",
        "search.try_first[1].loss",
        "search.try_first[2].n_layers",
    ]


def fixed(space: SearchSpace) -> dict[str, Any]:
    return {key: value for key, value in space.to_dict().items() if not isinstance(value, list | dict)}


def suggested(space: SearchSpace, seed: int) -> dict[str, Any]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    space.suggest(trial)
    return trial.params


@each_row("seed", range(20))
def test_every_candidate_of_a_space_is_one_of_its_own_candidates(seed: int) -> None:
    params = suggested(SPACE, seed)
    assert complete(SPACE, params, fixed(SPACE)) == (params, {})


OTHER = SPACE.replacing(
    n_branches=Choices((1,)),
    n_layers=Choices((1,)),
    cell=Choices(("gru",)),
    dropout=Choices((0.1,)),
    loss=Choices(("mse", "mae")),
    hidden_size=Choices((8, 100)),
)
"""It fixes what SPACE searches, and searches what SPACE fixes."""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"hidden_size_1": 100}, "hidden_size_1 must be a whole number"),
        ({"loss": "mse"}, "loss must be mae, which the space fixes"),
        ({"learning_rate": None}, "learning_rate is not among its parameters"),
        ({"learning_rate": 1.0}, "learning_rate must be a number from"),
    ],
)
def test_a_candidate_of_another_space_is_one_of_this_if_all_its_values_are(
    changes: dict[str, Any], problem: str
) -> None:
    params = suggested(OTHER, 3) | {"hidden_size_1": 8, "loss": "mae"} | changes
    given = {name: value for name, value in params.items() if value is not None}
    parameters, problems = complete(SPACE, given, fixed(OTHER))
    if problem:
        assert re.match(problem, " ".join(next(iter(problems.items()))))
        return
    assert problems == {}
    assert {"n_branches": 1, "n_layers": 1, "cell_1": "gru", "dropout": 0.1}.items() <= parameters.items()
    assert "loss" not in parameters
    model, settings = SPACE.suggest(optuna.trial.FixedTrial(parameters))
    assert (model, settings) == OTHER.suggest(optuna.trial.FixedTrial(given))


@each_row(
    ("name", "key"),
    [
        ("cell_1", "cell"),
        ("branch_2_cell_1", "cell"),
        ("hidden_size_12", "hidden_size"),
        ("branch_2_n_layers", "n_layers"),
        ("n_branches", "n_branches"),
        ("batch_size", "batch_size"),
        ("learning_rate", "learning_rate"),
    ],
)
def test_a_parameter_has_the_values_of_its_key(name: str, key: str) -> None:
    assert key_of(name) == key
