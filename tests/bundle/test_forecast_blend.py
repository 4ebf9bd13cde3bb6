"""A blend forecasts the weighted sum of its members, whatever each of them reads."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.blends import baseline_member, blend_of
from helpers.bundle_files import check_that_it_is_refused, edit, replace_weights
from helpers.combinations import each_row
from helpers.forecast_bundles import (
    HORIZON,
    bundle_of,
    calibration_of,
    member_of,
    model_of,
    panel_of,
    rich_panel,
    rich_table,
    save,
    table,
)
from helpers.onnx_models import run
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from lstmgru.bundle import ForecastBundle, load_bundle, save_bundle
from lstmgru.data.forecasting.arrays import WindowArrays, window_arrays
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.windows import panel_scale
from lstmgru.errors import BundleError, DataError, SpecError
from lstmgru.runtime.forecasting import conformal


def by_hand(bundle: ForecastBundle, panel: SeriesPanel, cutoffs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(windows, H, Y, Q) the weighted sum of what the training code forecasts."""
    from lstmgru.evaluation.forecast_baselines import forecaster
    from lstmgru.training.fit_forecasts import predict

    total = np.zeros((len(cutoffs), HORIZON, panel.n_targets, len(bundle.forecast.quantiles)))
    for member in bundle.members:
        if member in bundle.networks:
            forecast = predict(member.network, member.scaler, panel, cutoffs, bundle.forecast)
        else:
            forecast = forecaster(panel, member.baseline)(cutoffs)
        total += member.weight * forecast.reshape(*total.shape[:3], -1)
    return total.astype(np.float32)


def arrays_of(windows: WindowArrays) -> dict[str, Any]:
    return {name: getattr(windows, name) for name in ("past", "future", "static", "series", "lengths")}


@pytest.mark.parametrize(
    ("short_series", "baselines"),
    [("error", None), ("pad", None), ("error", {"theta": 0.5, "naive": 0.1}), ("pad", {})],
)
def test_a_blend_forecasts_the_weighted_sum(short_series: Any, baselines: dict[str, float] | None) -> None:
    panel, calibration = rich_panel(rich_table(40)), calibration_of(2)
    bundle = blend_of(panel, baselines=baselines, short_series=short_series, calibration=calibration)
    assert bundle.required_rows == (1 if short_series == "pad" else 6)
    cutoffs = np.array([bundle.required_rows, 7, 9, 33, 46, 90])
    windows = window_arrays(panel, cutoffs, context_length=bundle.context_length, horizon=HORIZON)
    quantiles = bundle.quantile_array(**arrays_of(windows))
    expected = by_hand(bundle, panel, cutoffs)
    scale = panel_scale(panel, cutoffs, context_length=bundle.context_length, season_length=calibration.season_length)
    np.testing.assert_allclose(quantiles, conformal.quantile_forecast(calibration, expected, scale), rtol=5e-5)
    np.testing.assert_allclose(bundle.forecast_array(**arrays_of(windows)), expected[..., 2], rtol=2e-5)


def test_points_alone_make_no_quantiles() -> None:
    frame = rich_table(30)
    panel, calibration = rich_panel(frame), calibration_of(2)
    members = (
        member_of(panel, weight=0.75),
        baseline_member(panel, "linear", weight=0.25),
    )
    bundle = bundle_of(panel, members=members, calibration=calibration)
    point, *bounds = (bundle.predict(frame)[name] for name in ("forecast", "lower_80", "upper_80"))
    np.testing.assert_allclose(bounds[0] + bounds[1], 2 * point, rtol=1e-5, err_msg="a point is in the middle")


def test_the_table_of_a_blend_reads_the_longest_context_and_asks_for_what_the_networks_need() -> None:
    frame = table(40, shops=("a", "b"))
    bundle = blend_of(panel_of(frame), baselines={"theta": 0.5})
    assert (bundle.context_length, bundle.required_rows) == (40, 6)
    short = frame[(frame["shop"] == "a") | (frame["day"] >= "2020-04-21")]
    forecasts = bundle.predict(short)
    assert forecasts["forecast"].notna().all()
    whole = bundle.predict(frame)
    same = (forecasts == whole).all(axis=1)
    assert same[forecasts["shop"] == "a"].all()
    assert not same[forecasts["shop"] == "b"].any(), "theta reads the rows that are left out"
    with pytest.raises(DataError, match=r"series 'b' has 5 rows up to its last value .* but the model reads 6; add"):
        bundle.predict(frame[(frame["shop"] == "a") | (frame["day"] >= "2020-04-24")])


