"""Scalers: what each normalization wants, fitted on training rows only, exact round trips."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.panels import make_panel

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.errors import DataError, SpecError
from lstmgru.specs import NORMALIZATIONS, TRANSFORMS, ModelSpec, parse_branches

NAMES = {"future_0": ("a", "b"), "static_1": ("x", "y")}
TWO = make_panel((60, 40), targets=2, past=1, future=1, static=2, categories=NAMES)
"""Two series of which the second is ten times the first; the last channel and the last static covariate are names."""
TWO.values[60:, :2] *= 10
TRAIN = np.array([[0, 50], [60, 85]])


def model(normalization: str = "fold", transform: str = "none") -> ModelSpec:
    return ModelSpec(parse_branches("gru(4)"), 4, normalization=normalization, transform=transform)  # type: ignore[arg-type]


def rows_of(panel: SeriesPanel) -> np.ndarray:
    return np.repeat(np.arange(len(panel)), panel.lengths)


def training(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values[start:end] for start, end in TRAIN])


@pytest.mark.parametrize("spec", [None, model()])
def test_training_rows_have_mean_0_and_deviation_1(spec: ModelSpec | None) -> None:
    scaler = Scaler.fit(TWO, TRAIN, spec)
    scaled = training(scaler.transform(TWO.values))
    assert not scaler.by_series
    np.testing.assert_allclose(scaled[:, :3].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled[:, :3].std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["series", "last"])
def test_each_series_may_be_scaled_by_itself(kind: str) -> None:
    scaler = Scaler.fit(TWO, TRAIN, model(kind))
    scaled = scaler.transform(TWO.values, rows_of(TWO))
    assert scaler.by_series
    for start, end in TRAIN:
        np.testing.assert_allclose(scaled[start:end, :2].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(scaled[start:end, :2].std(axis=0), 1, atol=1e-5)
    over_all = Scaler.fit(TWO, TRAIN)
    for own, together in ((scaler.mean, over_all.mean), (scaler.scale, over_all.scale)):
        np.testing.assert_array_equal(own[:, 2:], together[:, 2:].repeat(2, axis=0), err_msg="covariates have none")


def test_a_series_without_training_rows_has_the_scale_of_all() -> None:
    train = np.array([[0, 50], [60, 60]])
    scaler, over_all = Scaler.fit(TWO, train, model("series")), Scaler.fit(TWO, train)
    np.testing.assert_array_equal(scaler.mean[1], over_all.mean[0])
    np.testing.assert_array_equal(scaler.scale[1], over_all.scale[0])
    single = Scaler.fit(make_panel((50,)), np.array([[0, 50]]), model("series"))
    assert not single.by_series, "one series is all series"


def test_what_looks_at_each_window_itself_keeps_0_where_it_is() -> None:
    sizes = np.abs(training(TWO.values)[:, :2]).mean(axis=0)
    window, mean = (Scaler.fit(TWO, TRAIN, model(kind)) for kind in ("window", "mean"))
    for scaler in (window, mean):
        assert (scaler.mean[0, :2] == 0).all()
        assert scaler.mean[0, 2] != 0
    np.testing.assert_allclose(window.scale[0, :2], training(TWO.values)[:, :2].std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(mean.scale[0, :2], sizes, rtol=1e-5)


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_with_differences_the_scale_is_their_root_mean_square(kind: str) -> None:
    for transform in ("difference", "log_difference"):
        scaler = Scaler.fit(TWO, TRAIN, model(kind, transform))
        values = TWO.values[:, :2].astype(float)
        changes = [
            np.diff((np.log(values) if "log" in transform else values)[start:end], axis=0) for start, end in TRAIN
        ]
        parts = changes if scaler.by_series else [np.concatenate(changes)]
        expected = [np.sqrt((part**2).mean(axis=0)) for part in parts]
        np.testing.assert_allclose(scaler.scale[:, :2], expected, rtol=1e-5)
        assert (scaler.mean[:, :2] == 0).all()


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_targets_come_back_in_original_units(kind: str) -> None:
    for transform in TRANSFORMS:
        scaler = Scaler.fit(TWO, TRAIN, model(kind, transform))
        windows = np.array([[3, 4, 5], [70, 71, 72]])
        scaled = scaler.transform(TWO.values, rows_of(TWO))[windows, :2]
        expected = TWO.values[windows, :2]
        np.testing.assert_allclose(scaler.inverse_targets(scaled, np.array([0, 1])), expected, rtol=1e-5)
        quantiles = np.repeat(scaled[..., None], 3, axis=-1)
        restored = scaler.inverse_targets(quantiles, np.array([0, 1]))
        np.testing.assert_allclose(restored, np.repeat(expected[..., None], 3, axis=-1), rtol=1e-5)


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_rows_outside_the_training_part_change_nothing(kind: str) -> None:
    for transform in TRANSFORMS:
        values = TWO.values.copy()
        values[50:60], values[85:] = 1e9, np.nan
        before = Scaler.fit(TWO, TRAIN, model(kind, transform))
        after = Scaler.fit(replace(TWO, values=values), TRAIN, model(kind, transform))
        assert before.to_dict() == after.to_dict()


def test_names_pass_as_they_are() -> None:
    scaler = Scaler.fit(TWO, TRAIN, model("series"))
    np.testing.assert_array_equal(scaler.transform(TWO.values, rows_of(TWO))[:, -1], TWO.values[:, -1])
    static = scaler.transform_static(TWO.static)
    np.testing.assert_array_equal(static[:, 1], TWO.static[:, 1])
    np.testing.assert_allclose(static[:, 0], [1, -1] if TWO.static[0, 0] > TWO.static[1, 0] else [-1, 1], atol=1e-5)


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_a_constant_target_is_not_blown_up_and_a_covariate_that_was_constant_is_ignored(kind: str) -> None:
    panel = make_panel((10,), targets=1, past=1)
    panel.values[:] = 7.1
    scaler = Scaler.fit(panel, np.array([[0, 10]]), model(kind))
    scaled = scaler.transform(panel.values)
    np.testing.assert_allclose(scaled[:, 1], 0, atol=1e-6)
    panel.values[:, 1] = 1e6
    np.testing.assert_allclose(scaler.transform(panel.values)[:, 1], 0, atol=1e-6)
    assert np.abs(scaled[:, 0]).max() <= 7.1 + 1e-6


@pytest.mark.parametrize("value", [0.0, -2.0])
def test_what_has_no_logarithm_counts_as_the_smallest_value_and_a_stored_scaler_refuses_it(value: float) -> None:
    panel = make_panel((20,))
    scaler = Scaler.fit(panel, np.array([[0, 20]]), model(transform="log"))
    wrong = panel.values.copy()
    wrong[3, 0] = value
    smallest = wrong.copy()
    smallest[3, 0] = panel.values[:, 0].min()
    np.testing.assert_array_equal(scaler.transform(wrong), scaler.transform(smallest))
    stored = Scaler.from_dict(scaler.to_dict())
    for refuses in (stored.transform, stored.check):
        with pytest.raises(DataError, match=rf"has the value {value:g}, but only numbers above 0 have logarithms"):
            refuses(wrong)
    fitted = Scaler.fit(replace(panel, values=wrong), np.array([[0, 20]]), model(transform="log"))
    expected = np.where(wrong > 0, wrong, wrong[wrong > 0].min())
    np.testing.assert_allclose(fitted.mean[0, 0], np.log(expected[:, 0]).mean(), rtol=1e-6)
    with pytest.raises(DataError, match="a target has no value above 0 in the training part"):
        Scaler.fit(replace(panel, values=-np.abs(wrong)), np.array([[0, 20]]), model(transform="log"))


def test_covariates_need_no_logarithm() -> None:
    panel = make_panel((20,), past=1)
    panel.values[:, 1] -= 20
    scaler = Scaler.fit(panel, np.array([[0, 20]]), model(transform="log"))
    np.testing.assert_allclose(scaler.transform(panel.values)[:, 1].mean(), 0, atol=1e-5)


def test_a_series_must_be_named_where_each_has_its_own_scale() -> None:
    scaler = Scaler.fit(TWO, TRAIN, model("series"))
    with pytest.raises(SpecError, match="the number of every row's series must be given"):
        scaler.transform(TWO.values)


@pytest.mark.parametrize("spec", [None, model("series", "log"), model("mean")])
def test_a_scaler_survives_json(spec: ModelSpec | None) -> None:
    scaler = Scaler.fit(TWO, TRAIN, spec)
    again: Any = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    for name in ("mean", "scale", "static_mean", "static_scale"):
        assert np.array_equal(getattr(again, name), getattr(scaler, name))
        assert getattr(again, name).dtype == np.float32
    assert (again.n_targets, again.log) == (2, scaler.log)
