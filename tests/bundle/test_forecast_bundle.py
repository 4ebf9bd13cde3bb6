"""A bundle forecasts what the trained model forecast, from a raw table, and says what it cannot forecast from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.forecast_bundles import (
    CONTEXT,
    HORIZON,
    bundle_of,
    calibration_of,
    model_of,
    panel_of,
    rich_panel,
    rich_table,
    save,
    table,
)
from helpers.panels import make_panel

from lstmgru.bundle import load_bundle
from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.calendar import calendar_values, channel_features
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.windows import window_scale
from lstmgru.errors import DataError
from lstmgru.runtime.forecasting import conformal
from lstmgru.specs import ForecastSpec, TrainSpec
from lstmgru.specs.calibration import Calibration


@pytest.mark.parametrize(
    ("spec", "settings"),
    [
        ({}, {}),
        ({"normalization": "fold", "transform": "difference"}, {"short_series": "pad"}),
        ({"normalization": "series", "transform": "log", "channels": "independent"}, {"short_series": "pad"}),
        ({"normalization": "window", "series_embedding": 2, "segment_length": 4}, {"short_series": "pad"}),
        ({"normalization": "mean", "transform": "log_difference", "pooling": "additive"}, {
            "train_spec": TrainSpec(loss="quantile"),
        }),
    ],
)  # fmt: skip
def test_a_bundle_forecasts_what_the_training_code_forecasts(spec: dict[str, Any], settings: dict[str, Any]) -> None:
    from lstmgru.training.fit_forecasts import point_forecast, predict

    panel = rich_panel(rich_table(40))
    bundle = bundle_of(panel, model_of(**spec), **settings)
    cutoffs = np.array([6, 20, 33, 43, 70, 104])
    if settings.get("short_series") == "pad":
        cutoffs = np.array([1, 3, 20, 38, 39, 80])
    series = np.searchsorted(panel.offsets, cutoffs - 1, side="right") - 1
    lengths = np.minimum(cutoffs - panel.offsets[series], CONTEXT)
    past = np.zeros((len(cutoffs), CONTEXT, len(panel.channels)), np.float32)
    for window, (cutoff, length) in enumerate(zip(cutoffs, lengths, strict=True)):
        past[window, CONTEXT - length :] = panel.values[cutoff - length : cutoff]
    future = panel.values[cutoffs[:, None] + np.arange(HORIZON)][..., -panel.n_future :]
    forecast = bundle.forecast_array(
        past, future, static=panel.static[series], series=series + 1, lengths=lengths.astype(np.int64)
    )
    expected = predict(bundle.networks[0].network, bundle.networks[0].scaler, panel, cutoffs, bundle.forecast)
    assert forecast.shape == (6, HORIZON, 2)
    np.testing.assert_allclose(forecast, point_forecast(expected), rtol=2e-5)


@pytest.mark.parametrize(
    "settings",
    [{"short_series": "pad"}, {"train_spec": TrainSpec(loss="quantile")}],
    ids=["of a point forecast", "of quantiles"],
)
def test_intervals_are_those_of_the_backtest_around_the_forecast(settings: dict[str, Any]) -> None:
    from lstmgru.training.fit_forecasts import point_forecast, predict

    frame = rich_table(30, ahead=0)
    panel, calibration = rich_panel(frame), calibration_of(2)
    bundle = bundle_of(panel, calibration=calibration, **settings)
    forecasts = bundle.predict(without_end(frame))
    assert list(forecasts.columns) == [
        "shop", "day", "target", "forecast", "lower_80", "upper_80", "lower_95", "upper_95",
    ]  # fmt: skip
    cutoffs = panel.offsets[1:] - HORIZON
    context = panel.values[cutoffs[:, None] + np.arange(-CONTEXT, 0)]
    predicted = predict(bundle.networks[0].network, bundle.networks[0].scaler, panel, cutoffs, bundle.forecast)
    plain = predicted if predicted.shape[-1] > 1 else point_forecast(predicted)
    lower, upper = conformal.apply(calibration, plain, window_scale(context[..., :2], calibration.season_length))
    np.testing.assert_allclose(forecasts["forecast"], point_forecast(predicted).ravel(), rtol=2e-5)
    for level, name in enumerate(("80", "95")):
        np.testing.assert_allclose(forecasts[f"lower_{name}"], lower[level].ravel(), rtol=2e-5)
        np.testing.assert_allclose(forecasts[f"upper_{name}"], upper[level].ravel(), rtol=2e-5)


def without_end(frame: pd.DataFrame) -> pd.DataFrame:
    """The last rows of each shop with nothing but what is known ahead."""
    ahead = frame.groupby("shop").cumcount(ascending=False) < HORIZON
    return frame.assign(**{column: frame[column].mask(ahead) for column in ("sales 0", "sales 1", "visits")})


def test_a_level_without_an_interval_has_no_columns() -> None:
    frame = table()
    bundle = bundle_of(panel_of(frame), calibration=calibration_of(missing=True))
    assert bundle.levels == (0.8,)
    assert list(bundle.predict(frame).columns) == ["day", "target", "forecast", "lower_80", "upper_80"]
    assert bundle.predict(frame).notna().all(axis=None)


@pytest.mark.parametrize(
    ("levels", "names"),
    [((0.5,), ["50"]), ((0.9, 0.975), ["90", "97.5"]), ((0.55, 0.999), ["55", "99.9"]), ((), [])],
)
def test_the_columns_of_intervals_are_named_for_their_levels(levels: tuple[float, ...], names: list[str]) -> None:
    frame = table()
    offsets = np.ones((len(levels), HORIZON, 1), np.float32)
    bundle = bundle_of(
        panel_of(frame),
        forecast=ForecastSpec(HORIZON, levels=levels),
        calibration=Calibration(levels, offsets, False, 1, 9),
    )
    ends = [f"{end}_{name}" for name in names for end in ("lower", "upper")]
    assert list(bundle.predict(frame).columns) == ["day", "target", "forecast", *ends]


def test_a_model_without_a_calibration_has_no_intervals() -> None:
    panel = panel_of(table())
    bundle = bundle_of(panel)
    assert bundle.levels == ()
    with pytest.raises(DataError, match=r"the model has no prediction intervals: .*; train one with more folds"):
        bundle.quantile_array(panel.values[None, -CONTEXT:], panel_future(panel))


def test_quantiles_from_arrays_are_the_intervals_of_the_table() -> None:
    frame = table()
    panel = panel_of(frame)
    bundle = bundle_of(panel, calibration=calibration_of())
    arrays = panel.values[None, -CONTEXT:], panel_future(panel)
    quantiles, forecasts = bundle.quantile_array(*arrays), bundle.predict(frame)
    columns = ["lower_95", "lower_80", "forecast", "upper_80", "upper_95"]
    np.testing.assert_allclose(quantiles[0, :, 0], forecasts[columns], rtol=1e-5)
    assert quantiles.shape == (1, HORIZON, 1, len(bundle.forecast.quantiles))


def panel_future(panel: SeriesPanel) -> Any:
    """What is known of the horizon after the only series: the calendar."""
    days = panel.times[-1] + np.arange(1, HORIZON + 1) * np.timedelta64(1, "D")
    return calendar_values(days, channel_features(panel.schema.calendar))[None]


@pytest.mark.parametrize(
    ("spec", "keeps"),
    [
        ({"normalization": "last"}, r"a scale \(normalization last\)"),
        ({"normalization": "series"}, r"a scale \(normalization series\)"),
        ({"normalization": "fold", "series_embedding": 2}, "an embedding"),
    ],
)
def test_a_model_that_keeps_numbers_for_its_series_refuses_others(spec: dict[str, Any], keeps: str) -> None:
    bundle = bundle_of(panel_of(table(shops=("north", "south"))), model_of(**spec))
    match = (
        rf"^new.csv: the model has {keeps} for each training series, and 'sooth' is not one of them; did you "
        r"mean 'south'\? \(series: north, south\); remove it, or train with space.normalization fold, window or "
        "mean and space.series_embedding 0$"
    )
    with pytest.raises(DataError, match=match):
        bundle.predict(table(shops=("north", "sooth")), source="new.csv")


@pytest.mark.parametrize("normalization", ["fold", "window", "mean"])
def test_any_other_model_forecasts_series_that_it_never_saw(normalization: str) -> None:
    bundle = bundle_of(panel_of(table(shops=("a", "b"))), model_of(normalization=normalization))
    known = bundle.predict(table(shops=("a", "b")))
    other = bundle.predict(table(shops=("x", "y")))
    pd.testing.assert_frame_equal(known.drop(columns="shop"), other.drop(columns="shop"))


def test_series_are_told_apart_by_their_names_and_not_by_their_order() -> None:
    frame = table(shops=("a", "b", "c"))
    frame["sales 0"] += frame["shop"].map({"a": 0, "b": 100, "c": 1000})
    bundle = bundle_of(panel_of(frame), model_of(normalization="series", series_embedding=2))
    whole = bundle.predict(frame).set_index("shop")["forecast"]
    part = bundle.predict(frame[frame["shop"] != "a"]).set_index("shop")["forecast"]
    np.testing.assert_allclose(part, whole.drop("a"), rtol=1e-5)
    assert whole["c"].min() > 500 > whole["a"].max()


def test_a_name_that_the_model_does_not_know_is_forecast_as_unknown() -> None:
    frame = without_end(rich_table(30, ahead=0))
    bundle = bundle_of(rich_panel(frame))
    first, second, known = (
        bundle.predict(frame.assign(weather=frame["weather"].replace("sun", name))) for name in ("fog", "hail", "rain")
    )
    pd.testing.assert_frame_equal(first, second)
    assert (first["forecast"] != known["forecast"]).any()
    assert first["forecast"].notna().all()


@pytest.mark.parametrize("value", [0.0, -2.5])
@pytest.mark.parametrize(
    ("shops", "times", "place"),
    [
        ((), None, "2020-04-10"),
        (("a", "b"), None, r"2020-04-10 of series 'b'"),
        ((), np.arange(0, 48, 2), "42"),
    ],
)
def test_what_has_no_logarithm_is_refused_where_the_model_takes_it(
    value: float, shops: tuple[str, ...], times: Any, place: str
) -> None:
    frame = table(shops=shops, times=times).sort_values([*(["shop"] if shops else []), "day"], ignore_index=True)
    bundle = bundle_of(panel_of(frame), model_of(transform="log"))
    frame.loc[len(frame) - 3, "sales 0"] = value
    match = (
        rf"^new.csv: column 'sales 0' must be positive, as the model takes logarithms \(transform log\), but is "
        rf"{value:g} at {place}; correct it, or train with space.transform none or difference$"
    )
    with pytest.raises(DataError, match=match):
        bundle.predict(frame, source="new.csv")
    old = frame.copy()
    old.loc[:, "sales 0"] = old["sales 0"].where(old["sales 0"] > 0, 1)
    old.loc[0, "sales 0"] = value
    assert bundle.predict(old)["forecast"].gt(0).all(), "what it does not read may be anything"


def test_short_series_are_padded_as_in_training() -> None:
    frame = table(shops=("a", "b"))
    short = frame[(frame["shop"] == "a") | (frame["day"] >= "2020-04-09")]
    assert (short["shop"] == "b").sum() == 4
    with pytest.raises(DataError, match="series 'b' has 4 rows up to its last value"):
        bundle_of(panel_of(frame)).predict(short)
    bundle = bundle_of(panel_of(frame), model_of(transform="log"), short_series="pad", calibration=calibration_of())
    forecasts, whole = bundle.predict(short), bundle.predict(frame)
    assert forecasts.notna().all(axis=None)
    same = (forecasts == whole).all(axis=1)
    assert same[forecasts["shop"] == "a"].all()
    assert not same[forecasts["shop"] == "b"].any()


def test_many_windows_are_forecast_as_one_by_one() -> None:
    bundle = bundle_of(make_panel((40,), future=1))
    generator = np.random.default_rng(0)
    past = generator.random((1030, CONTEXT, 2), np.float32)
    future = generator.random((1030, HORIZON, 1), np.float32)
    together = bundle.forecast_array(past, future)
    for index in (0, 1023, 1024, 1029):
        alone = bundle.forecast_array(past[index : index + 1], future[index : index + 1])[0]
        np.testing.assert_allclose(together[index], alone, rtol=1e-4, atol=1e-5)
    assert bundle.forecast_array(past[:0], future[:0]).shape == (0, HORIZON, 1)


def test_windows_of_a_later_table_have_the_codes_of_the_model() -> None:
    """Its first name is one that the model does not know."""
    bundle = bundle_of(rich_panel(rich_table(40)))
    frame = rich_table(40, ahead=0).replace({"weather": {"rain": "hail"}})
    row = frame.groupby("shop").cumcount()
    table = frame[row < 30 + HORIZON].copy()
    table.loc[row >= 30, ["sales 0", "sales 1", "visits"]] = np.nan

    panel = rich_panel(frame)
    found, _ = bundle.forecast_windows(panel, panel.offsets[:-1] + 30)

    assert panel.schema.categories["weather"][0] == "hail"
    np.testing.assert_allclose(found.ravel(), bundle.predict(table)["forecast"], rtol=1e-5)


def test_dropout_is_off_whatever_the_network_was_last_used_for() -> None:
    panel = make_panel((40,))
    bundle = bundle_of(panel)
    bundle.networks[0].network.train()
    past, future = panel.values[None, :CONTEXT], np.zeros((1, HORIZON, 0), np.float32)
    np.testing.assert_array_equal(bundle.forecast_array(past, future), bundle.forecast_array(past, future))


ARRAYS: dict[str, tuple[int, ...]] = {
    "past": (2, CONTEXT, 5), "future": (2, HORIZON, 2), "static": (2, 2), "series": (2,), "lengths": (2,),
}  # fmt: skip


@each_row(
    ("change", "match"),
    [
        ({"past": np.ones((2, 7, 5))}, r"past must have the shape \(2, 6, 5\) but has \(2, 7, 5\)"),
        ({"future": np.ones((1, 3, 2))}, r"future must have the shape \(2, 3, 2\) but has \(1, 3, 2\)"),
        ({"future": np.ones((2, 3, 0))}, r"future must have the shape \(2, 3, 2\) but has \(2, 3, 0\)"),
        ({"static": np.ones((2, 1))}, r"static must have the shape \(2, 2\) but has \(2, 1\)"),
        ({"static": None}, r"static must be given: .* covariates static_0, static_1; its shape is \(2, 2\)$"),
        (
            {"series": None},
            r"series must be given: the model has parameters for each series; its shape is \(2,\)$",
        ),
        ({"series": np.array([0, 1])}, "series must hold codes of the training series, 1 to 3, but holds 0"),
        ({"series": np.array([1, 4])}, "series must hold codes of the training series, 1 to 3, but holds 4"),
        ({"series": np.array([1, 2.5])}, "series must hold codes of the training series, 1 to 3, but holds 2.5"),
        ({"lengths": None}, r"lengths must be given: contexts of the model may be padded; its shape is \(2,\)$"),
        ({"lengths": np.array([0, 6])}, "lengths must hold rows of a context, 1 to 6, but holds 0"),
        ({"lengths": np.array([1, 7])}, "lengths must hold rows of a context, 1 to 6, but holds 7"),
        ({"lengths": np.array([1, 2.5])}, "lengths must hold rows of a context, 1 to 6, but holds 2.5"),
        ({"past": np.full((2, 6, 5), 3)}, "past must hold codes of categories, 0 to 2, in 'future_1' but holds 3"),
        (
            {"future": np.full((2, 3, 2), -1)},
            "future must hold codes of categories, 0 to 2, in 'future_1' but holds -1",
        ),
        ({"static": np.full((2, 2), 1.5)}, "static must hold codes of categories, 0 to 3, in 'static_0' but holds 1.5"),
        (
            {"past": np.zeros((2, 6, 5))},
            "past must be positive in target 'target_0', .* but is 0 at step 4 of window 0",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, Any], match: str) -> None:
    categories = {"future_1": ("rain", "sun"), "static_0": ("a", "b", "c")}
    panel = make_panel((40, 30, 20), targets=2, past=1, future=2, static=2, categories=categories)
    bundle = bundle_of(panel, model_of(transform="log"), short_series="pad")
    arrays: dict[str, Any] = {name: np.ones(shape, np.float32) for name, shape in ARRAYS.items()}
    arrays |= {"series": np.array([1, 3]), "lengths": np.array([2, 6])}
    assert bundle.forecast_array(**arrays).shape == (2, HORIZON, 2)
    with pytest.raises(DataError, match=match):
        bundle.forecast_array(**(arrays | change))


def test_arrays_that_a_model_does_not_read_are_ignored() -> None:
    panel = make_panel((40,))
    bundle = bundle_of(panel)
    past, future = panel.values[None, :CONTEXT], np.zeros((1, HORIZON, 0), np.float32)
    forecast = bundle.forecast_array(past, future)
    others = {"static": np.zeros((1, 0), np.float32), "series": np.array([9]), "lengths": np.array([CONTEXT])}
    np.testing.assert_array_equal(bundle.forecast_array(past, future, **others), forecast)
    with pytest.raises(DataError, match=r"future must have the shape \(1, 3, 0\) but has \(2, 3, 0\)"):
        bundle.forecast_array(past, future.repeat(2, axis=0))


def test_forecasts_stand_in_the_order_of_series_time_and_target() -> None:
    frame = table(shops=(20, 3), targets=2)
    bundle = bundle_of(panel_of(frame))
    forecasts = bundle.predict(frame)
    assert list(forecasts.columns) == ["shop", "day", "target", "forecast"]
    assert forecasts["shop"].tolist() == ["3"] * 6 + ["20"] * 6
    days = ["2020-04-13", "2020-04-14", "2020-04-15"]
    assert forecasts["day"].tolist() == [pd.Timestamp(day) for day in days for _ in "ab"] * 2
    assert forecasts["target"].tolist() == ["sales 0", "sales 1"] * 6
    alone = bundle.predict(frame[frame["shop"] == 20])
    np.testing.assert_allclose(forecasts["forecast"][6:], alone["forecast"], rtol=1e-5)


def test_forecasts_are_in_the_units_of_the_table() -> None:
    frame = table()
    assert bundle_of(panel_of(frame)).predict(frame)["forecast"].between(10, 35).all()


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (np.arange(100, 220, 5), [220, 225, 230]),
        (pd.date_range("2020-03-20", periods=24, freq="D"), pd.date_range("2020-04-13", periods=3)),
        (
            pd.date_range("2020-03-07", periods=24, freq="D", tz="Europe/Paris"),
            pd.date_range("2020-03-31", periods=3, tz="Europe/Paris"),
        ),
        (
            pd.date_range("2020-03-28 02:00", periods=24, freq="h", tz="Europe/Paris"),
            pd.date_range("2020-03-29 03:00", periods=3, freq="h", tz="Europe/Paris"),
        ),
    ],
    ids=["steps", "dates", "days with a time zone", "into summer time"],
)
def test_forecasts_carry_times_of_the_tables_own_kind(times: Any, expected: Any, tmp_path: Path) -> None:
    frame = table(times=times)
    bundle = load_bundle(save(tmp_path / "bundle", bundle_of(panel_of(frame))))
    found = pd.Index(bundle.predict(frame)["day"])
    assert found.equals(pd.Index(expected))
    assert getattr(found, "tz", None) == getattr(expected, "tz", None)


def test_a_column_with_our_name_keeps_it() -> None:
    frame = table(shops=("a", "b")).rename(columns={"shop": "target", "day": "forecast"})
    panel = build_panel(frame, time="forecast", id="target", targets=["sales 0"], source="shops.csv")
    assert list(bundle_of(panel).predict(frame).columns) == ["target", "forecast", "target_", "forecast_"]
    panel = build_panel(
        frame.rename(columns={"forecast": "lower_80"}),
        time="lower_80",
        id="target",
        targets=["sales 0"],
        source="shops.csv",
    )
    bundle = bundle_of(panel, calibration=calibration_of(missing=True))
    columns = bundle.predict(frame.rename(columns={"forecast": "lower_80"})).columns
    assert list(columns) == ["target", "lower_80", "target_", "forecast", "lower_80_", "upper_80"]


def test_a_table_that_does_not_fit_is_refused_by_its_name() -> None:
    frame = table()
    bundle = bundle_of(panel_of(frame))
    with pytest.raises(DataError, match=r"new\.csv: .*'visits'"):
        bundle.predict(frame.drop(columns="visits"), source="new.csv")
    with pytest.raises(DataError, match="frequency"):
        bundle.predict(frame.iloc[::2], source="new.csv")


def test_gaps_are_treated_as_in_training() -> None:
    frame = table()
    bundle = bundle_of(panel_of(frame))
    gap = frame.drop(index=20)
    with pytest.raises(DataError, match="lacks 1 of the 6 rows"):
        bundle.predict(gap)
    filled = frame.copy()
    filled.loc[20, ["sales 0", "visits"]] = frame.loc[19, ["sales 0", "visits"]]
    pd.testing.assert_frame_equal(replace(bundle, gaps="fill").predict(gap), bundle.predict(filled))