def test_what_only_members_without_logarithms_read_may_be_zero() -> None:
    frame = table(24)
    panel = panel_of(frame)
    members = (
        member_of(panel, model_of(context_length=9, normalization="fold"), weight=0.5),
        member_of(panel, model_of(context_length=4, transform="log"), weight=0.5),
    )
    bundle = bundle_of(panel, members=members)
    frame.loc[len(frame) - 5, "sales 0"] = 0.0
    assert bundle.predict(frame)["forecast"].notna().all()
    frame.loc[len(frame) - 4, "sales 0"] = 0.0
    with pytest.raises(DataError, match=r"must be positive, .* but is 0 at 2020-04-09; correct it"):
        bundle.predict(frame)


def test_the_attention_is_that_of_the_heaviest_network_that_has_one() -> None:
    frame = table(24)
    panel = panel_of(frame)
    attending = [
        member_of(panel, model_of(context_length=length, pooling="additive"), seed=length, weight=weight)
        for length, weight in ((9, 0.2), (5, 0.3))
    ]
    bundle = bundle_of(panel, members=(member_of(panel, weight=0.5), *attending))
    expected = bundle_of(panel, members=(replace(attending[1], weight=1.0),)).attention(frame)
    pd.testing.assert_frame_equal(bundle.attention(frame), expected)
    baselines = bundle_of(panel, members=(baseline_member(panel, "naive", weight=1.0),))
    with pytest.raises(DataError, match=r"no attention to show: .* but this one is a blend without networks"):
        baselines.attention(frame)


