"""The portfolio: what is nearest to its configurations in a space, and that every space has valid ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers.combinations import each_row
from helpers.drivers import plan_of
from helpers.studies import TINY

from lstmgru.specs import ForecastSpec, LabelSpec
from search.config.space_values import Choices, FloatRange, IntRange
from search.space.configurations import fit
from search.space.portfolio import first_candidates, load_portfolio, nearest
from search.space.space import SearchSpace, Values, key_of, mixed
from search.tasks.forecasting.config import ForecastStudyConfig
from search.tasks.forecasting.plan import PORTFOLIO
from search.tasks.forecasting.presets import DataFacts, resolve_space
from search.tasks.sequences.config import SequenceStudyConfig
from search.tasks.sequences.plan import PORTFOLIOS
from search.tasks.sequences.presets import SequenceFacts, resolve_sequence_space

FILES = {"forecasts": PORTFOLIO, **PORTFOLIOS}
PRESETS = ("small", "standard", "full")
WEEKS = ForecastSpec(horizon=7, season_length=7)
ONE = DataFacts(n_targets=1, n_series=1, positive=False)
CLASSES = LabelSpec("classification", "accuracy", ("a", "b"))
NUMBERS = SequenceFacts(is_text=False, longest=60, n_train=200)
TEXTS = SequenceFacts(is_text=True, longest=20, n_train=5000, characters=100, words=9.0)


def forecasts(forecast: ForecastSpec = WEEKS, data: DataFacts = ONE, **space: Any) -> SearchSpace:
    config = {
        "name": "shop",
        "data": {"path": "shop.csv", "time": "day", "target": "units"},
        "forecast": {"horizon": 7},
        "splits": {"holdout": 30},
        "space": space,
    }
    return resolve_space(ForecastStudyConfig.model_validate(config), forecast, data)


def labels(data: SequenceFacts, spec: LabelSpec = CLASSES, **space: Any) -> SearchSpace:
    config = {
        "name": "labels",
        "task": spec.task,
        "data": {"path": "labels.csv", "target": "label"},
        "labels": {"metric": spec.metric},
        "space": space,
    }
    return resolve_sequence_space(SequenceStudyConfig.model_validate(config), spec, data)


# --- what is nearest --------------------------------------------------------------------------------------------------


@each_row(
    ("key", "values", "wanted", "expected"),
    [
        ("context_length", Choices((56, 14, 28)), 0.0, 14),
        ("context_length", Choices((56, 14, 28)), 0.5, 28),
        ("context_length", Choices((56, 14, 28)), 1.0, 56),
        ("context_length", Choices((14, 28)), 1.0, 28),
        ("context_length", IntRange(low=10, high=30), 0.5, 20),
        ("context_length", IntRange(low=10, high=90, log=True), 0.5, 30),
        ("batch_size", Choices((32, 64, 128, 256)), 1.0, 256),
        ("dropout", FloatRange(low=0.1, high=0.3), 0.2, 0.2),
        ("dropout", FloatRange(low=0.1, high=0.3), 0.5, 0.3),
        ("dropout", FloatRange(low=0.1, high=0.3), 0.0, 0.1),
        ("dropout", FloatRange(low=0.0, high=0.3, step=0.1), 0.17, 0.2),
        ("dropout", FloatRange(low=0.0, high=0.3, step=0.1), 0.9, 0.3),
        ("dropout", Choices((0.0, 0.25, 0.5)), 0.3, 0.25),
        ("learning_rate", FloatRange(low=1e-3, high=1e-2, log=True), 0.05, 0.01),
        ("pooling", Choices(("last", "additive")), "additive", "additive"),
        ("pooling", Choices(("mean", "max")), "additive", "mean"),
        ("linear_path", Choices((False, True)), True, True),
        ("linear_path", Choices((True, False)), None, True),
        ("convolution", Choices((3, 5)), None, 3),
        ("weight_decay", FloatRange(low=1e-6, high=1e-1, log=True), None, 1e-6),
    ],
)
def test_a_value_is_a_position_the_nearest_number_or_the_first_name(
    key: str, values: Values, wanted: Any, expected: Any
) -> None:
    """A key that the configuration leaves out gets the first or smallest value."""
    contexts = {} if key == "context_length" else {"context_length": Choices((14,))}
    space = forecasts().replacing(segment_length=Choices((1,)), **contexts, **{key: values})

    found = nearest(space, {} if wanted is None else {key: wanted})

    assert found[key] == pytest.approx(expected)
    assert fit(space, found) == (found, {})
    assert type(found[key]) is type(expected)


def test_layers_that_the_configuration_does_not_have_are_like_its_first() -> None:
    space = forecasts(n_layers=3, n_branches=1)
    given = {"n_layers": 2, "cell_1": "gru", "hidden_size_1": 40, "cell_2": "fused", "hidden_size_2": 20}

    found = nearest(space, given)

    assert [found[f"cell_{number}"] for number in (1, 2, 3)] == ["gru", "fused", "gru"]
    assert [found[f"hidden_size_{number}"] for number in (1, 2, 3)] == [40, 20, 40]
    assert "n_layers" not in found


def test_equal_candidates_are_one() -> None:
    space = forecasts(n_branches=1, n_layers=1)
    given = [{"n_layers": 1, "hidden_size_1": 20}, {"n_layers": 2, "hidden_size_1": 20}, {"hidden_size_1": 21}]

    assert [found["hidden_size_1"] for found in first_candidates(space, given)] == [20, 21]


def test_a_fixed_candidate_has_no_parameters_and_is_none() -> None:
    space = forecasts(preset="small", n_layers=1, cell="gru", hidden_size=8, context_length=14, segment_length=1,
                      decoder="linear", normalization="fold", dropout=0.1, learning_rate=1e-3)  # fmt: skip

    assert space.size == 1
    assert first_candidates(space, load_portfolio(PORTFOLIO)) == ()


def test_a_candidate_of_a_mixed_space_has_two_cells(tmp_path: Path) -> None:
    for keys in (("space.n_branches=1", "space.n_layers=[2, 3]"), ("space.n_branches=2", "space.n_layers=1")):
        space = mixed(plan_of(tmp_path, *keys, text=TINY.replace("preset: small", "preset: standard")).space)
        for configuration in load_portfolio(PORTFOLIO):
            model, _ = space.suggest(optuna.trial.FixedTrial(nearest(space, configuration)))
            assert len({layer.cell for stack in model.branches for layer in stack}) > 1


# --- what is shipped --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FILES)
def test_up_to_eight_configurations_are_shipped_with_values_of_the_space(kind: str) -> None:
    space = {"forecasts": forecasts(), "numbers": labels(NUMBERS), "texts": labels(TEXTS)}[kind]
    known = load_portfolio(FILES[kind])

    assert 4 <= len(known) <= 8
    assert len({json.dumps(each, sort_keys=True) for each in known}) == len(known)
    for configuration in known:
        assert {key_of(name) for name in configuration} <= set(space.kind.keys())


FORECASTS = {
    "one series": (WEEKS, ONE),
    "one positive series": (WEEKS, replace(ONE, positive=True)),
    "several targets": (ForecastSpec(96, 24), replace(ONE, n_targets=7)),
    "panel": (ForecastSpec(18, 12), DataFacts(1, 300, positive=True)),
    "short panel": (ForecastSpec(8, 4), DataFacts(1, 50, positive=False, room=16)),
    "hardly any data": (WEEKS, replace(ONE, room=1)),
    "quantiles": (ForecastSpec(7, 7, metric="wql"), ONE),
    "squares": (ForecastSpec(1, 1, metric="rmse"), ONE),
}


@each_row("preset", PRESETS)
@each_row("case", FORECASTS)
def test_every_space_of_forecasts_has_valid_first_candidates(case: str, preset: str) -> None:
    check(forecasts(*FORECASTS[case], preset=preset), "forecasts")


LABELS = {
    "numbers": (NUMBERS, CLASSES),
    "long numbers": (replace(NUMBERS, longest=5000), CLASSES),
    "one step": (replace(NUMBERS, longest=1), CLASSES),
    "rare class": (replace(NUMBERS, n_train=9000, rarest=0.1), CLASSES),
    "regression": (NUMBERS, LabelSpec("regression", "rmse", ())),
    "texts": (TEXTS, CLASSES),
    "words": (replace(TEXTS, words=1.0, longest=1), CLASSES),
    "vectors": (replace(TEXTS, vector_size=50), CLASSES),
}


@each_row("preset", PRESETS)
@each_row("case", LABELS)
def test_every_space_of_labels_has_valid_first_candidates(case: str, preset: str) -> None:
    facts, spec = LABELS[case]
    check(labels(facts, spec, preset=preset), "texts" if facts.is_text else "numbers")


@pytest.mark.parametrize(
    "space",
    [
        {"cell": "gru", "hidden_size": [7, 9], "learning_rate": 1e-3},
        {"n_layers": [3, 4], "n_branches": 3},
        {"hidden_size": {"low": 200, "high": 400, "step": 100}, "batch_size": 512},
        {"context_length": {"low": 30, "high": 90}, "segment_length": [1, 30]},
        {"pooling": "multihead", "n_heads": [2, 8], "dropout": {"low": 0.3, "high": 0.35, "step": 0.05}},
        {"decoder": "mlp", "convolution": [3, 5], "linear_path": True, "loss": ["mse", "huber"]},
    ],
    ids=str,
)
def test_what_a_study_overrides_holds_for_its_first_candidates(space: dict[str, Any]) -> None:
    check(forecasts(**space), "forecasts")


def check(space: SearchSpace, kind: str) -> None:
    """Every candidate is one of the space, complete, and one of a kind; the same ones come again."""
    candidates = first_candidates(space, load_portfolio(FILES[kind]))
    assert 2 <= len(candidates) <= 8
    assert len({json.dumps(each, sort_keys=True) for each in candidates}) == len(candidates)
    for parameters in candidates:
        assert fit(space, parameters) == (parameters, {})
        trial = optuna.trial.FixedTrial(parameters)
        space.suggest(trial)
        assert trial.params == parameters
    assert first_candidates(space, load_portfolio(FILES[kind])) == candidates
