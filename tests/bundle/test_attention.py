"""The weights of an attention as a table: whose they are, which times they look at, and for which steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.forecast_bundles import CONTEXT, HORIZON, bundle_of, model_of, panel_of, rich_panel, rich_table, table

from lstmgru.errors import DataError


def weights_of(bundle: Any, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """(series, channels, parts of the horizon, parts of the context), from the network itself."""
    context = bundle._context(frame, "table")
    arrays = bundle._arrays(context, "table")
    tensors = {name: torch.from_numpy(arrays[name]) for name in bundle.servable.shapes}
    return bundle.network.attention(bundle.servable.scaled(**tensors)).numpy()


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
    from lstmgru.data.forecasting.panel import build_panel

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
