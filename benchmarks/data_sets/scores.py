"""Errors of forecasts on the test part of a panel, as the literature defines them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

NAIVE2 = {"smape": 18.383, "mase": 2.395}
"""Errors of Naive2 on M4 Hourly that the organizers of the competition published (Makridakis et al. 2020)."""


@dataclass(frozen=True)
class Columns:
    """Columns of a panel.

    Attributes:
        id: Identifies the series.
        time: Orders the rows of a series.
        target: The value to forecast.
    """

    id: str
    time: str
    target: str


def panel_errors(
    history: pd.DataFrame, truth: pd.DataFrame, forecasts: pd.DataFrame, columns: Columns, season: int
) -> dict[str, float]:
    """Means over the series of the errors of each series.

    - ``mae``: mean |y − f|, in original units.
    - ``smape``: mean 200 |y − f| / (|y| + |f|), in percent; 0 where both are 0.
    - ``mase``: MAE over the mean |y_t − y_(t − season)| of the history (Hyndman & Koehler 2006). Series without such a
      scale, because they are constant or too short, are left out. ``median_mase`` is the median over the series.

    Args:
        history: What comes before the test part.
        truth: The test part.
        forecasts: The columns ``id``, ``time`` and ``forecast``; other rows than those of the test part are ignored.
        columns: Names of the columns.
        season: Steps of a season; 1 for the changes from one row to the next.

    Raises:
        ValueError: A row of the test part has no forecast.
    """
    keys = [columns.id, columns.time]
    both = truth[[*keys, columns.target]].merge(forecasts[[*keys, "forecast"]], on=keys, how="left", validate="1:1")
    missing = int(both["forecast"].isna().sum())
    if missing:
        raise ValueError(f"{missing} of the {len(both)} rows of the test part have no forecast")
    y, f = both[columns.target].to_numpy(np.float64), both["forecast"].to_numpy(np.float64)
    error, size = np.abs(y - f), np.abs(y) + np.abs(f)
    relative = np.divide(200 * error, size, out=np.zeros_like(error), where=size > 0)
    of_series = pd.DataFrame({"mae": error, "smape": relative}).groupby(both[columns.id].to_numpy()).mean()
    ordered = history.sort_values(keys).groupby(columns.id)[columns.target]
    scale = ordered.apply(lambda values: float(values.astype(float).diff(season).abs().mean()))
    scaled = (of_series["mae"] / scale.reindex(of_series.index)).where(scale.reindex(of_series.index) > 0).dropna()
    errors = {"mase": scaled.mean(), "smape": of_series["smape"].mean(), "mae": of_series["mae"].mean()}
    return {name: float(value) for name, value in {**errors, "median_mase": scaled.median()}.items()}


def owa(errors: Mapping[str, float], naive2: Mapping[str, float] = NAIVE2) -> float:
    """Overall weighted average of the M4 competition: the mean of sMAPE and MASE, each relative to Naive2's."""
    return sum(errors[name] / value for name, value in naive2.items()) / len(naive2)


def advantage(ours: float, other: float, *, maximize: bool) -> float:
    """Relative advantage of a score over another one: 0.02 if it is 2% better, negative if it is worse.

    Errors are compared by their ratio, and scores that are maximized by theirs.
    """
    if ours == other:
        return 0.0
    if maximize:
        return ours / other - 1 if other else float("inf")
    return 1 - ours / other if other else float("-inf")


def best(scores: Mapping[str, float], *, maximize: bool) -> str | None:
    """Name of the best score; the first one of several; ``None`` if there is none."""
    if not scores:
        return None
    return (max if maximize else min)(scores, key=lambda name: scores[name])
