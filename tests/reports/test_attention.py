"""What a forecast looks at, as a table and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.forecast_bundles import CONTEXT, HORIZON, bundle_of, model_of, panel_of, table

from lstmgru.bundle import example_frame
from lstmgru.errors import DataError
from search.reports.charts.marks import Boxes
from search.reports.holdout.attention import attention_chart, attention_charts, attention_table


def rows(*, parts: int, steps: int = 4) -> pd.DataFrame:
    """Weights of a context of ``steps`` for each part of a horizon, two steps long each."""
    weights = np.random.default_rng(0).dirichlet(np.ones(steps), parts)
    return pd.DataFrame(
        {
            "target": "",
            "first_step": np.repeat(np.arange(parts) * 2 + 1, steps),
            "last_step": np.repeat(np.arange(parts) * 2 + 2, steps),
            "time": np.tile([f"2020-01-0{day + 1}" for day in range(steps)], parts),
            "weight": weights.ravel(),
        }
    )


def test_one_set_of_weights_is_drawn_as_bars_in_the_order_of_time() -> None:
    frame = rows(parts=1)
    chart = attention_chart(frame)
    [bars] = chart.marks
    assert isinstance(bars, Boxes)
    assert list(chart.x.words) == list(frame["time"])
    np.testing.assert_allclose(bars.top, frame["weight"])
    assert set(bars.bottom) == {0}


def test_a_set_for_each_part_of_the_horizon_is_drawn_as_a_map() -> None:
    frame = rows(parts=3)
    chart = attention_chart(frame)
    [cells] = chart.marks
    assert isinstance(cells, Boxes)
    assert list(chart.y.words) == ["1-2", "3-4", "5-6"]
    assert list(cells.values) == [f"{weight:.3f}" for weight in frame["weight"]]
    np.testing.assert_allclose(cells.opacities, frame["weight"] / frame["weight"].max())


def test_without_a_table_nothing_is_drawn(tmp_path: Path) -> None:
    assert attention_charts(tmp_path / "attention.csv") == ""


def test_names_of_targets_are_escaped_and_a_few_targets_are_drawn(tmp_path: Path) -> None:
    frame = pd.concat([rows(parts=1).assign(target=f"<b>{name}</b>") for name in "abcde"])
    frame.to_csv(tmp_path / "attention.csv", index=False)
    page = attention_charts(tmp_path / "attention.csv")
    assert page.count("<h3>Attention") == 3
    assert "&lt;b&gt;a&lt;/b&gt;" in page
    assert "<b>a</b>" not in page
    assert "2 more targets are not shown." in page


@pytest.mark.parametrize(
    ("model", "targets", "parts"),
    [
        ({"pooling": "additive"}, [""], 1),
        ({"pooling": "multihead", "n_heads": 2, "decoder": "parallel", "segment_length": 2}, [""], 2),
        ({"pooling": "additive", "channels": "independent"}, ["sales 0", "sales 1"], 1),
    ],
)
def test_the_table_holds_weights_that_sum_to_1_for_each_part_of_the_forecast(
    model: dict[str, Any], targets: list[str], parts: int
) -> None:
    frame = table(shops=("a", "b"), targets=2)
    panel = panel_of(frame)
    bundle = bundle_of(panel, model_of(**model), example=example_frame(panel, CONTEXT, HORIZON))
    found = attention_table(bundle)
    assert list(found.columns) == ["target", "first_step", "last_step", "time", "weight"]
    assert found["target"].unique().tolist() == targets
    sums = found.groupby(["target", "first_step"])["weight"].sum()
    assert len(sums) == len(targets) * parts
    np.testing.assert_allclose(sums, 1, rtol=1e-5)


def test_a_model_without_attention_has_none_to_show() -> None:
    panel = panel_of(table())
    bundle = bundle_of(panel, example=example_frame(panel, CONTEXT, HORIZON))
    with pytest.raises(DataError, match="the model has no attention to show"):
        attention_table(bundle)
