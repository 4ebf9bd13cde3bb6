"""The baselines of a study, fitted to all rows before the test part of a panel, and their forecasts of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_sets.base import Prepared
from data_sets.scores import Columns
from lstmgru.evaluation.baselines import BASELINES
from search.api import load_plan
from search.tasks.forecasting.plan import ForecastPlan


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
    return {
        name: pd.DataFrame({**places, "forecast": fit(panel, split, plan.forecast, context, short)(cutoffs).ravel()})
        for name, fit in BASELINES.items()
    }
