"""Attention weights as a table, and the example of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.forecast_bundles import (
    CONTEXT,
    HORIZON,
    bundle_of,
    model_of,
    panel_of,
    rich_panel,
    rich_table,
    save,
    table,
)
from helpers.panels import make_panel

from lstmgru.bundle import example_frame, load_bundle
from lstmgru.bundle.pyfunc import _load_pyfunc
from lstmgru.errors import DataError


def weights_of(bundle: Any, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """(series, channels, parts of the horizon, parts of the context), from the network itself."""
    context = bundle._context(frame, "table")
    arrays = bundle._arrays(context, "table")
    tensors = {name: torch.from_numpy(arrays[name]) for name in bundle.servable.shapes}
    return bundle.networks[0].network.attention(bundle.servable.scaled(0, tensors)).numpy()


@pytest.mark.parametrize("pooling", ["additive", "multihead"])
def test_a_forecast_that_is_made_at_once_has_a_weight_for_each_step_of_the_context(pooling: str) -> None:
    frame = table(shops=("a", "b"))
    bundle = bundle_of(panel_of(frame), model_of(pooling=pooling, n_heads=2))
    attention = bundle.attention(frame)
    assert list(attention.columns) == ["shop", "first_step", "last_step", "day", "weight"]
    assert attention["shop"].tolist() == ["a"] * CONTEXT + ["b"] * CONTEXT
    assert attention["day"].tolist() == list(pd.date_range(end="2020-04-12", periods=CONTEXT)) * 2
    assert (attention["first_step"].eq(1) & attention["last_step"].eq(HORIZON)).all()
    np.testing.assert_array_equal(attention["weight"], weights_of(bundle, frame).ravel())
    np.testing.assert_allclose(attention.groupby("shop")["weight"].sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("decoder", ["parallel", "recurrent"])
def test_segments_stand_at_their_last_row_and_are_for_some_of_the_steps(decoder: str) -> None:
    frame = rich_table(30)
    spec = {"pooling": "additive", "decoder": decoder, "segment_length": 2, "channels": "independent"}
    bundle = bundle_of(rich_panel(frame), model_of(context_length=5, **spec))
    attention = bundle.attention(frame)
    assert list(attention.columns) == ["shop", "target", "first_step", "last_step", "day", "weight"]
    assert len(attention) == 3 * 2 * 2 * 3
    first = attention[(attention["shop"] == "a") & (attention["target"] == "sales 1")]
    assert first[["first_step", "last_step"]].to_numpy().tolist() == [[1, 2]] * 3 + [[3, 3]] * 3
    last = frame.loc[frame["sales 0"].notna(), "day"].max()
    assert first["day"].tolist() == [last - pd.Timedelta(days=n) for n in (4, 2, 0)] * 2
    np.testing.assert_array_equal(attention["weight"], weights_of(bundle, frame).ravel())


def test_a_series_that_is_short_has_no_weights_before_its_start() -> None:
    frame = table(shops=("a", "b"))
    short = frame[(frame["shop"] == "a") | (frame["day"] >= "2020-04-10")]
    bundle = bundle_of(panel_of(frame), model_of(pooling="additive"), short_series="pad")
    attention = bundle.attention(short)
    assert attention["shop"].value_counts().to_dict() == {"a": CONTEXT, "b": 3}
    assert attention["day"][attention["shop"] == "b"].min() == pd.Timestamp("2020-04-10")
    np.testing.assert_allclose(attention.groupby("shop")["weight"].sum(), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (np.arange(0, 48, 2), [36, 38, 40, 42, 44, 46]),
        (
            pd.date_range("2020-03-08", periods=24, freq="D", tz="Europe/Paris"),
            list(pd.date_range("2020-03-26", periods=6, freq="D", tz="Europe/Paris")),
        ),
    ],
    ids=["steps", "over the change to summer time"],
)
def test_times_are_those_of_the_table(times: Any, expected: list[Any]) -> None:
    frame = table(times=times)
    attention = bundle_of(panel_of(frame), model_of(pooling="additive")).attention(frame)
    assert list(attention.columns) == ["first_step", "last_step", "day", "weight"]
    assert attention["day"].tolist() == expected


def test_a_column_with_our_name_keeps_it() -> None:
    frame = table(shops=("a", "b")).rename(columns={"day": "weight", "shop": "first_step"})
    from lstmgru.data.forecasting.build_panel import build_panel

    panel = build_panel(frame, time="weight", id="first_step", targets=["sales 0"], source="shops.csv")
    attention = bundle_of(panel, model_of(pooling="additive")).attention(frame)
    assert list(attention.columns) == ["first_step", "first_step_", "last_step", "weight", "weight_"]


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_a_model_without_attention_says_so(pooling: str) -> None:
    frame = table()
    bundle = bundle_of(panel_of(frame), model_of(pooling=pooling))
    with pytest.raises(DataError, match=f"no attention to show: only a pooling of additive .* this one is {pooling}$"):
        bundle.attention(frame)


def test_a_table_that_does_not_fit_is_refused_by_its_name() -> None:
    bundle = bundle_of(panel_of(table()), model_of(pooling="additive"))
    with pytest.raises(DataError, match=r"^new\.csv: .*'visits'"):
        bundle.attention(table().drop(columns="visits"), source="new.csv")


PARIS = pd.date_range("2020-03-17", periods=24, freq="D", tz="Europe/Paris")


@pytest.mark.parametrize(
    ("frame", "ahead", "columns"),
    [
        (table(), 0, ["day", "sales 0", "visits"]),
        (table(shops=(7, 8), targets=2), 0, ["shop", "day", "sales 0", "sales 1", "visits"]),
        (table(rows=27, shops=("a", "b"), ahead=3), 3, ["shop", "day", "sales 0", "visits", "price"]),
        (table(times=PARIS), 0, ["day", "sales 0", "visits"]),
        (table(times=np.arange(0, 48, 2)), 0, ["day", "sales 0", "visits"]),
    ],
    ids=["one series", "two targets", "future covariates", "time zone", "steps"],
)
def test_an_example_is_a_table_that_the_model_takes(frame: pd.DataFrame, ahead: int, columns: list[str]) -> None:
    panel = panel_of(frame, ahead=ahead)
    bundle = bundle_of(panel)
    example = example_frame(panel, CONTEXT, HORIZON)
    assert list(example.columns) == columns
    assert len(example) == CONTEXT + (HORIZON if ahead else 0)
    known = frame[frame["visits"].notna()]
    series = known if "shop" not in frame else known[known["shop"].astype(str) == panel.ids[0]]
    last = series.sort_values("day").iloc[[-1]]
    assert example["day"].iloc[-1] == last["day"].item()
    assert example["day"].dtype == panel_of(frame, ahead=ahead).times.dtype or bundle.timezone
    forecasts = bundle.predict(example)
    if not ahead:
        whole = bundle.predict(frame)
        expected = whole if "shop" not in frame else whole[whole["shop"] == panel.ids[0]]
        pd.testing.assert_frame_equal(forecasts, expected, rtol=1e-5)
    else:
        assert forecasts["day"].iloc[-1] == last["day"].item()
        assert example[["sales 0", "visits"]].tail(HORIZON).isna().all(axis=None)
        assert example["price"].notna().all()


@pytest.mark.parametrize(
    ("frame", "ahead"),
    [
        (table(), 0),
        (table(shops=("NA", "b")), 0),
        (table(shops=("007", "8")), 0),
        (table(rows=27, shops=(7, 8), ahead=3), 3),
        (table(times=PARIS), 0),
        (table(times=pd.date_range("2020-03-28 02:00", periods=24, freq="h", tz="Europe/Paris")), 0),
        (table(times=np.arange(0, 48, 2)), 0),
    ],
    ids=["one series", "NA", "007", "future covariates", "time zone", "into summer time", "steps"],
)
def test_a_loaded_bundle_forecasts_the_same_from_its_example(frame: pd.DataFrame, ahead: int, tmp_path: Path) -> None:
    panel = panel_of(frame, ahead=ahead)
    example = example_frame(panel, CONTEXT, HORIZON)
    bundle = bundle_of(panel, example=example)
    folder = save(tmp_path / "bundle", bundle)
    loaded = load_bundle(folder)
    assert loaded.example is not None
    values = example.columns.drop("day")
    pd.testing.assert_frame_equal(loaded.example[values], example[values])
    if "day" in example.select_dtypes(["datetime", "datetimetz"]):
        assert loaded.example["day"].tolist() == [when.isoformat() for when in example["day"]]
    pd.testing.assert_frame_equal(loaded.predict(loaded.example), bundle.predict(example))
    pd.testing.assert_frame_equal(_load_pyfunc(str(folder)).predict(loaded.example), bundle.predict(example))
    again = save(tmp_path / "again", loaded)
    assert (again / "example.json").read_bytes() == (folder / "example.json").read_bytes()


def test_a_bundle_need_not_have_an_example(tmp_path: Path) -> None:
    saved = save(tmp_path / "bundle", bundle_of(panel_of(table())))
    assert not (saved / "example.json").exists()
    assert load_bundle(saved).example is None
    assert "example.json" not in (saved / "MODEL_CARD.md").read_text()


def test_an_example_shows_numbers_as_they_were_written() -> None:
    frame = table().assign(visits=[round(12.8 + n / 10, 1) for n in range(24)])
    assert example_frame(panel_of(frame), 2, 1)["visits"].tolist() == [15.0, 15.1]


def test_an_example_holds_names_and_what_never_changes(tmp_path: Path) -> None:
    frame = rich_table(30, ahead=0)
    panel = rich_panel(frame)
    example = example_frame(panel, CONTEXT, HORIZON)
    assert list(example.columns) == ["shop", "day", "sales 0", "sales 1", "visits", "price", "weather", "kind", "area"]
    last = frame[frame["shop"] == "a"].tail(CONTEXT + HORIZON).reset_index(drop=True)
    same = ["shop", "day", "weather", "kind", "area"]
    pd.testing.assert_frame_equal(example[same], last[same], check_dtype=False)
    assert example[["sales 0", "sales 1", "visits"]].isna().all(axis=1).tolist() == [False] * CONTEXT + [True] * HORIZON
    bundle = bundle_of(panel, example=example)
    folder = save(tmp_path / "bundle", bundle)
    loaded = load_bundle(folder)
    pd.testing.assert_frame_equal(loaded.predict(loaded.example), bundle.predict(example))
    pd.testing.assert_frame_equal(_load_pyfunc(str(folder)).predict(loaded.example), bundle.predict(example))


def test_names_of_the_past_end_with_the_past() -> None:
    frame = table()
    frame["visits"] = frame["visits"].gt(22).map({True: "many", False: "few"})
    named = panel_of(frame, ahead=HORIZON, categorical=["visits"])
    example = example_frame(named, CONTEXT, HORIZON)
    assert set(example["visits"][:CONTEXT]) <= {"many", "few"}
    assert example["visits"][CONTEXT:].isna().all()
    assert len(bundle_of(named).predict(example)) == HORIZON


@pytest.mark.parametrize(
    ("lengths", "short_series", "series", "rows"),
    [((40, 50), "error", 0, 30), ((20, 50), "error", 1, 30), ((20, 50), "pad", 1, 30), ((20, 24, 22), "pad", 1, 24)],
)
def test_the_first_series_that_is_long_enough_is_the_example(
    lengths: tuple[int, ...], short_series: str, series: int, rows: int
) -> None:
    example = example_frame(make_panel(lengths), 30, 3, short_series=short_series)
    assert set(example["shop"]) == {f"series {series}"}
    assert len(example) == rows


def test_an_example_of_a_series_that_is_short_has_a_future_too() -> None:
    panel = make_panel((20, 24), future=1)
    bundle = bundle_of(panel, model_of(context_length=30), short_series="pad")
    example = example_frame(panel, 30, HORIZON, short_series="pad")
    assert len(example) == 24
    assert len(bundle.predict(example)) == HORIZON


def test_a_panel_of_series_that_are_too_short_for_an_example_is_refused() -> None:
    with pytest.raises(DataError, match="the longest series, 'series', has 24 rows, too few for an example of 30"):
        example_frame(panel_of(table()), 30, 3)
