"""Specs: readable, validated, serialisable."""

from __future__ import annotations

import json

import pytest

from lstmgru.errors import SpecError
from lstmgru.specs import ForecastSpec, LayerSpec, ModelSpec, TrainSpec, parse_layers


@pytest.mark.parametrize("text", ["lstm(64)", "gru(1)", "lstm(64) > gru(32)", "gru(8) > lstm(16) > gru(4)"])
def test_an_architecture_reads_back_as_it_is_written(text: str) -> None:
    assert ModelSpec(parse_layers(text), context_length=5).architecture == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a layer must look like lstm"),
        ("lstm", "a layer must look like lstm"),
        ("lstm(64) >", "a layer must look like lstm"),
        ("lstm(-3)", "a layer must look like lstm"),
        ("ltsm(64)", "did you mean 'lstm'"),
        ("gru(0)", "hidden_size must be at least 1 but got 0"),
    ],
)
def test_a_wrong_architecture_says_what_a_layer_looks_like(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_layers(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": ()}, "at least one layer"),
        ({"context_length": 0}, "context_length must be at least 1 but got 0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\) but got 1.0"),
        ({"dropout": float("nan")}, "dropout must be in"),
        ({"normalization": "lats"}, "did you mean 'last'"),
    ],
)
def test_a_model_spec_is_validated(values: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ModelSpec(**{"layers": (LayerSpec("gru", 8),), "context_length": 4, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be positive but got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"weight_decay": -1e-3}, "weight_decay must be at least 0"),
        ({"max_epochs": 0}, "max_epochs must be at least 1"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"gradient_clip": 0.0}, "gradient_clip must be positive"),
        ({"ema_decay": 1.0}, r"ema_decay must be in \(0, 1\) but got 1.0"),
        ({"loss": "msa"}, "did you mean"),
    ],
)
def test_a_train_spec_is_validated(values: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        TrainSpec(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"season_length": 0}, "season_length must be at least 1"),
        ({"metric": "rsme"}, "did you mean 'rmse'"),
    ],
)
def test_a_forecast_spec_is_validated(values: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ForecastSpec(**{"horizon": 3, **values})  # type: ignore[arg-type]


def test_specs_survive_json() -> None:
    model = ModelSpec(parse_layers("lstm(64) > gru(32)"), 28, 0.1, "last")
    train = TrainSpec(patience=None, gradient_clip=None)
    forecast = ForecastSpec(7, 7, "mase")
    assert ModelSpec.from_dict(json.loads(json.dumps(model.to_dict()))) == model
    assert TrainSpec(**json.loads(json.dumps(train.to_dict()))) == train
    assert ForecastSpec(**json.loads(json.dumps(forecast.to_dict()))) == forecast