@pytest.mark.parametrize("baselines", [{"linear": 0.25, "theta": 0.25}, {"seasonal_naive": 1.0}, {}])
def test_a_loaded_blend_is_the_saved_one(baselines: dict[str, float], tmp_path: Path) -> None:
    frame = rich_table(40)
    panel = rich_panel(frame)
    bundle = blend_of(panel, baselines=baselines, calibration=calibration_of(2))
    loaded = load_bundle(save(tmp_path / "blend.bundle", bundle))
    for name in ("kind", "title", "weight", "trial", "score", "n_parameters", "reads"):
        found, expected = ([getattr(member, name) for member in each.members] for each in (loaded, bundle))
        assert found == expected, name
    pd.testing.assert_frame_equal(loaded.predict(frame), bundle.predict(frame), check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("baselines", [{"linear": 0.2, "seasonal_naive": 0.1}, {"linear": 0.5, "naive": 0.5}])
def test_onnx_runtime_forecasts_what_the_bundle_forecasts(baselines: dict[str, float], tmp_path: Path) -> None:
    panel = rich_panel(rich_table(40))
    bundle = blend_of(panel, baselines=baselines, calibration=calibration_of(2))
    folder = save_bundle(tmp_path / "bundle", bundle).directory
    described = json.loads((folder / "bundle.json").read_text())["onnx"]
    assert max(batch["relative"] for batch in described["parity"]) < 1e-4
    cutoffs = np.array([7, 9, 33, 46, 90])
    windows = window_arrays(panel, cutoffs, context_length=bundle.context_length, horizon=HORIZON)
    inputs = {name: array for name, array in arrays_of(windows).items() if name in described["inputs"]}
    found = run(folder / "model.onnx", {name: torch.from_numpy(array) for name, array in inputs.items()})
    np.testing.assert_allclose(found["quantiles"], bundle.quantile_array(**arrays_of(windows)), rtol=2e-5)


def test_a_member_that_cannot_stand_in_onnx_is_named(tmp_path: Path) -> None:
    bundle = blend_of(panel_of(table(40)), baselines={"theta": 0.5})
    with pytest.raises(BundleError, match=r"^theta cannot stand in ONNX; NumPy computes it$"):
        save_bundle(tmp_path / "bundle", bundle)
    assert not (tmp_path / "bundle").exists()
    saved = save_bundle(tmp_path / "bundle", bundle, onnx="try")
    assert saved.onnx_problem is not None
    card = (saved.directory / "MODEL_CARD.md").read_text()
    assert f"- There is no ONNX model: {saved.onnx_problem}." in card


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blend of two networks, a linear model and the naive forecast, without ONNX."""
    bundle = blend_of(panel_of(table(shops=("a", "b"))), baselines={"linear": 0.25, "naive": 0.25})
    return save(tmp_path_factory.mktemp("models") / "shops.bundle", bundle)


def weights(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """A change of the arrays, with the true digest of the file."""

    def damage(folder: Path) -> None:
        arrays = load_tensors((folder / "weights.safetensors").read_bytes())
        change(arrays)
        replace_weights(save_tensors(arrays))(folder)

    return damage


COEFFICIENTS = "members.2.coefficients"


@each_row(
    ("damage", "match"),
    [
        (edit("members", to=[]), "which is of none of the 0 members"),
        (edit("members", to=None), "lacks 'members'"),
        (edit("members", 3, to=None), "weights of the members must be positive and have the sum 1 but"),
        (edit("members", 0, "weight", to=None), "lacks 'weight'"),
        (edit("members", 0, "weight", to="1"), "the weight of a member must be a number but is '1'"),
        (edit("members", 0, "weight", to=math.nan), "weights of the members must be positive and have the sum 1 but"),
        (edit("members", 0, "weight", to=-0.5), "weights of the members must be positive and have the sum 1 but"),
        (edit("members", 0, "weight", to=0.9), "weights of the members must be positive and have the sum 1 but"),
        (edit("members", 0, "score", to="best"), "the score of a member must be a number but is 'best'"),
        (edit("members", 0, "kind", to=None), "lacks 'kind'"),
        (edit("members", 2, "kind", to="lnear"), "kind of a member must be one of .*; did you mean 'linear'"),
        (edit("members", 2, "kind", to="network"), "lacks 'model'"),
        (edit("members", 0, "kind", to="naive"), "lacks 'arrays'"),
        (edit("members", 2, "state", to=None), "lacks 'state'"),
        (edit("members", 2, "state", to={}), "state of the member linear is invalid: it lacks '"),
        (edit("members", 2, "state", "design", "horizon", to=4), "member linear is invalid: cannot reshape"),
        (edit("members", 3, "state", "horizon", to=4), r"member naive must predict \[1, 3, 1\] finite numbers but"),
        (edit("members", 3, "state", "context_length", to=10**12), "context_length must be a whole number from 1"),
        (edit("members", 2, "arrays", "coefficients", to=None), "be missing in weights.safetensors but is float32"),
        (weights(lambda arrays: arrays.pop(COEFFICIENTS)), r"must be float32\[60, 3\] .* but is missing"),
        (weights(lambda arrays: arrays.update({COEFFICIENTS: torch.ones(2)})), r"must be float32.*but is float32\[2\]"),
        (weights(lambda arrays: arrays[COEFFICIENTS].fill_(math.nan)), "coefficients of .* linear holds numbers"),
        (
            weights(lambda arrays: arrays["members.1.decoder.head.1.bias"].fill_(math.nan)),
            "weights.safetensors holds numbers that are NaN or infinite, in members.1.decoder.head.1.bias",
        ),
        (weights(lambda arrays: arrays.pop("members.1.decoder.head.1.bias")), "head.1.bias is missing but must"),
        (weights(lambda arrays: arrays.update(extra=torch.ones(2))), "holds extra, which is of none of the 4"),
        (
            weights(lambda arrays: arrays.update({"members.9.a": torch.ones(2)})),
            "holds members.9.a, which is of none of the 4 members",
        ),
    ],
)  # fmt: skip
def test_a_damaged_blend_is_refused_in_one_line(
    saved: Path, damage: Callable[[Path], None], match: str, tmp_path: Path
) -> None:
    check_that_it_is_refused(saved, tmp_path, damage, match)


@each_row("threshold", [math.nan, -math.inf, math.inf])
def test_trees_whose_thresholds_are_no_numbers_are_refused(threshold: float, tmp_path: Path) -> None:
    bundle = blend_of(panel_of(table(shops=("a", "b"))), baselines={"trees": 0.5})
    folder = save(tmp_path / "shops.bundle", bundle)
    load_bundle(folder)
    weights(lambda arrays: arrays["members.2.threshold"].fill_(threshold))(folder)
    with pytest.raises(BundleError, match="threshold of the member trees holds numbers that are NaN or infinite"):
        load_bundle(folder)


def test_members_of_other_data_are_refused() -> None:
    panel = panel_of(table(shops=("a", "b")))
    other = member_of(panel_of(table(shops=("a", "b", "c"))), weight=0.5)
    with pytest.raises(SpecError, match="the inputs of the network must be"):
        bundle_of(panel, members=(member_of(panel, weight=0.5), other))
    with pytest.raises(SpecError, match="a bundle must have at least one member but has none"):
        bundle_of(panel, members=())
