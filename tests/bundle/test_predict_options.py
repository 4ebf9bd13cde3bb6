"""Other levels, sample paths and shorter horizons of exported models, saved and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import forecast_bundles as forecasts
from helpers import sequence_bundles as sequences

from lstmgru.bundle import ForecastBundle, load_bundle
from lstmgru.errors import BundleError, DataError
from lstmgru.evaluation.intervals import calibrate
from lstmgru.runtime.forecasting.conformal import quantile_forecast
from lstmgru.runtime.forecasting.predictive import PredictiveDistribution
from lstmgru.specs import ForecastSpec

TARGETS = 2
ERRORS = 3 * np.random.default_rng(5).standard_normal((60, forecasts.HORIZON, TARGETS)).astype(np.float32)
"""Of a backtest, around forecasts of 0."""


def shops() -> pd.DataFrame:
    return forecasts.rich_table()


def model(**settings: Any) -> ForecastBundle:
    """A model whose intervals and normal scores come from these errors."""
    calibration = calibrate([np.abs(ERRORS)], forecasts.FORECAST.levels)
    quantiles = quantile_forecast(calibration, np.zeros_like(ERRORS), np.ones((60, TARGETS), np.float32))
    scores = PredictiveDistribution(calibration).scored(ERRORS, quantiles)
    values = {"calibration": calibration, "normal_scores": scores, **settings}
    return forecasts.bundle_of(forecasts.rich_panel(shops()), **values)


def test_levels_of_the_model_are_the_same_among_others() -> None:
    table, usual = model().predict(shops(), levels=(0.95, 0.5, 0.8)), model().predict(shops())

    assert list(table)[4:] == [f"{end}_{level}" for level in (50, 80, 95) for end in ("lower", "upper")]
    pd.testing.assert_frame_equal(table[list(usual)], usual)
    assert (table["lower_80"] <= table["lower_50"]).all()
    assert (table["lower_50"] <= table["forecast"]).all()
    assert (table["upper_50"] <= table["upper_80"]).all()
    assert list(model().predict(shops(), levels=())) == ["shop", "day", "target", "forecast"]
    assert "upper_97.5" in model().predict(shops(), levels=(0.975,))


@pytest.mark.parametrize("level", [0.3, 0.5, 0.9, 0.98])
def test_a_level_reaches_as_far_as_the_errors_of_the_backtest(level: float) -> None:
    table = model().predict(shops(), levels=(level,))
    offsets = np.sort(np.abs(ERRORS), axis=0)[int(np.ceil(61 * level - 1e-9)) - 1]
    for end, sign in (("lower", -1), ("upper", 1)):
        reach = sign * (table[f"{end}_{100 * level:g}"] - table["forecast"]).to_numpy()
        np.testing.assert_allclose(reach.reshape(3, forecasts.HORIZON, TARGETS), offsets[None].repeat(3, 0), rtol=1e-4)


def test_a_shorter_horizon_is_the_first_steps_and_needs_their_covariates_only() -> None:
    whole, frame = model().predict(shops()), shops()
    first = whole[whole.groupby(["shop", "target"]).cumcount() < 2].reset_index(drop=True)

    pd.testing.assert_frame_equal(model().predict(frame, horizon=2), first)
    known = frame[frame.groupby("shop").cumcount() < 26]  # the covariates of two of three steps
    with pytest.raises(DataError, match="'price' is not known at 2020-04-15 of series 'a'; add 3 rows"):
        model().predict(known)
    pd.testing.assert_frame_equal(model().predict(known, horizon=2), first)
    with pytest.raises(DataError, match="'price' is not known at 2020-04-14 of series 'a'; add 2 rows"):
        model().predict(frame[frame.groupby("shop").cumcount() < 25], horizon=2)


def test_a_level_beyond_those_of_the_model_stays_within_the_bounds() -> None:
    bounded = ForecastSpec(forecasts.HORIZON, 2, "rmse", minimum=(21, None), maximum=(None, 23.5))
    table = model(forecast=bounded).predict(shops(), levels=(0.98,))
    first, second = (table[table["target"] == name] for name in ("sales 0", "sales 1"))
    assert first["lower_98"].min() == 21 < first["upper_98"].min()
    assert second["upper_98"].max() == 23.5 > second["lower_98"].max()


def test_sample_paths_are_a_long_table_within_the_bounds() -> None:
    bounded = ForecastSpec(forecasts.HORIZON, 2, "rmse", minimum=(21, None), maximum=(None, 23.5))
    paths = model(forecast=bounded).sample(shops(), 200, seed=4)

    assert list(paths) == ["shop", "day", "target", "sample", "value"]
    assert len(paths) == 3 * 200 * forecasts.HORIZON * TARGETS
    assert paths["sample"].unique().tolist() == list(range(1, 201))
    first, second = (paths.loc[paths["target"] == name, "value"] for name in ("sales 0", "sales 1"))
    assert first.min() == 21
    assert second.max() == 23.5
    again = model(forecast=bounded).sample(shops(), 200, seed=4)
    pd.testing.assert_frame_equal(again, paths)
    one = model(forecast=bounded).sample(shops()[shops()["shop"] == "b"], 200, seed=4, horizon=1)
    same = paths[(paths["shop"] == "b") & (paths["day"] == paths["day"].min())].reset_index(drop=True)
    pd.testing.assert_frame_equal(one, same)


def test_as_many_paths_are_below_an_end_of_an_interval_as_its_level_says() -> None:
    keys = ["shop", "day", "target"]
    paths = model().sample(shops(), 4000)
    table = model().predict(shops(), levels=(0.5, 0.8, 0.95))
    both = paths.merge(table, on=keys)
    for level in (0.5, 0.8, 0.95):
        for end, share in (("lower", (1 - level) / 2), ("upper", (1 + level) / 2)):
            below = (both["value"] <= both[f"{end}_{100 * level:g}"]).groupby([both[key] for key in keys]).mean()
            assert below.to_numpy() == pytest.approx(share, abs=0.035)


@pytest.mark.parametrize("loaded", [False, True])
def test_what_a_model_does_not_support_is_one_line(tmp_path: Path, loaded: bool) -> None:
    bundle, old = model(), model(normal_scores=None)
    if loaded:
        bundle, old = (load_bundle(forecasts.save(tmp_path / name, each)) for name, each in (("a", bundle), ("b", old)))
    for arguments, message in [
        ({"horizon": 4}, r"^the horizon must be from 1 to 3 .* but got 4; .* forecast\.horizon 4$"),
        ({"horizon": 0}, r"^the horizon must be from 1 to 3 \(the trained horizon\) but got 0$"),
        ({"levels": (0.999,)}, r"level 0\.999 needs 999 errors .* there are 180 \(60 forecasts of 3 steps\)"),
        ({"levels": (1.5,)}, "between 0 and 1 but got 1.5"),
    ]:
        with pytest.raises(DataError, match=message) as caught:
            bundle.predict(shops(), **arguments)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="at least 1 but got 0"):
        bundle.sample(shops(), 0)
    assert "upper_80" in old.predict(shops(), levels=(0.8,))
    with pytest.raises(DataError, match=r"of the levels 0\.8, 0\.95 but not of 0\.5"):
        old.predict(shops(), levels=(0.5,))
    with pytest.raises(DataError, match="has no sample paths"):
        old.sample(shops(), 3)
    with pytest.raises(DataError, match="has no prediction intervals"):
        model(calibration=None, normal_scores=None).sample(shops(), 3)


@pytest.mark.parametrize("arguments", [{"levels": 0.5}, {"levels": "0.5"}, {"levels": ["a"]}, {"levels": {0.5: 1}}])
def test_levels_are_a_list_of_numbers(arguments: dict[str, Any]) -> None:
    for predict in (model().predict, model().predict_available):
        with pytest.raises(
            DataError, match=r"^levels must be a list of numbers between 0 and 1, such as \[0\.5, 0\.9\]"
        ):
            predict(shops(), **arguments)


def test_numbers_are_whole_and_numpy_has_them_too() -> None:
    for horizon in ("3", 2.0, True):
        with pytest.raises(DataError, match=f"^the horizon must be a whole number but got {horizon!r}$"):
            model().predict(shops(), horizon=horizon)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(DataError, match=r"^the number of sample paths must be a whole number but got 1\.5$"):
        model().sample(shops(), 1.5)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(DataError, match=r"^the seed must be a whole number from 0 but got -1$"):
        model().sample(shops(), 2, seed=-1)
    found = model().predict(shops(), levels=np.array([0.8], np.float32), horizon=np.int64(2))  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(found, model().predict(shops(), levels=[0.8], horizon=2))


@pytest.mark.parametrize("kind", ["forecasts", *sequences.KINDS])
def test_what_is_no_table_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    frame, bundle = (shops(), model()) if kind == "forecasts" else sequences.made(kind)
    path = tmp_path / "new.csv"
    for data, message in [
        (str(path), r"; read a file with \.read_table\('.*new\.csv'\)$"),
        (path, r"; read a file with \.read_table\('.*new\.csv'\)$"),
        ({"a": [1]}, "but got a dict; pass a pandas.DataFrame$"),
        (None, "but got a NoneType; pass a pandas.DataFrame$"),
    ]:
        for predict in (bundle.predict, bundle.predict_available):
            with pytest.raises(DataError, match=f"^the model predicts from .*{message}"):
                predict(data)
    frame.to_csv(path, index=False)
    assert len(bundle.predict_available(bundle.read_table(str(path))).table)


def test_more_sample_paths_than_fit_into_a_table_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"are 6,000,000,000 rows \(about 240 GB\).*; ask for up to 8,333,333 with each"
    ):
        model().sample(shops(), 10**9)
    with pytest.raises(DataError, match=r"paths of 3 series are 90,000,000 rows .*; sample fewer series at once$"):
        model().sample(shops(), 5_000_000)


def test_models_of_labels_have_none_of_it() -> None:
    frame, bundle = sequences.made("words")
    with pytest.raises(DataError, match="levels are for forecasts, but the model predicts labels; remove them"):
        bundle.predict(frame, levels=(0.5,))
    with pytest.raises(DataError, match=r"^a horizon is for forecasts, but the model predicts labels; remove it$"):
        bundle.predict_available(frame, horizon=2)


def test_the_errors_of_the_backtest_are_saved_with_the_model(tmp_path: Path) -> None:
    folder = forecasts.save(tmp_path / "a", model())
    pd.testing.assert_frame_equal(load_bundle(folder).sample(shops(), 5), model().sample(shops(), 5), rtol=1e-5)
    assert not (forecasts.save(tmp_path / "b", model(normal_scores=None)) / "normal_scores.npy").exists()
    content = (folder / "normal_scores.npy").read_bytes()
    (folder / "normal_scores.npy").write_bytes(content[:-4] + b"\0\0\0\0")
    with pytest.raises(BundleError, match=r"normal_scores\.npy is not the file that manifest\.json describes"):
        load_bundle(folder)
