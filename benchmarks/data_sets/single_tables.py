"""Tables whose holdout is the part that is scored: weather with its shipped study, ETTh1 with the published protocol.

In ``train`` the table ends where the holdout begins, so that the rows before it become the holdout.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import etth1
import numpy as np
import pandas as pd
import yaml
from published import HERE

from data_sets.base import ROOT, DataSet, Part, Prepared, Scores, of_holdout, write_study, write_table
from data_sets.baselines import forecasters
from lstmgru.data.tables.datasets import load_dataset
from search.api import load_plan
from search.tasks.forecasting.plan import ForecastPlan


@dataclass(frozen=True, kw_only=True)
class Weather(DataSet):
    """The shipped study, without the values of its space."""

    def prepare(self, data: Path, folder: Path, part: Part) -> Prepared:
        """Write the table, see :meth:`DataSet.prepare`."""
        study = yaml.safe_load((ROOT / "studies" / "weather.yaml").read_text(encoding="utf-8"))
        frame = load_dataset(study["data"].pop("dataset"))
        if part == "train":
            frame = frame[: -study["splits"]["holdout"]]
        table = write_table(folder, frame)
        return Prepared(write_study(folder, self.name, study | {"data": {"path": table.name, **study["data"]}}), table)

    def score(self, data: Path, prepared: Prepared, record: dict[str, Any], part: Part) -> Scores:
        """The scores of the holdout, see :meth:`DataSet.score`."""
        return of_holdout(record)


@dataclass(frozen=True, kw_only=True)
class ETTh1(DataSet):
    """Training, validation and test part of the literature; in ``train`` of what comes before the test part."""

    def prepare(self, data: Path, folder: Path, part: Part) -> Prepared:
        """Write the table, see :meth:`DataSet.prepare`."""
        study = yaml.safe_load((HERE / "etth1.yaml").read_text(encoding="utf-8"))
        # Published models learn from the training part alone.
        study["training"] = {"refit": study["training"]["refit"]}
        del study["search"]
        table = write_table(folder, self._frame(data, part))
        return Prepared(write_study(folder, self.name, study), table)

    def score(self, data: Path, prepared: Prepared, record: dict[str, Any], part: Part) -> Scores:
        """Errors on values scaled as in the literature, those of the baselines too, see :meth:`DataSet.score`."""
        parts = self._parts(part)
        found = etth1.score(record, self._frame(data, part), parts)
        exported = {"mse": found["test_mse"], "mae": found["test_mae"]}
        plan = load_plan(prepared.study, data=prepared.table)
        assert isinstance(plan, ForecastPlan)
        values = plan.panel.values[:, : plan.panel.n_targets].astype(np.float64)
        baselines = {
            name: etth1.errors(forecast, values, parts)["test_mse"] for name, forecast in forecasters(plan).items()
        }
        return Scores(exported, None, baselines)

    def _frame(self, data: Path, part: Part) -> pd.DataFrame:
        return pd.read_csv(data / "ett" / "ETTh1.csv")[: self._parts(part).test]

    def _parts(self, part: Part) -> etth1.Parts:
        return (
            etth1.PUBLISHED if part == "test" else etth1.Parts(5760, etth1.PUBLISHED.train, etth1.PUBLISHED.validation)
        )


SINGLE_TABLES: tuple[DataSet, ...] = (
    Weather(
        name="weather",
        seconds=60,
        metric="mae",
        seeds=(0, 1, 2),
        trials=30,
        goals={"mae": (2.55, 2.48)},
    ),
    ETTh1(
        name="etth1",
        seconds=600,
        metric="mse",
        published={"DLinear": 0.375, "PatchTST": 0.370, "SegRNN": 0.351},
        goals={"mse": (0.365, 0.350)},
    ),
)
