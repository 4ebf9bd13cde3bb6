"""Specs: readable, validated, serializable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from helpers.combinations import each_row

from lstmgru.errors import SpecError
from lstmgru.specs import (
    ForecastSpec,
    LayerSpec,
    ModelSpec,
    SequenceModelSpec,
    TrainSpec,
    parse_branches,
    parse_layers,
)

WIDE = ModelSpec(
    parse_branches("lstm(64) > bi-gru(32) | fused(16)"),
    context_length=28,
    merge="gate",
    residual=True,
    layer_norm=True,
    convolution=5,
    segment_length=7,
    pooling="multihead",
    n_heads=4,
    decoder="recurrent",
    linear_path=True,
    channels="independent",
    normalization="window",
    transform="log_difference",
    series_embedding=3,
    dropout=0.1,
    recurrent_dropout=0.2,
    input_noise=0.1,
)
"""Nothing of it is as usual."""


@each_row(
    "text",
    [
        "lstm(64)",
        "gru(1)",
        "fused(12)",
        "bi-lstm(64)",
        "lstm(64) > gru(32)",
        "gru(8) > lstm(16) > gru(4)",
        "lstm(64) | gru(64)",
        "lstm(8) > bi-fused(4) | gru(64) | lstm(1) > lstm(2)",
    ],
)
def test_an_architecture_reads_back_as_it_is_written(text: str) -> None:
    assert ModelSpec(parse_branches(text), context_length=5).architecture == text


@each_row(
    ("changes", "text"),
    [
        ({}, "lstm(8) > gru(4)"),
        ({"residual": True, "layer_norm": True}, "lstm(8) > gru(4) +residual +norm"),
        ({"segment_length": 4}, "segments(4) > lstm(8) > gru(4)"),
        ({"channels": "independent", "normalization": "last"}, "independent > last > lstm(8) > gru(4)"),
        ({"transform": "log", "normalization": "mean"}, "log > mean > lstm(8) > gru(4)"),
        ({"pooling": "mean", "decoder": "mlp"}, "lstm(8) > gru(4) > mean > mlp"),
        ({"pooling": "multihead", "n_heads": 2}, "lstm(8) > gru(4) > multihead(2)"),
        (
            {
                "branches": parse_branches("gru(128)"),
                "channels": "independent",
                "normalization": "last",
                "segment_length": 4,
                "decoder": "parallel",
            },
            "independent > last > segments(4) > gru(128) > parallel",
        ),
        (
            {"normalization": "last", "convolution": 3, "segment_length": 4},
            "last > conv(3) > segments(4) > lstm(8) > gru(4)",
        ),
        ({"linear_path": True}, "lstm(8) > gru(4) > linear +linear"),
        (
            {"branches": parse_branches("lstm(8) | gru(4)"), "decoder": "parallel", "linear_path": True},
            "[lstm(8) | gru(4)] > parallel +linear",
        ),
        ({"branches": parse_branches("lstm(8) | gru(4)"), "merge": "sum"}, "sum[lstm(8) | gru(4)]"),
        (
            {"branches": parse_branches("lstm(8) | gru(4)"), "merge": "gate", "pooling": "max"},
            "gate[lstm(8) | gru(4)] > max",
        ),
        (
            {"branches": parse_branches("lstm(8) > gru(2) | gru(4)"), "residual": True, "decoder": "mlp"},
            "[lstm(8) > gru(2) | gru(4)] +residual > mlp",
        ),
    ],
)
def test_an_architecture_is_written_in_the_order_of_the_computation(changes: dict[str, Any], text: str) -> None:
    values = {"branches": parse_branches("lstm(8) > gru(4)"), "context_length": 5, **changes}
    assert ModelSpec(**values).architecture == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"fcn_filters": 32}, "lstm(8) +fcn(32)"),
        ({"fcn_filters": 32, "pooling": "max", "head": "mlp"}, "lstm(8) +fcn(32) > max > mlp"),
        ({"branches": parse_branches("lstm(8) | gru(4)"), "fcn_filters": 8}, "[lstm(8) | gru(4)] +fcn(8)"),
        (
            {"convolution": 5, "segment_length": 2, "normalization": "sequence"},
            "sequence > conv(5) > segments(2) > lstm(8)",
        ),
        (
            {"tokens": "word", "embedding_size": 64, "normalization": "none", "convolution": 3},
            "word(64) > conv(3) > lstm(8)",
        ),
    ],
)
def test_a_predictor_is_written_likewise(changes: dict[str, Any], text: str) -> None:
    values = {"branches": parse_branches("lstm(8)"), "max_length": 5, **changes}
    assert SequenceModelSpec(**values).architecture == text


@each_row(
    ("text", "message"),
    [
        ("", "a layer must look like lstm"),
        ("lstm", "a layer must look like lstm"),
        ("lstm(64) >", "a layer must look like lstm"),
        ("lstm(64) | ", r"a layer must look like lstm\(64\) or bi-lstm\(64\) but got ''"),
        ("lstm(-3)", "a layer must look like lstm"),
        ("di-lstm(3)", "a layer must look like lstm"),
        ("ltsm(64)", "cell must be one of lstm, gru, .*but got 'ltsm'; did you mean 'lstm'"),
        ("gru(0)", "hidden_size must be at least 1 but got 0"),
    ],
)
def test_a_wrong_architecture_says_what_a_layer_looks_like(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_branches(text)


@each_row(
    ("values", "message"),
    [
        ({"branches": ()}, "branches must have at least one stack and at least one layer"),
        ({"branches": (parse_layers("gru(4)"), ())}, "branches must have at least one stack and at least one layer"),
        ({"context_length": 0}, "context_length must be at least 1 but got 0"),
        ({"segment_length": 0}, "segment_length must be at least 1 but got 0"),
        ({"segment_length": 5}, r"segment_length must be at most context_length \(4\) but got 5"),
        ({"convolution": -1}, "convolution must be at least 0 but got -1"),
        ({"n_heads": 0}, "n_heads must be at least 1 but got 0"),
        ({"series_embedding": -1}, "series_embedding must be at least 0 but got -1"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\) but got 1.0"),
        ({"dropout": float("nan")}, "dropout must be in"),
        ({"recurrent_dropout": -0.1}, r"recurrent_dropout must be in \[0, 1\) but got -0.1"),
        ({"input_noise": -0.1}, "input_noise must be at least 0 but got -0.1"),
        ({"merge": "concatenate"}, "merge must be one of concat, sum, gate but got .*; did you mean 'concat'"),
        ({"pooling": "lats"}, "did you mean 'last'"),
        ({"decoder": "parallell"}, "did you mean 'parallel'"),
        ({"channels": "independant"}, "did you mean 'independent'"),
        ({"normalization": "lats"}, "did you mean 'last'"),
        ({"transform": "diff"}, "transform must be one of none, log, difference, log_difference but got 'diff'"),
        ({"transform": None}, "transform must be one of .* but got None"),
    ],
)
def test_a_model_spec_is_validated(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ModelSpec(**{"branches": ((LayerSpec("gru", 8),),), "context_length": 4, **values})


@each_row(
    ("values", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be positive but got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"weight_decay": -1e-3}, "weight_decay must be at least 0"),
        ({"optimizer": "adamm"}, "optimizer must be one of adamw, adam but got 'adamm'; did you mean"),
        ({"schedule": "onecycle"}, "did you mean 'one_cycle'"),
        ({"max_epochs": 0}, "max_epochs must be at least 1"),
        ({"epoch_windows": 0}, "epoch_windows must be at least 1"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"gradient_clip": 0.0}, "gradient_clip must be positive"),
        ({"ema_decay": 1.0}, r"ema_decay must be in \(0, 1\) but got 1.0"),
        ({"loss": "msa"}, "did you mean"),
        ({"precision": "16"}, "precision must be one of 32-true, bf16-mixed, 16-mixed but got '16'"),
    ],
)
def test_a_train_spec_is_validated(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        TrainSpec(**values)


@each_row(
    ("values", "message"),
    [
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"season_length": 0}, "season_length must be at least 1"),
        ({"levels": (0.95, 0.8)}, r"levels must be ascending numbers between 0 and 1 but got \[0.95, 0.8\]"),
        ({"levels": (0.8, 0.8)}, "levels must be ascending"),
        ({"levels": (0.0,)}, "between 0 and 1 but got"),
        ({"levels": (1.0,)}, "between 0 and 1 but got"),
        ({"levels": (float("nan"),)}, "between 0 and 1 but got"),
    ],
)
def test_a_forecast_spec_is_validated(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ForecastSpec(**{"horizon": 3, **values})


@pytest.mark.parametrize(
    ("levels", "quantiles"),
    [
        ((0.8, 0.95), (0.025, 0.1, 0.5, 0.9, 0.975)),
        ((0.9,), (0.05, 0.5, 0.95)),
        ((), (0.5,)),
        ((0.5, 0.99, 0.9999999), (0.00000005, 0.005, 0.25, 0.5, 0.75, 0.995, 0.99999995)),
    ],
)
def test_quantiles_are_the_ends_of_the_intervals_around_the_median(
    levels: tuple[float, ...], quantiles: tuple[float, ...]
) -> None:
    assert ForecastSpec(1, levels=levels).quantiles == quantiles


@pytest.mark.parametrize(
    ("transform", "log", "difference"),
    [
        ("none", False, False),
        ("log", True, False),
        ("difference", False, True),
        ("log_difference", True, True),
    ],
)
def test_a_transform_takes_logarithms_differences_or_both(transform: str, log: bool, difference: bool) -> None:
    spec = ModelSpec(parse_branches("gru(4)"), 4, transform=transform)  # type: ignore[arg-type]
    assert (spec.log, spec.difference) == (log, difference)


def test_specs_survive_json() -> None:
    train = TrainSpec(patience=None, gradient_clip=None, optimizer="adam", schedule="one_cycle", epoch_windows=9)
    forecast = ForecastSpec(7, 7, "mase", (0.5,))
    for model in (WIDE, ModelSpec(parse_branches("gru(4)"), 4)):
        assert ModelSpec.from_dict(json.loads(json.dumps(model.to_dict()))) == model
    assert TrainSpec(**json.loads(json.dumps(train.to_dict()))) == train
    assert ForecastSpec.from_dict(json.loads(json.dumps(forecast.to_dict()))) == forecast


def test_a_spec_that_was_written_before_a_field_existed_has_its_default() -> None:
    plain = ModelSpec(parse_branches("gru(4)"), 4)
    earlier = {
        name: value
        for name, value in plain.to_dict().items()
        if name not in ("linear_path", "convolution", "input_noise")
    }
    assert ModelSpec.from_dict(earlier) == plain


def test_the_branches_of_a_spec_are_text_where_it_is_written_down() -> None:
    assert WIDE.to_dict()["branches"] == "lstm(64) > bi-gru(32) | fused(16)"
    assert [layer.n_outputs for stack in WIDE.branches for layer in stack] == [64, 64, 16]
