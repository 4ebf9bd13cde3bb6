"""Counts are forecast from 0 on by default; which targets are counts is decided before the holdout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.drivers import NUMBERS
from helpers.studies import search_here, write_study

from lstmgru.bundle import load_bundle
from search.api import load_plan
from search.errors import StudyFileError
from search.study.paths import StudyPaths
from search.tasks.forecasting.plan import ForecastPlan
from search.tasks.forecasting.scoring import with_intervals
from search.tasks.forecasting.words import data_lines

STUDY = """\
data: {path: shop.csv, time: day, target: [sold, rain], calendar: none}
forecast: {horizon: 3}
splits: {holdout: 20, folds: 1}
space: {context_length: 7}
"""


def shop(rows: int = 120) -> pd.DataFrame:
    """Counts, half of them 0, and amounts of rain."""
    generator = np.random.default_rng(0)
    days = pd.date_range("2022-01-03", periods=rows, freq="D")
    rain = np.maximum(0, generator.normal(0, 3, rows)).round(1)
    return pd.DataFrame({"day": days, "sold": generator.poisson(0.7, rows), "rain": rain})


def plan_of(folder: Path, *overrides: str, frame: pd.DataFrame | None = None, text: str = STUDY) -> ForecastPlan:
    path = write_study(folder, text, shop() if frame is None else frame)
    plan = load_plan(str(path), overrides=overrides)
    assert isinstance(plan, ForecastPlan)
    return plan


def in_row(row: int, **cells: Any) -> pd.DataFrame:
    frame = shop()
    for column, value in cells.items():
        frame[column] = frame[column].astype(float)
        frame.loc[row, column] = value
    return frame


@each_row(
    ("frame", "overrides", "minimum", "maximum"),
    [
        (shop(), [], (0.0, None), ()),
        (in_row(50, sold=1.5), [], (), ()),
        (in_row(50, sold=-1), [], (), ()),
        (in_row(110, sold=-1.5), [], (0.0, None), ()),  # within the holdout
        (
            in_row(50, sold=-1).assign(note=[np.nan if row == 50 else row % 7 for row in range(120)]),
            ["data.past_covariates=[note]", "data.gaps=fill"],
            (),
            (),
        ),  # known in a row that is not
        (in_row(50, rain=99.9), ["forecast.minimum=null", "forecast.maximum={rain: 99.9}"], (), (None, 99.9)),
        (shop(), ["forecast.minimum=null"], (), ()),
        (shop(), ["forecast.minimum=0"], (0.0, 0.0), ()),
        (shop(), ["forecast.minimum={rain: -1}", "forecast.maximum={rain: 50}"], (None, -1.0), (None, 50.0)),
    ],
)
def test_bounds_are_those_of_the_study_or_of_counts(
    frame: pd.DataFrame, overrides: list[str], minimum: tuple[Any, ...], maximum: tuple[Any, ...], tmp_path: Path
) -> None:
    forecast = plan_of(tmp_path, *overrides, frame=frame).forecast

    assert (forecast.minimum, forecast.maximum) == (minimum, maximum)


def test_the_intervals_of_the_holdout_are_within_the_bounds_and_no_others(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "forecast.minimum={sold: 0}", "forecast.maximum={rain: 50}")
    data = plan.whole_data()
    evaluation = data.evaluation(plan.holdout)
    calibration = {"levels": [0.8, 0.95], "shape": [2, 3, 2], "offsets": [10.0] * 6 + [60.0] * 6, "scaled": False,
                   "season_length": 1, "n_windows": 36}  # fmt: skip

    found = with_intervals(data, evaluation, np.ones_like(evaluation.target), calibration, 7)

    assert found.quantiles is not None
    for ends in (
        np.concatenate([found.lower[::-1], found.upper]),
        np.delete(np.moveaxis(found.quantiles, -1, 0), 2, 0),
    ):
        np.testing.assert_array_equal(ends[..., 0], np.full(ends.shape[:-1], [[[0]], [[0]], [[11]], [[61]]]))
        np.testing.assert_array_equal(ends[..., 1], np.full(ends.shape[:-1], [[[-59]], [[-9]], [[11]], [[50]]]))


def test_the_default_is_said_and_a_bound_is_suggested_where_forecasts_would_cross_0(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    (counts,) = plan.notes

    assert counts == (
        "sold is counted in whole numbers from 0: forecasts and intervals are at least 0; forecast.minimum: null "
        "removes the bound"
    )
    suggestion = "rain is never below 0; forecast.minimum: 0 keeps forecasts there, too"
    assert dict(data_lines(plan))["bound"] == suggestion
    for other in (
        plan_of(tmp_path, "forecast.minimum={sold: 0}"),
        plan_of(tmp_path, frame=shop().assign(rain=shop()["rain"] + 100.1)),
    ):
        assert "bound" not in dict(data_lines(other))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "forecast.minimum=1",
            r"forecast.minimum is 1, but target 'sold' has 0 below it; change it, or set it to null",
        ),
        ("forecast.maximum={rain: 2}", r"forecast.maximum is 2, but target 'rain' has .* above it"),
        ("forecast.minimum=low", "forecast.minimum must be a number or a mapping of targets to numbers but got 'low'"),
        ("forecast.minimum={rian: 0}", "names 'rian', which is not a target; did you mean 'rain'?"),
        ("forecast.maximum=-1", r"forecast.maximum must be above forecast.minimum \(0\) but got -1"),
        ("forecast.maximum=7", r"forecast.maximum must be above forecast.minimum \(10\) but got 7"),
    ],
)
def test_bounds_that_do_not_fit_are_refused(override: str, message: str, tmp_path: Path) -> None:
    before = {
        "forecast.maximum=-1": ["forecast.minimum=0"], "forecast.maximum=7": ["forecast.minimum={rain: 10}"],
    }.get(override, [])  # fmt: skip

    with pytest.raises(StudyFileError, match=message):
        plan_of(tmp_path, *before, override)


def test_a_study_that_began_without_bounds_goes_on_without_them(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    stored = {name: value for name, value in plan.defaults.items() if name != "minimum"}

    old = plan.with_defaults(stored)

    assert old.forecast.minimum == ()
    assert old.notes == ()
    assert plan.with_defaults(plan.defaults).forecast.minimum == (0.0, None)
    explicit = plan_of(tmp_path, "forecast.minimum=0")
    assert explicit.with_defaults(stored).forecast.minimum == (0.0, 0.0)


@pytest.mark.slow
def test_a_study_of_counts_exports_and_scores_forecasts_from_0(tmp_path: Path) -> None:
    text = NUMBERS.replace("search: {trials: 4", "search: {trials: 2, pruner: none")
    frame = shop(200).rename(columns={"sold": "sales"}).drop(columns="rain")
    frame["sales"] = frame["sales"] // 2  # three quarters are 0
    write_study(tmp_path, text, frame)

    result = search_here(tmp_path, "run", "tiny.yaml")

    assert result.returncode == 0, result.stderr
    assert "sales is counted in whole numbers from 0" in result.stdout
    forecasts = load_bundle(StudyPaths(tmp_path, "tiny").bundle).predict(frame)
    scored = pd.read_csv(StudyPaths(tmp_path, "tiny").report / "forecasts.csv")
    for found in (forecasts, scored):
        columns = [name for name in found if name.startswith(("forecast", "lower", "upper"))]
        assert len(columns) >= 5
        assert (found[columns].dropna() >= 0).all(axis=None)
    assert (scored.filter(like="lower") == 0).any(axis=None)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("negative_binomial", r"space\.loss holds negative_binomial, but target 'rain' has \S+, which is not a whole"),
        ("[mae, tweedie]", r"space\.loss holds tweedie, but target 'sold' has -1, which is negative; choose mae"),
    ],
)
def test_a_loss_of_counts_is_refused_for_other_targets(loss: str, expected: str, tmp_path: Path) -> None:
    frame = shop() if loss == "negative_binomial" else in_row(50, sold=-1)
    with pytest.raises(StudyFileError, match=expected):
        plan_of(tmp_path, f"space.loss={loss}", frame=frame)


def test_a_loss_of_counts_has_windows_divided_by_their_mean(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "space.loss=negative_binomial", "data.target=sold")
    assert {key: plan.space[key].values for key in ("loss", "normalization", "transform")} == {
        "loss": ("negative_binomial",), "normalization": ("mean",), "transform": ("none",),
    }  # fmt: skip


@each_row(
    ("overrides", "losses", "normalizations"),
    [
        (["data.target=sold"], ("negative_binomial",), ("mean",)),
        (["data.target=sold", "forecast.metric=wql"], ("negative_binomial",), ("mean",)),
        (["data.target=sold", "space.loss=quantile"], ("quantile",), ("fold", "last")),
        (["data.target=sold", "space.normalization=last"], ("mae",), ("last",)),
        (["data.target=sold", "forecast.metric=rmse"], ("mse", "mae", "huber"), ("fold", "last")),
        (["data.target=sold", "forecast.levels=[]"], ("mae",), ("fold", "last")),
        ([], ("mae",), ("fold", "last")),  # rain is not counted
    ],
)
def test_intermittent_counts_have_the_likelihood_of_counts_by_default(
    overrides: list[str], losses: tuple[str, ...], normalizations: tuple[str, ...], tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, *overrides)
    assert plan.space["loss"].values == losses
    assert plan.space["normalization"].values == normalizations


def test_counts_that_are_seldom_0_keep_the_loss_of_the_metric(tmp_path: Path) -> None:
    frame = shop().assign(sold=np.arange(120) % 7 + (np.arange(120) % 4 > 0))
    plan = plan_of(tmp_path, "data.target=sold", frame=frame)
    assert plan.facts.counts == (True,)
    assert plan.space["loss"].values == ("mae",)
