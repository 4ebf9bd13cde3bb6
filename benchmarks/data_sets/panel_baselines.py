"""The baselines of a study, fitted to all rows before the test part of a panel, and their forecasts of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_sets.base import Prepared
from data_sets.scores import Columns
from lstmgru.errors import BaselineTooSlow
from lstmgru.evaluation.baselines import TimeLimit, baseline_names, fit_baseline, forecaster
from search.api import load_plan
from search.tasks.forecasting.plan import ForecastPlan

LIMIT = 300.0
"""Seconds for each baseline; those that take longer are left out."""


def baseline_forecasts(
    prepared: Prepared, known: pd.DataFrame, columns: Columns, *, horizon: int, test: int
) -> dict[str, pd.DataFrame]:
    """Forecasts with the columns ``id``, ``time`` and ``forecast``, by name.

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
    panel, split, context = plan.panel, plan.splits.holdout, plan.longest_context
    cutoffs = (split.evaluation[:, :1] + np.arange(0, test, horizon)).ravel()
    rows = (cutoffs[:, None] + np.arange(horizon)).ravel()
    places = {
        columns.id: np.repeat(panel.ids, test),
        columns.time: pd.Series(panel.times[rows]).astype(known[columns.time].dtype),
    }
    short = plan.config.data.short_series
    found = {}
    for name in baseline_names(panel, plan.forecast):
        try:
            fitted = fit_baseline(name, panel, split, plan.forecast, context, short, TimeLimit(LIMIT))
            found[name] = pd.DataFrame({**places, "forecast": forecaster(panel, fitted)(cutoffs).ravel()})
        except BaselineTooSlow:
            continue
    return found
