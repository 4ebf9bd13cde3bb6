"""The presets: what of them depends on the data, what a study overrides, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import optuna
import pytest
from helpers.combinations import each_row, every_pair
from pydantic import ValidationError

from lstmgru.specs import CHANNELS, DECODERS, MERGES, NORMALIZATIONS, OPTIMIZERS, POOLINGS, SCHEDULES, ForecastSpec
from search.config.space_config import grid_problems
from search.config.space_values import Choices
from search.errors import StudyFileError
from search.space.space import SearchSpace
from search.tasks.forecasting.config import ForecastStudyConfig
from search.tasks.forecasting.facts import DataFacts
from search.tasks.forecasting.presets import PRESETS, defaults, resolve_space

ONE = DataFacts(n_targets=1, n_series=1, positive=False)
PANEL = DataFacts(n_targets=1, n_series=5, positive=False)
POSITIVE = DataFacts(1, 1, positive=True)
WEEKS = ForecastSpec(horizon=7, season_length=7)


def config_of(sampler: str = "random", **space: Any) -> ForecastStudyConfig:
    return ForecastStudyConfig.model_validate(
        {
            "name": "shop",
            "data": {"path": "shop.csv", "time": "day", "target": "units"},
            "forecast": {"horizon": 7},
            "splits": {"holdout": 30},
            "search": {"sampler": sampler},
            "space": space,
        }
    )


def resolve(forecast: ForecastSpec = WEEKS, data: DataFacts = ONE, **space: Any) -> SearchSpace:
    return resolve_space(config_of(**space), forecast, data)


def problems(forecast: ForecastSpec = WEEKS, data: DataFacts = ONE, sampler: str = "random", **space: Any) -> list[str]:
    """The lines of the error, without its head."""
    with pytest.raises(StudyFileError) as error:
        resolve_space(config_of(sampler, **space), forecast, data)
    return str(error.value).split("\n  ")[1:]


@each_row(
    ("forecast", "room", "contexts", "segments"),
    [
        (ForecastSpec(7, 7), None, (14, 28, 56), (1, 3, 7)),
        (ForecastSpec(12, 24), None, (48, 96, 192), (6, 12, 24)),
        (ForecastSpec(96, 24), None, (192, 384, 768), (12, 24, 48)),
        (ForecastSpec(18, 12), None, (36, 72, 144), (3, 6, 12)),
        (ForecastSpec(24, 12), None, (48, 96, 192), (3, 6, 12, 24)),
        (ForecastSpec(4, 52), None, (104, 208, 416), (13, 26, 52)),
        (ForecastSpec(1, 1), None, (8, 12), (1, 2, 4)),
        (ForecastSpec(30, 1), None, (60, 120, 240), (7, 15, 30)),
        (ForecastSpec(2, 4), None, (8, 16, 32), (1, 2, 4)),
        (ForecastSpec(18, 12), 72, (36, 72), (1, 3, 6, 12)),
        (ForecastSpec(18, 12), 20, (18,), (1, 3, 6)),
        (ForecastSpec(7, 7), 1, (7,), (1, 3)),
    ],
)
def test_contexts_and_segments_follow_the_horizon_the_season_and_the_length_of_the_data(
    forecast: ForecastSpec, room: int | None, contexts: tuple[int, ...], segments: tuple[int, ...]
) -> None:
    open_keys = defaults("standard", forecast, replace(ONE, room=room))
    assert open_keys["context_length"].values == contexts
    assert open_keys["segment_length"].values == segments


@each_row(
    ("room", "longest", "contexts"),
    [(None, None, (14, 28, 56)), (30, 90, (14, 28)), (10, 30, (7,)), (2, 7, (7,)), (2, 6, (2,)), (1, 1, (1,)),
     (None, 30, (7,)), (None, 0, (1,))],
)  # fmt: skip
def test_contexts_give_way_to_short_data(room: int | None, longest: int | None, contexts: tuple[int, ...]) -> None:
    open_keys = defaults("standard", WEEKS, replace(ONE, room=room, longest=longest))
    assert open_keys["context_length"].values == contexts
    assert max(open_keys["segment_length"].values) <= max(1, contexts[0] // 2)


def test_the_calendar_has_a_season_where_the_study_has_none() -> None:
    weekly = replace(ONE, calendar_season=52)
    assert defaults("standard", ForecastSpec(13, 1), weekly)["context_length"].values == (104, 208, 416)
    assert defaults("standard", ForecastSpec(13, 26), weekly)["context_length"].values == (52, 104, 208)


@each_row(
    ("preset", "data", "expected"),
    [
        ("full", ONE, {"channels": ("joint",), "normalization": ("fold", "last"), "series_embedding": (0,)}),
        ("full", ONE, {"transform": ("none", "difference")}),
        ("full", DataFacts(3, 1, positive=False), {"channels": ("joint", "independent")}),
        ("full", POSITIVE, {"transform": ("none", "log", "difference", "log_difference")}),
        ("full", PANEL, {"normalization": ("last", "window"), "series_embedding": (0, 4, 16)}),
        ("standard", ONE, {"transform": ("none",)}),
        ("standard", POSITIVE, {"transform": ("none", "log")}),
        ("standard", DataFacts(1, 2, positive=True), {"transform": ("none", "log")}),
    ],
)
def test_what_else_is_open_follows_the_data(preset: str, data: DataFacts, expected: dict[str, tuple[Any, ...]]) -> None:
    open_keys = defaults(preset, WEEKS, data)
    assert {key: open_keys[key].values for key in expected} == expected


@each_row(
    ("metric", "losses"),
    [
        ("mae", ("mae",)),
        ("smape", ("mae",)),
        ("mase", ("mae",)),
        ("rmsse", ("mse", "mae", "huber")),
        ("scaled_mae", ("mae",)),
        ("mse", ("mse", "mae", "huber")),
        ("rmse", ("mse", "mae", "huber")),
        ("scaled_mse", ("mse", "mae", "huber")),
        ("wql", ("quantile",)),
    ],
)
def test_the_loss_is_the_kin_of_the_metric(metric: str, losses: tuple[str, ...]) -> None:
    assert resolve(ForecastSpec(7, 7, metric))["loss"].values == losses  # type: ignore[arg-type]


@every_pair(
    preset=PRESETS,
    forecast=[WEEKS, ForecastSpec(1), ForecastSpec(3, 365), ForecastSpec(96, 24, "wql")],
    data=[ONE, PANEL, DataFacts(3, 1, positive=True)],
)
def test_every_preset_fits_every_data(preset: str, forecast: ForecastSpec, data: DataFacts) -> None:
    space = resolve(forecast, data, preset=preset)
    assert all(values.count != 0 for _, values in space.items())
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        model, settings = space.suggest(study.ask())  # a spec that does not fit raises
        assert model.segment_length <= model.context_length
        assert settings.loss != "quantile" or forecast.metric == "wql"


def test_full_holds_everything_that_there_is() -> None:
    full = resolve(data=DataFacts(2, 3, positive=True), preset="full", normalization=list(NORMALIZATIONS))
    names = {"merge": MERGES, "pooling": POOLINGS, "decoder": DECODERS, "channels": CHANNELS}
    names |= {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "normalization": NORMALIZATIONS}
    for key, values in names.items():
        assert full[key].values == values
    assert PRESETS["full"]["normalization"].values == NORMALIZATIONS
    assert (full["bidirectional"].values, full["residual"].values) == ((False, True), (False, True))
    assert (full["convolution"].values, resolve()["convolution"].values) == ((0, 3, 5, 7), (0,))
    assert (full["input_noise"].high, resolve()["input_noise"].high) == (0.3, 0.0)
    assert (full["linear_path"].values, resolve(preset="small")["linear_path"].values) == ((False, True), (False,))
    assert resolve()["linear_path"].values == (False, True)


def test_small_is_part_of_standard_and_standard_of_full() -> None:
    """As far as values are listed: a preset that is larger takes nothing away."""
    for smaller, larger in (("small", "standard"), ("standard", "full")):
        small, large = (resolve(data=PANEL, preset=name) for name in (smaller, larger))
        for (key, values), (_, others) in zip(small.items(), large.items(), strict=True):
            if isinstance(values, Choices) and isinstance(others, Choices):
                assert set(values.values) <= set(others.values), key


def test_what_a_study_gives_replaces_the_presets_values() -> None:
    space = resolve(preset="small", cell="fused", hidden_size=[3, 4], context_length=[30, 60], transform="difference")
    assert space["cell"] == Choices(("fused",))
    assert space["hidden_size"] == Choices((3, 4))
    assert space["context_length"] == Choices((30, 60))
    assert space["transform"] == Choices(("difference",))
    assert space["dropout"] == PRESETS["small"]["dropout"]


@pytest.mark.parametrize(
    ("contexts", "segments"),
    [
        (30, (1, 3, 7, 14)),
        ([7, 30], (1, 3)),
        (2, (1,)),
        ({"low": 14, "high": 28}, (1, 3, 7)),
        ({"low": 6, "high": 14}, (1, 3)),
        (200, (3, 7, 14)),
    ],
)
def test_the_presets_segments_are_no_longer_than_the_contexts_of_a_study(
    contexts: Any, segments: tuple[int, ...]
) -> None:
    assert resolve(context_length=contexts)["segment_length"].values == segments


@each_row(
    ("arguments", "expected"),
    [
        (
            {"segment_length": [1, 8], "context_length": [7, 14]},
            ["space.segment_length must be at most the shortest space.context_length (7) but reaches 8; shorten"],
        ),
        (
            {"segment_length": {"low": 1, "high": 15}},
            ["space.segment_length must be at most the shortest space.context_length (14) but reaches 15"],
        ),
        (
            {"transform": ["none", "log"]},
            ["space.transform holds a logarithm, but a target has values of 0 or below; leave log and log_difference"],
        ),
        ({"transform": "log_difference"}, ["space.transform holds a logarithm"]),
        (
            {"loss": "negative_binomial", "normalization": ["mean", "last"], "transform": "difference"},
            [
                "space.normalization must be mean for space.loss: negative_binomial, which needs 0 to stay 0",
                "space.transform must be none for space.loss: negative_binomial",
            ],
        ),
        (
            {"loss": ["mae", "student_t"], "forecast": ForecastSpec(7, 7, levels=())},
            ["space.loss is student_t, but forecast.levels is empty, so there are no quantiles; name levels"],
        ),
        (
            {"forecast": ForecastSpec(7, 7, "wql", ())},
            ["space.loss is quantile, but forecast.levels is empty"],
        ),
        (
            {"loss": ["quantile", "mae"], "forecast": ForecastSpec(7, 7, "wql")},
            ["space.loss must be quantile or student_t or negative_binomial for forecast.metric: wql, which scores"],
        ),
        (
            {"loss": "mae", "forecast": ForecastSpec(7, 7, "wql")},
            ["space.loss must be quantile or student_t or negative_binomial for forecast.metric: wql, which scores"],
        ),
        (
            {"segment_length": 99, "transform": "log", "loss": "quantile", "forecast": ForecastSpec(7, 7, levels=())},
            ["space.segment_length must", "space.transform holds", "space.loss is quantile"],
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_rule_and_the_way_out(
    arguments: dict[str, Any], expected: list[str]
) -> None:
    lines = problems(**arguments)
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)


def test_a_logarithm_fits_targets_above_0() -> None:
    assert resolve(data=DataFacts(1, 1, positive=True), transform="log")["transform"] == Choices(("log",))


def test_a_preset_that_is_no_grid_says_what_of_it_is_none() -> None:
    lines = problems(sampler="grid", preset="standard", learning_rate=1e-3)
    assert {line.partition(" ")[0] for line in lines} == {
        "space.n_branches", "space.n_layers", "space.dropout", "space.weight_decay"
    }  # fmt: skip
    assert all(line.endswith("or set search.sampler to random or tpe") for line in lines)


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (
            {"n_branches": [1, 2]},
            r"n_branches\s+must be one value for a grid, .* the branches that a single one does not",
        ),
        (
            {"n_layers": {"low": 1, "high": 2}},
            r"n_layers\s+must be one value for a grid, .* a shallow network does not",
        ),
        (
            {"pooling": ["last", "multihead"], "n_heads": [2, 4]},
            r"pooling\s+must be one value for a grid, .* every value of space\.n_heads",
        ),
        ({"dropout": {"low": 0, "high": 0.5}}, r"dropout\s+is a range without a step, which no grid can exhaust"),
    ],
)
def test_what_is_no_grid_is_seen_before_the_data_are_read(space: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        config_of("grid", **space)


def test_a_preset_becomes_a_grid_where_its_ranges_are_replaced() -> None:
    fixed: dict[str, Any] = {"n_branches": 2, "n_layers": 1, "hidden_size": [8, 16]}
    fixed |= {"dropout": 0.1, "learning_rate": [1e-3, 1e-2], "weight_decay": 1e-4}
    space = resolve_space(config_of("grid", preset="standard", **fixed), WEEKS, ONE)
    # Branches with cells and widths; merges, poolings; segments, decoders, linear paths, normalizations, contexts;
    # settings.
    assert space.size == (3 * 2) ** 2 * 2 * 2 * 3 * 2 * 2 * 2 * 3 * 2 * 3


@pytest.mark.parametrize(
    ("space", "fits"),
    [
        ({"pooling": ["last", "mean", "additive"], "n_heads": [2, 4]}, True),
        ({"pooling": ["last", "multihead"], "n_heads": 4}, True),
        ({"pooling": "multihead", "n_heads": [2, 4]}, True),
        ({"pooling": ["last", "multihead"], "n_heads": [2, 4]}, False),
        ({"pooling": ["last", "multihead"]}, False),  # the preset has several
    ],
)
def test_several_poolings_make_a_grid_unless_one_of_them_has_parameters(space: dict[str, Any], fits: bool) -> None:
    full = resolve(preset="full", **space)
    assert ("pooling" not in grid_problems(full.as_config())) == fits
