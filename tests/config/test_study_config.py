"""The models of a study file: defaults, values, rules, and the way back to YAML."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.combinations import each_row
from helpers.configs import make_config
from pydantic import BaseModel, ValidationError

from lstmgru.errors import DataError
from lstmgru.specs import ForecastSpec, LayerSpec, ModelSpec, SequenceModelSpec, TrainSpec
from search.config.sections import TrainingConfig
from search.config.space_config import SpaceConfig, grid_problems
from search.config.space_values import (
    BranchRange,
    Choices,
    DepthRange,
    FloatRange,
    IntRange,
    PositiveRange,
    ProbabilityRange,
    WidthRange,
)
from search.config.types import parse_duration
from search.config.validation import config_fields
from search.config.yaml_file import dump_yaml, parse_value
from search.tasks.forecasting.config import ForecastSpaceConfig, ForecastStudyConfig, ForecastTrainingConfig
from search.tasks.forecasting.data_config import CalendarFeature, DataConfig, DatasetName
from search.tasks.sequences.config import SequenceSpaceConfig, SequenceStudyConfig, SequenceTrainingConfig


def test_a_study_needs_three_sections_and_fills_in_the_rest() -> None:
    config = make_config()

    assert config.data.targets == ("units",)
    assert (config.forecast.metric, config.forecast.season_length) == ("mae", "auto")
    assert config.forecast.levels == (0.8, 0.95)
    assert (config.splits.folds, config.splits.fold_size, config.splits.window) == (3, None, "expanding")
    assert (config.search.sampler, config.search.trials, config.search.timeout) == ("tpe", "auto", None)
    assert (config.training.max_epochs, config.training.patience, config.training.refit) == (30, 5, "all")
    assert config.training.epoch_windows == "auto"
    assert config.space == ForecastSpaceConfig()
    assert all(values is None for key, values in config.space if key != "preset")


@each_row(
    ("key", "written", "expected"),
    [
        ("hidden_size", 64, Choices((64,))),
        ("hidden_size", [64], Choices((64,))),
        ("hidden_size", [64, 16], Choices((64, 16))),
        ("hidden_size", {"low": 16, "high": 64}, WidthRange(low=16, high=64)),
        ("hidden_size", {"low": 16, "high": 64, "step": 16}, WidthRange(low=16, high=64, step=16)),
        ("hidden_size", {"low": 16, "high": 128, "log": True}, WidthRange(low=16, high=128, log=True)),
        ("n_layers", {"low": 1, "high": 3}, DepthRange(low=1, high=3)),
        ("n_branches", {"low": 1, "high": 3}, BranchRange(low=1, high=3)),
        ("batch_size", {"low": 8, "high": 64}, IntRange(low=8, high=64)),
        ("n_layers", {"low": 2, "high": 2}, Choices((2,))),
        ("cell", "gru", Choices(("gru",))),
        ("cell", ["gru", "lstm"], Choices(("gru", "lstm"))),
        ("dropout", 0, Choices((0.0,))),
        ("dropout", {"low": 0, "high": 0.3, "step": 0.1}, ProbabilityRange(low=0.0, high=0.3, step=0.1)),
        ("learning_rate", {"low": 1e-4, "high": 1e-2, "log": True}, PositiveRange(low=1e-4, high=1e-2, log=True)),
        ("weight_decay", {"low": 0, "high": 1}, FloatRange(low=0.0, high=1.0)),
        ("weight_decay", [0, 1e-3], Choices((0.0, 1e-3))),
        ("normalization", "last", Choices(("last",))),
        ("normalization", ["window", "mean", "series"], Choices(("window", "mean", "series"))),
        ("cell", "fused", Choices(("fused",))),
        ("residual", True, Choices((True,))),
        ("bidirectional", [False, True], Choices((False, True))),
        ("series_embedding", [0, 8], Choices((0, 8))),
        ("merge", ["sum", "gate"], Choices(("sum", "gate"))),
        ("transform", "log_difference", Choices(("log_difference",))),
        ("decoder", ["mlp", "recurrent"], Choices(("mlp", "recurrent"))),
        ("loss", ["mae", "quantile"], Choices(("mae", "quantile"))),
        ("recurrent_dropout", {"low": 0, "high": 0.5}, ProbabilityRange(low=0.0, high=0.5)),
        ("n_heads", {"low": 1, "high": 4}, IntRange(low=1, high=4)),
    ],
)
def test_a_space_value_is_a_scalar_a_list_or_a_range(key: str, written: object, expected: object) -> None:
    value = getattr(make_config(space={key: written}).space, key)

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("written", "levels"),
    [(0.9, (0.9,)), ([0.95, 0.5], (0.5, 0.95)), ([], ())],
)
def test_levels_are_one_or_a_list_in_any_order_or_none(written: object, levels: tuple[float, ...]) -> None:
    config = make_config(forecast={"levels": written})

    assert config.forecast.levels == levels
    assert config.forecast.to_spec(season_length=1).levels == levels


@each_row(
    ("value", "values", "count"),
    [
        (Choices(("lstm",)), ("lstm",), 1),
        (Choices((3, 1)), (3, 1), 2),
        (IntRange(low=2, high=5), (2, 3, 4, 5), 4),
        (IntRange(low=16, high=64, step=16), (16, 32, 48, 64), 4),
        (FloatRange(low=0.1, high=0.4, step=0.1), (0.1, 0.2, 0.3, 0.4), 4),
        (FloatRange(low=1e-13, high=3e-13, step=1e-13), (1e-13, 2e-13, 3e-13), 3),
        (FloatRange(low=0.0, high=1.0), None, None),
        (PositiveRange(low=1e-4, high=1e-2, log=True), None, None),
    ],
)
def test_space_values_that_can_be_counted_are_listed(
    value: Choices[Any] | IntRange | FloatRange, values: tuple[Any, ...] | None, count: int | None
) -> None:
    assert value.values == values
    assert value.count == count


@each_row(
    ("written", "seconds"),
    [
        (90, 90), (0.5, 0.5), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400),
        (" 1 h 30 m ", 5400), ("1.5m", 90),
    ],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(written: str | float, seconds: float) -> None:
    assert parse_duration(written) == seconds
    assert make_config(search={"timeout": written}).search.timeout == seconds


@each_row(
    ("written", "rule"),
    [
        ("5 minutes", "90s, 5m, 2h or 1h30m but got '5 minutes'"),
        ("90", "but got '90'"),
        ("1h nonsense", "1h30m but got '1h nonsense'"),
        ("", "but got ''"),
        (True, "but got true"),
        (None, "but got nothing"),
        (0, "must be a time above zero"),
        (-3, "must be a time above zero"),
        ("0s", "must be a time above zero"),
        (float("inf"), "must be a time above zero"),
        (float("nan"), "must be a time above zero"),
    ],
)
def test_other_durations_are_refused(written: object, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_duration(written)


FULL: dict[str, dict[str, Any]] = {
    "data": {
        "time_format": "%d.%m.%Y",
        "target": ["units", "1e-3"],
        "id": "no",
        "past_covariates": ["2012-01-01", "1:30"],
        "future_covariates": "price",
        "static_covariates": ["region"],
        "categorical": ["region", "1:30"],
        "calendar": ["day_of_week", "month_of_year"],
        "frequency": "15min",
        "timezone": "Europe/Berlin",
        "gaps": "fill",
        "short_series": "pad",
        "delimiter": "\t",
        "encoding": "cp1252",
        "columns": ["no", "y", "1e-3", "units", "on"],
        "decimal": ",",
    },
    "forecast": {
        "season_length": 96,
        "metric": "mase",
        "levels": 0.9,
        "minimum": {"units": 0, "1e-3": -1},
        "maximum": 1e6,
    },
    "splits": {
        "fold_size": 14,
        "step": 7,
        "gap": 1,
        "window": "sliding",
        "train_size": 100,
        "stride": 7,
        "align": "end",
    },
    "search": {
        "sampler": "random",
        "pruner": "none",
        "trials": 3,
        "timeout": "1h30m",
        "seed": 7,
        "jobs": 2,
        "executor": "processes",
        "storage": "postgresql://ann@db.example.org/studies",
        "objectives": ["latency", "score"],
        "bounds": ["latency <= 2ms", "n_parameters <= 50000", "train_seconds <= 1.5s"],
        "prefer": {"score": 3, "latency": 0.5},
        "blend": "off",
        "try_first": [{"n_branches": 2, "dropout": 0.5}, {"cell_1": "gru", "residual": True}],
        "warm_start": "studies/old.journal",
        "portfolio": "off",
    },
    "space": {
        "preset": "small",
        "n_branches": [1, 2],
        "n_layers": 2,
        "cell": ["gru"],
        "hidden_size": {"low": 8, "high": 32, "step": 8},
        "bidirectional": [True, False],
        "merge": "gate",
        "residual": True,
        "layer_norm": [True],
        "convolution": [0, 5],
        "segment_length": {"low": 1, "high": 4},
        "pooling": ["max", "multihead"],
        "n_heads": 2,
        "decoder": "parallel",
        "linear_path": [False, True],
        "channels": ["joint", "independent"],
        "normalization": ["last", "fold"],
        "transform": "difference",
        "series_embedding": 0,
        "dropout": [0, 0.5],
        "recurrent_dropout": {"low": 0, "high": 0.5, "step": 0.25},
        "input_noise": [0, 0.1],
        "context_length": {"low": 4, "high": 4},
        "loss": "huber",
        "optimizer": "adam",
        "learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
        "schedule": ["cosine"],
        "batch_size": 64,
        "weight_decay": {"low": 0, "high": 0.25},
    },
    "export": {"train_on": "before_holdout"},
    "training": {
        "max_epochs": 1,
        "epoch_windows": None,
        "min_epoch_windows": 1,
        "patience": None,
        "gradient_clip": None,
        "ema_decay": None,
        "refit": "last_fold",
        "accelerator": "cpu",
        "precision": "bf16-mixed",
    },
    "tracking": {
        "enabled": False,
        "uri": "http://localhost:5000",
        "experiment": "e: x",
        "registered_model": "null",
        "system_metrics": True,
    },
    "compare": {"families": {"narrow": {"hidden_size": 8}, "both": {"cell": ["lstm", "gru"], "mixed": True}}},
}


@pytest.mark.parametrize(
    "sections", [{}, FULL, {"data": {"calendar": "none"}}], ids=["defaults", "full", "no calendar"]
)
def test_a_dumped_study_loads_as_the_same_study(sections: dict[str, Any], tmp_path: Path) -> None:
    from search.tasks.study_file import read_study_file

    config = make_config(**sections)
    file = tmp_path / "again.yaml"
    file.write_text(dump_yaml(config.to_dict()), encoding="utf-8")

    assert read_study_file(file).config == config
    assert ForecastStudyConfig.model_validate(config.to_dict()) == config
    assert dump_yaml(config.to_dict()) == dump_yaml(read_study_file(file).config.to_dict())


def test_the_full_study_sets_every_key() -> None:
    default, full = make_config().to_dict(), make_config(**FULL).to_dict()
    same = {
        f"{section}.{key}"
        for section, values in default.items()
        if isinstance(values, dict)
        for key in values
        if values[key] == full[section][key]
    }

    # Those that every study needs, the source of which there is one, and what several objectives exclude.
    needed = {"data.path", "data.time", "forecast.horizon", "splits.holdout", "splits.folds"}
    assert same == needed | {"data.dataset", "search.percentile"}


def test_plain_yaml_readers_read_a_dumped_study_as_well() -> None:
    values = {"text": ["no", "1e-3", "1:30", "2012-01-01", "010", "", "null", "<<"], "numbers": [1e-5, 10, 1e22]}

    assert yaml.safe_load(dump_yaml(values)) == values
    assert parse_value(dump_yaml(values)) == values


def test_sections_become_specifications_of_the_library() -> None:
    from lstmgru.data.forecasting.splits import SplitSpec

    config = make_config(**FULL)

    assert config.forecast.to_spec(season_length=96) == ForecastSpec(7, 96, "mase", (0.9,))
    assert config.splits.to_spec() == SplitSpec(
        holdout=30, folds=3, fold_size=14, step=7, gap=1, window="sliding", train_size=100, stride=7, align="end"
    )


def test_models_take_the_values_that_they_hold() -> None:
    config = make_config(**FULL)
    data = {name: getattr(config.data, name) for name in type(config.data).model_fields}
    space = {name: getattr(config.space, name) for name in type(config.space).model_fields}

    assert DataConfig(**data) == config.data
    assert ForecastSpaceConfig(**space) == config.space


def test_a_study_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_config().search.trials = 0


@each_row(
    ("space", "keys"),
    [
        ({}, []),
        ({"n_layers": 1, "learning_rate": 1e-3}, []),
        ({"n_layers": [2], "dropout": {"low": 0, "high": 0.5, "step": 0.25}, "hidden_size": {"low": 1, "high": 9}}, []),
        ({"n_layers": [1, 2]}, ["n_layers"]),
        ({"n_layers": {"low": 1, "high": 3}, "dropout": {"low": 0, "high": 0.5}}, ["dropout", "n_layers"]),
        ({"n_branches": [2, 1]}, ["n_branches"]),
        ({"n_branches": 3, "merge": ["sum", "gate"], "residual": [True, False]}, []),
        ({"pooling": ["last", "multihead"], "n_heads": [2, 4]}, ["pooling"]),
        ({"pooling": ["last", "mean"], "n_heads": [2, 4]}, []),
        ({"recurrent_dropout": {"low": 0, "high": 0.5}}, ["recurrent_dropout"]),
        ({"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}, ["learning_rate"]),
        ({"weight_decay": {"low": 0.5, "high": 0.5}}, []),
    ],
)
def test_a_grid_needs_values_that_can_be_counted_and_one_topology(space: dict[str, Any], keys: list[str]) -> None:
    section = ForecastSpaceConfig.model_validate(space)

    assert list(grid_problems(section)) == keys
    if keys:
        with pytest.raises(ValidationError, match=r"set search\.sampler to random or tpe"):
            make_config(search={"sampler": "grid"}, space=space)
    else:
        assert make_config(search={"sampler": "grid"}, space=space).space == section
    assert make_config(search={"sampler": "random"}, space=space).space == section


def test_a_relative_path_counts_from_the_current_folder_then_from_the_study_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    for folder in (here, beside):
        folder.mkdir()
    monkeypatch.chdir(here)
    study = beside / "shop.yaml"
    data = make_config().data

    with pytest.raises(DataError, match=rf"'shop\.csv' but there is no such file in {here} nor in {beside}"):
        data.resolve_path(study)
    (beside / "shop.csv").touch()
    assert data.resolve_path(study) == beside / "shop.csv"
    with pytest.raises(DataError, match=rf"no such file in {here}; correct the path"):
        data.resolve_path(here / "shop.yaml")
    (here / "shop.csv").touch()
    assert data.resolve_path(study).resolve() == here / "shop.csv"
    absolute = DataConfig(path=str(beside / "shop.csv"), time="day", target=("units",))
    assert absolute.resolve_path(study) == beside / "shop.csv"


def test_a_path_in_the_home_folder_of_nobody_is_refused(tmp_path: Path) -> None:
    data = make_config(data={"path": "~no-such-user/shop.csv"}).data

    with pytest.raises(DataError, match=r"'~no-such-user/shop\.csv' but ~no-such-user is not a home directory"):
        data.resolve_path(tmp_path / "shop.yaml")


def test_names_of_calendar_features_and_data_sets_are_those_of_the_library() -> None:
    from typing import get_args

    from lstmgru.data.forecasting.calendar import CALENDAR_FEATURES
    from lstmgru.data.tables.datasets import DATASETS

    assert set(get_args(CalendarFeature)) == set(CALENDAR_FEATURES)
    assert set(get_args(DatasetName)) == set(DATASETS)


@pytest.mark.parametrize(
    ("model", "space", "training", "unsearched"),
    [
        (ModelSpec, ForecastSpaceConfig, ForecastTrainingConfig, {"label_smoothing", "class_weights"}),
        (SequenceModelSpec, SequenceSpaceConfig, SequenceTrainingConfig, {"epoch_windows", "min_epoch_windows"}),
    ],
)
def test_the_keys_of_the_space_are_those_of_the_specifications(
    model: type[Any], space: type[SpaceConfig], training: type[TrainingConfig], unsearched: set[str]
) -> None:
    """A thing has one name: what a candidate and its training are made of, and the counts of layers and branches."""
    specs = (model, LayerSpec, TrainSpec)
    library = {name for spec in specs for name in spec.__dataclass_fields__}
    searched, trained = set(space.model_fields), set(training.model_fields)

    assert searched - library == {"preset", "n_branches", "n_layers"}
    assert trained - library == {"refit"}
    assert library - searched - trained == {"branches", "seed"} | unsearched


@pytest.mark.parametrize("study", [ForecastStudyConfig, SequenceStudyConfig])
def test_every_key_has_a_sentence_that_says_what_null_means(study: type[BaseModel]) -> None:
    for key, field in config_fields(study).items():
        assert field.description, key
        assert field.description.endswith("."), key
        if field.default is None:
            assert "`null`:" in field.description, key


def test_importing_the_models_imports_nothing_heavy() -> None:
    code = (
        "import sys; import search.tasks.study_file; "
        "print(*sorted({'torch', 'mlflow', 'optuna', 'lightning', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
