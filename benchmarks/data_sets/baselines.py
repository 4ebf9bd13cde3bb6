"""The baselines of a study, fitted to all rows before the test part, and their forecasts of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_sets.base import Prepared
from data_sets.scores import Columns
from lstmgru.errors import BaselineTooSlow
from lstmgru.evaluation.forecast_baselines import TimeLimit, baseline_names, fit_baseline, forecaster
from lstmgru.evaluation.forecast_baselines.base import Forecaster
from search.api import load_plan
from search.tasks.forecasting.plan import ForecastPlan

LIMIT = 300.0
"""Seconds for each baseline; those that take longer are left out."""


def panel_forecasts(
    prepared: Prepared, known: pd.DataFrame, columns: Columns, *, horizon: int, test: int
) -> dict[str, pd.DataFrame]:
    """Forecasts of the test part of a panel with the columns ``id``, ``time`` and ``forecast``, by name.

    Args:
        prepared: The study, whose baselines are used.
        known: All rows, those of the test part too.
        columns: Names of the columns.
        horizon: H; forecasts begin every H rows.
        test: Rows of each series in the test part.
    """
    table = prepared.table.with_name("known.parquet")
    known.to_parquet(table, index=False)
    plan = load_plan(
        prepared.study,
        data=table,
        overrides=[f"splits.holdout={test}", f"splits.fold_size={horizon}", "splits.folds=1", "splits.align=end"],
    )
    assert isinstance(plan, ForecastPlan)
    panel, cutoffs = plan.panel, plan.splits.holdout.evaluation[:, :1] + np.arange(0, test, horizon)
    rows = (cutoffs.ravel()[:, None] + np.arange(horizon)).ravel()
    places = {
        columns.id: np.repeat(panel.ids, test),
        columns.time: pd.Series(panel.times[rows]).astype(known[columns.time].dtype),
    }
    return {
        name: pd.DataFrame({**places, "forecast": forecast(cutoffs.ravel()).ravel()})
        for name, forecast in forecasters(plan).items()
    }


def forecasters(plan: ForecastPlan) -> dict[str, Forecaster]:
    """The baselines of a study by name, fitted to all rows before its holdout."""
    found = {}
    for name in baseline_names(plan.panel):
        data = (plan.panel, plan.splits.holdout, plan.forecast, plan.longest_context, plan.config.data.short_series)
        try:
            found[name] = forecaster(plan.panel, fit_baseline(name, *data, TimeLimit(LIMIT)), forecast=plan.forecast)
        except BaselineTooSlow:
            continue
    return found
